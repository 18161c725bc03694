"""Live: streams of events and of dashboards, with the viewer's rights judged again for every event."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from api.context import Context
from api.errors import Code, coded
from api.ids import Kind, uuid_of
from api.resolvers.lists import position_of
from api.resolvers.things import order as visible_order
from models import reads
from models.event import EventRow
from models.reads import EventQueries, Figures
from rules.visibility import Viewer, role_in
from rules.vocabulary import Role
from subscriptions import stream
from subscriptions.tail import EVERYTHING, Interest


async def order_events(context: Context, order_id: str, after: str | None) -> AsyncGenerator[EventRow, None]:
    """The stream of one order's events. Raises NOT_FOUND for an order that the viewer may not see, CURSOR_INVALID for
    its cursor."""
    _ = context.viewer
    now = await reads.log_position()
    value = uuid_of(Kind.ORDER, order_id)
    if value is None or await visible_order(context, value) is None:
        raise coded(Code.NOT_FOUND, "There is no such order that you may see.")
    return _events(context, Interest(order_id=value), reads.events_of_order(value), after, now)


async def viewer_events(context: Context, after: str | None) -> AsyncGenerator[EventRow, None]:
    """The stream of the events of all orders that the viewer may see."""
    viewer = context.viewer
    return _events(context, _interest(viewer), reads.events_of_viewer(viewer), after, await reads.log_position())


async def dashboard(context: Context) -> AsyncGenerator[Figures, None]:
    """The viewer's figures, whenever one changes."""

    async def figures() -> Figures:
        return await reads.figures(context.viewer, context.now(), context.policy)

    snapshots = stream.dashboard(context.product.tail, _interest(context.viewer), figures, context.now)
    async with aclosing(snapshots):
        async for snapshot in snapshots:
            yield snapshot


def _events(
    context: Context, interest: Interest, in_log: EventQueries, after: str | None, now: int
) -> AsyncGenerator[EventRow, None]:
    """From a cursor, or from now: where the log stood before anything else was asked, so that whatever a client causes
    once it has sent its subscription is in the stream."""
    position = now if after is None else position_of(context, after, now)
    return stream.events(context.product.tail, interest, in_log, position, _may_see(context))


def _may_see(context: Context) -> Callable[[EventRow], bool]:
    # `context.viewer` raises once the token has expired, which ends the stream.
    return lambda row: role_in(context.viewer, row) is not None


def _interest(viewer: Viewer) -> Interest:
    return EVERYTHING if Role.SUPPORT in viewer.scopes else Interest(user_id=viewer.user_id)
