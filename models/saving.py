"""Saves decisions: the rows that changed, the ledger's entries, and last the events at the log's next positions."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from models.codec import changes_json, columns
from models.confidence import ConfidenceRow
from models.event import EventRow
from models.idempotency import IdempotencyRow
from models.ledger import LedgerEntryRow
from models.order import OrderRow
from models.refund import RefundRow
from models.request import RequestRow
from models.statements import Values, Writing
from models.support_case import SupportCaseRow
from rules.case import Case, Ground
from rules.deadlines import next_instant
from rules.draft import Decision
from rules.events import Event, Thing
from rules.ledger import Entry
from rules.policy import Policy
from rules.vocabulary import Role

END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


async def save(
    db: BaseDBAsyncClient,
    before: Case | None,
    decisions: Sequence[Decision],
    policy: Policy,
    ground: Ground,
    key: Values | None = None,
) -> list[EventRow]:
    """Writes all that the decisions changed, in the caller's transaction or as one, with the row of the caller's key.
    Gives the events as the log has them, where that costs nothing (`Writing.write`).
    Raises IntegrityError when the order is not as it was `before`, which its version tells. The log's row is the last
    lock that is taken, so that positions are gapless and stand in the order of commit."""
    writing = Writing(db)
    events = [event for decision in decisions for event in decision.events]
    if events:
        _collect(writing, before, decisions, events, policy, ground)
    if key is not None:
        # Behind the order's row, which is every change's first lock.
        writing.insert(IdempotencyRow, key)
    return await writing.write()


async def save_next_deadline(db: BaseDBAsyncClient, case: Case, policy: Policy) -> None:
    """Puts the column right that the sweep looks at, when it found nothing to be due: another policy than today's
    reckoned it, and it would be found again for ever."""
    writing = Writing(db)
    writing.update(OrderRow, case.order.id, {"next_deadline_at": next_instant(case, policy)})
    await writing.write()


def _collect(
    writing: Writing,
    before: Case | None,
    decisions: Sequence[Decision],
    events: Sequence[Event],
    policy: Policy,
    ground: Ground,
) -> None:
    after = decisions[-1].case
    order_values = _order_columns(events, after, policy)
    if before is None:
        writing.insert(OrderRow, {"id": after.order.id, **order_values})
    else:
        writing.update(OrderRow, after.order.id, order_values, {"version": before.order.version})
    _collect_things(writing, before, after, events)
    _collect_entries(writing, after, [entry for decision in decisions for entry in decision.entries], ground)
    for decision in decisions:
        if private := decision.confidence:
            row = {"request_id": private.request_id, "reason": private.reason, "note": private.note}
            writing.insert(ConfidenceRow, row)
    writing.append(*[_row(event, after) for event in events])


def _order_columns(events: Sequence[Event], after: Case, policy: Policy) -> dict[str, Any]:
    values = _merged(events, Thing.ORDER).get(after.order.id, {})
    return columns(values) | _derived(after, policy)


def _derived(after: Case, policy: Policy) -> dict[str, Any]:
    """Columns that say nothing new, so that lists and sweeps find the order by an index."""
    order = after.order
    asked_by = {request.requested_by_role for request in after.pending()}
    return {
        "version": order.version,
        "next_deadline_at": next_instant(after, policy),
        "awaits_client": Role.FREELANCER in asked_by,
        "awaits_freelancer": Role.CLIENT in asked_by,
        "due_sort": order.delivery_due_at or END_OF_TIME,
        "price_sort": order.price.sort_key,
        "search_text": f"{order.reference}\n{order.title}".casefold(),
    }


def _collect_things(writing: Writing, before: Case | None, after: Case, events: Sequence[Event]) -> None:
    order_id = after.order.id
    people = {
        "client_id": after.order.client_id,
        "freelancer_id": after.order.freelancer_id,
        "placed_by_id": after.order.placed_by_id,
    }
    for request_id, values in _merged(events, Thing.REQUEST).items():
        if before and before.request(request_id):
            writing.update(RequestRow, request_id, columns(values))
        else:
            writing.insert(RequestRow, {"id": request_id, "order_id": order_id, **people, **columns(values)})
    for case_id, values in _merged(events, Thing.SUPPORT_CASE).items():
        if before and before.support_case(case_id):
            writing.update(SupportCaseRow, case_id, columns(values))
        else:
            opened = {"id": case_id, "order_id": order_id, **people, **columns(values)}
            writing.insert(SupportCaseRow, opened)
    for refund_id, values in _merged(events, Thing.REFUND).items():
        if before and before.refund(refund_id):
            writing.update(RefundRow, refund_id, columns(values))
        else:
            at_once = values["created_at"]
            owed = {"id": refund_id, "order_id": order_id, "next_attempt_at": at_once, **columns(values)}
            writing.insert(RefundRow, owed)


def _merged(events: Sequence[Event], thing: Thing) -> dict[UUID, dict[str, Any]]:
    """The newest value of every field of this kind of thing that the events changed."""
    found: dict[UUID, dict[str, Any]] = {}
    for event in events:
        for change in event.changes:
            if change.thing is thing:
                _values: Mapping[str, Any] = change.values
                found.setdefault(change.id, {}).update(_values)
    return found


def _collect_entries(writing: Writing, after: Case, entries: Sequence[Entry], ground: Ground) -> None:
    rows = [
        {
            "id": ground.new_id(),
            "order_id": after.order.id,
            "cause": entry.cause,
            "account": entry.account,
            "currency": entry.amount.currency,
            "amount_minor": entry.amount.minor,
            "posted_at": ground.now,
        }
        for entry in entries
    ]
    writing.insert(LedgerEntryRow, *rows)


def _row(event: Event, after: Case) -> dict[str, Any]:
    """All of an event but its position, which the log gives."""
    return {
        "order_id": event.order_id,
        "sequence": event.sequence,
        "kind": event.kind,
        "occurred_at": event.occurred_at,
        "actor_id": event.actor.user_id,
        "actor_role": event.actor.role,
        "order_status": event.order_status,
        "request_id": event.request_id,
        "request_status": event.request_status,
        "message": event.message,
        "changes": changes_json(event.changes),
        "client_id": after.order.client_id,
        "freelancer_id": after.order.freelancer_id,
        "placed_by_id": after.order.placed_by_id,
    }
