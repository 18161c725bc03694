"""Batches: what many fields of one operation want, each in a fixed number of statements for all of them together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from tortoise.expressions import Q
from tortoise.functions import Count
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models import plain
from models.confidence import ConfidenceRow
from models.database import connection
from models.event import EventRow
from models.loading import RELEVANT_REQUESTS, assembled
from models.order import OrderRow
from models.reads.sources import PEOPLE
from models.refund import RefundRow
from models.request import RequestRow
from models.support_case import SupportCaseRow
from models.user import UserRow
from rules.case import Case
from rules.visibility import Viewer, may_read_confidence, role_in
from rules.vocabulary import RequestStatus, SupportCaseStatus

R = TypeVar("R", bound=Model)
OfOrder = TypeVar("OfOrder", EventRow, RequestRow)


async def by_ids(kind: type[R], ids: Iterable[UUID]) -> dict[UUID, R]:
    """The rows of these ids. Whether the viewer may see them is the caller's question.

    A single one is asked for by itself: PostgreSQL makes one plan for that, and keeps it, where it makes one anew for
    each list, however short."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    if len(wanted) == 1:
        rows = await plain.asked((by_ids, kind, 1), lambda own: kind.filter(id=own), wanted[0])
    else:
        rows = await plain.asked((by_ids, kind), lambda ids: kind.filter(id__in=ids), wanted)
    return {row.pk: row for row in rows}


async def orders_by_ids(ids: Iterable[UUID]) -> dict[UUID, OrderRow]:
    """The orders of these ids, with their people. Whether the viewer may see them is the caller's question."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    if len(wanted) == 1:
        rows = await plain.asked(_one_order, _one_order, wanted[0], joined=PEOPLE)
    else:
        rows = await plain.asked(_orders, _orders, wanted, joined=PEOPLE)
    return {row.id: row for row in rows}


def _one_order(order_id: UUID) -> QuerySet[OrderRow]:
    return OrderRow.filter(id=order_id)


def _orders(ids: list[UUID]) -> QuerySet[OrderRow]:
    return OrderRow.filter(id__in=ids)


async def events_by_place(places: Iterable[tuple[UUID, int]]) -> dict[tuple[UUID, int], EventRow]:
    """The events at these places, each an order and a sequence; a statement for every hundred places."""
    wanted = [Q(order_id=order_id, sequence=sequence) for order_id, sequence in set(places)]
    found: dict[tuple[UUID, int], EventRow] = {}
    # Neither the ORM nor SQLite takes a condition of a thousand alternatives.
    for start in range(0, len(wanted), 100):
        rows = await EventRow.filter(Q(*wanted[start : start + 100], join_type=Q.OR))
        found |= {(row.order_id, row.sequence): row for row in rows}
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """Which of an order's rows are wanted: at most `limit`, from the start or, when `backward`, from the end. For
    events also only those after one position of the log and before another."""

    limit: int
    backward: bool
    after: int = 0
    before: int | None = None


async def events_of_orders(order_ids: Iterable[UUID], span: Span) -> dict[UUID, list[EventRow]]:
    """That many events of each order, the oldest first, in two statements for all orders together."""
    bounds = f"position > {span.after}" + ("" if span.before is None else f" AND position < {span.before}")
    positions = await _heads("events", "position", ("position",), order_ids, span, bounds)
    rows = await EventRow.filter(position__in=positions).order_by("position") if positions else []
    return _by_order(rows)


async def requests_of_orders(order_ids: Iterable[UUID], span: Span) -> dict[UUID, list[RequestRow]]:
    """That many requests of each order, the oldest first, in two statements for all orders together."""
    ids = await _heads("requests", "id", ("created_at", "id"), order_ids, span, "1 = 1")
    rows = await RequestRow.filter(id__in=ids).order_by("created_at", "id") if ids else []
    return _by_order(rows)


async def numbers_of_events(order_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many events each order has."""
    return await _numbers(EventRow, order_ids)


