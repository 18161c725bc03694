// Apollo Client 4: queries and mutations over HTTP, subscriptions over WebSocket.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { RetryLink } from "@apollo/client/link/retry";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { createClient } from "graphql-ws";
import { tap } from "rxjs";
import { ORDER, SUBMIT, WATCH } from "./operations.mjs";
import { newToken, play, url } from "./stage.mjs";

// #region http
let token;

const withToken = new SetContextLink(async ({ headers }) => {
  token ??= await newToken();
  return { headers: { ...headers, authorization: `Bearer ${token}` } };
});

/** A token that the server no longer takes is thrown away, and the operation sent once more. */
const renewing = new ErrorLink(({ error, operation, forward }) => {
  if (!isUnauthenticated(error) || operation.getContext().renewed) return;
  token = undefined;
  operation.setContext({ renewed: true });
  return forward(operation);
});

function isUnauthenticated(error) {
  if (!CombinedGraphQLErrors.is(error)) return error.statusCode === 401;
  return error.errors.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
}
// #endregion

// #region socket
const socket = createClient({
  url: url.replace(/^http/, "ws"),
  connectionParams: async () => ({ authorization: await newToken() }),
  retryAttempts: 0, // RetryLink does it, which knows after which event
});

/** A stream that is tried again goes on after the last event that was seen. */
const resuming = new ApolloLink((operation, forward) =>
  forward(operation).pipe(
    tap(({ data }) => {
      const after = Object.values(data ?? {})[0]?.cursor;
      if (after) operation.variables = { ...operation.variables, after };
    }),
  ),
);

const streams = ApolloLink.from([
  new RetryLink({ attempts: { max: Infinity }, delay: { initial: 300, max: 30_000 } }),
  resuming,
  new GraphQLWsLink(socket),
]);
// #endregion

// #region client
const client = new ApolloClient({
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    streams,
    ApolloLink.from([renewing, withToken, new HttpLink({ uri: url })]),
  ),
  cache: new InMemoryCache(),
});
// #endregion

await play({
  order: async (id) =>
    (await client.query({ query: gql(ORDER), variables: { id }, fetchPolicy: "network-only" })).data.order,
  submit: async (orderId) =>
    (await client.mutate({ mutation: gql(SUBMIT), variables: { input: { orderId } } })).data.submitRequirements,
  watch: (after, onEvent, onEnd) =>
    client.subscribe({ query: gql(WATCH), variables: { after } }).subscribe({
      next: ({ data, error }) => (error ? onEnd(error) : onEvent(data.viewerEvents)),
      error: onEnd,
      complete: () => onEnd("complete"),
    }),
});
