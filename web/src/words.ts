// What the values of the contract are called on screen.
import type {
  OnDeadline,
  OrderEventKind,
  OrderStatus,
  RequestKind,
  RequestStatus,
  RequestPartsFragment,
  ResolutionAction,
  Role,
  SearchVisibility,
  SupportDecision,
  EventPartsFragment,
} from "./generated/graphql";
import { count, money } from "./format";

export const ORDER_STATUS: Record<OrderStatus, string> = {
  AWAITING_REQUIREMENTS: "Awaiting requirements",
  IN_PROGRESS: "In progress",
  DELIVERED: "Delivered",
  IN_REVISION: "In revision",
  COMPLETED: "Completed",
  CANCELLED: "Cancelled",
};
export const ORDER_STATUSES = Object.keys(ORDER_STATUS) as OrderStatus[];

export const REQUEST_KIND: Record<RequestKind, string> = {
  PARTIAL_REFUND: "Partial refund",
  CANCELLATION: "Cancellation",
  ORDER_UPDATE: "Order update",
  DELIVERY_EXTENSION: "More time",
};
export const REQUEST_KINDS = Object.keys(REQUEST_KIND) as RequestKind[];

export const REQUEST_STATUS: Record<RequestStatus, string> = {
  PENDING: "Waiting for an answer",
  ACCEPTED: "Accepted",
  AUTO_ACCEPTED: "Accepted by silence",
  DECLINED: "Declined",
  ANSWERED: "Answered",
  EXPIRED: "Expired",
  WITHDRAWN: "Withdrawn",
  SUPERSEDED: "Settled by something else",
};

export const ROLE: Record<Role, string> = {
  CLIENT: "client",
  FREELANCER: "freelancer",
  SUPPORT: "support",
  MARKETPLACE: "marketplace",
  SYSTEM: "the deadline",
};

export const DECISION: Record<SupportDecision, string> = {
  CONTINUE_ORDER: "The order goes on",
  REFUND_PARTIALLY: "Part of the price goes back",
  CANCEL_ORDER: "The order is cancelled",
  COMPLETE_ORDER: "The order is completed",
};

export const VISIBILITY: Record<SearchVisibility, string> = {
  FULL: "shown in search as ever",
  REDUCED: "shown less in search",
  HIDDEN: "hidden from search",
};

export function days(number: number): string {
  return number === 1 ? "1 day" : `${count(number)} days`;
}

/** What an action opens that the other side has to answer. */
export const OPENS: Partial<Record<ResolutionAction, RequestKind | "DELIVERY">> = {
  OFFER_PARTIAL_REFUND: "PARTIAL_REFUND",
  ASK_CLIENT_TO_CANCEL: "CANCELLATION",
  ASK_FREELANCER_TO_CANCEL: "CANCELLATION",
  REQUEST_ORDER_UPDATE: "ORDER_UPDATE",
  REQUEST_DELIVERY_EXTENSION: "DELIVERY_EXTENSION",
  DELIVER_ORDER: "DELIVERY",
};

/** What silence will do, as a sentence. */
export function silence(kind: RequestKind | "DELIVERY", onDeadline: OnDeadline): string {
  if (onDeadline === "ESCALATE") return "Without an answer it goes to support.";
  if (onDeadline === "ACCEPT") {
    const effect: Record<RequestKind | "DELIVERY", string> = {
      DELIVERY: "the order completes",
      CANCELLATION: "the order is cancelled",
      PARTIAL_REFUND: "the refund is paid",
      DELIVERY_EXTENSION: "the due date moves",
      ORDER_UPDATE: "it counts as answered",
    };
    return `Silence counts as consent: without an answer ${effect[kind]}.`;
  }
  const effect: Record<RequestKind | "DELIVERY", string> = {
    DELIVERY: "the delivery stays open",
    CANCELLATION: "the request expires and the order goes on",
    PARTIAL_REFUND: "the offer expires and no money moves",
    DELIVERY_EXTENSION: "the request expires and the due date stays",
    ORDER_UPDATE: "the request expires and counts as unanswered",
  };
  return `Without an answer ${effect[kind]}.`;
}

