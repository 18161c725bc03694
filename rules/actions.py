"""Who may do what now, and why not: asked by the page's list of actions and by every mutation alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from rules.case import Case, Request
from rules.lifecycle import (
    ACCEPT,
    ACCEPT_DELIVERY,
    ANSWER,
    DECLINE,
    DELIVER_ORDER,
    REQUEST_REVISION,
    SUBMIT_REQUIREMENTS,
    WITHDRAW,
    Settlement,
)
from rules.money import Money
from rules.policy import Policy, Reason
from rules.refusals import NOT_FOUND, Refusal
from rules.vocabulary import (
    OnDeadline,
    OrderStatus,
    RefusalCode,
    RequestKind,
    RequestStatus,
    ResolutionAction,
    Role,
)

_A = ResolutionAction
_CLIENT, _FREELANCER = frozenset({Role.CLIENT}), frozenset({Role.FREELANCER})
_EITHER = _CLIENT | _FREELANCER

ROLES = {
    _A.SUBMIT_REQUIREMENTS: _CLIENT,
    _A.DELIVER_ORDER: _FREELANCER,
    _A.REQUEST_REVISION: _CLIENT,
    _A.ACCEPT_DELIVERY: _CLIENT,
    _A.OFFER_PARTIAL_REFUND: _FREELANCER,
    _A.ASK_CLIENT_TO_CANCEL: _FREELANCER,
    _A.ANSWER_ORDER_UPDATE: _FREELANCER,
    _A.REQUEST_ORDER_UPDATE: _CLIENT,
    _A.ASK_FREELANCER_TO_CANCEL: _CLIENT,
    _A.CANCEL_ORDER: _CLIENT,
    _A.REQUEST_DELIVERY_EXTENSION: _EITHER,
    _A.ACCEPT_REQUEST: _EITHER,
    _A.DECLINE_REQUEST: _EITHER,
    _A.WITHDRAW_REQUEST: _EITHER,
    _A.CONTACT_SUPPORT: _EITHER,
}
"""Which role an action exists for."""

OPENS = {
    _A.OFFER_PARTIAL_REFUND: RequestKind.PARTIAL_REFUND,
    _A.ASK_CLIENT_TO_CANCEL: RequestKind.CANCELLATION,
    _A.ASK_FREELANCER_TO_CANCEL: RequestKind.CANCELLATION,
    _A.REQUEST_ORDER_UPDATE: RequestKind.ORDER_UPDATE,
    _A.REQUEST_DELIVERY_EXTENSION: RequestKind.DELIVERY_EXTENSION,
}
"""Actions that open a request."""

SETTLES: dict[ResolutionAction, Settlement] = {
    _A.ANSWER_ORDER_UPDATE: ANSWER,
    _A.ACCEPT_REQUEST: ACCEPT,
    _A.DECLINE_REQUEST: DECLINE,
    _A.WITHDRAW_REQUEST: WITHDRAW,
}
"""Actions that end one."""

_STEPS = {
    _A.SUBMIT_REQUIREMENTS: SUBMIT_REQUIREMENTS.sources,
    _A.DELIVER_ORDER: DELIVER_ORDER.sources,
    _A.REQUEST_REVISION: REQUEST_REVISION.sources,
    _A.ACCEPT_DELIVERY: ACCEPT_DELIVERY.sources,
}

_STATUS_WORDS = {
    OrderStatus.AWAITING_REQUIREMENTS: "awaiting requirements",
    OrderStatus.IN_PROGRESS: "in progress",
    OrderStatus.DELIVERED: "delivered",
    OrderStatus.IN_REVISION: "in revision",
    OrderStatus.COMPLETED: "completed",
    OrderStatus.CANCELLED: "cancelled",
}
_REQUEST_WORDS = {
    RequestKind.PARTIAL_REFUND: "An offer of a partial refund",
    RequestKind.CANCELLATION: "A request to cancel",
    RequestKind.ORDER_UPDATE: "A request for an update",
    RequestKind.DELIVERY_EXTENSION: "A request for more time",
}
_ENDED_WORDS = {
    RequestStatus.ACCEPTED: "was accepted",
    RequestStatus.DECLINED: "was declined",
    RequestStatus.WITHDRAWN: "was withdrawn",
    RequestStatus.ANSWERED: "was answered",
    RequestStatus.SUPERSEDED: "was settled by something else",
}


@dataclass(frozen=True, slots=True)
class Availability:
    """One action of one role: open, or refused with the reason; with the request that it would act on."""

    action: ResolutionAction
    refusal: Refusal | None
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """How long the other side has to answer what an action opens, and what its silence does then."""

    window: timedelta
    effect: OnDeadline


def available(case: Case, role: Role, now: datetime, policy: Policy) -> Iterator[Availability]:
    """Every action that exists for the role, in the order of the contract. An action on requests stands once for each
    pending request that it fits. The case must have passed its deadlines (`decide.as_of`)."""
    for action in ResolutionAction:
        if role not in ROLES[action]:
            continue
        if action not in SETTLES:
            yield Availability(action, why_not(action, case, role, now, policy))
            continue
        fitting = [r for r in case.pending() if why_not(action, case, role, now, policy, r) is None]
        yield from (Availability(action, None, request) for request in fitting)
        if not fitting:
            yield Availability(action, _nothing_to_settle(action, case))


def why_not(
    action: ResolutionAction,
    case: Case,
    role: Role,
    now: datetime,
    policy: Policy,
    request: Request | None = None,
) -> Refusal | None:
    """Why this role may not do it now; None when it may. The case must have passed its deadlines."""
    if role not in ROLES[action]:
        others = " or the ".join(sorted(r.lower() for r in ROLES[action]))
        return Refusal(RefusalCode.FORBIDDEN, f"Only the {others} of the order may do this.")
    if action is _A.CONTACT_SUPPORT:
        return _why_not_support(case)
    if settlement := SETTLES.get(action):
        return _why_not_settle(settlement, role, request)
    if closed := _closed(case):
        return closed
    if kind := OPENS.get(action):
        return _why_not_open(kind, case, policy)
    if action is _A.CANCEL_ORDER:
        return _why_not_cancel_alone(case, now, policy)
    return _wrong_status(case, _STEPS[action])


def maximum_refund(case: Case, policy: Policy) -> Money:
    """The most that may be offered now: the policy's share of the original price, and never more than is left."""
    cap, left = case.order.price.share(policy.refund_cap_percent), case.order.remaining
    return min(left, cap)


