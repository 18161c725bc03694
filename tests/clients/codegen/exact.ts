// What the generated types must allow and forbid; `tsc` fails where one of these is not an error.
import type { OrderQuery, SubmitMutationVariables, WatchSubscription } from "./gql/graphql.js";

type Status = NonNullable<OrderQuery["order"]>["status"];

export const none: OrderQuery = { order: null };
export const status: Status = "IN_PROGRESS";
export const submit: SubmitMutationVariables = { input: { orderId: "an id", idempotencyKey: null } };

// @ts-expect-error - there is no such status
export const noStatus: Status = "ELSEWHERE";
// @ts-expect-error - the order must be named
export const noOrder: SubmitMutationVariables = { input: {} };
// @ts-expect-error - an event always has a cursor
export const noEvent: WatchSubscription["viewerEvents"]["cursor"] = null;
