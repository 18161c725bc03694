"""Queries by viewer and by cursor: what a viewer may not see is not there, in rows and in counts alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from tortoise.expressions import F, Q
from tortoise.functions import Count, Sum
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models.confidence import ConfidenceRow
from models.database import connection
from models.event import EventRow, LogRow
from models.loading import RELEVANT_REQUESTS, assembled
from models.order import OrderRow
from models.paging import Listing
from models.refund import RefundRow
from models.request import RequestRow
from models.support_case import SupportCaseRow
from models.user import UserRow
from rules.case import Case
from rules.money import Money
from rules.policy import Policy
from rules.standing import Tally
from rules.visibility import Viewer, may_read_confidence, role_in
from rules.vocabulary import OrderStatus, RefundStatus, RequestKind, RequestStatus, Role, SupportCaseStatus

R = TypeVar("R", bound=Model)
OfOrder = TypeVar("OfOrder", EventRow, RequestRow)
EventQueries = Sequence[QuerySet[EventRow]]
"""Disjoint parts of the event log."""

_SIDES = ((Role.CLIENT, "client_id"), (Role.FREELANCER, "freelancer_id"))


@dataclass(frozen=True, slots=True)
class Source:
    """Part of what a viewer may see: everything in which the viewer has this role."""

    role: Role
    where: Q


def sources(viewer: Viewer, role: Role | None = None) -> list[Source]:
    """The disjoint parts of all that the viewer may see; with `role`, only what is seen in that role. They repeat
    `visibility.role_in` as conditions on the parties' columns."""
    me = viewer.user_id
    parts = [Source(side, _q(column, me)) for side, column in _SIDES]
    party = Q(client_id=me) | Q(freelancer_id=me)
    if Role.SUPPORT in viewer.scopes:
        if role is None:
            return [Source(Role.SUPPORT, Q())]
        parts.append(Source(Role.SUPPORT, ~party))
    elif Role.MARKETPLACE in viewer.scopes:
        parts.append(Source(Role.MARKETPLACE, Q(placed_by_id=me) & ~party))
    return [part for part in parts if role in (None, part.role)]


def _q(column: str, value: Any) -> Q:
    return Q(**{column: value})


# ------------------------------------------------------------------------------------------------ lists


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which of the visible orders are wanted."""

    role: Role | None = None
    statuses: Sequence[OrderStatus] | None = None
    awaiting_me: bool | None = None
    late: bool | None = None
    search: str | None = None
    reference: str | None = None


ORDER_SORTS = {"CREATED_AT": "created_at", "DELIVERY_DUE_AT": "due_sort", "PRICE": "price_sort"}
"""The columns behind the contract's sort fields."""


def orders(viewer: Viewer, wanted: OrderFilter, sort: str, *, descending: bool, now: datetime) -> Listing[OrderRow]:
    """The orders that the viewer may see, narrowed and sorted."""
    # Whoever asks what waits for them wants it by side, even support, for which nothing waits.
    role = wanted.role
    parts = sources(viewer, role)
    if wanted.awaiting_me is not None and role is None and Role.SUPPORT in viewer.scopes:
        parts = [*sources(viewer, Role.CLIENT), *sources(viewer, Role.FREELANCER), *sources(viewer, Role.SUPPORT)]
    queries = [
        OrderRow.filter(part.where, _order_condition(wanted, now), _awaiting(part.role, wanted.awaiting_me))
        for part in parts
    ]
    direction = "desc" if descending else "asc"
    return Listing(f"orders:{sort}:{direction}", queries, (ORDER_SORTS[sort], "id"), descending)


def _order_condition(wanted: OrderFilter, now: datetime) -> Q:
    condition = Q()
    if wanted.statuses is not None:
        condition &= Q(status__in=list(wanted.statuses))
    if wanted.late is not None:
        condition &= late_condition(now) if wanted.late else ~late_condition(now)
    if wanted.search is not None:
        condition &= Q(search_text__contains=wanted.search.casefold())
    if wanted.reference is not None:
        condition &= Q(reference=wanted.reference)
    return condition


def late_condition(now: datetime) -> Q:
    """`Order.is_late` as a condition: due, nothing delivered; a support case stops the clock."""
    due = Q(frozen_at__isnull=True, due_sort__lte=now) | Q(frozen_at__isnull=False, due_sort__lte=F("frozen_at"))
    return Q(status=OrderStatus.IN_PROGRESS, delivered_at__isnull=True) & due


