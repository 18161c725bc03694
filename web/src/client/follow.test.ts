import { ApolloClient, ApolloLink, InMemoryCache, Observable } from "@apollo/client";
import { beforeAll, expect, test, vi } from "vitest";
import { follow, type Light } from "./follow";

beforeAll(() => {
  // Node has no window; what is asked of it here is only to tell when the network is back.
  vi.spyOn(console, "error").mockImplementation(() => undefined); // the events here have no fields but their cursor
  Object.assign(globalThis, { addEventListener: () => undefined, removeEventListener: () => undefined });
});

interface Log {
  /** All that ever happened, by cursor. */
  events: string[];
  drops: (() => void)[];
  asked: (string | null)[];
}

function server(log: Log): ApolloClient {
  const link = new ApolloLink(
    ({ operationName, variables }) =>
      new Observable((observer) => {
        const after = (variables["after"] ?? null) as string | null;
        const missed = after === null ? [] : log.events.slice(log.events.indexOf(after) + 1);
        if (operationName === "LastEventAfter") {
          const last = missed.at(-1);
          observer.next({ data: { viewerEvents: { nodes: last ? [{ cursor: last }] : [] } } });
          observer.complete();
          return;
        }
        log.asked.push(after);
        for (const cursor of missed) observer.next({ data: { viewerEvents: { cursor } } });
        log.drops.push(() => {
          observer.error(new Error("The line was cut."));
        });
      }),
  );
  return new ApolloClient({ link, cache: new InMemoryCache() });
}

test("a stream that is cut goes on after the last event that was seen: each once, in order", async () => {
  const log: Log = { events: ["0", "1"], drops: [], asked: [] };
  const seen: [string, boolean][] = [];
  const lights: Light[] = [];
  const stop = new AbortController();
  const running = follow(server(log), "0", stop.signal, {
    onEvent: (event, missed) => seen.push([event.cursor, missed]),
    onLight: (light) => lights.push(light),
    onForgotten: () => Promise.resolve("0"),
    onRefused: () => undefined,
  });
  await expect.poll(() => lights.at(-1)).toBe("live");
  log.events.push("2", "3");
  log.drops.at(-1)?.();
  await expect.poll(() => log.asked.length).toBe(2);
  await expect.poll(() => lights.at(-1)).toBe("live");
  stop.abort();
  await running;
  expect(log.asked).toEqual(["0", "1"]);
  expect(seen).toEqual([
    ["1", false],
    ["2", true],
    ["3", true],
  ]);
  expect(lights[0]).toBe("connecting");
  expect(lights).toContain("reconnecting");
});
