// The tabs that stand ready: each role's actions, and a stream that is taken up again.
import type { DemoPerson } from "../client/config";

interface Tab {
  query: string;
  variables?: string;
}

/** Orders of the demo on which each example can be run. */
const DELIVERED = "DEMO-1009";
const AT_WORK = "DEMO-1010";

export async function examples(people: DemoPerson[]): Promise<Tab[]> {
  const farid = people.find((person) => person.name === "Farid");
  const [delivered, atWork] = await Promise.all([idOf(DELIVERED, farid), idOf(AT_WORK, farid)]);
  return [
    { query: ORDERS },
    { query: OFFER, variables: variables({ orderId: delivered, amount: { amount: "15.00", currencyCode: "USD" }, explanation: "The second draft came late.", confidentialReason: "DELIVERY_DELAYED" }) },
    { query: ANSWER, variables: variables({ requestId: "a request's id from the first tab" }) },
    { query: UPDATE, variables: variables({ orderId: atWork, explanation: "We open on Friday: will the map be ready?" }) },
    { query: CANCEL, variables: variables({ orderId: atWork, feedback: "We have changed our plans.", confidentialReason: "NO_LONGER_NEEDED" }) },
    { query: CASES },
    { query: WATCH },
    { query: RESUME, variables: JSON.stringify({ after: "a cursor from an event, or eventCursor from the first tab" }, null, 2) },
  ];
}

function variables(input: object): string {
  return JSON.stringify({ input }, null, 2);
}

async function idOf(reference: string, person: DemoPerson | undefined): Promise<string> {
  const placeholder = "an order's id from the first tab";
  if (!person) return placeholder;
  const answer = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${person.token}` },
    body: JSON.stringify({
      query: "query($reference: String) { orders(filter: { reference: $reference }) { nodes { id } } }",
      variables: { reference },
    }),
  }).catch(() => null);
  const found = (await answer?.json().catch(() => null)) as { data?: { orders: { nodes: { id: string }[] } } } | null;
  return found?.data?.orders.nodes[0]?.id ?? placeholder;
}

const ORDERS = `# As Ada, a client: what needs my attention, and what I may do about it.
query WhatNeedsMe {
  eventCursor
  orders(filter: { awaitingMe: true }) {
    nodes {
      id
      reference
      title
      status
      resolutionCenter {
        pendingRequests {
          id
          kind
          respondBy
          onDeadline
          requestedBy { name }
        }
        actions {
          action
          available
          explanation
        }
      }
    }
  }
}
`;

const OFFER = `# As Farid, a freelancer: offer part of the price back. The reason stays private.
mutation OfferPartialRefund($input: OfferPartialRefundInput!) {
  offerPartialRefund(input: $input) {
    request {
      id
      status
      respondBy
      onDeadline
      confidentialReason { label }
    }
    userErrors { code message path }
  }
}
`;

const ANSWER = `# As Ada, a client: accept what the freelancer asked.
mutation AcceptRequest($input: AcceptRequestInput!) {
  acceptRequest(input: $input) {
    request {
      id
      status
      order { status refunded { amount currencyCode } }
    }
    userErrors { code message path }
  }
}
`;

const UPDATE = `# As Ada, a client: ask how the order goes.
mutation RequestOrderUpdate($input: RequestOrderUpdateInput!) {
  requestOrderUpdate(input: $input) {
    request { id status respondBy onDeadline }
    userErrors { code message path }
  }
}
`;

const CANCEL = `# As Ada, a client: ask the freelancer to cancel. The feedback is shared, the reason is not.
mutation AskFreelancerToCancel($input: AskFreelancerToCancelInput!) {
  askFreelancerToCancel(input: $input) {
    request { id status respondBy onDeadline }
    userErrors { code message path }
  }
}
`;

const CASES = `# As Sol, support: the open cases, with both sides' private reasons.
query OpenCases {
  supportCases(status: OPEN) {
    nodes {
      id
      message
      openedBy { name }
      order {
        reference
        title
        resolutionCenter {
          requests {
            nodes {
              kind
              status
              requestedBy { name }
              confidentialReason { label }
              confidentialNote
            }
          }
        }
      }
    }
  }
}
`;

const WATCH = `# As Ada, a client: everything that happens from now on. Run an action in another tab, and come back.
subscription Watch {
  viewerEvents {
    cursor
    kind
    actor { name }
    order { reference status }
    request { kind status }
  }
}
`;

const RESUME = `# As Ada, a client: the same stream, taken up again after a cursor: first what was missed, then live.
subscription Resume($after: String!) {
  viewerEvents(after: $after) {
    cursor
    kind
    occurredAt
    actor { name }
    order { reference status }
  }
}
`;
