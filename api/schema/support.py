"""Support cases as clients see them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import Info

from api.context import Context
from api.ids import Kind
from api.resolvers import things
from api.schema import enums
from api.schema.nodes import Node
from api.schema.people import User
from api.schema.rows import column
from models.support_case import SupportCaseRow

if TYPE_CHECKING:
    from api.schema.orders import Order


@strawberry.type(
    description="Opened by either side («Contact us»), or by a deadline where the policy says so. "
    "While it is open no deadline of the order runs out."
)
class SupportCase(Node):
    id_kind = Kind.SUPPORT_CASE
    row: strawberry.Private[SupportCaseRow]
    opened_by_role: enums.Role = column("Which side opened it; SYSTEM for a deadline.")
    message: str = column("What went wrong.")
    status: enums.SupportCaseStatus = column("Where it stands.")
    opened_at: datetime = column("When it was opened; the order's deadlines stand still from then on.")
    decision: enums.SupportDecision | None = column("What support decided; null while open.")
    decision_message: str | None = column("Why support decided so; shown to both sides.")
    resolved_at: datetime | None = column("When support decided.")

    @strawberry.field(description="The order that it is about.")
    async def order(self, info: Info[Context, None]) -> Annotated["Order", strawberry.lazy("api.schema.orders")]:
        from api.schema.orders import Order

        return Order.of(await things.order_of(info.context, self.row.order_id))

    @strawberry.field(description="Who opened it; for a deadline, who had asked and got no answer.")
    async def opened_by(self, info: Info[Context, None]) -> User:
        return User.of(await things.known_user(info.context, self.row.opened_by_id))

    @classmethod
    def of(cls, row: SupportCaseRow) -> "SupportCase":
        return cls(row=row)
