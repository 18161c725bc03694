"""The words of the trade as enumerations; the names are those of the GraphQL contract."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """Where an order stands."""

    AWAITING_REQUIREMENTS = "AWAITING_REQUIREMENTS"
    IN_PROGRESS = "IN_PROGRESS"
    DELIVERED = "DELIVERED"
    IN_REVISION = "IN_REVISION"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"

    @property
    def is_closed(self) -> bool:
        """Completed and cancelled are for ever."""
        return self in (OrderStatus.COMPLETED, OrderStatus.CANCELLED)


class Role(StrEnum):
    """In which role somebody, or the clock, acts on an order."""

    CLIENT = "CLIENT"
    FREELANCER = "FREELANCER"
    SUPPORT = "SUPPORT"
    MARKETPLACE = "MARKETPLACE"
    SYSTEM = "SYSTEM"

    @property
    def other_side(self) -> "Role":
        """The counterparty of a client or a freelancer; asking it of another role is an error in the program."""
        return {Role.CLIENT: Role.FREELANCER, Role.FREELANCER: Role.CLIENT}[self]


class ResolutionAction(StrEnum):
    """Every action that a party may take on an order."""

    SUBMIT_REQUIREMENTS = "SUBMIT_REQUIREMENTS"
    DELIVER_ORDER = "DELIVER_ORDER"
    REQUEST_REVISION = "REQUEST_REVISION"
    ACCEPT_DELIVERY = "ACCEPT_DELIVERY"
    OFFER_PARTIAL_REFUND = "OFFER_PARTIAL_REFUND"
    ASK_CLIENT_TO_CANCEL = "ASK_CLIENT_TO_CANCEL"
    ANSWER_ORDER_UPDATE = "ANSWER_ORDER_UPDATE"
    REQUEST_ORDER_UPDATE = "REQUEST_ORDER_UPDATE"
    ASK_FREELANCER_TO_CANCEL = "ASK_FREELANCER_TO_CANCEL"
    CANCEL_ORDER = "CANCEL_ORDER"
    REQUEST_DELIVERY_EXTENSION = "REQUEST_DELIVERY_EXTENSION"
    ACCEPT_REQUEST = "ACCEPT_REQUEST"
    DECLINE_REQUEST = "DECLINE_REQUEST"
    WITHDRAW_REQUEST = "WITHDRAW_REQUEST"
    CONTACT_SUPPORT = "CONTACT_SUPPORT"


class RequestKind(StrEnum):
    """What one side asks of the other."""

    PARTIAL_REFUND = "PARTIAL_REFUND"
    CANCELLATION = "CANCELLATION"
    ORDER_UPDATE = "ORDER_UPDATE"
    DELIVERY_EXTENSION = "DELIVERY_EXTENSION"


class RequestStatus(StrEnum):
    """Where a request stands; all but PENDING are final."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    ANSWERED = "ANSWERED"
    EXPIRED = "EXPIRED"
    AUTO_ACCEPTED = "AUTO_ACCEPTED"
    SUPERSEDED = "SUPERSEDED"


class OnDeadline(StrEnum):
    """What silence does to a request."""

    ACCEPT = "ACCEPT"
    EXPIRE = "EXPIRE"
    ESCALATE = "ESCALATE"


class OrderEventKind(StrEnum):
    """What can happen to an order."""

    ORDER_PLACED = "ORDER_PLACED"
    REQUIREMENTS_SUBMITTED = "REQUIREMENTS_SUBMITTED"
    ORDER_DELIVERED = "ORDER_DELIVERED"
    REVISION_REQUESTED = "REVISION_REQUESTED"
    ORDER_COMPLETED = "ORDER_COMPLETED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    REQUEST_OPENED = "REQUEST_OPENED"
    REQUEST_ACCEPTED = "REQUEST_ACCEPTED"
    REQUEST_DECLINED = "REQUEST_DECLINED"
    REQUEST_WITHDRAWN = "REQUEST_WITHDRAWN"
    REQUEST_ANSWERED = "REQUEST_ANSWERED"
    REQUEST_EXPIRED = "REQUEST_EXPIRED"
    REQUEST_AUTO_ACCEPTED = "REQUEST_AUTO_ACCEPTED"
    REQUEST_SUPERSEDED = "REQUEST_SUPERSEDED"
    DEADLINE_NEAR = "DEADLINE_NEAR"
    REFUND_SUCCEEDED = "REFUND_SUCCEEDED"
    REFUND_FAILED = "REFUND_FAILED"
    SUPPORT_CONTACTED = "SUPPORT_CONTACTED"
    SUPPORT_DECIDED = "SUPPORT_DECIDED"


class RefundStatus(StrEnum):
    """Where money on its way back stands."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class SupportCaseStatus(StrEnum):
    """Where a support case stands."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


class SupportDecision(StrEnum):
    """What support may decide."""

    CANCEL_ORDER = "CANCEL_ORDER"
    REFUND_PARTIALLY = "REFUND_PARTIALLY"
    CONTINUE_ORDER = "CONTINUE_ORDER"
    COMPLETE_ORDER = "COMPLETE_ORDER"


class SearchVisibility(StrEnum):
    """What the marketplace's search does with a freelancer's gigs."""

    FULL = "FULL"
    REDUCED = "REDUCED"
    HIDDEN = "HIDDEN"


class CancellationCause(StrEnum):
    """How an order came to be cancelled; decides whether the freelancer's rate counts it."""

    FREELANCER_ASKED = "FREELANCER_ASKED"
    CLIENT_ASKED = "CLIENT_ASKED"
    CLIENT_ALONE_UNSTARTED = "CLIENT_ALONE_UNSTARTED"
    CLIENT_ALONE_OVERDUE = "CLIENT_ALONE_OVERDUE"
    SUPPORT_DECIDED = "SUPPORT_DECIDED"


class RefusalCode(StrEnum):
    """Why something was refused; the contract's UserErrorCode."""

    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    ORDER_STATUS = "ORDER_STATUS"
    ORDER_CLOSED = "ORDER_CLOSED"
    REQUEST_PENDING = "REQUEST_PENDING"
    REQUEST_SETTLED = "REQUEST_SETTLED"
    DEADLINE_PASSED = "DEADLINE_PASSED"
    AMOUNT_TOO_LARGE = "AMOUNT_TOO_LARGE"
    AMOUNT_TOO_SMALL = "AMOUNT_TOO_SMALL"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    AMOUNT_PRECISION = "AMOUNT_PRECISION"
    REFUND_ALREADY_ACCEPTED = "REFUND_ALREADY_ACCEPTED"
    REASON_UNKNOWN = "REASON_UNKNOWN"
    TEXT_REQUIRED = "TEXT_REQUIRED"
    TEXT_TOO_LONG = "TEXT_TOO_LONG"
    VALUE_INVALID = "VALUE_INVALID"
    SUPPORT_CASE_OPEN = "SUPPORT_CASE_OPEN"
    REFERENCE_TAKEN = "REFERENCE_TAKEN"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
