// The client: queries and mutations over HTTP, streams over one WebSocket, both with the same token.
import { ApolloClient, ApolloLink, InMemoryCache } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { HttpLink } from "@apollo/client/link/http";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { createClient, type Client as SocketClient } from "graphql-ws";
import possibleTypes from "../generated/possible-types";
import { keysetPages, story } from "./pages";
import type { Tokens } from "./tokens";

export interface Connection {
  apollo: ApolloClient;
  socket: SocketClient;
}

// #region client
export function connect(tokens: Tokens): Connection {
  const socket = createClient({
    url: new URL("/graphql", location.href).href.replace(/^http/, "ws"),
    connectionParams: async () => ({ authorization: await tokens.current() }),
    // A lost stream is taken up again by whoever follows it: only they know after which event.
    retryAttempts: 0,
    ...whatNoticesSilence(),
  });
  const withToken = new SetContextLink(async ({ headers }) => ({
    headers: { ...(headers as Record<string, string>), authorization: `Bearer ${await tokens.current()}` },
  }));
  const apollo = new ApolloClient({
    link: ApolloLink.split(
      ({ operationType, getContext }) =>
        operationType === OperationTypeNode.SUBSCRIPTION || getContext()["overSocket"] === true,
      new GraphQLWsLink(socket),
      withToken.concat(new HttpLink({ uri: "/graphql" })),
    ),
    cache: cache(),
  });
  return { apollo, socket };
}
// #endregion

function cache(): InMemoryCache {
  return new InMemoryCache({
    ...possibleTypes,
    typePolicies: {
      Query: {
        fields: {
          orders: keysetPages(["filter", "orderBy"]),
          resolutionRequests: keysetPages(["filter"]),
          supportCases: keysetPages(["status"]),
          dashboard: { merge: true },
        },
      },
      Order: { fields: { events: story } },
      // Each belongs to one order or person and is asked for in parts.
      ResolutionCenter: { merge: true },
      FreelancerStanding: { merge: true },
    },
  });
}

const PING_EVERY = 10_000;
const PONG_WITHIN = 5_000;
const DEAD = 4408;

/** A connection may be gone without a word. Who hears no pong hangs up, and the stream is taken up anew. */
function whatNoticesSilence() {
  let open: WebSocket | undefined;
  let waiting: ReturnType<typeof setTimeout> | undefined;
  return {
    keepAlive: PING_EVERY,
    on: {
      opened: (socket: unknown) => {
        open = socket as WebSocket;
      },
      ping: (received: boolean) => {
        if (received) return;
        clearTimeout(waiting);
        waiting = setTimeout(() => open?.close(DEAD, "No answer"), PONG_WITHIN);
      },
      pong: (received: boolean) => {
        if (received) clearTimeout(waiting);
      },
      closed: () => {
        clearTimeout(waiting);
      },
    },
  };
}
