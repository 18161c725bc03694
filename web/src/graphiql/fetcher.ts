// How GraphiQL speaks to the server: as the headers editor says, over HTTP or, for streams, over WebSocket.
import type { Fetcher, FetcherOpts, FetcherParams } from "@graphiql/toolkit";
import { Kind, OperationTypeNode, type ExecutionResult } from "graphql";
import { createClient } from "graphql-ws";

type Headers = Record<string, string>;

export const fetcher: Fetcher = (params, opts) => {
  const headers = (opts?.headers ?? {});
  return isStream(params, opts) ? watch(params, headers) : post(params, headers);
};

async function post(params: FetcherParams, headers: Headers): Promise<ExecutionResult> {
  const answer = await fetch("/graphql", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json, application/json",
      ...headers,
    },
    body: JSON.stringify(params),
  });
  return (await answer.json()) as ExecutionResult;
}

/** The token goes where WebSockets have room for it. A token that is not taken is said so, not tried for ever. */
async function* watch(params: FetcherParams, headers: Headers): AsyncGenerator<ExecutionResult> {
  const { errors } = await post({ query: "{ eventCursor }" }, headers);
  if (errors) {
    yield { errors };
    return;
  }
  const authorization = Object.entries(headers).find(([name]) => name.toLowerCase() === "authorization")?.[1];
  const client = createClient({
    url: new URL("/graphql", location.href).href.replace(/^http/, "ws"),
    connectionParams: authorization ? { authorization } : {},
    retryAttempts: 0,
  });
  try {
    yield* client.iterate({
      query: params.query,
      variables: (params.variables ?? undefined) as Record<string, unknown> | undefined,
      operationName: params.operationName ?? undefined,
    }) as AsyncGenerator<ExecutionResult>;
  } catch (reason) {
    const why = reason instanceof CloseEvent ? `The connection was closed (${String(reason.code)} ${reason.reason}).` : String(reason);
    yield { errors: [{ message: `${why} Run it again with \`after:\` the last cursor to go on without a gap.` }] } as unknown as ExecutionResult;
  } finally {
    void client.dispose();
  }
}

function isStream({ operationName }: FetcherParams, opts?: FetcherOpts): boolean {
  return (
    opts?.documentAST?.definitions.some(
      (definition) =>
        definition.kind === Kind.OPERATION_DEFINITION &&
        definition.operation === OperationTypeNode.SUBSCRIPTION &&
        (!operationName || definition.name?.value === operationName),
    ) ?? false
  );
}