def reasons(action: ResolutionAction, policy: Policy) -> tuple[Reason, ...]:
    """The drop-down of an action; empty where it has none."""
    if action is _A.OFFER_PARTIAL_REFUND:
        return policy.refund_reasons
    if action is _A.ASK_CLIENT_TO_CANCEL:
        return policy.freelancer_cancellation_reasons
    return policy.client_cancellation_reasons if action is _A.ASK_FREELANCER_TO_CANCEL else ()


def silence(action: ResolutionAction, policy: Policy) -> Silence | None:
    """What the other side's silence would do to what the action opens: a request, or a delivery, which silence accepts.
    None for an action that nobody has to answer."""
    if action is _A.DELIVER_ORDER:
        return Silence(policy.auto_complete_after, OnDeadline.ACCEPT)
    if kind := OPENS.get(action):
        return Silence(policy.kinds[kind].window, policy.kinds[kind].silence)
    return None


def _why_not_support(case: Case) -> Refusal | None:
    if case.open_support_case is None:
        return None
    return Refusal(RefusalCode.SUPPORT_CASE_OPEN, "Support has this order already and will decide.")


def _why_not_settle(settlement: Settlement, role: Role, request: Request | None) -> Refusal | None:
    if request is None:
        return NOT_FOUND.at("requestId")
    asks = request.requested_by_role is role
    if asks and settlement is not WITHDRAW:
        return Refusal(RefusalCode.FORBIDDEN, "You asked this yourself; it is the other side that answers.")
    if not asks and settlement is WITHDRAW:
        return Refusal(RefusalCode.FORBIDDEN, "Only who asked may withdraw it.")
    if request.kind not in settlement.kinds:
        sentence = (
            "Only a request for an update takes an answer; accept or decline this one."
            if settlement is ANSWER
            else "A request for an update is answered, not accepted or declined."
        )
        return Refusal(RefusalCode.VALUE_INVALID, sentence, ("requestId",))
    return None if request.is_pending else _ended(request)


