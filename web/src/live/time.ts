// Time that passes on the page, by the server's clock.
import { useEffect, useSyncExternalStore } from "react";
import { serverNow } from "../client/clock";

const waiting = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;

/** All that tick, tick together, when the server's clock shows a new second. */
function schedule() {
  clearTimeout(timer);
  if (waiting.size === 0) return;
  timer = setTimeout(
    () => {
      for (const tick of waiting) tick();
      schedule();
    },
    1000 - (serverNow() % 1000) + 1,
  );
}

function everySecond(tick: () => void): () => void {
  waiting.add(tick);
  if (waiting.size === 1) schedule();
  return () => {
    waiting.delete(tick);
    if (waiting.size === 0) schedule();
  };
}

/** The server's time in milliseconds since 1970, new with each of its seconds. */
export function useServerTime(): number {
  return useSyncExternalStore(everySecond, () => Math.floor(serverNow() / 1000) * 1000);
}

/** Calls once when the server's clock has reached an instant. */
export function useAt(instant: number | null, call: () => void): void {
  useEffect(() => {
    if (instant === null) return;
    const left = instant - serverNow();
    if (left <= 0 || left > 2 ** 31 - 1) return;
    const at = setTimeout(call, left);
    return () => {
      clearTimeout(at);
    };
  }, [instant, call]);
}
