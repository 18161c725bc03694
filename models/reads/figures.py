"""Figures: how freelancers stand, what a dashboard shows, and what the operator watches."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tortoise.expressions import Q
from tortoise.functions import Count, Sum

from models.order import OrderRow
from models.reads.lists import late_condition
from models.reads.sources import SIDES, column_is, sources
from models.refund import RefundRow
from models.request import RequestRow
from models.support_case import SupportCaseRow
from rules.money import Money
from rules.policy import Policy
from rules.standing import Tally
from rules.visibility import Viewer
from rules.vocabulary import OrderStatus, RefundStatus, RequestKind, RequestStatus, SupportCaseStatus


async def tallies(freelancer_ids: Iterable[UUID], now: datetime, policy: Policy) -> dict[UUID, Tally]:
    """How the orders of these freelancers ended within the policy's window."""
    ids = list(set(freelancer_ids))
    since = now - policy.standing_window
    # One after the other: with «or» between them, a database looks at all orders that they ever had.
    completed = await _numbers(ids, Q(status=OrderStatus.COMPLETED, completed_at__gt=since))
    cancelled = await _numbers(ids, Q(status=OrderStatus.CANCELLED, cancelled_at__gt=since, counted=True))
    return {user_id: Tally(completed.get(user_id, 0), cancelled.get(user_id, 0)) for user_id in ids}


async def _numbers(freelancer_ids: list[UUID], ended: Q) -> dict[UUID, int]:
    counted = OrderRow.filter(ended, freelancer_id__in=freelancer_ids).annotate(number=Count("id"))
    return dict(await counted.group_by("freelancer_id").values_list("freelancer_id", "number"))


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
    for side, column in SIDES:
        mine = column_is(column, viewer.user_id) & Q(status=RequestStatus.PENDING, requested_by_role=side.other_side)
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
