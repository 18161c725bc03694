import { expect, test } from "vitest";
import { Intention } from "./keys";

test("the same thing has the same key until it is done; another thing has another", () => {
  const intention = new Intention();
  const first = intention.keyFor({ amount: "10.00" });
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  expect(intention.keyFor({ amount: "10.00" })).toBe(first);
  expect(intention.keyFor({ amount: "11.00" })).not.toBe(first);
  const again = intention.keyFor({ amount: "11.00" });
  intention.done();
  expect(intention.keyFor({ amount: "11.00" })).not.toBe(again);
});
