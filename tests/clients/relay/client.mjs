// Relay: queries and mutations over HTTP, subscriptions over WebSocket by graphql-ws. It runs what relay-compiler wrote.
import { createRequire } from "node:module";
import { createClient } from "graphql-ws";
import { newToken, play, url } from "../stage.mjs";

const require = createRequire(import.meta.url);
const relay = require("relay-runtime");
const compiled = (name) => require(`./__generated__/${name}.graphql.js`);

let token;

async function fetchOperation({ text: query }, variables, cacheConfig, uploadables, logger, again = false) {
  token ??= await newToken();
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json, application/json",
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({ query, variables }),
  });
  const answer = await response.json();
  const isRefused = answer.errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
  if (!isRefused || again) return answer;
  token = undefined;
  return fetchOperation({ text: query }, variables, cacheConfig, uploadables, logger, true);
}

const socket = createClient({
  url: url.replace(/^http/, "ws"),
  connectionParams: async () => ({ authorization: await newToken() }),
  retryAttempts: Infinity,
});

function subscribeOperation({ text: query }, given) {
  const variables = { ...given };
  return relay.Observable.create((sink) =>
    socket.subscribe(
      { query, variables },
      {
        ...sink,
        next(result) {
          // What the socket's client sends when it has to connect again: it goes on after the last event that was seen.
          variables.after = Object.values(result.data ?? {})[0]?.cursor ?? variables.after;
          sink.next(result);
        },
      },
    ),
  );
}

const environment = new relay.Environment({
  network: relay.Network.create(fetchOperation, subscribeOperation),
  store: new relay.Store(new relay.RecordSource()),
});

function query(name, variables) {
  return relay.fetchQuery(environment, compiled(name), variables, { fetchPolicy: "network-only" }).toPromise();
}

function submit(orderId) {
  return new Promise((resolve, reject) => {
    const done = ({ submitRequirements }) => resolve(submitRequirements);
    const mutation = compiled("OrdersSubmitMutation");
    relay.commitMutation(environment, { mutation, variables: { input: { orderId } }, onCompleted: done, onError: reject });
  });
}

/** What a component that uses the fragment would show, once so many more orders were loaded. */
async function pages(number) {
  const operation = relay.createOperationDescriptor(compiled("OrdersQuery"), {});
  environment.retain(operation);
  await query("OrdersQuery", {});
  const list = relay.getSingularSelector(compiled("Orders_list"), environment.lookup(operation.fragment).data);
  const shown = () => environment.lookup(list).data.orders;
  const { endCursor } = shown().pageInfo;
  await query("OrdersPageQuery", { first: number, after: endCursor });
  return shown().edges.map(({ node }) => node.reference);
}

async function refetch(id) {
  const { node } = await query("OrdersRefetchQuery", { id });
  return environment.lookup(relay.getSingularSelector(compiled("Orders_order"), node)).data;
}

await play({
  order: async (id) => (await query("OrdersOneQuery", { id })).order,
  submit,
  watch: (after, onEvent, onEnd) =>
    relay.requestSubscription(environment, {
      subscription: compiled("OrdersWatchSubscription"),
      variables: { after },
      onNext: ({ viewerEvents }) => onEvent(viewerEvents),
      onError: onEnd,
      onCompleted: () => onEnd("complete"),
    }),
  pages,
  refetch,
});
