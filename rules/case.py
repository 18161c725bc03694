"""What one order's case is made of: the order, its requests, support cases and refunds, and nothing private."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from rules.money import Money
from rules.policy import Policy
from rules.vocabulary import (
    CancellationCause,
    OnDeadline,
    OrderStatus,
    RefundStatus,
    RequestKind,
    RequestStatus,
    Role,
    SupportCaseStatus,
    SupportDecision,
)


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its log leaves it. All instants are aware and in UTC."""

    id: UUID
    reference: str
    title: str
    status: OrderStatus
    version: int
    client_id: UUID
    freelancer_id: UUID
    placed_by_id: UUID | None
    price: Money
    refunded: Money
    """What goes back to the client by agreement or decision, paid out already or on its way."""
    delivery_days: int
    created_at: datetime
    started_at: datetime | None = None
    delivery_due_at: datetime | None = None
    delivered_at: datetime | None = None
    auto_completes_at: datetime | None = None
    reminded: timedelta | None = None
    """The nearest reminder of `auto_completes_at` that was sent: how long before it."""
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancellation_cause: CancellationCause | None = None
    counted: bool = True
    """Whether the freelancer's completion rate counts how this order ended."""
    frozen_at: datetime | None = None
    """Since when a support case stops every deadline."""

    @property
    def remaining(self) -> Money:
        """What is left for the freelancer."""
        return self.price - self.refunded

    def clock(self, now: datetime) -> datetime:
        """What time it is for this order's deadlines: a support case stops the clock."""
        return now if self.frozen_at is None else min(now, self.frozen_at)

    def is_late(self, now: datetime) -> bool:
        """The due date has passed with nothing delivered, and the order still waits for it."""
        return is_late(self, now)


class Awaited(Protocol):
    """What tells whether a delivery is late: an order, or the row that holds it."""

    @property
    def status(self) -> OrderStatus: ...
    @property
    def delivery_due_at(self) -> datetime | None: ...
    @property
    def delivered_at(self) -> datetime | None: ...
    @property
    def frozen_at(self) -> datetime | None: ...


def is_late(order: Awaited, now: datetime) -> bool:
    """The due date has passed with nothing delivered, and the order still waits for it. A support case stops the
    clock."""
    due = order.delivery_due_at
    if due is None or order.delivered_at is not None or order.status is not OrderStatus.IN_PROGRESS:
        return False
    return due <= (now if order.frozen_at is None else min(now, order.frozen_at))


@dataclass(frozen=True, slots=True)
class Request:
    """What one side asked of the other. Which of the last six fields are set follows from `kind`; the table's
    constraints repeat it."""

    id: UUID
    kind: RequestKind
    status: RequestStatus
    requested_by_id: UUID
    requested_by_role: Role
    created_at: datetime
    respond_by: datetime
    on_deadline: OnDeadline
    reminded: timedelta | None = None
    settled_at: datetime | None = None
    settled_by_role: Role | None = None
    decline_message: str | None = None
    amount: Money | None = None
    cap: Money | None = None
    """The most that could be offered when this offer was made."""
    text: str | None = None
    """Shown to both: an explanation, the freelancer's note, or the client's feedback."""
    reason: str | None = None
    """The code of a shared reason; a private one lives elsewhere."""
    answer: str | None = None
    days: int | None = None

    @property
    def is_pending(self) -> bool:
        return self.status is RequestStatus.PENDING


@dataclass(frozen=True, slots=True)
class SupportCase:
    """A case at support. While it is open, the order's clock stands still."""

    id: UUID
    opened_by_id: UUID
    opened_by_role: Role
    message: str
    status: SupportCaseStatus
    opened_at: datetime
    decision: SupportDecision | None = None
    decision_message: str | None = None
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back. At most one of `request_id` and `case_id` says what it came from."""

    id: UUID
    amount: Money
    status: RefundStatus
    created_at: datetime
    request_id: UUID | None = None
    case_id: UUID | None = None
    settled_at: datetime | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One order with whatever its rules need to know."""

    order: Order
    requests: tuple[Request, ...] = ()
    support_cases: tuple[SupportCase, ...] = ()
    refunds: tuple[Refund, ...] = ()

    def request(self, request_id: UUID) -> Request | None:
        return next((request for request in self.requests if request.id == request_id), None)

    def support_case(self, case_id: UUID) -> SupportCase | None:
        return next((case for case in self.support_cases if case.id == case_id), None)

    def refund(self, refund_id: UUID) -> Refund | None:
        return next((refund for refund in self.refunds if refund.id == refund_id), None)

    def pending(self, kind: RequestKind | None = None) -> tuple[Request, ...]:
        return tuple(r for r in self.requests if r.is_pending and kind in (None, r.kind))

    @property
    def open_support_case(self) -> SupportCase | None:
        return next((case for case in self.support_cases if case.status is SupportCaseStatus.OPEN), None)

    @property
    def has_accepted_refund(self) -> bool:
        """Whether an offer of a partial refund was ever accepted, by the client or by silence."""
        accepted = (RequestStatus.ACCEPTED, RequestStatus.AUTO_ACCEPTED)
        return any(r.kind is RequestKind.PARTIAL_REFUND and r.status in accepted for r in self.requests)

    def role_of(self, user: UUID) -> Role | None:
        """The side that this user takes, if any."""
        if user == self.order.client_id:
            return Role.CLIENT
        return Role.FREELANCER if user == self.order.freelancer_id else None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and in which role on this order. The clock and the gateway act as SYSTEM and are nobody."""

    role: Role
    user_id: UUID | None = None


SYSTEM = Actor(Role.SYSTEM)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a decision stands on: the instant, the policy, and where new ids come from."""

    now: datetime
    policy: Policy
    new_id: Callable[[], UUID]
