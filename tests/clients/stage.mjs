// What a client's process and the test's tell each other, a line of JSON each. Tokens come from the test, as elsewhere
// from an identity provider. An integrator needs nothing of this file.
import { createInterface } from "node:readline";

export const url = process.env.GRAPHQL_URL;

export async function newToken() {
  return (await fetch(process.env.TOKEN_URL)).text();
}

/** Does what the test asks for: `watch(after, onEvent, onEnd)` goes on, all else answers. */
export async function play({ watch, ...asks }) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { ask, given } = JSON.parse(line);
    if (ask === "watch") watch(given, (event) => say({ event }), (reason) => say({ ended: describe(reason) }));
    else await asks[ask](given).then((answer) => say({ answer }), (error) => say({ error: describe(error) }));
  }
  process.exit(0);
}

function say(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

function describe(reason) {
  return reason instanceof Error ? reason.stack : `${JSON.stringify(reason)} ${String(reason)}`;
}
