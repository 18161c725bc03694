"""Refunds as clients see them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import Info

from api.context import Context
from api.ids import Kind
from api.resolvers import things
from api.schema import enums
from api.schema.money import Money
from api.schema.nodes import Node
from api.schema.rows import column
from api.schema.scalars import CurrencyCode
from models.refund import RefundRow

if TYPE_CHECKING:
    from api.schema.orders import Order


@strawberry.type(description="Money on its way back through the payment gateway.")
class Refund(Node):
    id_kind = Kind.REFUND
    row: strawberry.Private[RefundRow]
    status: enums.RefundStatus = column("Where it stands.")
    created_at: datetime = column("When it was agreed or decided.")
    settled_at: datetime | None = column("When the gateway answered.")
    failure: str | None = column("Why it could not be paid; null unless FAILED.")

    @strawberry.field(description="How much goes back to the client.")
    def amount(self) -> Money:
        return Money(minor=self.row.amount_minor, currency_code=CurrencyCode(self.row.currency))

    @strawberry.field(description="The order it belongs to.")
    async def order(self, info: Info[Context, None]) -> Annotated["Order", strawberry.lazy("api.schema.orders")]:
        from api.schema.orders import Order

        return Order.of(await things.order_of(info.context, self.row.order_id))

    @classmethod
    def of(cls, row: RefundRow) -> "Refund":
        return cls(row=row)
