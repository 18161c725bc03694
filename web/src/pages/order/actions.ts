// Every action of the contract: what it is called, what its form asks, and the mutation of the same name.
import type { ApolloClient } from "@apollo/client";
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import * as done from "../../generated/graphql";
import type { ResolutionAction, Role, UserErrorPartsFragment } from "../../generated/graphql";
import type { IconName } from "../../parts/icons";

/** What is typed into a form, by the name of the input's field. */
export interface Draft {
  amount: number;
  days: number;
  explanation: string;
  feedback: string;
  message: string;
  note: string;
  answer: string;
  reason: string;
  confidentialReason: string;
  confidentialNote: string;
}

export const EMPTY: Draft = {
  amount: Number.NaN,
  days: 3,
  explanation: "",
  feedback: "",
  message: "",
  note: "",
  answer: "",
  reason: "",
  confidentialReason: "",
  confidentialNote: "",
};

export type WordsName = "explanation" | "feedback" | "message" | "note" | "answer" | "confidentialNote";
export type ReasonName = "reason" | "confidentialReason";

export type Field =
  | { kind: "amount"; label: string }
  | { kind: "days"; label: string }
  | { kind: "words"; name: WordsName; label: string; seen: "both" | "private"; required?: boolean; belongsTo?: ReasonName }
  | { kind: "reason"; name: ReasonName; label: string; seen: "both" | "private" };

/** What the mutation is about. */
export interface Target {
  id: string;
  typename: string;
  currency: string;
  digits: number;
}

export interface Outcome {
  userErrors: UserErrorPartsFragment[];
}

export interface Spec {
  title: string;
  /** What it is called for the client, where that differs. */
  clientTitle?: string;
  verb: string;
  icon: IconName;
  /** What one should know before. */
  advice?: string;
  fields: Field[];
  tone?: "danger";
  /** What it acts on. */
  on: "order" | "request";
  /** It shows as done at once; a refusal is undone on screen. */
  isOptimistic: boolean;
  send: (apollo: ApolloClient, draft: Draft, target: Target, key: string) => Promise<Outcome>;
}

interface Look extends Omit<Spec, "send" | "fields" | "isOptimistic"> {
  fields?: Field[];
  /** What the answer will be if nothing speaks against it: for what can be taken back on screen. */
  optimistic?: (target: Target, draft: Draft) => object;
}

// #region spec
function spec<Data extends object, Input extends object>(
  mutation: TypedDocumentNode<Data, { input: Input }>,
  input: (draft: Draft, target: Target) => Omit<Input, "idempotencyKey">,
  { optimistic, fields = [], ...look }: Look,
): Spec {
  return {
    ...look,
    fields,
    isOptimistic: optimistic !== undefined,
    send: async (apollo, draft, target, key) => {
      const { data } = await apollo.mutate({
        mutation,
        variables: { input: { ...input(draft, target), idempotencyKey: key } as Input },
        ...(optimistic ? { optimisticResponse: optimistic(target, draft) as NoInfer<Data> } : {}),
      });
      const [payload] = Object.values<Outcome>({ ...data });
      return { userErrors: payload?.userErrors ?? [] };
    },
  };
}
// #endregion

const order = (target: Target) => ({ orderId: target.id });
const request = (target: Target) => ({ requestId: target.id });
/** Nothing rather than an empty text. */
const maybe = (text: string) => (text.trim() === "" ? null : text);

