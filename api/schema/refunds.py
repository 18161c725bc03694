"""Refunds as clients see them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import Info

from api.context import Context
from api.ids import Kind, global_id
from api.resolvers import things
from api.schema import enums
from api.schema.money import Money
from api.schema.nodes import Node
from models.refund import RefundRow
from rules.money import Money as Amount

if TYPE_CHECKING:
    from api.schema.orders import Order


@strawberry.type(description="Money on its way back through the payment gateway.")
class Refund(Node):
    amount: Money = strawberry.field(description="How much goes back to the client.")
    status: enums.RefundStatus = strawberry.field(description="Where it stands.")
    created_at: datetime = strawberry.field(description="When it was agreed or decided.")
    settled_at: datetime | None = strawberry.field(description="When the gateway answered.")
    failure: str | None = strawberry.field(description="Why it could not be paid; null unless FAILED.")
    row: strawberry.Private[RefundRow]

    @strawberry.field(description="The order it belongs to.")
    async def order(self, info: Info[Context, None]) -> Annotated["Order", strawberry.lazy("api.schema.orders")]:
        from api.schema.orders import Order

        return Order.of(await things.order_of(info.context, self.row.order_id))

    @classmethod
    def of(cls, row: RefundRow) -> "Refund":
        return cls(
            id=strawberry.ID(global_id(Kind.REFUND, row.id)),
            amount=Money.of(Amount(row.amount_minor, row.currency)),
            status=row.status,
            created_at=row.created_at,
            settled_at=row.settled_at,
            failure=row.failure,
            row=row,
        )
