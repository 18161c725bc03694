// Who uses this window, and the connection that speaks for them.
import { ApolloProvider } from "@apollo/client/react";
import { createContext, use, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { connect, type Connection } from "../client/apollo";
import { readConfig, type Config, type DemoPerson } from "../client/config";
import { pause } from "../client/follow";
import type { Tokens } from "../client/tokens";
import { choosePerson, chosenPerson, demoTokens } from "./demo";
import type { Provider } from "./oidc";

interface Signed extends Connection {
  tokens: Tokens;
}

export interface Session {
  config: Config;
  signed: Signed | null;
  /** Why somebody has to sign in again, in words. */
  farewell: string | null;
  chooseDemoPerson: (person: DemoPerson) => void;
  goToProvider: () => Promise<void>;
  signOut: () => void;
}

const Context = createContext<Session | null>(null);

export function useSession(): Session {
  const session = use(Context);
  if (!session) throw new Error("There is no session here.");
  return session;
}

export function useSigned(): Signed {
  const { signed } = useSession();
  if (!signed) throw new Error("Nobody is signed in.");
  return signed;
}

export function SessionProvider({ children, waiting }: { children: ReactNode; waiting: (trouble: boolean) => ReactNode }) {
  const [config, setConfig] = useState<Config>();
  const [trouble, setTrouble] = useState(false);
  const [tokens, setTokens] = useState<Tokens | null>();
  const [farewell, setFarewell] = useState<string | null>(null);
  const [provider, setProvider] = useState<Provider | null>(null);
  const navigate = useNavigate();
  const go = useRef(navigate);
  useEffect(() => {
    go.current = navigate;
  });

  useEffect(() => {
    const stop = new AbortController();
    const isOver = () => stop.signal.aborted;
    const start = async () => {
      for (let tries = 1; !isOver(); tries++) {
        try {
          const read = await readConfig();
          const found = await whoIsHere(read, () => {
            setTokens(null);
            setFarewell("Your sign-in has ended. Please sign in again.");
          });
          if (isOver()) return;
          if (found.cameBack) {
            // By the router, which else would still be where the provider sent us.
            await go.current(found.cameBack.to, { replace: true });
            setFarewell(found.cameBack.trouble);
          }
          setConfig(read);
          setProvider(found.provider);
          setTokens(found.tokens);
          return;
        } catch {
          setTrouble(true);
          await pause(tries + 2, stop.signal);
        }
      }
    };
    void start();
    return () => {
      stop.abort();
    };
  }, []);

  const signed = useMemo(() => (tokens ? { tokens, ...connect(tokens) } : null), [tokens]);
  useEffect(
    () => () => {
      signed?.apollo.stop();
      // It waits for a socket that is being opened, and fails with it. Then it is gone, too.
      Promise.resolve(signed?.socket.dispose()).catch(() => undefined);
    },
    [signed],
  );

  const chooseDemoPerson = useCallback((person: DemoPerson) => {
    choosePerson(person);
    setTokens(demoTokens(person.subject));
  }, []);
  const goToProvider = useCallback(async () => {
    await provider?.start(returnTo());
  }, [provider]);
  const signOut = useCallback(() => {
    choosePerson(null);
    setFarewell(null);
    setTokens(null);
    void provider?.leave();
  }, [provider]);

  const session = useMemo(
    () => config && { config, signed, farewell, chooseDemoPerson, goToProvider, signOut },
    [config, signed, farewell, chooseDemoPerson, goToProvider, signOut],
  );
  if (!session || tokens === undefined) return waiting(trouble);
  return (
    <Context value={session}>
      {signed ? <ApolloProvider client={signed.apollo}>{children}</ApolloProvider> : children}
    </Context>
  );
}

interface Found {
  tokens: Tokens | null;
  provider: Provider | null;
  /** From the provider: where the person wanted to go, or what went wrong. */
  cameBack?: { to: string; trouble: string | null };
}

async function whoIsHere({ signIn }: Config, onSignedOut: () => void): Promise<Found> {
  if (signIn.kind === "demo") {
    const person = chosenPerson(signIn.people);
    return { tokens: person ? demoTokens(person.subject) : null, provider: null };
  }
  if (signIn.kind === "none") return { tokens: null, provider: null };
  const oidc = await import("./oidc");
  const provider = oidc.provider(signIn, onSignedOut);
  const cameBack =
    location.pathname === "/signed-in"
      ? await provider.finish().then(
          (to) => ({ to, trouble: null }),
          () => ({ to: "/sign-in", trouble: "The sign-in was not completed. Please try again." }),
        )
      : undefined;
  const tokens = (await provider.user()) ? provider.tokens : null;
  return { tokens, provider, ...(cameBack ? { cameBack } : {}) };
}

function returnTo(): string {
  const { pathname, search } = location;
  return pathname.startsWith("/sign") ? "/orders" : pathname + search;
}