def _awaiting(role: Role, awaiting: bool | None) -> Q:
    if awaiting is None:
        return Q()
    column = {Role.CLIENT: "awaits_client", Role.FREELANCER: "awaits_freelancer"}.get(role)
    if column is None:
        return Q(id__in=[]) if awaiting else Q()
    return _q(column, awaiting)


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which of the visible requests are wanted."""

    kinds: Sequence[RequestKind] | None = None
    statuses: Sequence[RequestStatus] | None = None
    awaiting_me: bool | None = None
    role: Role | None = None


def requests(viewer: Viewer, wanted: RequestFilter) -> Listing[RequestRow]:
    """The requests of all orders that the viewer may see, the newest first."""
    condition = Q()
    if wanted.kinds is not None:
        condition &= Q(kind__in=list(wanted.kinds))
    if wanted.statuses is not None:
        condition &= Q(status__in=list(wanted.statuses))
    parts = sources(viewer, wanted.role)
    if wanted.awaiting_me is not None and wanted.role is None and Role.SUPPORT in viewer.scopes:
        parts = [*sources(viewer, Role.CLIENT), *sources(viewer, Role.FREELANCER), *sources(viewer, Role.SUPPORT)]
    queries = [
        RequestRow.filter(part.where, condition, _waiting_request(part.role, wanted.awaiting_me)) for part in parts
    ]
    return Listing("requests", queries, ("created_at", "id"), descending=True)


def _waiting_request(role: Role, awaiting: bool | None) -> Q:
    if awaiting is None:
        return Q()
    if role not in (Role.CLIENT, Role.FREELANCER):
        return Q(id__in=[]) if awaiting else Q()
    waits = Q(status=RequestStatus.PENDING, requested_by_role=role.other_side)
    return waits if awaiting else ~waits


def requests_of(order_id: UUID) -> Listing[RequestRow]:
    """All that was ever asked on one order, the oldest first. The caller has seen that the viewer may see the order."""
    return Listing(
        f"requests-of:{order_id}", [RequestRow.filter(order_id=order_id)], ("created_at", "id"), descending=False
    )


def support_cases(viewer: Viewer, status: SupportCaseStatus | None) -> Listing[SupportCaseRow]:
    """The support cases of all orders that the viewer may see, the oldest first: who waits longest stands first."""
    condition = Q() if status is None else Q(status=status)
    queries = [SupportCaseRow.filter(part.where, condition) for part in sources(viewer)]
    return Listing("support-cases", queries, ("opened_at", "id"), descending=False)


# ------------------------------------------------------------------------------------------------ events


async def log_position() -> int:
    """Where the event log stands."""
    position: int = (await LogRow.get(id=1).only("position")).position
    return position


async def log_secret() -> bytes:
    """What this log's cursors are made with."""
    return bytes((await LogRow.get(id=1).only("secret")).secret)


def events_of_viewer(viewer: Viewer) -> EventQueries:
    """The disjoint parts of all events that the viewer may see."""
    return [EventRow.filter(part.where) for part in sources(viewer)]


def events_of_order(order_id: UUID) -> EventQueries:
    """One order's events. The caller has seen that the viewer may see the order."""
    return [EventRow.filter(order_id=order_id)]


async def events_between(
    queries: EventQueries, after: int, before: int | None, limit: int, *, backward: bool = False
) -> list[EventRow]:
    """At most `limit` events after one position of the log and before another, the oldest first; when `backward` the
    newest of them."""
    bounds = Q(position__gt=after) if before is None else Q(position__gt=after, position__lt=before)
    rows: list[EventRow] = []
    for query in queries:
        rows += await query.filter(bounds).order_by("-position" if backward else "position").limit(limit)
    rows.sort(key=lambda row: row.position, reverse=backward)
    rows = rows[:limit]
    return rows[::-1] if backward else rows


# ------------------------------------------------------------------------------------------------ by id, in batches


async def by_ids(kind: type[R], ids: Iterable[UUID]) -> dict[UUID, R]:
    """The rows of these ids. Whether the viewer may see them is the caller's question."""
    wanted = list(set(ids))
    rows = await kind.filter(id__in=wanted) if wanted else []
    return {row.pk: row for row in rows}


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
    rows = await RequestRow.filter(order_id__in=list(set(order_ids)), status=RequestStatus.PENDING).order_by(
        "respond_by", "id"
    )
    return _by_order(rows)


async def cases(orders_read: Iterable[OrderRow]) -> dict[UUID, Case]:
    """What the rules need to know of these orders, to say which actions are open."""
    known = {order.id: order for order in orders_read}
    ids = list(known)
    asked = _by_order(await RequestRow.filter(RELEVANT_REQUESTS, order_id__in=ids).order_by("created_at", "id"))
    opened = await SupportCaseRow.filter(order_id__in=ids, status=SupportCaseStatus.OPEN)
    open_cases = {row.order_id: [row] for row in opened}
    return {
        order_id: assembled(order, asked.get(order_id, []), open_cases.get(order_id, []))
        for order_id, order in known.items()
    }


async def user_by_subject(subject: str) -> UserRow | None:
    """Who is known by this subject of the identity provider."""
    return await UserRow.filter(subject=subject).first()


# ------------------------------------------------------------------------------------------------ figures


