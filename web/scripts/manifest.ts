// Writes the manifest of the app's own operations beside its pages: a server of trusted documents takes them from there.
import { ApolloClient, ApolloLink, InMemoryCache, type DocumentNode } from "@apollo/client";
import { Kind, OperationTypeNode, print } from "graphql";
import { createHash } from "node:crypto";
import { EMPTY } from "rxjs";
import type { Plugin } from "vite";
import * as generated from "../src/generated/graphql.ts";

/** The name by which the server knows it (api/web.py). */
const FILE = "persisted-documents.json";

export function manifest(): Plugin {
  return {
    name: "manifest",
    apply: "build",
    async generateBundle() {
      this.emitFile({ type: "asset", fileName: FILE, source: `${JSON.stringify(await byHash(), null, 2)}\n` });
    },
  };
}

/** Each operation's text by its SHA-256, as graphql-codegen's `persistedDocuments` writes them. */
async function byHash(): Promise<Record<string, string>> {
  const texts: string[] = [];
  for (const document of Object.values(generated)) texts.push(...(await sent(document)));
  return Object.fromEntries(texts.map((text) => [createHash("sha256").update(text).digest("hex"), text]));
}

/** What Apollo Client itself makes of a document on its way out: it adds `__typename`. None of a fragment alone. */
async function sent(document: DocumentNode): Promise<string[]> {
  const heard: string[] = [];
  const link = new ApolloLink((operation) => {
    heard.push(print(operation.query));
    return EMPTY;
  });
  const apollo = new ApolloClient({ link, cache: new InMemoryCache() });
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    if (definition.operation === OperationTypeNode.SUBSCRIPTION) apollo.subscribe({ query: document }).subscribe();
    // Nobody answers: that is an error for whoever waits, and of no interest here.
    else if (definition.operation === OperationTypeNode.MUTATION) await apollo.mutate({ mutation: document }).catch(() => undefined);
    else await apollo.query({ query: document }).catch(() => undefined);
  }
  if (heard.length !== document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION).length) {
    throw new Error("Apollo Client sent another number of operations than there are.");
  }
  return heard;
}
