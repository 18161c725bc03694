// A stream that is followed for as long as the app is open: taken up again after the last event that was seen.
import { CombinedGraphQLErrors, type ApolloClient } from "@apollo/client";
import { LastEventAfterDocument, WatchDocument, type WatchSubscription } from "../generated/graphql";

export type WatchedEvent = WatchSubscription["viewerEvents"];
export type Light = "connecting" | "live" | "reconnecting" | "catching up";

export interface Following {
  /** Each event once, in order. `missed`: it happened while the connection was lost. */
  onEvent: (event: WatchedEvent, missed: boolean) => void;
  onLight: (light: Light) => void;
  /** The server does not know our cursor (another database): read everything anew, and say where the log stands now. */
  onForgotten: () => Promise<string>;
  /** The server does not know our token any more. */
  onRefused: () => void;
}

// #region follow
/** Watches everything that concerns the viewer from `cursor` on, without gap or repeat, until `signal` is aborted. */
export async function follow(apollo: ApolloClient, cursor: string, signal: AbortSignal, tell: Following) {
  const isOver = () => signal.aborted;
  let tries = 0;
  tell.onLight("connecting");
  while (!isOver()) {
    const again = tries > 0;
    let last: string | null | undefined; // undefined: not known yet; null: there is nothing more to catch up with
    const seen = new Set<string>();
    const caughtUp = () => {
      last = null;
      tries = 0;
      tell.onLight("live");
    };
    const error = await Promise.race([
      watch(apollo, cursor, signal, (event) => {
        cursor = event.cursor;
        seen.add(cursor);
        tell.onEvent(event, again && last !== null);
        if (cursor === last) caughtUp();
      }),
      lastMissed(apollo, cursor).then((missed) => {
        last = missed;
        if (missed === null || seen.has(missed)) caughtUp();
        else if (again) tell.onLight("catching up");
        return new Promise<never>(() => undefined);
      }),
    ]).catch((reason: unknown) => reason);
    if (isOver()) return;
    if (codeOf(error) === "CURSOR_INVALID") cursor = await tell.onForgotten();
    if (codeOf(error) === "UNAUTHENTICATED") tell.onRefused();
    tries += 1;
    tell.onLight("reconnecting");
    await pause(tries, signal);
  }
}

/** One subscription: settles with the reason when it ends. */
function watch(apollo: ApolloClient, after: string, signal: AbortSignal, onEvent: (event: WatchedEvent) => void) {
  return new Promise<unknown>((resolve) => {
    const subscription = apollo.subscribe({ query: WatchDocument, variables: { after } }).subscribe({
      next: ({ data, error }) => {
        if (data) onEvent(data.viewerEvents);
        if (error) resolve(error);
      },
      error: resolve,
      complete: () => {
        resolve("ended");
      },
    });
    signal.addEventListener("abort", () => {
      subscription.unsubscribe();
      resolve("stopped");
    });
  });
}

/** Up to which event there is something to catch up with. Asked over the socket: an answer shows that it stands. */
async function lastMissed(apollo: ApolloClient, after: string): Promise<string | null> {
  const { data } = await apollo.query({
    query: LastEventAfterDocument,
    variables: { after },
    fetchPolicy: "no-cache",
    context: { overSocket: true },
  });
  return data?.viewerEvents.nodes[0]?.cursor ?? null;
}
// #endregion

export function codeOf(error: unknown): string | undefined {
  if (!CombinedGraphQLErrors.is(error)) return undefined;
  return error.errors[0]?.extensions?.["code"] as string | undefined;
}

const LONGEST_PAUSE = 10_000;

/** Longer each time, not the same for everybody, and over at once when the network is back. */
export function pause(tries: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(150 * 2 ** (tries - 1), LONGEST_PAUSE);
  return new Promise((resolve) => {
    const timer = setTimeout(done, longest * (0.5 + Math.random() / 2));
    function done() {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve();
    }
    addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
