// The story of an order: everything that happened, the newest first, by day; the earlier part on demand.
import { useApolloClient } from "@apollo/client/react";
import { useState } from "react";
import { EarlierEventsDocument, type EventPartsFragment, type OrderEventKind } from "../../generated/graphql";
import { clockTime, count, dayWithWeekday, exactDateTime } from "../../format";
import { useLive } from "../../live/live";
import { Button } from "../../parts/controls";
import { RequestMark } from "../../parts/marks";
import { happened } from "../../words";
import { RequestWords } from "./center";

interface Given {
  order: { id: string; version: number };
  /** In their order, up to the newest, without a gap. */
  events: EventPartsFragment[];
}

/** A request's words stand where it was opened; its end is said where it ended. */
const SHOWS_REQUEST: OrderEventKind[] = ["REQUEST_OPENED"];

export function Timeline({ order, events }: Given) {
  const { viewer } = useLive();
  const days = byDay([...events].reverse());
  const earliest = events[0];
  const { read, reading, failed, firstRead } = useEarlier(order.id, earliest);
  const hasMore = earliest !== undefined && earliest.sequence > 1;
  return (
    <section className="timeline" aria-label="What happened">
      <h2>What happened</h2>
      {days.map(([day, happenings]) => (
        <div key={day} className="timeline-day">
          <h3>{day}</h3>
          <ol>
            {happenings.map((event) => (
              <li
                key={event.id}
                className={`event event-${event.kind.toLowerCase()}`}
                data-kind={event.kind}
                data-sequence={event.sequence}
                {...(event.sequence === firstRead ? { tabIndex: -1, ref: focusOnce } : {})}
              >
                <time dateTime={event.occurredAt} title={exactDateTime(event.occurredAt)}>
                  {clockTime(event.occurredAt)}
                </time>
                <div className="event-words">
                  <p>{happened(event, viewer.id)}</p>
                  {event.message && <blockquote>{event.message}</blockquote>}
                  {event.request && SHOWS_REQUEST.includes(event.kind) && (
                    <>
                      <RequestWords request={event.request} />
                      <RequestMark status={event.request.status} />
                    </>
                  )}
                </div>
              </li>
            ))}
          </ol>
        </div>
      ))}
      {(hasMore || firstRead !== null) && (
        // Another one for each end of the list: what stood under the list does not wander down, it is there anew.
        <footer className="timeline-more" key={earliest?.sequence}>
          {hasMore && (
            <Button isBusy={reading} onPress={() => void read()}>
              Earlier events
            </Button>
          )}
          <p role="status">{failed ? "They could not be read. Try again." : howMany(events.length, order.version, hasMore)}</p>
        </footer>
      )}
    </section>
  );
}

function howMany(shown: number, all: number, hasMore: boolean): string {
  return hasMore ? `${count(shown)} of ${count(Math.max(all, shown + 1))} shown` : `All ${count(shown)} shown`;
}

/** Reads on from the earliest event that is shown. `firstRead` is the event at which reading goes on: it takes the focus. */
function useEarlier(orderId: string, earliest: EventPartsFragment | undefined) {
  const apollo = useApolloClient();
  const [reading, setReading] = useState(false);
  const [failed, setFailed] = useState(false);
  const [firstRead, setFirstRead] = useState<number | null>(null);
  const read = async () => {
    if (reading || !earliest) return;
    setReading(true);
    setFailed(false);
    setFirstRead(earliest.sequence - 1);
    try {
      // Into the cache, where it grows together with what is shown.
      await apollo.query({
        query: EarlierEventsDocument,
        variables: { id: orderId, before: earliest.cursor },
        fetchPolicy: "network-only",
      });
    } catch {
      setFailed(true);
    } finally {
      setReading(false);
    }
  };
  return { read, reading, failed, firstRead };
}

/** The focus of the button that asked for more, unless the person went elsewhere meanwhile. */
function focusOnce(element: HTMLElement | null): void {
  if (document.activeElement === document.body) element?.focus({ preventScroll: true });
}

function byDay(events: EventPartsFragment[]): [string, EventPartsFragment[]][] {
  const days = new Map<string, EventPartsFragment[]>();
  for (const event of events) {
    const day = dayWithWeekday(event.occurredAt);
    days.set(day, [...(days.get(day) ?? []), event]);
  }
  return [...days];
}
