// graphql-ws: everything over one WebSocket.
import { createClient } from "graphql-ws";
import { ORDER, SUBMIT, WATCH } from "./operations.mjs";
import { newToken, play, url } from "./stage.mjs";

// #region client
const client = createClient({
  url: url.replace(/^http/, "ws"),
  // Asked for each connection: when a token ends, the server closes with 4403 and the client comes back with a new one.
  connectionParams: async () => ({ authorization: await newToken() }),
  retryAttempts: Infinity,
});

async function ask(query, variables) {
  for await (const { data, errors } of client.iterate({ query, variables })) {
    if (errors) throw new AggregateError(errors);
    return data;
  }
}
// #endregion

// #region watch
function watch(after, onEvent, onEnd) {
  const variables = { after };
  return client.subscribe(
    { query: WATCH, variables },
    {
      next({ data, errors }) {
        if (errors) return onEnd(errors);
        onEvent(data.viewerEvents);
        // What the client sends when it has to connect again: it goes on after the last event that was seen.
        variables.after = data.viewerEvents.cursor;
      },
      error: onEnd,
      complete: () => onEnd("complete"),
    },
  );
}
// #endregion

await play({
  order: async (id) => (await ask(ORDER, { id })).order,
  submit: async (orderId) => (await ask(SUBMIT, { input: { orderId } })).submitRequirements,
  watch,
});
