"""The root of all queries."""

from typing import Annotated

import strawberry
from strawberry import Info

from api.context import Context
from api.errors import Code, coded
from api.ids import Kind, uuid_of
from api.resolvers import lists, things
from api.schema import enums
from api.schema.connections import After, Before, Connection, First, Last, connection
from api.schema.dashboard import Dashboard
from api.schema.events import OrderEvent
from api.schema.inputs import OrderFilter, OrderSort, ResolutionRequestFilter
from api.schema.nodes import Node
from api.schema.orders import Order
from api.schema.people import User
from api.schema.refunds import Refund
from api.schema.requests import ResolutionRequest
from api.schema.support import SupportCase
from engine import LevelInfo
from models import reads
from models.event import EventRow
from models.order import OrderRow
from models.refund import RefundRow
from models.request import RequestRow
from models.support_case import SupportCaseRow
from models.user import UserRow

MOST_NODES = 100


@strawberry.type(
    description="What may be asked. Whatever you may not see is not there: null, or absent from lists and counts."
)
class Query:
    @strawberry.field(description="You. Null without a valid token.")
    async def viewer(self, info: Info[Context, None]) -> User | None:
        context = info.context
        if context.caller.viewer is None or context.has_expired:
            return None
        row = await context.loaders.users.load(context.viewer.user_id)
        return User.of(row) if row else None

    @strawberry.field(description="What your token gives beyond your own orders: SUPPORT, MARKETPLACE, or nothing.")
    def viewer_scopes(self, info: Info[Context, None]) -> list[enums.Role]:
        context = info.context
        if context.caller.viewer is None or context.has_expired:
            return []
        return sorted(context.viewer.scopes)

    @strawberry.field(description="Anything by its global id.")
    async def node(
        self,
        info: Info[Context, None],
        id: Annotated[strawberry.ID, strawberry.argument(description="A global id.")],
    ) -> Node | None:
        return _presented(await things.node(info.context, id))

    @strawberry.field(description="Up to 100 things by their global ids, in the order of the ids.")
    async def nodes(
        self,
        info: Info[Context, None],
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Global ids, at most 100.")],
    ) -> list[Node | None]:
        if len(ids) > MOST_NODES:
            raise coded(Code.BAD_USER_INPUT, f"Ask for at most {MOST_NODES} ids at once.")
        return [_presented(row) for row in await things.nodes(info.context, ids)]

    @strawberry.field(description="One order. Null when there is none that you may see.")
    async def order(
        self,
        info: Info[Context, None],
        id: Annotated[strawberry.ID, strawberry.argument(description="The order's id.")],
    ) -> Order | None:
        context = info.context
        _ = context.viewer
        value = uuid_of(Kind.ORDER, id)
        row = await things.order(context, value) if value else None
        return Order.of(row) if row else None

    @strawberry.field(
        description="The orders that you may see: your own, or all of them for support. By default the newest first."
    )
    async def orders(
        self,
        info: Info[Context, None],
        filter: Annotated[OrderFilter | None, strawberry.argument(description="Which of them.")] = None,
        order_by: Annotated[OrderSort | None, strawberry.argument(description="In which order.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Order]:
        context = info.context
        wanted = reads.OrderFilter()
        if filter:
            wanted = reads.OrderFilter(
                filter.role,
                filter.status,
                filter.awaiting_me,
                filter.late,
                lists.searched(filter.search),
                lists.referenced(filter.reference),
            )
        field = order_by.field.value if order_by else "CREATED_AT"
        descending = order_by.direction is enums.SortDirection.DESC if order_by else True
        with_pending = _asks_for(info, "pendingRequests")
        listing = reads.orders(
            context.viewer, wanted, field, descending=descending, now=context.now(), with_pending=with_pending
        )
        return connection(await lists.page_of(listing, first, after, last, before), Order.of)

    @strawberry.field(description="The requests on the orders that you may see, the newest first.")
    async def resolution_requests(
        self,
        info: Info[Context, None],
        filter: Annotated[ResolutionRequestFilter | None, strawberry.argument(description="Which of them.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[ResolutionRequest]:
        wanted = reads.RequestFilter()
        if filter:
            wanted = reads.RequestFilter(filter.kind, filter.status, filter.awaiting_me, filter.role)
        listing = reads.requests(info.context.viewer, wanted)
        return connection(await lists.page_of(listing, first, after, last, before), ResolutionRequest.of)

    @strawberry.field(description="The support cases on the orders that you may see, the oldest first.")
    async def support_cases(
        self,
        info: Info[Context, None],
        status: Annotated[
            enums.SupportCaseStatus | None, strawberry.argument(description="Only cases that stand so.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[SupportCase]:
        listing = reads.support_cases(info.context.viewer, status)
        return connection(await lists.page_of(listing, first, after, last, before), SupportCase.of)

    @strawberry.field(description="The figures of your dashboard.")
    async def dashboard(self, info: Info[Context, None]) -> Dashboard:
        context = info.context
        now = context.now()
        return Dashboard.of(await reads.figures(context.viewer, now, context.policy), now)

    @strawberry.field(
        description="The same events as the subscription of this name, by page: for polling and for catching up."
    )
    async def viewer_events(
        self,
        info: Info[Context, None],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[OrderEvent]:
        queries = reads.events_of_viewer(info.context.viewer)
        found = await lists.event_page(info.context, queries, first, after, last, before)
        return connection(found, OrderEvent.of)

    @strawberry.field(
        description="Where the event log stood when this query began. Ask for it beside the state that you show, then "
        "subscribe with `after:` it, and nothing that happens in between is lost."
    )
    async def event_cursor(self, info: Info[Context, None]) -> str:
        context = info.context
        _ = context.viewer
        position = context.log_position
        if position is None:
            position = await reads.log_position()
        return context.product.cursors.write(position)


def _presented(row: things.Row | None) -> Node | None:
    """A row as the type of the contract that it is."""
    match row:
        case UserRow():
            return User.of(row)
        case OrderRow():
            return Order.of(row)
        case RequestRow():
            return ResolutionRequest.of(row)
        case RefundRow():
            return Refund.of(row)
        case SupportCaseRow():
            return SupportCase.of(row)
        case EventRow():
            return OrderEvent.of(row)
        case None:
            return None


def _asks_for(info: Info[Context, None], name: str) -> bool:
    """Whether a field of this name is asked for anywhere below. Without a plan nobody knows: then it is not."""
    raw: object = info._raw_info
    return isinstance(raw, LevelInfo) and name in raw.names_within
