// The server's clock, as seen from here: so that a countdown ends when the server says, whatever this computer's
// clock shows.

interface Sample {
  /** Server's time minus our steady clock, in milliseconds. */
  offset: number;
  /** By how much it may be wrong, in milliseconds. */
  doubt: number;
  takenAt: number;
}

const GROWS_OLD = 10 * 60_000;
let best: Sample = { offset: Date.now() - performance.now(), doubt: Number.POSITIVE_INFINITY, takenAt: 0 };

// #region clock
/** `at` is the instant that an answer carries; we asked at `sent` and heard at `heard`, by performance.now(). */
export function hearServer(at: string, sent: number, heard: number): void {
  const doubt = (heard - sent) / 2;
  if (doubt > best.doubt && heard - best.takenAt < GROWS_OLD) return;
  best = { offset: Date.parse(at) - (sent + doubt), doubt, takenAt: heard };
}

/** What the server's clock shows now, in milliseconds since 1970. */
export function serverNow(): number {
  return performance.now() + best.offset;
}
// #endregion

/** After sleep, or a lost connection: the next sample is believed, whatever it is. */
export function doubtClock(): void {
  best = { ...best, doubt: Number.POSITIVE_INFINITY };
}