async def tallies(freelancer_ids: Iterable[UUID], now: datetime, policy: Policy) -> dict[UUID, Tally]:
    """How the orders of these freelancers ended within the policy's window."""
    ids = list(set(freelancer_ids))
    since = now - policy.standing_window
    ended = Q(status=OrderStatus.COMPLETED, completed_at__gt=since) | Q(
        status=OrderStatus.CANCELLED, cancelled_at__gt=since, counted=True
    )
    rows = (
        await OrderRow.filter(ended, freelancer_id__in=ids)
        .annotate(number=Count("id"))
        .group_by("freelancer_id", "status")
        .values("freelancer_id", "status", "number")
    )
    found = dict.fromkeys(ids, Tally())
    for row in rows:
        tally = found[row["freelancer_id"]]
        completed = row["status"] == OrderStatus.COMPLETED
        found[row["freelancer_id"]] = Tally(
            tally.completed + (row["number"] if completed else 0),
            tally.cancelled + (0 if completed else row["number"]),
        )
    return found


async def earnings(freelancer_ids: Iterable[UUID], now: datetime, policy: Policy) -> dict[UUID, list[Money]]:
    """What these freelancers earned within the policy's window, one amount a currency."""
    ids = list(set(freelancer_ids))
    rows = (
        await OrderRow.filter(
            status=OrderStatus.COMPLETED, completed_at__gt=now - policy.standing_window, freelancer_id__in=ids
        )
        .annotate(price=Sum("price_minor"), back=Sum("refunded_minor"))
        .group_by("freelancer_id", "currency")
        .order_by("currency")
        .values("freelancer_id", "currency", "price", "back")
    )
    found: dict[UUID, list[Money]] = {user_id: [] for user_id in ids}
    for row in rows:
        found[row["freelancer_id"]].append(Money(int(row["price"]) - int(row["back"]), row["currency"]))
    return found


@dataclass(frozen=True, slots=True)
class Figures:
    """A dashboard's figures. `changes_at` is when time alone will change one of them."""

    orders_by_status: tuple[tuple[OrderStatus, int], ...]
    pending_by_kind: tuple[tuple[RequestKind, int], ...]
    awaiting_me: int
    deadlines_near: int
    late_orders: int
    open_support_cases: int
    changes_at: datetime | None


async def figures(viewer: Viewer, now: datetime, policy: Policy) -> Figures:
    """The dashboard of all that the viewer may see, in a fixed number of statements."""
    statuses = dict.fromkeys(OrderStatus, 0)
    kinds = dict.fromkeys(RequestKind, 0)
    late = cases_open = near = 0
    instants: list[datetime] = []
    for part in sources(viewer):
        for status, number in (
            await OrderRow.filter(part.where).annotate(n=Count("id")).group_by("status").values_list("status", "n")
        ):
            statuses[OrderStatus(status)] += number
        pending = RequestRow.filter(part.where, status=RequestStatus.PENDING)
        for kind, number in await pending.annotate(n=Count("id")).group_by("kind").values_list("kind", "n"):
            kinds[RequestKind(kind)] += number
        late += await OrderRow.filter(part.where, late_condition(now)).count()
        cases_open += await SupportCaseRow.filter(part.where, status=SupportCaseStatus.OPEN).count()
        near += await pending.filter(respond_by__lt=now + policy.near, order__frozen_at__isnull=True).count()
        instants += await _next_changes(part.where, now, policy)
    return Figures(
        tuple(statuses.items()),
        tuple(kinds.items()),
        await _awaiting_me(viewer),
        near,
        late,
        cases_open,
        min(instants, default=None),
    )


async def _awaiting_me(viewer: Viewer) -> int:
    total = 0
    for side, column in _SIDES:
        mine = _q(column, viewer.user_id) & Q(status=RequestStatus.PENDING, requested_by_role=side.other_side)
        total += await RequestRow.filter(mine).count()
    return total


async def _next_changes(where: Q, now: datetime, policy: Policy) -> list[datetime]:
    """When the next order turns late, and when the next deadline comes near, with nobody doing anything."""
    waiting = OrderRow.filter(
        where, status=OrderStatus.IN_PROGRESS, delivered_at__isnull=True, frozen_at__isnull=True, due_sort__gt=now
    )
    pending = RequestRow.filter(where, status=RequestStatus.PENDING, order__frozen_at__isnull=True)
    order = await waiting.order_by("due_sort").first()
    request = await pending.filter(respond_by__gte=now + policy.near).order_by("respond_by").first()
    found = [order.due_sort] if order else []
    # A deadline is near when it is less than `near` away: an instant after the distance itself.
    return [*found, request.respond_by - policy.near + timedelta(milliseconds=1)] if request else found


async def overdue(now: datetime) -> tuple[int, int]:
    """How many orders have a deadline that is due and not passed, and how many refunds are not settled."""
    deadlines = await OrderRow.filter(next_deadline_at__lte=now).count()
    return deadlines, await RefundRow.filter(status=RefundStatus.PENDING).count()
