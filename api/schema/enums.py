"""The contract's enumerations: the words of the rules, each value described."""

from enum import StrEnum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from rules.vocabulary import (
    OnDeadline,
    OrderEventKind,
    OrderStatus,
    RefundStatus,
    RefusalCode,
    RequestKind,
    RequestStatus,
    ResolutionAction,
    Role,
    SearchVisibility,
    SupportCaseStatus,
    SupportDecision,
)

__all__ = [
    "OnDeadline",
    "OrderEventKind",
    "OrderSortField",
    "OrderStatus",
    "RefundStatus",
    "RefusalCode",
    "RequestKind",
    "RequestStatus",
    "ResolutionAction",
    "Role",
    "SearchVisibility",
    "SortDirection",
    "SupportCaseStatus",
    "SupportDecision",
]


class OrderSortField(StrEnum):
    """By what the list of orders is sorted."""

    CREATED_AT = "CREATED_AT"
    DELIVERY_DUE_AT = "DELIVERY_DUE_AT"
    PRICE = "PRICE"


class SortDirection(StrEnum):
    """In which direction a list is sorted."""

    ASC = "ASC"
    DESC = "DESC"


def _describe(enum: type[StrEnum], description: str, values: dict[str, str], name: str | None = None) -> None:
    """Makes the enumeration one of GraphQL's. Every value must be described, and no other."""
    described = strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = described.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values.pop(value.name)
    if values:
        raise ValueError(f"{enum.__name__} has no {', '.join(values)}")