/** What was asked, in the words that stand above a request: «Farid offers $84.00 back». */
export function asked(request: RequestPartsFragment, who: string): string {
  const you = who === "You";
  switch (request.__typename) {
    case "PartialRefundOffer":
      return `${who} ${you ? "offer" : "offers"} ${money(request.amount)} back`;
    case "CancellationRequest":
      return `${who} ${you ? "want" : "wants"} to cancel the order`;
    case "OrderUpdateRequest":
      return `${who} ${you ? "ask" : "asks"} how the order goes`;
    case "DeliveryExtensionRequest":
      return `${who} ${you ? "ask" : "asks"} for ${days(request.days)} more`;
  }
}

const NOUN: Record<RequestKind, string> = {
  PARTIAL_REFUND: "the partial refund",
  CANCELLATION: "the cancellation",
  ORDER_UPDATE: "the request for an update",
  DELIVERY_EXTENSION: "the extra time",
};

type Told = Pick<EventPartsFragment, "kind" | "request" | "actor" | "actorRole" | "requestStatus">;

/** What happened, as a sentence with its subject: «Farid offered $84.00 back». */
export function happened(event: Told, viewerId: string): string {
  const who = event.actor ? (event.actor.id === viewerId ? "You" : event.actor.name) : "";
  const { request } = event;
  const noun = request ? NOUN[request.kind] : "it";
  const sentences: Record<OrderEventKind, () => string> = {
    ORDER_PLACED: () => `${who || "The marketplace"} placed the order`,
    REQUIREMENTS_SUBMITTED: () => `${who} gave the requirements; the work started`,
    ORDER_DELIVERED: () => `${who} delivered`,
    REVISION_REQUESTED: () => `${who} asked for changes`,
    ORDER_COMPLETED: () => (who ? `${who} completed the order` : "The order completed by silence"),
    ORDER_CANCELLED: () => (who ? `The order was cancelled by ${who === "You" ? "you" : who}` : "The order was cancelled"),
    REQUEST_OPENED: () => (request ? opened(request, who) : `${who} asked something`),
    REQUEST_ACCEPTED: () => `${who} accepted ${noun}`,
    REQUEST_DECLINED: () => `${who} declined ${noun}`,
    REQUEST_WITHDRAWN: () => `${who} withdrew ${noun}`,
    REQUEST_ANSWERED: () => `${who} answered`,
    REQUEST_AUTO_ACCEPTED: () => `Nobody answered in time: silence accepted ${noun}`,
    REQUEST_EXPIRED: () => `Nobody answered in time: ${noun} expired`,
    REQUEST_SUPERSEDED: () => `Something else settled ${noun}`,
    REFUND_SUCCEEDED: () => `${request && "refund" in request && request.refund ? money(request.refund.amount) : "The refund"} went back to the client`,
    REFUND_FAILED: () => "The refund could not be paid yet",
    DEADLINE_NEAR: () => (request ? `The time to answer ${noun} runs out soon` : "The delivery is accepted by silence soon"),
    SUPPORT_CONTACTED: () => (who ? `${who} contacted support` : "The deadline brought support in"),
    SUPPORT_DECIDED: () => `${who || "Support"} decided for support`,
  };
  return sentences[event.kind]();
}

function opened(request: RequestPartsFragment, who: string): string {
  switch (request.__typename) {
    case "PartialRefundOffer":
      return `${who} offered ${money(request.amount)} back`;
    case "CancellationRequest":
      return `${who} asked to cancel the order`;
    case "OrderUpdateRequest":
      return `${who} asked for an update`;
    case "DeliveryExtensionRequest":
      return `${who} asked for ${days(request.days)} more`;
  }
}
