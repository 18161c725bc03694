"""How an order ends, and how money goes back; every path to an end leads through here."""

from uuid import UUID

from rules.case import Request
from rules.draft import Draft, refund_change, request_change
from rules.events import Change
from rules.ledger import Account
from rules.lifecycle import SUPERSEDE
from rules.money import Money
from rules.vocabulary import CancellationCause, OrderEventKind, OrderStatus, RefundStatus

_ENDED = {"auto_completes_at": None, "frozen_at": None}
"""No deadline runs any more, so none can stand still either."""


def complete(draft: Draft, *changes: Change) -> None:
    """The order completes: what is left is the freelancer's, whatever was pending is superseded."""
    order = draft.case.order
    draft.record(
        OrderEventKind.ORDER_COMPLETED,
        draft.order_change(status=OrderStatus.COMPLETED, completed_at=draft.at, **_ENDED),
        *changes,
    )
    draft.move(f"completed:{order.id}", Account.HELD, Account.FREELANCER, order.remaining)
    supersede(draft, draft.case.pending())


def cancel(
    draft: Draft, cause: CancellationCause, *, request_id: UUID | None = None, case_id: UUID | None = None
) -> None:
    """The order is cancelled: what was not refunded yet goes back, whatever was pending is superseded."""
    order = draft.case.order
    refund = owe(draft, order.remaining, request_id=request_id, case_id=case_id)
    draft.record(
        OrderEventKind.ORDER_CANCELLED,
        draft.order_change(
            status=OrderStatus.CANCELLED,
            cancelled_at=draft.at,
            **_ENDED,
            cancellation_cause=cause,
            counted=cause not in draft.ground.policy.uncounted,
            refunded=order.price,
        ),
        *refund,
    )
    supersede(draft, draft.case.pending())


def owe(
    draft: Draft, amount: Money, *, request_id: UUID | None = None, case_id: UUID | None = None
) -> tuple[Change, ...]:
    """Money on its way back to the client, from what is held or, after completion, from the freelancer. The change
    belongs into the event that causes it; nothing is owed when nothing is left."""
    if not amount.minor:
        return ()
    refund_id = draft.ground.new_id()
    completed = draft.case.order.status is OrderStatus.COMPLETED
    source = Account.FREELANCER if completed else Account.HELD
    draft.move(f"refund:{refund_id}", source, Account.REFUND_DUE, amount)
    values = {
        "amount": amount,
        "status": RefundStatus.PENDING,
        "created_at": draft.at,
        "request_id": request_id,
        "case_id": case_id,
    }
    return (refund_change(refund_id, values),)


def supersede(draft: Draft, requests: tuple[Request, ...]) -> None:
    """Something else settled what these requests were about."""
    for request in requests:
        draft.record(
            OrderEventKind.REQUEST_SUPERSEDED,
            request_change(request.id, status=SUPERSEDE.target, settled_at=draft.at, settled_by_role=draft.actor.role),
            request_id=request.id,
        )
