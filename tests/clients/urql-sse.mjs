// urql over HTTP alone: it accepts server-sent events for whatever it asks, and subscribes by them.
import { Client, fetchExchange, gql } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";
import { onEnd, pipe, subscribe } from "wonka";
import { ORDER, SUBMIT, WATCH } from "./operations.mjs";
import { newToken, play, url } from "./stage.mjs";

// #region client
let token;

function isTokenRefused({ graphQLErrors, response }) {
  return response?.status === 401 || graphQLErrors.some(({ extensions }) => extensions.code === "UNAUTHENTICATED");
}

const auth = authExchange(async (utils) => ({
  addAuthToOperation: (operation) => utils.appendHeaders(operation, { authorization: `Bearer ${token}` }),
  willAuthError: () => !token,
  // A stream would be asked for again from where it began: whoever watches does that, from where it is now.
  didAuthError: (error, { kind }) => kind !== "subscription" && isTokenRefused(error),
  refreshAuth: async () => {
    token = await newToken();
  },
}));

const client = new Client({
  url,
  preferGetMethod: false,
  fetchSubscriptions: true,
  exchanges: [auth, fetchExchange],
});
// #endregion

// #region watch
function watch(after, onEvent, onRefused) {
  let isWanted = true;
  pipe(
    client.subscription(gql(WATCH), { after }),
    onEnd(() => isWanted && setTimeout(watch, 500, after, onEvent, onRefused)),
    subscribe(({ data, error, hasNext }) => {
      if (error && isTokenRefused(error)) {
        token = undefined;
      } else if (error && !error.networkError) {
        isWanted = false;
        onRefused(error);
      } else if (!error && hasNext) {
        // What comes with an error, or as the last result, is the event before once more.
        after = data.viewerEvents.cursor;
        onEvent(data.viewerEvents);
      }
    }),
  );
}
// #endregion

function dataOf({ data, error }) {
  if (error) throw error;
  return data;
}

await play({
  order: async (id) => dataOf(await client.query(gql(ORDER), { id }, { requestPolicy: "network-only" })).order,
  submit: async (orderId) => dataOf(await client.mutation(gql(SUBMIT), { input: { orderId } })).submitRequirements,
  watch,
});
