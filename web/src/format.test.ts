import { expect, test } from "vitest";
import { digitsOf, money, period, span, typedNumber } from "./format";
import { binned } from "./pages/events-chart";

const plain = (text: string) => text.replaceAll(/\s/g, " ");

test("an amount keeps every digit that the server sent", () => {
  expect(money({ amount: "9007199254740993.17", currencyCode: "USD" })).toContain("9,007,199,254,740,993.17");
  expect(plain(money({ amount: "1.250", currencyCode: "KWD" }))).toBe("KWD 1.250");
  expect(money({ amount: "1250", currencyCode: "JPY" })).toBe("¥1,250");
  expect([digitsOf("12.50"), digitsOf("1250"), digitsOf("1.250")]).toEqual([2, 0, 3]);
});

test("a span is its two largest units, never below zero", () => {
  expect(span(((47 * 60 + 59) * 60 + 59) * 1000)).toBe("1 day 23 hr");
  expect(span(48 * 3_600_000)).toBe("2 days");
  expect(span((3 * 60 + 7) * 60_000)).toBe("3 hr 7 min");
  expect(span(12 * 60_000)).toBe("12 min 0 sec");
  expect(span(59_999)).toBe("59 sec");
  expect(span(-1)).toBe("0 sec");
});

test("an amount is read while it is typed", () => {
  expect(["", "$", "3", "30.", "30.5", "$1,234.50"].map(typedNumber)).toEqual([NaN, NaN, 3, 30, 30.5, 1234.5]);
});

test("a time to answer is said in the trade's words: hours up to 48, then days", () => {
  const hour = 3600;
  expect([12, 24, 48, 72, 96].map((hours) => period(hours * hour))).toEqual(["12 hours", "24 hours", "48 hours", "3 days", "4 days"]);
  expect(period(12.5 * hour)).toBe("12 hours 30 minutes");
  expect(period(90)).toBe("1 minute 30 seconds");
});

test("each instant falls into the bar of its time; what is older falls into none", () => {
  const now = 1_000_050;
  expect(binned([1_000_049, 1_000_000, 999_999, 999_800, 0], now, { bars: 3, width: 100 })).toEqual([1, 1, 2]);
});
