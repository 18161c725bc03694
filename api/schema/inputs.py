"""Inputs of queries and mutations."""

import strawberry

from api.schema import enums
from api.schema.money import MoneyInput

KEY = (
    "The same key by the same caller for the same mutation and input gives the first outcome again and does nothing; "
    "with another input it is refused with IDEMPOTENCY_KEY_REUSED. A refusal takes no key. 1 to 255 characters."
)
ORDER_ID = "The order's id."
REQUEST_ID = "The request's id."
PRIVATE_REASON = "A code of the action's `reasons`. The other side never sees it; support does."
PRIVATE_NOTE = "More on the reason, as private as the reason itself. Some reasons need it."
TEXT = "1 to 2,500 characters after trimming, unless the operator says otherwise."


@strawberry.input(description="Which orders are wanted; all that is given must fit.")
class OrderFilter:
    role: enums.Role | None = strawberry.field(default=None, description="Only orders in which you have this role.")
    status: list[enums.OrderStatus] | None = strawberry.field(
        default=None, description="Only orders in one of these statuses."
    )
    awaiting_me: bool | None = strawberry.field(
        default=None, description="Only orders with a request that waits for your answer; false: only others."
    )
    late: bool | None = strawberry.field(default=None, description="Only orders that are late; false: only others.")
    search: str | None = strawberry.field(
        default=None, description="Part of the title or the reference, case-insensitive; at most 200 characters."
    )
    reference: str | None = strawberry.field(default=None, description="The marketplace's own order number.")


@strawberry.input(description="How the list of orders is sorted.")
class OrderSort:
    field: enums.OrderSortField = strawberry.field(description="By what.")
    direction: enums.SortDirection = strawberry.field(description="In which direction.")


@strawberry.input(description="Which requests are wanted; all that is given must fit.")
class ResolutionRequestFilter:
    kind: list[enums.RequestKind] | None = strawberry.field(default=None, description="Only requests of these kinds.")
    status: list[enums.RequestStatus] | None = strawberry.field(
        default=None, description="Only requests in one of these statuses."
    )
    awaiting_me: bool | None = strawberry.field(
        default=None, description="Only requests that wait for your answer; false: only others."
    )
    role: enums.Role | None = strawberry.field(
        default=None, description="Only requests on orders in which you have this role."
    )


@strawberry.input(description="An order to bring in.")
class PlaceOrderInput:
    reference: str = strawberry.field(description="The marketplace's own order number, unique; 1 to 100 characters.")
    title: str = strawberry.field(description="What is ordered, in 1 to 200 characters.")
    price: MoneyInput = strawberry.field(description="The original price.")
    client_subject: str = strawberry.field(description="The identity provider's subject of who orders.")
    freelancer_subject: str = strawberry.field(description="The identity provider's subject of who delivers.")
    delivery_days: int = strawberry.field(description="Days from the requirements to the due date, 1 to 365.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What it takes to start the work.")
class SubmitRequirementsInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What shall be changed of a delivery.")
class RequestRevisionInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    message: str = strawberry.field(description=f"What shall be changed, for the freelancer. {TEXT}")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Which delivery is accepted.")
class AcceptDeliveryInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What is delivered.")
class DeliverOrderInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    message: str = strawberry.field(description=f"What is delivered, for the client. {TEXT}")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Which order the client cancels alone.")
class CancelOrderInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What the client wants to know.")
class RequestOrderUpdateInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    explanation: str = strawberry.field(description=f"Why you need the update, for the freelancer. {TEXT}")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="How the order goes.")
class AnswerOrderUpdateInput:
    request_id: strawberry.ID = strawberry.field(description=REQUEST_ID)
    answer: str = strawberry.field(description=f"The answer, for the client. {TEXT}")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Why the client wants the order cancelled.")
class AskFreelancerToCancelInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    feedback: str = strawberry.field(description=f"Shared with the freelancer. {TEXT}")
    confidential_reason: str = strawberry.field(description=PRIVATE_REASON)
    confidential_note: str | None = strawberry.field(default=None, description=PRIVATE_NOTE)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Why the freelancer wants the order cancelled.")
class AskClientToCancelInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    reason: str = strawberry.field(description="A code of the action's `reasons`. The client sees it.")
    note: str | None = strawberry.field(
        default=None, description="A personal note that the client sees. Some reasons need it."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="How much the freelancer offers back, and why.")
class OfferPartialRefundInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    amount: MoneyInput = strawberry.field(
        description="More than zero, at most the action's `maximumRefund`, in the order's currency."
    )
    explanation: str = strawberry.field(description=f"Shared with the client. {TEXT}")
    confidential_reason: str = strawberry.field(description=PRIVATE_REASON)
    confidential_note: str | None = strawberry.field(default=None, description=PRIVATE_NOTE)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="How much more time, and why.")
class RequestDeliveryExtensionInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    days: int = strawberry.field(description="How many days more, 1 to 30 unless the operator says otherwise.")
    explanation: str = strawberry.field(description=f"Why, for the other side. {TEXT}")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Which request is agreed to.")
class AcceptRequestInput:
    request_id: strawberry.ID = strawberry.field(description=REQUEST_ID)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Which request is not agreed to.")
class DeclineRequestInput:
    request_id: strawberry.ID = strawberry.field(description=REQUEST_ID)
    message: str | None = strawberry.field(default=None, description=f"Why, for who asked. {TEXT}")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Which request is taken back.")
class WithdrawRequestInput:
    request_id: strawberry.ID = strawberry.field(description=REQUEST_ID)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What support shall look into.")
class ContactSupportInput:
    order_id: strawberry.ID = strawberry.field(description=ORDER_ID)
    message: str = strawberry.field(description=f"What went wrong. Both sides and support see it. {TEXT}")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What support decides.")
class DecideSupportCaseInput:
    case_id: strawberry.ID = strawberry.field(description="The support case's id.")
    decision: enums.SupportDecision = strawberry.field(description="What becomes of the order.")
    message: str = strawberry.field(description=f"Why, for both sides. {TEXT}")
    refund: MoneyInput | None = strawberry.field(
        default=None, description="How much goes back; with REFUND_PARTIALLY, and only then."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
