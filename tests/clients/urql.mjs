// urql: queries and mutations over HTTP, subscriptions over WebSocket by graphql-ws.
import { Client, fetchExchange, gql, subscriptionExchange } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";
import { createClient } from "graphql-ws";
import { ORDER, SUBMIT, WATCH } from "./operations.mjs";
import { newToken, play, url } from "./stage.mjs";

// #region http
const auth = authExchange(async (utils) => {
  let token = await newToken();
  return {
    addAuthToOperation: (operation) => utils.appendHeaders(operation, { authorization: `Bearer ${token}` }),
    didAuthError: ({ graphQLErrors, response }) =>
      response?.status === 401 || graphQLErrors.some(({ extensions }) => extensions.code === "UNAUTHENTICATED"),
    refreshAuth: async () => {
      token = await newToken();
    },
  };
});
// #endregion

// #region socket
const socket = createClient({
  url: url.replace(/^http/, "ws"),
  connectionParams: async () => ({ authorization: await newToken() }),
  retryAttempts: Infinity,
});

function forwardSubscription({ query, variables: given }) {
  const variables = { ...given };
  return {
    subscribe(sink) {
      const next = (result) => {
        // What the socket's client sends when it has to connect again: it goes on after the last event that was seen.
        variables.after = Object.values(result.data ?? {})[0]?.cursor ?? variables.after;
        sink.next(result);
      };
      return { unsubscribe: socket.subscribe({ query, variables }, { ...sink, next }) };
    },
  };
}
// #endregion

// #region client
const client = new Client({
  url,
  preferGetMethod: false,
  exchanges: [auth, fetchExchange, subscriptionExchange({ forwardSubscription })],
});
// #endregion

function dataOf({ data, error }) {
  if (error) throw error;
  return data;
}

await play({
  order: async (id) => dataOf(await client.query(gql(ORDER), { id }, { requestPolicy: "network-only" })).order,
  submit: async (orderId) => dataOf(await client.mutation(gql(SUBMIT), { input: { orderId } })).submitRequirements,
  watch: (after, onEvent, onEnd) =>
    client.subscription(gql(WATCH), { after }).subscribe(({ data, error }) => {
      if (error) onEnd(error);
      else if (data) onEvent(data.viewerEvents);
    }),
});
