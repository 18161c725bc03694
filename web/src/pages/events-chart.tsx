// How much happened when: a small chart of bars that moves with the time.
import { clockTime, count, day, span } from "../format";

export const WINDOWS = {
  quarter: { label: "15 min", bars: 45, width: 20_000 },
  day: { label: "24 hours", bars: 48, width: 30 * 60_000 },
  week: { label: "7 days", bars: 56, width: 3 * 3_600_000 },
} as const;
export type WindowName = keyof typeof WINDOWS;
export type Window = (typeof WINDOWS)[WindowName];

const HEIGHT = 120;
const STEP = 12;
const GAP = 3;

/** How many instants fall into each bar, the oldest first. The last bar is the one that is growing. */
export function binned(instants: number[], now: number, { bars, width }: { bars: number; width: number }): number[] {
  const end = Math.floor(now / width) + 1;
  const counts = Array.from({ length: bars }, () => 0);
  for (const instant of instants) {
    const bar = bars - (end - Math.floor(instant / width));
    if (bar >= 0 && bar < bars) counts[bar] = (counts[bar] ?? 0) + 1;
  }
  return counts;
}

interface Given {
  instants: number[];
  isWhole: boolean;
  window: Window;
  now: number;
  isRead: boolean;
}

export function EventsChart({ instants, isWhole, window, now, isRead }: Given) {
  const counts = binned(instants, now, window);
  const most = Math.max(4, ...counts);
  const total = counts.reduce((sum, number) => sum + number, 0);
  const long = window.bars * window.width;
  const start = (Math.floor(now / window.width) + 1) * window.width - long;
  const oldest = instants.length > 0 ? Math.min(...instants) : now;
  const label = long > 86_400_000 ? (at: number) => day(new Date(at).toISOString()) : clockTime;
  const summary = `${count(total)} ${total === 1 ? "event" : "events"} in the last ${span(long, "long")}; at most ${count(Math.max(...counts))} in ${span(window.width, "long")}.`;
  return (
    <figure className="chart">
      <svg viewBox={`0 0 ${String(window.bars * STEP)} ${String(HEIGHT)}`} role="img" aria-label={summary} preserveAspectRatio="none">
        {[0.25, 0.5, 0.75].map((share) => (
          <line key={share} className="chart-line" x1="0" x2={window.bars * STEP} y1={HEIGHT * share} y2={HEIGHT * share} />
        ))}
        {counts.map((number, bar) => {
          const height = number === 0 ? 2 : Math.max(4, (number / most) * HEIGHT);
          const kind = number === 0 ? "chart-none" : bar === window.bars - 1 ? "chart-now" : "chart-bar";
          return (
            <rect
              // The bar of an instant keeps its element while it moves.
              key={Math.floor(start / window.width) + bar}
              className={kind}
              x={bar * STEP}
              y={HEIGHT - height}
              width={STEP - GAP}
              height={height}
            />
          );
        })}
      </svg>
      <figcaption>
        <span>{label(start)}</span>
        <span className="chart-total">
          {isRead && `${count(total)} ${total === 1 ? "event" : "events"}`}
          {isRead && !isWhole && oldest > start && " at least"}
        </span>
        <span>now</span>
      </figcaption>
    </figure>
  );
}
