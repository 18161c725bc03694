// Small things that say how something stands: status, countdown, instants, the connection light.
import { useEffect, useState } from "react";
import type { Light as LightState } from "../client/follow";
import type { OrderStatus, RequestStatus } from "../generated/graphql";
import { dateTime, exactDateTime, relative, span } from "../format";
import { useServerTime } from "../live/time";
import { ORDER_STATUS, REQUEST_STATUS } from "../words";
import { Icon } from "./icons";

export function OrderMark({ status }: { status: OrderStatus }) {
  return <span className={`mark mark-${status.toLowerCase()}`}>{ORDER_STATUS[status]}</span>;
}

export function RequestMark({ status }: { status: RequestStatus }) {
  return <span className={`mark mark-request-${status.toLowerCase()}`}>{REQUEST_STATUS[status]}</span>;
}

export function Instant({ at }: { at: string }) {
  return (
    <time dateTime={at} title={exactDateTime(at)}>
      {dateTime(at)}
    </time>
  );
}

export function Ago({ at }: { at: string }) {
  const now = useServerTime();
  return (
    <time dateTime={at} title={exactDateTime(at)}>
      {relative(at, now)}
    </time>
  );
}

interface CountdownProps {
  until: string;
  /** Since when support has the order: the clock stands still. */
  stoppedSince?: string | null | undefined;
  words?: (left: string) => string;
}

const SOON = 4 * 3_600_000;

/** By the server's clock, to the second. */
export function Countdown({ until, stoppedSince, words = (left) => `${left} left` }: CountdownProps) {
  const now = useServerTime();
  if (stoppedSince) {
    const left = span(Date.parse(until) - Date.parse(stoppedSince));
    return <span className="countdown countdown-still">{words(left)}, standing still while support has the order</span>;
  }
  const left = Date.parse(until) - now;
  if (left <= 0) return <span className="countdown countdown-over">Time is over</span>;
  return (
    <time
      role="timer"
      className={`countdown${left < SOON ? " countdown-soon" : ""}`}
      dateTime={until}
      title={exactDateTime(until)}
    >
      <Icon name="clock" /> {words(span(left))}
    </time>
  );
}

const LIGHT: Record<LightState, string> = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  "catching up": "Catching up",
};
/** A hiccup, such as a new token, is not worth a word. */
const HICCUP = 400;

export function ConnectionLight({ light }: { light: LightState }) {
  const [shown, setShown] = useState(light);
  useEffect(() => {
    const timer = setTimeout(
      () => {
        setShown(light);
      },
      light === "reconnecting" ? HICCUP : 0,
    );
    return () => {
      clearTimeout(timer);
    };
  }, [light]);
  return (
    <span className="light" data-light={shown} role="status">
      <span className="light-dot" aria-hidden="true" />
      {LIGHT[shown]}
    </span>
  );
}