_describe(
    OrderStatus,
    "Where an order stands. COMPLETED and CANCELLED are for ever.",
    {
        "AWAITING_REQUIREMENTS": "Placed; the client has not given yet what the freelancer needs to start.",
        "IN_PROGRESS": "The freelancer is at work; the agreed days count.",
        "DELIVERED": "Delivered; the client accepts, asks for a revision, or lets silence complete the order.",
        "IN_REVISION": "The client wanted the delivery changed; the freelancer is at work again.",
        "COMPLETED": "Done; what was not refunded is the freelancer's.",
        "CANCELLED": "Ended without completion; everything goes back to the client.",
    },
)
_describe(
    Role,
    "In which role somebody sees an order or acts on it.",
    {
        "CLIENT": "Who ordered.",
        "FREELANCER": "Who delivers.",
        "SUPPORT": "The marketplace's customer support.",
        "MARKETPLACE": "The marketplace's own systems, which bring orders in.",
        "SYSTEM": "Nobody: a deadline, or the payment gateway's answer.",
    },
)
_describe(
    ResolutionAction,
    "What a client or a freelancer may do on an order, each by the mutation of the same name.",
    {
        "SUBMIT_REQUIREMENTS": "Client: give what the freelancer needs to start.",
        "DELIVER_ORDER": "Freelancer: deliver, first or again.",
        "REQUEST_REVISION": "Client: ask for changes of a delivery.",
        "ACCEPT_DELIVERY": "Client: accept the delivery; the order completes.",
        "OFFER_PARTIAL_REFUND": "Freelancer: offer part of the price back.",
        "ASK_CLIENT_TO_CANCEL": "Freelancer: ask the client to cancel the order.",
        "ANSWER_ORDER_UPDATE": "Freelancer: answer the client's request for an update.",
        "REQUEST_ORDER_UPDATE": "Client: ask how the order goes.",
        "ASK_FREELANCER_TO_CANCEL": "Client: ask the freelancer to cancel the order.",
        "CANCEL_ORDER": "Client: cancel alone, where that is open.",
        "REQUEST_DELIVERY_EXTENSION": "Either side: ask for more days until the delivery is due.",
        "ACCEPT_REQUEST": "Either side: agree to what the other one asked.",
        "DECLINE_REQUEST": "Either side: refuse what the other one asked.",
        "WITHDRAW_REQUEST": "Either side: take back what you asked.",
        "CONTACT_SUPPORT": "Either side: call support; every deadline of the order stands still meanwhile.",
    },
)
_describe(
    RequestKind,
    "What one side asks of the other.",
    {
        "PARTIAL_REFUND": "The freelancer offers part of the price back.",
        "CANCELLATION": "One side wants the order cancelled.",
        "ORDER_UPDATE": "The client wants to know how it goes.",
        "DELIVERY_EXTENSION": "One side wants more time until the delivery is due.",
    },
)
_describe(
    RequestStatus,
    "Where a request stands. All but PENDING are for ever.",
    {
        "PENDING": "It waits for the other side until `respondBy`.",
        "ACCEPTED": "The other side agreed.",
        "DECLINED": "The other side did not agree.",
        "WITHDRAWN": "Who asked took it back.",
        "ANSWERED": "An update request that got its answer.",
        "EXPIRED": "The deadline passed and nothing was agreed.",
        "AUTO_ACCEPTED": "The deadline passed, and silence counts as consent for this kind.",
        "SUPERSEDED": "Something else settled the order first.",
    },
)
_describe(
    OnDeadline,
    "What silence does. Policy data, one value a kind, shown before it happens.",
    {
        "ACCEPT": "Silence is consent: the request becomes AUTO_ACCEPTED.",
        "EXPIRE": "Nothing is agreed: the request becomes EXPIRED.",
        "ESCALATE": "The request becomes EXPIRED, and a support case is opened for who asked.",
    },
)
_describe(
    RefundStatus,
    "Where money on its way back stands.",
    {
        "PENDING": "The payment gateway has not said yet.",
        "SUCCEEDED": "The client has it.",
        "FAILED": "The payment gateway could not pay it; `failure` says why.",
    },
)
_describe(
    SupportCaseStatus,
    "Where a support case stands.",
    {"OPEN": "Support has not decided yet.", "RESOLVED": "Support has decided."},
)
_describe(
    SupportDecision,
    "What support may decide.",
    {
        "CANCEL_ORDER": "The order is cancelled; what was not refunded yet goes back.",
        "REFUND_PARTIALLY": "Part of the price goes back, and the order goes on.",
        "CONTINUE_ORDER": "The order goes on; each deadline has moved by the time that the case was open.",
        "COMPLETE_ORDER": "The order is completed.",
    },
)
_describe(
    OrderEventKind,
    "What happened.",
    {
        "ORDER_PLACED": "The marketplace brought the order in.",
        "REQUIREMENTS_SUBMITTED": "The client gave what the freelancer needs; the work started.",
        "ORDER_DELIVERED": "The freelancer delivered.",
        "REVISION_REQUESTED": "The client wants the delivery changed.",
        "ORDER_COMPLETED": "The order completed.",
        "ORDER_CANCELLED": "The order was cancelled.",
        "REQUEST_OPENED": "One side asked something of the other.",
        "REQUEST_ACCEPTED": "The other side agreed.",
        "REQUEST_DECLINED": "The other side did not agree.",
        "REQUEST_WITHDRAWN": "Who asked took it back.",
        "REQUEST_ANSWERED": "A request for an update got its answer.",
        "REQUEST_EXPIRED": "Nobody answered in time, and nothing was agreed.",
        "REQUEST_AUTO_ACCEPTED": "Nobody answered in time, and silence counted as consent.",
        "REQUEST_SUPERSEDED": "Something else settled what the request was about.",
        "DEADLINE_NEAR": "The deadline is near: 24 h and 4 h before it, to both sides. "
        "Without a request it is the order's own: silence after a delivery.",
        "REFUND_SUCCEEDED": "Money went back to the client.",
        "REFUND_FAILED": "The payment gateway could not pay a refund.",
        "SUPPORT_CONTACTED": "A support case was opened.",
        "SUPPORT_DECIDED": "Support decided.",
    },
)
_describe(
    SearchVisibility,
    "What the marketplace's search does with a freelancer's gigs.",
    {
        "FULL": "Shown as ever.",
        "REDUCED": "Shown less.",
        "HIDDEN": "Not shown.",
    },
)
_describe(
    RefusalCode,
    "Why something was refused.",
    {
        "NOT_FOUND": "There is no such thing; also for what you may not see.",
        "FORBIDDEN": "You see it, but your role may not do this.",
        "ORDER_STATUS": "Not in this status of the order.",
        "ORDER_CLOSED": "The order is completed or cancelled: contact support.",
        "REQUEST_PENDING": "One of this kind is pending already.",
        "REQUEST_SETTLED": "Somebody or something settled it first.",
        "DEADLINE_PASSED": "The time to answer is over, whether or not its effect is shown yet.",
        "AMOUNT_TOO_LARGE": "More than may be asked; `message` says how much may be.",
        "AMOUNT_TOO_SMALL": "Less than must be asked; `message` says how much must be.",
        "CURRENCY_MISMATCH": "Not the currency of the order.",
        "AMOUNT_PRECISION": "More digits than the currency has. Amounts are never rounded.",
        "REFUND_ALREADY_ACCEPTED": "A partial refund was accepted on this order before.",
        "REASON_UNKNOWN": "Not on the list of reasons.",
        "TEXT_REQUIRED": "A text is missing.",
        "TEXT_TOO_LONG": "A text is too long; `message` says by what measure.",
        "VALUE_INVALID": "A value that can't be; `message` says what can.",
        "SUPPORT_CASE_OPEN": "Support has the order already.",
        "REFERENCE_TAKEN": "There is an order with this reference already.",
        "IDEMPOTENCY_KEY_REUSED": "The key was used before, for something else.",
    },
    name="UserErrorCode",
)
_describe(
    OrderSortField,
    "By what the list of orders is sorted.",
    {
        "CREATED_AT": "When the order was placed.",
        "DELIVERY_DUE_AT": "When the delivery is due; orders without a due date count as latest.",
        "PRICE": "The number of the price, whatever the currency.",
    },
)
_describe(
    SortDirection,
    "In which direction a list is sorted.",
    {"ASC": "The smallest or oldest first.", "DESC": "The largest or newest first."},
)
