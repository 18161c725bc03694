"""The two state machines, as the tables that the rules run on and that docs/states.md is drawn from."""

from dataclasses import dataclass

from rules.vocabulary import OrderStatus, RequestKind, RequestStatus

_S = OrderStatus
OPEN_STATUSES = frozenset(status for status in OrderStatus if not status.is_closed)


@dataclass(frozen=True, slots=True)
class Step:
    """A way from some statuses of an order to another, and who takes it."""

    name: str
    sources: frozenset[OrderStatus]
    target: OrderStatus
    taken_by: str


def _step(name: str, sources: set[OrderStatus] | frozenset[OrderStatus], target: OrderStatus, taken_by: str) -> Step:
    return Step(name, frozenset(sources), target, taken_by)


SUBMIT_REQUIREMENTS = _step("submit requirements", {_S.AWAITING_REQUIREMENTS}, _S.IN_PROGRESS, "client")
DELIVER_ORDER = _step("deliver", {_S.IN_PROGRESS, _S.IN_REVISION}, _S.DELIVERED, "freelancer")
REQUEST_REVISION = _step("request revision", {_S.DELIVERED}, _S.IN_REVISION, "client")
ACCEPT_DELIVERY = _step("accept delivery", {_S.DELIVERED}, _S.COMPLETED, "client, or 3 days of silence")
COMPLETE = _step("complete", OPEN_STATUSES, _S.COMPLETED, "support")
CANCEL = _step("cancel", OPEN_STATUSES, _S.CANCELLED, "agreement, silence, client alone, or support")

STEPS = (SUBMIT_REQUIREMENTS, DELIVER_ORDER, REQUEST_REVISION, ACCEPT_DELIVERY, COMPLETE, CANCEL)


@dataclass(frozen=True, slots=True)
class Settlement:
    """A way in which a pending request ends, which kinds may end so, and who does it."""

    name: str
    target: RequestStatus
    kinds: frozenset[RequestKind]
    taken_by: str


_ALL = frozenset(RequestKind)
_AGREEABLE = _ALL - {RequestKind.ORDER_UPDATE}

ACCEPT = Settlement("accept", RequestStatus.ACCEPTED, _AGREEABLE, "the other side")
DECLINE = Settlement("decline", RequestStatus.DECLINED, _AGREEABLE, "the other side")
ANSWER = Settlement("answer", RequestStatus.ANSWERED, frozenset({RequestKind.ORDER_UPDATE}), "the freelancer")
WITHDRAW = Settlement("withdraw", RequestStatus.WITHDRAWN, _ALL, "who asked")
AUTO_ACCEPT = Settlement("silence, where it is consent", RequestStatus.AUTO_ACCEPTED, _AGREEABLE, "the deadline")
EXPIRE = Settlement("silence, elsewhere", RequestStatus.EXPIRED, _ALL, "the deadline")
SUPERSEDE = Settlement("the order closes", RequestStatus.SUPERSEDED, _ALL, "whatever closed it")

SETTLEMENTS = (ACCEPT, DECLINE, ANSWER, WITHDRAW, AUTO_ACCEPT, EXPIRE, SUPERSEDE)