def _ended(request: Request) -> Refusal:
    if request.status in (RequestStatus.EXPIRED, RequestStatus.AUTO_ACCEPTED):
        effect = "it expired" if request.status is RequestStatus.EXPIRED else "silence counted as consent"
        return Refusal(RefusalCode.DEADLINE_PASSED, f"The time to answer is over: {effect}.", ("requestId",))
    sentence = f"This request {_ENDED_WORDS[request.status]} already."
    return Refusal(RefusalCode.REQUEST_SETTLED, sentence, ("requestId",))


def _nothing_to_settle(action: ResolutionAction, case: Case) -> Refusal:
    if closed := _closed(case):
        return closed
    sentence = {
        _A.ANSWER_ORDER_UPDATE: "The client has no question that waits for your answer.",
        _A.WITHDRAW_REQUEST: "You have asked nothing that you could withdraw.",
    }.get(action, "No request of the other side waits for you.")
    return Refusal(RefusalCode.NOT_FOUND, sentence)


def _closed(case: Case) -> Refusal | None:
    status = case.order.status
    if not status.is_closed:
        return None
    return Refusal(RefusalCode.ORDER_CLOSED, f"The order is {_STATUS_WORDS[status]}; you may still contact support.")


def _wrong_status(case: Case, allowed: frozenset[OrderStatus]) -> Refusal | None:
    status = case.order.status
    if status in allowed:
        return None
    words = " or ".join(_STATUS_WORDS[s] for s in OrderStatus if s in allowed)
    sentence = f"This can be done while the order is {words}; it is {_STATUS_WORDS[status]}."
    return Refusal(RefusalCode.ORDER_STATUS, sentence)


def _why_not_open(kind: RequestKind, case: Case, policy: Policy) -> Refusal | None:
    if wrong := _wrong_status(case, policy.kinds[kind].open_in):
        return wrong
    if case.pending(kind):
        sentence = f"{_REQUEST_WORDS[kind]} is pending already; it must be settled first."
        return Refusal(RefusalCode.REQUEST_PENDING, sentence)
    if kind is RequestKind.PARTIAL_REFUND:
        return _why_not_refund(case, policy)
    if kind is RequestKind.DELIVERY_EXTENSION and case.order.delivery_due_at is None:
        return Refusal(RefusalCode.ORDER_STATUS, "No delivery is due yet, so there is nothing to extend.")
    return None


def _why_not_refund(case: Case, policy: Policy) -> Refusal | None:
    if case.has_accepted_refund:
        sentence = "A partial refund was accepted on this order before; there can't be a second one."
        return Refusal(RefusalCode.REFUND_ALREADY_ACCEPTED, sentence)
    price = case.order.price
    least_price = Money(policy.minimum_price.get(price.currency, 0), price.currency)
    if price < least_price:
        sentence = f"Refunds are offered on orders of {least_price} and more."
        return Refusal(RefusalCode.AMOUNT_TOO_SMALL, sentence)
    if maximum_refund(case, policy).minor < policy.minimum_refund.get(price.currency, 1):
        return Refusal(RefusalCode.AMOUNT_TOO_LARGE, "There is not enough left of the price to refund a part of it.")
    return None


def _why_not_cancel_alone(case: Case, now: datetime, policy: Policy) -> Refusal | None:
    order = case.order
    if order.status is OrderStatus.AWAITING_REQUIREMENTS:
        return None
    due = order.delivery_due_at
    waits = order.status is OrderStatus.IN_PROGRESS and order.delivered_at is None
    if waits and due is not None and due + policy.cancel_alone_after <= order.clock(now):
        return None
    hours = policy.cancel_alone_after.total_seconds() / 3_600
    sentence = (
        "You can cancel alone before the requirements are in, or when the delivery is "
        f"{hours:g} hours overdue with nothing delivered; otherwise ask the freelancer to cancel."
    )
    return Refusal(RefusalCode.ORDER_STATUS, sentence)