async def numbers_of_requests(order_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many requests each order has."""
    return await _numbers(RequestRow, order_ids)


async def _numbers(kind: type[EventRow] | type[RequestRow], order_ids: Iterable[UUID]) -> dict[UUID, int]:
    ids = list(set(order_ids))
    counted = kind.filter(order_id__in=ids).annotate(number=Count("order_id")).group_by("order_id")
    return dict.fromkeys(ids, 0) | dict(await counted.values_list("order_id", "number"))


async def _heads(
    table: str, key: str, order: Sequence[str], order_ids: Iterable[UUID], span: Span, bounds: str
) -> list[Any]:
    """The keys of each order's first or last rows. The ORM has no window functions; what is written into the text are
    our own names, numbers and UUIDs, never somebody's words."""
    ids = ", ".join(f"'{order_id}'" for order_id in set(order_ids))
    direction = "DESC" if span.backward else "ASC"
    sorting = ", ".join(f"{column} {direction}" for column in order)
    text = (
        f"SELECT {key} FROM (SELECT {key}, ROW_NUMBER() "  # noqa: S608
        f"OVER (PARTITION BY order_id ORDER BY {sorting}) AS place FROM {table} "
        f"WHERE order_id IN ({ids}) AND {bounds}) AS numbered WHERE place <= {span.limit}"
    )
    return [row[key] for row in await connection().execute_query_dict(text)]


def _by_order(rows: Iterable[OfOrder]) -> dict[UUID, list[OfOrder]]:
    grouped: dict[UUID, list[OfOrder]] = {}
    for row in rows:
        grouped.setdefault(row.order_id, []).append(row)
    return grouped


async def confidences(viewer: Viewer, requests_read: Iterable[RequestRow]) -> dict[UUID, ConfidenceRow]:
    """The one way to a private reason: those of these requests that the viewer may read, and no other."""
    allowed = [r.id for r in requests_read if may_read_confidence(role_in(viewer, r), r.requested_by_role)]
    rows = await ConfidenceRow.filter(request_id__in=allowed) if allowed else []
    return {row.request_id: row for row in rows}


async def refunds_by_request(request_ids: Iterable[UUID]) -> dict[UUID, RefundRow]:
    """The refund that each request led to, if any."""
    rows = await RefundRow.filter(request_id__in=list(set(request_ids)))
    return {row.request_id: row for row in rows if row.request_id}


async def support_cases_by_order(order_ids: Iterable[UUID]) -> dict[UUID, SupportCaseRow]:
    """Each order's newest support case."""
    rows = await SupportCaseRow.filter(order_id__in=list(set(order_ids))).order_by("opened_at", "id")
    return {row.order_id: row for row in rows}


async def pending_requests(order_ids: Iterable[UUID]) -> dict[UUID, list[RequestRow]]:
    """Each order's pending requests, the soonest deadline first."""
    # Sorted here: with the order in its text, a database may walk along all deadlines to be spared it.
    wanted = list(set(order_ids))
    if not wanted:
        return {}
    if len(wanted) == 1:
        rows = await plain.asked(_pending_of_one, _pending_of_one, wanted[0])
    else:
        rows = await plain.asked(_pending, _pending, wanted)
    return _by_order(soonest_first(rows))


def soonest_first(requests: Iterable[RequestRow]) -> list[RequestRow]:
    """By their deadlines."""
    return sorted(requests, key=lambda row: (row.respond_by, row.id))


def _pending_of_one(order_id: UUID) -> QuerySet[RequestRow]:
    return RequestRow.filter(order_id=order_id, status=RequestStatus.PENDING)


def _pending(order_ids: list[UUID]) -> QuerySet[RequestRow]:
    return RequestRow.filter(order_id__in=order_ids, status=RequestStatus.PENDING)


async def cases(orders_read: Iterable[OrderRow]) -> dict[UUID, Case]:
    """What the rules need to know of these orders, to say which actions are open."""
    known = {order.id: order for order in orders_read}
    ids = list(known)
    relevant = await plain.rows(RequestRow.filter(RELEVANT_REQUESTS, order_id__in=ids))
    asked = _by_order(sorted(relevant, key=lambda row: (row.created_at, row.id)))
    opened = await plain.rows(SupportCaseRow.filter(order_id__in=ids, status=SupportCaseStatus.OPEN))
    open_cases = {row.order_id: [row] for row in opened}
    return {
        order_id: assembled(order, asked.get(order_id, []), open_cases.get(order_id, []))
        for order_id, order in known.items()
    }


async def user_by_subject(subject: str) -> UserRow | None:
    """Who is known by this subject of the identity provider."""
    return await UserRow.filter(subject=subject).first()
