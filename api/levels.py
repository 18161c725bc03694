"""What is answered for a whole level of objects at once: of a page of orders, and of events."""

from collections.abc import Awaitable, Mapping, Sequence
from uuid import UUID

from api.context import Context
from api.resolvers.center import still_pending
from api.schema.center import ResolutionCenter
from api.schema.events import OrderEvent
from api.schema.orders import Order
from api.schema.people import User
from api.schema.requests import ResolutionRequest
from engine import BatchFunction, LevelInfo
from models import reads
from models.order import OrderRow
from models.request import RequestRow
from rules import case
from rules.visibility import role_in
from rules.vocabulary import Role


def _side(orders: Sequence[Order], context: Context, side: int) -> list[User] | Awaitable[list[User]]:
    """One side of each order; people who came with their orders are not asked for."""
    users: dict[UUID, User] = {}
    found: list[User] = []
    for order in orders:
        people = order.row.people
        if people is None:
            return _people(context, [(each.row.client_id, each.row.freelancer_id)[side] for each in orders])
        row = people[side]
        user = users.get(row.id)
        if user is None:
            user = users[row.id] = User.of(row)
        found.append(user)
    return found


async def _people(context: Context, ids: list[UUID]) -> list[User]:
    """Those whom rows name. Asked by several levels at once, as an order's two sides are, they take one statement."""
    wanted = list(dict.fromkeys(ids))
    rows = dict(zip(wanted, await context.loaders.users.load_many(wanted), strict=True))
    users = {user_id: User.of(row) for user_id, row in rows.items() if row}
    if len(users) < len(wanted):
        raise LookupError("a row names a user who is not there")
    return [users[user_id] for user_id in ids]


def _clients(orders: Sequence[Order], info: LevelInfo) -> list[User] | Awaitable[list[User]]:
    return _side(orders, info.context, 0)


def _freelancers(orders: Sequence[Order], info: LevelInfo) -> list[User] | Awaitable[list[User]]:
    return _side(orders, info.context, 1)


def _viewer_roles(orders: Sequence[Order], info: LevelInfo) -> list[Role | LookupError]:
    viewer = info.context.viewer
    return [
        role_in(viewer, order.row) or LookupError("an order came to somebody who may not see it") for order in orders
    ]


def _are_late(orders: Sequence[Order], info: LevelInfo) -> list[bool]:
    now = info.context.now()
    return [case.is_late(order.row, now) for order in orders]


def _pending_requests(
    centers: Sequence[ResolutionCenter], info: LevelInfo
) -> list[list[ResolutionRequest]] | Awaitable[list[list[ResolutionRequest]]]:
    """Those of each order; what came with the orders is not asked for."""
    orders = [each.row for each in centers]
    known = [order.pending for order in orders if order.pending is not None]
    if len(known) < len(orders):
        return _loaded_requests(orders, info.context)
    return _told_requests(orders, [reads.soonest_first(rows) if rows else [] for rows in known], info.context)


async def _loaded_requests(orders: Sequence[OrderRow], context: Context) -> list[list[ResolutionRequest]]:
    found = await context.loaders.pending_requests.load_many([order.id for order in orders])
    return _told_requests(orders, [rows or [] for rows in found], context)


def _told_requests(
    orders: Sequence[OrderRow], found: Sequence[list[RequestRow]], context: Context
) -> list[list[ResolutionRequest]]:
    now = context.now()
    return [
        [ResolutionRequest.of(row) for row in still_pending(order, rows, now)] if rows else []
        for order, rows in zip(orders, found, strict=True)
    ]


def _actors(events: Sequence[OrderEvent], info: LevelInfo) -> list[User | None] | Awaitable[list[User | None]]:
    """Who did what each event tells; those who came with their events are not asked for."""
    if all(event.row.people is not None for event in events):
        return [User.of(event.row.people[0]) if event.row.people and event.row.people[0] else None for event in events]
    return _known_actors(info.context, [event.row.actor_id for event in events])


async def _known_actors(context: Context, ids: list[UUID | None]) -> list[User | None]:
    known = iter(await _people(context, [actor_id for actor_id in ids if actor_id is not None]))
    return [None if actor_id is None else next(known) for actor_id in ids]


BATCHES: Mapping[tuple[str, str], BatchFunction] = {
    ("Order", "client"): _clients,
    ("Order", "freelancer"): _freelancers,
    ("Order", "viewerRole"): _viewer_roles,
    ("Order", "isLate"): _are_late,
    ("ResolutionCenter", "pendingRequests"): _pending_requests,
    ("OrderEvent", "actor"): _actors,
}
"""By type and field. Each has its ordinary resolver too."""
