"""What an action would do to money and rate, before it is taken; for a request: when the other side accepts it."""

from dataclasses import dataclass

from rules.actions import Availability, maximum_refund
from rules.case import Case
from rules.money import AskedAmount, Money
from rules.orders import alone_cause
from rules.policy import Policy
from rules.refusals import Refused
from rules.requests import asked_cause, offered_amount
from rules.vocabulary import CancellationCause, OrderStatus, RequestKind, ResolutionAction

_A = ResolutionAction


@dataclass(frozen=True, slots=True)
class Effect:
    """Money back to the client, money left for the freelancer, and the end that the freelancer's rate would count:
    COMPLETED, CANCELLED, or none."""

    refund: Money
    payout: Money
    counted_end: OrderStatus | None


def effect(availability: Availability, case: Case, policy: Policy, offer: AskedAmount | None = None) -> Effect | None:
    """What taking the action would do; None when it can't be taken or moves neither money nor rate. For an offer of a
    partial refund: of the amount `offer`, or of the most that may be offered; None when that amount is refused."""
    if availability.refusal is not None:
        return None
    match availability.action:
        case _A.ACCEPT_DELIVERY:
            left = case.order.remaining
            return Effect(Money(0, left.currency), left, OrderStatus.COMPLETED)
        case _A.OFFER_PARTIAL_REFUND:
            return _offered(case, policy, offer)
        case _A.CANCEL_ORDER:
            return _cancelled(case, policy, alone_cause(case))
        case _A.ASK_CLIENT_TO_CANCEL:
            return _cancelled(case, policy, CancellationCause.FREELANCER_ASKED)
        case _A.ASK_FREELANCER_TO_CANCEL:
            return _cancelled(case, policy, CancellationCause.CLIENT_ASKED)
        case _A.ACCEPT_REQUEST:
            return _accepted(availability, case, policy)
        case _:
            return None


def _offered(case: Case, policy: Policy, offer: AskedAmount | None) -> Effect | None:
    try:
        amount = offered_amount(offer, case, policy) if offer else maximum_refund(case, policy)
    except Refused:
        return None
    return Effect(amount, case.order.remaining - amount, None)


def _accepted(availability: Availability, case: Case, policy: Policy) -> Effect | None:
    request = availability.request
    assert request is not None
    if request.kind is RequestKind.PARTIAL_REFUND and request.amount is not None:
        return Effect(request.amount, case.order.remaining - request.amount, None)
    if request.kind is RequestKind.CANCELLATION:
        return _cancelled(case, policy, asked_cause(request))
    return None


def _cancelled(case: Case, policy: Policy, cause: CancellationCause) -> Effect:
    left = case.order.remaining
    return Effect(left, Money(0, left.currency), None if cause in policy.uncounted else OrderStatus.CANCELLED)
