"""Lists: orders, requests and support cases that a viewer may see, narrowed and sorted."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.expressions import F, Q
from tortoise.queryset import QuerySet

from models.order import OrderRow
from models.paging import Listing, Sources
from models.reads.sources import PEOPLE, PEOPLE_AND_PENDING, Source, column_is, sources
from models.request import RequestRow
from models.support_case import SupportCaseRow
from rules.visibility import Viewer
from rules.vocabulary import OrderStatus, RequestKind, RequestStatus, Role, SupportCaseStatus


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


def orders(
    viewer: Viewer, wanted: OrderFilter, sort: str, *, descending: bool, now: datetime, with_pending: bool = False
) -> Listing[OrderRow]:
    """The orders that the viewer may see, narrowed and sorted. Their people come with them, and their pending requests
    where those are wanted: for a page, a statement of their own took a server a fifth of its time."""

    def made(me: UUID = viewer.user_id, at: datetime = now) -> list[QuerySet[OrderRow]]:
        condition = _order_condition(wanted, at)
        return [
            OrderRow.filter(part.where, status, condition, _awaiting(part.role, wanted.awaiting_me))
            for part in _parts(Viewer(me, viewer.scopes), wanted.role, wanted.awaiting_me)
            for status in _status_by_status(part.role, wanted.statuses)
        ]

    words = None
    if _is_of_sides(viewer, wanted.role) and wanted.search is None and wanted.reference is None:
        narrowed = (wanted.role, _hashable(wanted.statuses), wanted.awaiting_me, wanted.late)
        words = (orders, viewer.scopes, *narrowed, with_pending)
    values = (viewer.user_id,) if wanted.late is None else (viewer.user_id, now)
    direction = "desc" if descending else "asc"
    found = Sources(OrderRow, made, values, words, PEOPLE_AND_PENDING if with_pending else PEOPLE)
    return Listing(f"orders:{sort}:{direction}", found, (ORDER_SORTS[sort], "id"), descending)


def _is_of_sides(viewer: Viewer, role: Role | None) -> bool:
    """Whether all parts of what is wanted name the viewer, and there is one at least."""
    return Role.SUPPORT not in viewer.scopes and role in (None, Role.CLIENT, Role.FREELANCER)


def _hashable(values: Sequence[Any] | None) -> Hashable:
    return None if values is None else tuple(values)


def _parts(viewer: Viewer, role: Role | None, awaiting_me: bool | None) -> list[Source]:
    """What the viewer may see. Whoever asks what waits for them wants it by side, even support, for which nothing
    waits."""
    if awaiting_me is not None and role is None and Role.SUPPORT in viewer.scopes:
        return [*sources(viewer, Role.CLIENT), *sources(viewer, Role.FREELANCER), *sources(viewer, Role.SUPPORT)]
    return sources(viewer, role)


def _status_by_status(role: Role, statuses: Sequence[OrderStatus] | Sequence[RequestStatus] | None) -> list[Q]:
    """These statuses as disjoint conditions. Whoever sees all is asked for one after the other, so that an index reads
    each in the list's order: else a page of the few that are open would look at all that ever ended. Somebody's own
    are few enough to be looked through."""
    if statuses is None:
        return [Q()]
    if role in (Role.CLIENT, Role.FREELANCER):
        return [Q(status__in=list(statuses))]
    return [Q(status=status) for status in dict.fromkeys(statuses)]


def _order_condition(wanted: OrderFilter, now: datetime) -> Q:
    condition = Q()
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
    return column_is(column, awaiting)


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which of the visible requests are wanted."""

    kinds: Sequence[RequestKind] | None = None
    statuses: Sequence[RequestStatus] | None = None
    awaiting_me: bool | None = None
    role: Role | None = None


def requests(viewer: Viewer, wanted: RequestFilter) -> Listing[RequestRow]:
    """The requests of all orders that the viewer may see, the newest first."""

    def made(me: UUID = viewer.user_id) -> list[QuerySet[RequestRow]]:
        condition = Q() if wanted.kinds is None else Q(kind__in=list(wanted.kinds))
        return [
            RequestRow.filter(part.where, status, condition, _waiting_request(part.role, wanted.awaiting_me))
            for part in _parts(Viewer(me, viewer.scopes), wanted.role, wanted.awaiting_me)
            for status in _status_by_status(part.role, wanted.statuses)
        ]

    words = None
    if _is_of_sides(viewer, wanted.role):
        kinds, statuses = _hashable(wanted.kinds), _hashable(wanted.statuses)
        words = (requests, viewer.scopes, wanted.role, kinds, statuses, wanted.awaiting_me)
    found = Sources(RequestRow, made, (viewer.user_id,), words)
    return Listing("requests", found, ("created_at", "id"), descending=True)


def _waiting_request(role: Role, awaiting: bool | None) -> Q:
    if awaiting is None:
        return Q()
    if role not in (Role.CLIENT, Role.FREELANCER):
        return Q(id__in=[]) if awaiting else Q()
    waits = Q(status=RequestStatus.PENDING, requested_by_role=role.other_side)
    return waits if awaiting else ~waits


def requests_of(order_id: UUID) -> Listing[RequestRow]:
    """All that was ever asked on one order, the oldest first. The caller has seen that the viewer may see the order."""
    found = Sources(RequestRow, _of_order, (order_id,), requests_of)
    return Listing(f"requests-of:{order_id}", found, ("created_at", "id"), descending=False)


def _of_order(order_id: UUID) -> list[QuerySet[RequestRow]]:
    return [RequestRow.filter(order_id=order_id)]


def support_cases(viewer: Viewer, status: SupportCaseStatus | None) -> Listing[SupportCaseRow]:
    """The support cases of all orders that the viewer may see, the oldest first: who waits longest stands first."""

    def made() -> list[QuerySet[SupportCaseRow]]:
        condition = Q() if status is None else Q(status=status)
        return [SupportCaseRow.filter(part.where, condition) for part in sources(viewer)]

    return Listing("support-cases", Sources(SupportCaseRow, made), ("opened_at", "id"), descending=False)