export const SPECS: Record<ResolutionAction, Spec> = {
  OFFER_PARTIAL_REFUND: spec(
    done.OfferPartialRefundDocument,
    (draft, target) => ({
      ...order(target),
      // As many digits as the currency has: exact for every amount that can be typed.
      amount: { amount: draft.amount.toFixed(target.digits), currencyCode: target.currency },
      explanation: draft.explanation,
      confidentialReason: draft.confidentialReason,
      confidentialNote: maybe(draft.confidentialNote),
    }),
    {
      title: "Offer a partial refund",
      verb: "Send offer",
      icon: "money",
      on: "order",
      advice: "When the scope changed, to make up for a delay, or when part of the work did not please. Once accepted, there can be no second one on this order.",
      fields: [
        { kind: "amount", label: "Refund amount" },
        { kind: "words", name: "explanation", label: "Explanation", seen: "both", required: true },
        { kind: "reason", name: "confidentialReason", label: "Reason", seen: "private" },
        { kind: "words", name: "confidentialNote", label: "Note to the reason", seen: "private", belongsTo: "confidentialReason" },
      ],
    },
  ),
  ASK_CLIENT_TO_CANCEL: spec(
    done.AskClientToCancelDocument,
    (draft, target) => ({ ...order(target), reason: draft.reason, note: maybe(draft.note) }),
    {
      title: "Ask the client to cancel this order",
      verb: "Send request",
      icon: "cross",
      on: "order",
      advice: "A cancelled order can lower your earnings, your completion rate and how your gigs are found. Talk to the client first.",
      fields: [
        { kind: "reason", name: "reason", label: "Reason", seen: "both" },
        { kind: "words", name: "note", label: "Personal note", seen: "both", belongsTo: "reason" },
      ],
    },
  ),
  REQUEST_ORDER_UPDATE: spec(
    done.RequestOrderUpdateDocument,
    (draft, target) => ({ ...order(target), explanation: draft.explanation }),
    {
      title: "Get an order update",
      verb: "Send request",
      icon: "ask",
      on: "order",
      fields: [{ kind: "words", name: "explanation", label: "Why you need the update", seen: "both", required: true }],
    },
  ),
  ASK_FREELANCER_TO_CANCEL: spec(
    done.AskFreelancerToCancelDocument,
    (draft, target) => ({
      ...order(target),
      feedback: draft.feedback,
      confidentialReason: draft.confidentialReason,
      confidentialNote: maybe(draft.confidentialNote),
    }),
    {
      title: "Ask the freelancer to cancel this order",
      verb: "Send request",
      icon: "cross",
      on: "order",
      advice: "Try to settle it by talking first: a cancellation is the last resort.",
      fields: [
        { kind: "words", name: "feedback", label: "Feedback", seen: "both", required: true },
        { kind: "reason", name: "confidentialReason", label: "Reason", seen: "private" },
        { kind: "words", name: "confidentialNote", label: "Note to the reason", seen: "private", belongsTo: "confidentialReason" },
      ],
    },
  ),
  REQUEST_DELIVERY_EXTENSION: spec(
    done.RequestDeliveryExtensionDocument,
    (draft, target) => ({ ...order(target), days: draft.days, explanation: draft.explanation }),
    {
      title: "Ask for more time",
      clientTitle: "Suggest a later delivery",
      verb: "Send request",
      icon: "calendar",
      on: "order",
      fields: [
        { kind: "days", label: "Days more" },
        { kind: "words", name: "explanation", label: "Why", seen: "both", required: true },
      ],
    },
  ),
  CANCEL_ORDER: spec(done.CancelOrderDocument, (_, target) => order(target), {
    title: "Cancel this order now",
    verb: "Cancel the order",
    icon: "stop",
    on: "order",
    tone: "danger",
    advice: "The order is cancelled at once, without asking the freelancer.",
  }),
  CONTACT_SUPPORT: spec(
    done.ContactSupportDocument,
    (draft, target) => ({ ...order(target), message: draft.message }),
    {
      title: "Contact us",
      verb: "Send to support",
      icon: "support",
      on: "order",
      advice: "While support has the order, every deadline stands still. Both of you will see what is written here.",
      fields: [{ kind: "words", name: "message", label: "What went wrong", seen: "both", required: true }],
    },
  ),
  SUBMIT_REQUIREMENTS: spec(done.SubmitRequirementsDocument, (_, target) => order(target), {
    title: "Give the requirements",
    verb: "The requirements are complete",
    icon: "check",
    on: "order",
    advice: "The freelancer starts now, and the agreed days count from this moment.",
  }),
  DELIVER_ORDER: spec(
    done.DeliverOrderDocument,
    (draft, target) => ({ ...order(target), message: draft.message }),
    {
      title: "Deliver",
      verb: "Deliver",
      icon: "box",
      on: "order",
      fields: [{ kind: "words", name: "message", label: "What you deliver", seen: "both", required: true }],
    },
  ),
  REQUEST_REVISION: spec(
    done.RequestRevisionDocument,
    (draft, target) => ({ ...order(target), message: draft.message }),
    {
      title: "Ask for changes",
      verb: "Ask for changes",
      icon: "redo",
      on: "order",
      fields: [{ kind: "words", name: "message", label: "What shall be changed", seen: "both", required: true }],
    },
  ),
  ACCEPT_DELIVERY: spec(done.AcceptDeliveryDocument, (_, target) => order(target), {
    title: "Accept the delivery",
    verb: "Accept and complete",
    icon: "check",
    on: "order",
    advice: "The order completes, and the money is the freelancer's.",
  }),
  ACCEPT_REQUEST: spec(done.AcceptRequestDocument, (_, target) => request(target), {
    title: "Accept",
    verb: "Accept",
    icon: "check",
    on: "request",
  }),
  ANSWER_ORDER_UPDATE: spec(
    done.AnswerOrderUpdateDocument,
    (draft, target) => ({ ...request(target), answer: draft.answer }),
    {
      title: "Answer",
      verb: "Send answer",
      icon: "ask",
      on: "request",
      fields: [{ kind: "words", name: "answer", label: "Your answer", seen: "both", required: true }],
    },
  ),
  DECLINE_REQUEST: spec(
    done.DeclineRequestDocument,
    (draft, target) => ({ ...request(target), message: maybe(draft.message) }),
    {
      title: "Decline",
      verb: "Decline",
      icon: "cross",
      on: "request",
      fields: [{ kind: "words", name: "message", label: "Why", seen: "both" }],
      optimistic: ({ id, typename }, draft) => ({
        declineRequest: {
          __typename: "DeclineRequestPayload",
          request: { __typename: typename, id, status: "DECLINED", declineMessage: maybe(draft.message) },
          userErrors: [],
        },
      }),
    },
  ),
  WITHDRAW_REQUEST: spec(done.WithdrawRequestDocument, (_, target) => request(target), {
    title: "Withdraw",
    verb: "Withdraw",
    icon: "redo",
    on: "request",
    optimistic: ({ id, typename }) => ({
      withdrawRequest: {
        __typename: "WithdrawRequestPayload",
        request: { __typename: typename, id, status: "WITHDRAWN" },
        userErrors: [],
      },
    }),
  }),
};

/** What an action is called for whoever sees the order in this role. */
export function titleOf(action: ResolutionAction, role: Role): string {
  const { title, clientTitle } = SPECS[action];
  return role === "CLIENT" && clientTitle ? clientTitle : title;
}

/** What the order itself needs next: beside the page's title, not in the Resolution Center. */
export const STEPS: ResolutionAction[] = ["SUBMIT_REQUIREMENTS", "DELIVER_ORDER", "ACCEPT_DELIVERY", "REQUEST_REVISION"];
