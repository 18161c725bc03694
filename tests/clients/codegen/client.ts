// graphql-codegen's client preset: the types of every operation, with no client but fetch and graphql-ws.
import { createClient } from "graphql-ws";
import { graphql } from "./gql/index.js";
import type { TypedDocumentString, WatchSubscription } from "./gql/graphql.js";
import { newToken, play, url } from "../stage.mjs";

const Order = graphql(`
  query Order($id: ID!) {
    order(id: $id) { id reference status }
  }
`);

const Submit = graphql(`
  mutation Submit($input: SubmitRequirementsInput!) {
    submitRequirements(input: $input) {
      order { id status }
      userErrors { code message path }
    }
  }
`);

const Watch = graphql(`
  subscription Watch($after: String) {
    viewerEvents(after: $after) { id cursor kind order { id reference } }
  }
`);

type Answer<Data> = { data?: Data | null; errors?: { message: string; extensions?: { code?: string } }[] };

let token: string | undefined;

async function ask<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables): Promise<Data> {
  const answer = await send(document, variables);
  if (!answer.errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED")) return dataOf(answer);
  token = undefined;
  return dataOf(await send(document, variables));
}

async function send<Data, Variables>(query: TypedDocumentString<Data, Variables>, variables: Variables) {
  token ??= String(await newToken());
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json, application/json",
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as Answer<Data>;
}

function dataOf<Data>({ data, errors }: Answer<Data>): Data {
  if (errors || !data) throw new AggregateError(errors ?? [], errors?.[0]?.message);
  return data;
}

const socket = createClient({
  url: url.replace(/^http/, "ws"),
  connectionParams: async () => ({ authorization: await newToken() }),
  retryAttempts: Infinity,
});

function watch(after: string, onEvent: (event: object) => void, onEnd: (reason: unknown) => void) {
  const variables = { after };
  socket.subscribe<WatchSubscription>(
    { query: Watch.toString(), variables },
    {
      next({ data, errors }) {
        if (errors || !data) return onEnd(errors);
        variables.after = data.viewerEvents.cursor;
        onEvent(data.viewerEvents);
      },
      error: onEnd,
      complete: () => onEnd("complete"),
    },
  );
}

await play({
  order: async (id: string) => (await ask(Order, { id })).order,
  submit: async (orderId: string) => (await ask(Submit, { input: { orderId } })).submitRequirements,
  watch,
});
