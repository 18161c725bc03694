// Endless lists by cursor that stay true: read on at the end, and read anew when something happened.
import type { OperationVariables } from "@apollo/client";
import { useApolloClient, useQuery } from "@apollo/client/react";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { useCallback, useEffect, useRef, useState } from "react";
import { useEvents, useLive } from "./live";

export const PAGE = 25;
const MOST = 100;
const SETTLES_IN = 150;

interface Connection<Node> {
  edges: { cursor: string; node: Node }[];
  pageInfo: { endCursor: string | null; hasNextPage: boolean };
}

export interface Endless<Node> {
  nodes: Node[] | null;
  hasMore: boolean;
  isReadingOn: boolean;
  failed: boolean;
  readOn: () => void;
}

interface List<Data, Node> {
  query: TypedDocumentNode<Data, OperationVariables>;
  /** Finds the connection in an answer. */
  of: (data: Data) => Connection<Node>;
  /** The answer with another connection in its place. */
  filled: (data: Data, connection: Connection<Node>) => Data;
}

/** A list of a page, whatever else the page's query asks for. */
export function listOf<Data extends object, Variables, Node>(
  query: TypedDocumentNode<Data, Variables>,
  of: (data: Data) => Connection<Node>,
  filled: (data: Data, connection: Connection<Node>) => Data,
): List<Data, Node> {
  return { query: query as unknown as TypedDocumentNode<Data, OperationVariables>, of, filled };
}

export function useEndless<Data extends object, Node>(list: List<Data, Node>, variables: OperationVariables): Endless<Node> {
  const { query, of, filled } = list;
  const apollo = useApolloClient();
  const [isReadingOn, setReadingOn] = useState(false);
  const { data, previousData, error, fetchMore } = useQuery(query, {
    variables,
    fetchPolicy: "cache-and-network",
    nextFetchPolicy: "cache-first",
  });
  // While another filter is being read, what was there stays: a list that blinks can't be read.
  const shown = (data ?? previousData);
  const connection = shown ? of(shown) : null;

  /** As many as were loaded, a hundred at a time: places in the list stay, and nothing is missing between two pages. */
  async function readAnew() {
    const wanted = Math.max(connection?.edges.length ?? 0, PAGE);
    let whole: Data | undefined;
    let after: string | null = null;
    for (let got = 0; got < wanted; ) {
      const first = Math.min(MOST, wanted - got);
      const answer: { data?: unknown } = await apollo.query({
        query,
        variables: { ...variables, first, after },
        fetchPolicy: "no-cache",
      });
      if (!answer.data) return;
      const found = answer.data as Data;
      const page = of(found);
      whole = whole ? filled(whole, { ...page, edges: [...of(whole).edges, ...page.edges] }) : found;
      got += page.edges.length;
      after = page.pageInfo.endCursor;
      if (!page.pageInfo.hasNextPage) break;
    }
    if (whole) apollo.cache.writeQuery({ query, variables: { ...variables, after: null }, data: whole });
  }
  useFresh(readAnew);

  function readOn() {
    if (isReadingOn || !connection?.pageInfo.hasNextPage) return;
    setReadingOn(true);
    void fetchMore({ variables: { ...variables, after: connection.pageInfo.endCursor } })
      .catch(() => undefined) // the end of the list is still there, and asks again
      .finally(() => {
        setReadingOn(false);
      });
  }

  return {
    nodes: connection?.edges.map((edge) => edge.node) ?? null,
    hasMore: connection?.pageInfo.hasNextPage ?? false,
    isReadingOn,
    failed: error !== undefined && !connection,
    readOn,
  };
}

/** Reads anew soon after something happened, once for many things at once; for one order only, if one is named. */
export function useFresh(read: () => Promise<unknown>, orderId?: string): void {
  const { refreshed } = useLive();
  const newest = useRef(read);
  useEffect(() => {
    newest.current = read;
  });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const soon = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      newest.current().catch(() => undefined); // what is shown stays, and the light says that the line is lost
    }, SETTLES_IN);
  }, []);
  useEffect(() => () => {
    clearTimeout(timer.current);
  }, []);
  useEffect(() => refreshed.listen(soon), [refreshed, soon]);
  useEvents(({ event }) => {
    if (orderId === undefined || event.order.id === orderId) soon();
  });
}

/** A place at the end of a list: whoever sees it wants more. */
export function useSeen(onSeen: () => void): (element: HTMLElement | null) => void {
  const newest = useRef(onSeen);
  useEffect(() => {
    newest.current = onSeen;
  });
  const observer = useRef<IntersectionObserver>(undefined);
  return useCallback((element) => {
    observer.current?.disconnect();
    if (!element) return;
    observer.current = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) newest.current();
      },
      { rootMargin: "400px" },
    );
    observer.current.observe(element);
  }, []);
}
