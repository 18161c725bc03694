"""Orders as clients see them."""

from datetime import datetime

import strawberry
from strawberry import Info

from api.context import Context
from api.ids import Kind
from api.resolvers import lists, things
from api.schema import enums
from api.schema.center import ResolutionCenter
from api.schema.connections import After, Before, Connection, First, Last, connection
from api.schema.events import OrderEvent
from api.schema.money import Money
from api.schema.nodes import Node
from api.schema.people import User
from api.schema.rows import column
from api.schema.scalars import CurrencyCode
from api.schema.support import SupportCase
from models.order import OrderRow
from rules import case
from rules.visibility import role_in


@strawberry.type(description="What a client ordered of a freelancer.")
class Order(Node):
    id_kind = Kind.ORDER
    row: strawberry.Private[OrderRow]
    reference: str = column("The marketplace's own order number, unique.")
    title: str = column("What was ordered.")
    status: enums.OrderStatus = column("Where it stands.")
    version: int = column(
        "Grows by one with every event of this order; the same number as the latest event's `sequence`."
    )
    created_at: datetime = column("When it was placed.")
    delivery_due_at: datetime | None = column("When the delivery is due; null before the requirements are in.")
    delivered_at: datetime | None = column("When it was last delivered.")
    auto_completes_at: datetime | None = column("When silence after a delivery completes the order.")
    completed_at: datetime | None = column("When it completed.")
    cancelled_at: datetime | None = column("When it was cancelled.")

    @strawberry.field(description="The original price: extras added later do not count for the refund cap.")
    def price(self) -> Money:
        return Money(minor=self.row.price_minor, currency_code=CurrencyCode(self.row.currency))

    @strawberry.field(description="What went back to the client, or is on its way there.")
    def refunded(self) -> Money:
        return Money(minor=self.row.refunded_minor, currency_code=CurrencyCode(self.row.currency))

    @strawberry.field(description="Who ordered.")
    async def client(self, info: Info[Context, None]) -> User:
        return User.of(await things.known_user(info.context, self.row.client_id))

    @strawberry.field(description="Who delivers.")
    async def freelancer(self, info: Info[Context, None]) -> User:
        return User.of(await things.known_user(info.context, self.row.freelancer_id))

    @strawberry.field(description="The role in which you see this order.")
    def viewer_role(self, info: Info[Context, None]) -> enums.Role:
        role = role_in(info.context.viewer, self.row)
        if role is None:
            raise LookupError("an order came to somebody who may not see it")
        return role

    @strawberry.field(
        description="The due date has passed with nothing delivered. An open support case stops this clock too."
    )
    def is_late(self, info: Info[Context, None]) -> bool:
        return case.is_late(self.row, info.context.now())

    @strawberry.field(description="The page behind the order's «Resolution Center» link.")
    def resolution_center(self) -> ResolutionCenter:
        return ResolutionCenter(row=self.row)

    @strawberry.field(description="Everything that happened to this order, oldest first, gapless.")
    async def events(
        self,
        info: Info[Context, None],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[OrderEvent]:
        found = await lists.order_event_page(info.context, self.row.id, first, after, last, before)
        return connection(found, OrderEvent.of)

    @strawberry.field(description="The order's newest support case; null when there never was one.")
    async def support_case(self, info: Info[Context, None]) -> SupportCase | None:
        row = await info.context.loaders.support_cases_by_order.load(self.row.id)
        return SupportCase.of(row) if row else None

    @classmethod
    def of(cls, row: OrderRow) -> "Order":
        return cls(row=row)
