// Amounts, dates and spans of time, as this browser's language writes them.

export interface MoneyLike {
  amount: string;
  currencyCode: string;
}

const cached = new Map<string, unknown>();

function once<T>(key: string, make: () => T): T {
  if (!cached.has(key)) cached.set(key, make());
  return cached.get(key) as T;
}

/** Exact: the digits are those that the server sent, and none goes through a floating point number. */
export function money({ amount, currencyCode }: MoneyLike): string {
  const digits = digitsOf(amount);
  const format = once(
    `money ${currencyCode} ${String(digits)}`,
    () =>
      new Intl.NumberFormat(undefined, {
        style: "currency",
        currency: currencyCode,
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      }),
  );
  return format.format(amount as Intl.StringNumericLiteral);
}

/** How many digits stand after the point. */
export function digitsOf(amount: string): number {
  return amount.split(".")[1]?.length ?? 0;
}

/** A number that is being typed, as this browser's language writes it; NaN while it is none. */
export function typedNumber(text: string): number {
  const parts = once("parts", () => new Intl.NumberFormat().formatToParts(1234.5));
  const point = parts.find(({ type }) => type === "decimal")?.value ?? ".";
  const [whole = "", fraction = "0"] = text.split(point).map((part) => part.replaceAll(/\D/g, ""));
  return whole === "" ? Number.NaN : Number(`${whole}.${fraction}`);
}

export function percent(share: number): string {
  return once("percent", () => new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 })).format(
    share,
  );
}

export function count(number: number): string {
  return once("count", () => new Intl.NumberFormat()).format(number);
}

export function dateTime(instant: string): string {
  return once(
    "dateTime",
    () => new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" }),
  ).format(new Date(instant));
}

export function exactDateTime(instant: string): string {
  return once("exact", () => new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" })).format(
    new Date(instant),
  );
}

export function day(instant: string): string {
  return once("day", () => new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" })).format(
    new Date(instant),
  );
}

export function dayWithWeekday(instant: string): string {
  return once(
    "long day",
    () => new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" }),
  ).format(new Date(instant));
}

export function clockTime(instant: string | number): string {
  return once("clock", () => new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" })).format(
    new Date(instant),
  );
}

type Unit = "day" | "hour" | "minute" | "second";
const SECONDS: Record<Unit, number> = { day: 86_400, hour: 3600, minute: 60, second: 1 };

function units(number: number, unit: Unit, display: "short" | "long" | "narrow"): string {
  return once(
    `unit ${unit} ${display}`,
    () => new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: display }),
  ).format(number);
}

/** The two largest units of a span in milliseconds: «1 day 4 hr», «12 min 05 sec». Rounded down, never below zero. */
export function span(milliseconds: number, display: "short" | "long" | "narrow" = "short"): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const parts: [number, Unit][] =
    seconds >= SECONDS.day
      ? [[Math.floor(seconds / 86_400), "day"], [Math.floor((seconds % 86_400) / 3600), "hour"]]
      : seconds >= SECONDS.hour
        ? [[Math.floor(seconds / 3600), "hour"], [Math.floor((seconds % 3600) / 60), "minute"]]
        : [[Math.floor(seconds / 60), "minute"], [seconds % 60, "second"]];
  // A countdown shows its seconds, also when they are 0: it must not change its width. A sentence need not.
  const shown = parts.filter(([number, unit]) => number > 0 || (unit === "second" && display !== "long"));
  const words = (shown.length > 0 ? shown : parts.slice(-1)).map(([number, unit]) => units(number, unit, display));
  return once("list", () => new Intl.ListFormat(undefined, { type: "unit", style: "narrow" })).format(words);
}

/** A time to answer as the trade says it, «48 hours», «4 days»: whole days once there are more than two. */
export function period(seconds: number): string {
  if (seconds % SECONDS.day === 0 && seconds > 2 * SECONDS.day) return units(seconds / SECONDS.day, "day", "long");
  if (seconds % SECONDS.hour === 0) return units(seconds / SECONDS.hour, "hour", "long");
  return span(seconds * 1000, "long");
}

/** «3 hours ago», «in 2 days»: the largest unit. */
export function relative(instant: string, now: number): string {
  const seconds = Math.round((Date.parse(instant) - now) / 1000);
  const size = Math.abs(seconds);
  const unit: Unit = size >= 86_400 ? "day" : size >= 3600 ? "hour" : size >= 60 ? "minute" : "second";
  const format = once("relative", () => new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }));
  return unit === "second" && seconds > -5 && seconds <= 0
    ? format.format(0, "second")
    : format.format(Math.trunc(seconds / SECONDS[unit]), unit);
}
