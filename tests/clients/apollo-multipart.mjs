// Apollo Client 4 over HTTP alone: subscriptions come in the parts of a multipart answer.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { RetryLink } from "@apollo/client/link/retry";
import { OperationTypeNode } from "graphql";
import { tap } from "rxjs";
import { ORDER, SUBMIT, WATCH } from "./operations.mjs";
import { newToken, play, url } from "./stage.mjs";

let token;

const withToken = new SetContextLink(async ({ headers }) => {
  token ??= await newToken();
  return { headers: { ...headers, authorization: `Bearer ${token}` } };
});

const renewing = new ErrorLink(({ error, operation, forward }) => {
  if (!isUnauthenticated(error) || operation.getContext().renewed) return;
  token = undefined;
  operation.setContext({ renewed: true });
  return forward(operation);
});

function isUnauthenticated(error) {
  const errors = CombinedGraphQLErrors.is(error) ? error.errors : [];
  return error.statusCode === 401 || errors.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
}

// #region streams
/** A stream that is tried again goes on after the last event that was seen. */
const resuming = new ApolloLink((operation, forward) =>
  forward(operation).pipe(
    tap(({ data }) => {
      const after = Object.values(data ?? {})[0]?.cursor;
      if (after) operation.variables = { ...operation.variables, after };
    }),
  ),
);

/** Each try with a new token: the server ends a stream with the token that it was asked for with. */
const withNewToken = new SetContextLink(async ({ headers }) => ({
  headers: { ...headers, authorization: `Bearer ${await newToken()}` },
}));

const http = new HttpLink({ uri: url });
const streams = ApolloLink.from([
  new RetryLink({ attempts: { max: Infinity }, delay: { initial: 300, max: 30_000 } }),
  resuming,
  withNewToken,
  http,
]);

const client = new ApolloClient({
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    streams,
    ApolloLink.from([renewing, withToken, http]),
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
