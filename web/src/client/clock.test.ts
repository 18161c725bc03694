import { expect, test } from "vitest";
import { doubtClock, hearServer, serverNow } from "./clock";

test("the sample with the least doubt is believed; after a doubt, the next one", () => {
  const now = performance.now();
  const server = Date.parse("2030-01-01T00:00:00Z");
  hearServer(new Date(server).toISOString(), now - 20, now);
  expect(serverNow()).toBeGreaterThanOrEqual(server + 9);
  expect(serverNow()).toBeLessThan(server + 1_000);
  hearServer(new Date(server + 60_000).toISOString(), now - 2_000, now); // slow, so it says little
  expect(serverNow()).toBeLessThan(server + 1_000);
  doubtClock();
  hearServer(new Date(server + 60_000).toISOString(), now - 2_000, now);
  expect(serverNow()).toBeGreaterThan(server + 60_000);
});
