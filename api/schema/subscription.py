"""The root of all subscriptions."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry
from strawberry import Info

from api.context import Context
from api.resolvers import live
from api.schema.dashboard import Dashboard
from api.schema.events import OrderEvent

AfterEvent = Annotated[
    str | None,
    strawberry.argument(description="An event cursor: first everything since it, without gap or repeat, then live."),
]


@strawberry.type(
    description="What may be watched. An event cursor, wherever it came from, is good in every event stream and "
    "connection, on any server. One that this database never gave is refused with the error code CURSOR_INVALID: read "
    "the state anew."
)
class Subscription:
    @strawberry.subscription(
        description="What happens to one order, live. With `after`, first everything since that cursor, without gap or "
        "repeat, then live."
    )
    async def order_events(
        self,
        info: Info[Context, None],
        order_id: Annotated[strawberry.ID, strawberry.argument(description="The order's id.")],
        after: AfterEvent = None,
    ) -> AsyncGenerator[OrderEvent, None]:
        async with aclosing(await live.order_events(info.context, order_id, after)) as rows:
            async for row in rows:
                yield OrderEvent.of(row)

    @strawberry.subscription(description="The same over all your orders, in one stream.")
    async def viewer_events(
        self, info: Info[Context, None], after: AfterEvent = None
    ) -> AsyncGenerator[OrderEvent, None]:
        async with aclosing(await live.viewer_events(info.context, after)) as rows:
            async for row in rows:
                yield OrderEvent.of(row)

    @strawberry.subscription(
        description="A fresh snapshot at once, then one whenever a figure changes, at most one a second."
    )
    async def dashboard(self, info: Info[Context, None]) -> AsyncGenerator[Dashboard, None]:
        async with aclosing(live.dashboard(info.context)) as snapshots:
            async for figures in snapshots:
                yield Dashboard.of(figures, info.context.now())
