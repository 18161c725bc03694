"""Events as clients see them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import Info

from api.context import Context
from api.ids import Kind, event_id
from api.resolvers import things
from api.schema import enums
from api.schema.nodes import Node
from api.schema.people import User
from api.schema.requests import ResolutionRequest
from api.schema.rows import column
from models.event import EventRow

if TYPE_CHECKING:
    from api.schema.orders import Order


@strawberry.type(description="Something that happened to an order.")
class OrderEvent(Node):
    id_kind = Kind.EVENT
    row: strawberry.Private[EventRow]
    sequence: int = column("1, 2, 3 … without a gap within one order.")
    kind: enums.OrderEventKind = column("What happened.")
    occurred_at: datetime = column("When. A deadline's effect has the instant of the deadline.")
    actor_role: enums.Role = column("In which role it was done.")
    order_status: enums.OrderStatus = column("The order's status as this event left it; `order` shows it as it is now.")
    request_status: enums.RequestStatus | None = column(
        "The request's status as this event left it; `request` shows it as it is now."
    )
    message: str | None = column(
        "What was said with a delivery or a wish for revision; null elsewhere: the request has its texts."
    )

    @strawberry.field(description="Opaque, the same for ever, unique among all things.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(event_id(self.row.order_id, self.row.sequence))

    @strawberry.field(description="Pass it as `after` to go on from here, in any event stream or connection.")
    def cursor(self, info: Info[Context, None]) -> str:
        return info.context.product.cursors.write(self.row.position)

    @strawberry.field(description="Who did it. Null when a deadline did, or the payment gateway.")
    async def actor(self, info: Info[Context, None]) -> User | None:
        if self.row.actor_id is None:
            return None
        return User.of(await things.known_user(info.context, self.row.actor_id))

    @strawberry.field(description="The order, as it is now.")
    async def order(self, info: Info[Context, None]) -> Annotated["Order", strawberry.lazy("api.schema.orders")]:
        from api.schema.orders import Order

        return Order.of(await things.order_of(info.context, self.row.order_id))

    @strawberry.field(description="The request that it is about, as it is now; null when it is about none.")
    async def request(self, info: Info[Context, None]) -> ResolutionRequest | None:
        if self.row.request_id is None:
            return None
        row = await things.request(info.context, self.row.request_id)
        return ResolutionRequest.of(row) if row else None

    @classmethod
    def of(cls, row: EventRow) -> "OrderEvent":
        return cls(row=row)
