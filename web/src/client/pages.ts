// Lists that are paged by cursor, as one growing list in the cache.
import type { FieldPolicy } from "@apollo/client";

interface Page {
  edges: unknown[];
  pageInfo: unknown;
}

/** A page without `after` is the list anew; one with `after` goes on from there. */
export function keysetPages(keyArgs: string[]): FieldPolicy<Page> {
  return {
    keyArgs,
    merge: (existing, incoming, { args }) => {
      const goesOn = existing !== undefined && typeof args?.["after"] === "string";
      return goesOn ? { ...incoming, edges: [...existing.edges, ...incoming.edges] } : incoming;
    },
  };
}
