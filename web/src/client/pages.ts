// Lists that are paged by cursor, as one growing list in the cache.
import type { FieldPolicy, Reference } from "@apollo/client";

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

interface Story {
  nodes: readonly Reference[];
}

/** An order's events, however they were read: from the newest back to the earliest that was asked for, in their order. */
export const story: FieldPolicy<Story> = {
  keyArgs: false,
  merge: (existing, incoming, { readField }) => {
    const known = new Map<number, Reference>();
    for (const event of [...(existing?.nodes ?? []), ...incoming.nodes]) {
      known.set(readField<number>("sequence", event) ?? 0, event);
    }
    const nodes: Reference[] = [];
    // Sequences have no gap. Where one is missing here, what lies before it is asked for again.
    for (let sequence = Math.max(...known.keys()); ; sequence--) {
      const event = known.get(sequence);
      if (!event) return { ...incoming, nodes: nodes.reverse() };
      nodes.push(event);
    }
  },
};
