// graphql-sse, distinct connections mode: every operation is a POST of its own, answered by server-sent events.
import { createClient } from "graphql-sse";
import { ORDER, SUBMIT, WATCH } from "./operations.mjs";
import { newToken, play, url } from "./stage.mjs";

// #region client
let token;

const client = createClient({
  url,
  headers: async () => {
    token ??= await newToken();
    return { authorization: `Bearer ${token}` };
  },
  retryAttempts: Infinity,
});

/** A token that the server no longer takes is thrown away: what is asked next comes with a new one. */
function isTokenRefused(errors) {
  if (!errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED")) return false;
  token = undefined;
  return true;
}
// #endregion

// #region ask
async function ask(query, variables, isAgain = false) {
  for await (const { data, errors } of client.iterate({ query, variables })) {
    if (isTokenRefused(errors) && !isAgain) return ask(query, variables, true);
    if (errors) throw new AggregateError(errors, errors[0].message);
    return data;
  }
}
// #endregion

// #region watch
function watch(after, onEvent, onEnd) {
  let isRefused = false;
  const variables = { after };
  client.subscribe(
    { query: WATCH, variables },
    {
      next({ data, errors }) {
        isRefused = isTokenRefused(errors);
        if (isRefused) return;
        if (errors) return onEnd(errors);
        onEvent(data.viewerEvents);
        // What the client sends when it has to connect again: it goes on after the last event that was seen.
        variables.after = data.viewerEvents.cursor;
      },
      error: onEnd,
      complete: () => (isRefused ? watch(variables.after, onEvent, onEnd) : onEnd("complete")),
    },
  );
}
// #endregion

await play({
  order: async (id) => (await ask(ORDER, { id })).order,
  submit: async (orderId) => (await ask(SUBMIT, { input: { orderId } })).submitRequirements,
  watch,
});
