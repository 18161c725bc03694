// What is live: the events of the viewer's orders, the figures of the dashboard, the light, the clock.
import { useApolloClient } from "@apollo/client/react";
import { createContext, use, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { doubtClock, hearServer } from "../client/clock";
import { codeOf, follow, pause, type Light, type WatchedEvent } from "../client/follow";
import { MeDocument, NowDocument, WatchDashboardDocument, type MeQuery } from "../generated/graphql";
import { useSigned } from "../session/session";
import { Subject } from "./subject";

export interface Happening {
  event: WatchedEvent;
  /** It happened while the connection was lost. */
  missed: boolean;
}

interface Live {
  viewer: NonNullable<MeQuery["viewer"]>;
  isSupport: boolean;
  light: Light;
  events: Subject<Happening>;
  /** Once after everything that was missed has been told, or when everything has to be read anew. */
  refreshed: Subject<"caught up" | "anew">;
}

const READABLE = 700;

const Context = createContext<Live | null>(null);

export function useLive(): Live {
  const live = use(Context);
  if (!live) throw new Error("Nothing is live here.");
  return live;
}

/** Calls for each event while the component is there. */
export function useEvents(hear: (happening: Happening) => void): void {
  const { events } = useLive();
  const newest = useRef(hear);
  useEffect(() => {
    newest.current = hear;
  });
  useEffect(() => events.listen((happening) => { newest.current(happening); }), [events]);
}

/** The viewer, as the first answer says, with the cursor that stood beside it. Everything else is asked after it. */
function useMe(): { me: MeQuery | null; trouble: string | null } {
  const apollo = useApolloClient();
  const { tokens } = useSigned();
  const [me, setMe] = useState<MeQuery | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    const isOver = () => stop.signal.aborted;
    const ask = async () => {
      for (let tries = 1; !isOver(); tries++) {
        try {
          // #region me
          // The token first: the clock is measured by the time that the answer alone takes.
          await tokens.current();
          const sent = performance.now();
          const { data } = await apollo.query({ query: MeDocument, fetchPolicy: "network-only" });
          if (!data?.viewer) throw new Error("The server does not take this sign-in.");
          hearServer(data.dashboard.at, sent, performance.now());
          // #endregion
          setTrouble(null);
          if (!isOver()) setMe(data);
          return;
        } catch (error) {
          if (codeOf(error) === "UNAUTHENTICATED") tokens.forget();
          setTrouble(error instanceof Error ? error.message : "The server can't be reached.");
          await pause(tries + 1, stop.signal);
        }
      }
    };
    void ask();
    return () => {
      stop.abort();
    };
  }, [apollo, tokens]);
  return { me, trouble };
}

export function LiveProvider({ children, waiting }: { children: ReactNode; waiting: (trouble: boolean) => ReactNode }) {
  const apollo = useApolloClient();
  const { socket, tokens } = useSigned();
  const { me, trouble } = useMe();
  const [light, setLight] = useState<Light>("connecting");
  const [events] = useState(() => new Subject<Happening>());
  const [refreshed] = useState(() => new Subject<"caught up" | "anew">());

  useEffect(() => {
    if (!me) return;
    const stop = new AbortController();
    let known: Light = "connecting";
    let missedAnything = false;
    let readable: ReturnType<typeof setTimeout> | undefined;
    void follow(apollo, me.eventCursor, stop.signal, {
      onEvent: (event, missed) => {
        missedAnything ||= missed;
        events.tell({ event, missed });
      },
      onLight: (next) => {
        const isBack = next === "live" && (known === "reconnecting" || known === "catching up");
        known = next;
        clearTimeout(readable);
        setLight(isBack && missedAnything ? "catching up" : next);
        if (!isBack) return;
        // Catching up takes a moment only; it is shown for as long as it takes to read it.
        readable = setTimeout(() => {
          setLight(known);
        }, READABLE);
        missedAnything = false;
        refreshed.tell("caught up");
        measureClock();
      },
      onForgotten: async () => {
        const { data } = await apollo.query({ query: MeDocument, fetchPolicy: "network-only" });
        refreshed.tell("anew");
        return data?.eventCursor ?? me.eventCursor;
      },
      onRefused: () => {
        tokens.forget();
      },
    });
    void watchDashboard();
    const hangUp = () => {
      socket.terminate();
    };
    const wokeUp = () => {
      if (document.visibilityState === "visible") measureClock();
    };
    addEventListener("offline", hangUp);
    document.addEventListener("visibilitychange", wokeUp);
    return () => {
      stop.abort();
      clearTimeout(readable);
      removeEventListener("offline", hangUp);
      document.removeEventListener("visibilitychange", wokeUp);
    };

    function measureClock() {
      doubtClock();
      const sent = performance.now();
      void apollo
        .query({ query: NowDocument, fetchPolicy: "no-cache" })
        .then(({ data }) => {
          if (data) hearServer(data.dashboard.at, sent, performance.now());
        })
        .catch(() => undefined); // measured again with the next occasion
    }

    async function watchDashboard() {
      for (let tries = 1; !stop.signal.aborted; tries++) {
        await new Promise<void>((resolve) => {
          const subscription = apollo.subscribe({ query: WatchDashboardDocument }).subscribe({
            next: ({ data, error }) => {
              if (data) {
                tries = 1;
                apollo.cache.updateQuery({ query: MeDocument }, (held) => held && { ...held, dashboard: data.dashboard });
              }
              if (error) resolve();
            },
            error: () => {
              resolve();
            },
            complete: resolve,
          });
          stop.signal.addEventListener("abort", () => {
            subscription.unsubscribe();
            resolve();
          });
        });
        await pause(tries, stop.signal);
      }
    }
  }, [apollo, me, events, refreshed, socket, tokens]);

  const live = useMemo(
    () =>
      me?.viewer && {
        viewer: me.viewer,
        isSupport: me.viewerScopes.includes("SUPPORT"),
        light,
        events,
        refreshed,
      },
    [me, light, events, refreshed],
  );
  if (!live) return waiting(trouble !== null);
  return <Context value={live}>{children}</Context>;
}
