"""Support cases as clients see them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import Info

from api.context import Context
from api.ids import Kind, global_id
from api.resolvers import things
from api.schema import enums
from api.schema.nodes import Node
from api.schema.people import User
from models.support_case import SupportCaseRow

if TYPE_CHECKING:
    from api.schema.orders import Order


@strawberry.type(
    description="Opened by either side («Contact us»), or by a deadline where the policy says so. "
    "While it is open no deadline of the order runs out."
)
class SupportCase(Node):
    opened_by_role: enums.Role = strawberry.field(description="Which side opened it; SYSTEM for a deadline.")
    message: str = strawberry.field(description="What went wrong.")
    status: enums.SupportCaseStatus = strawberry.field(description="Where it stands.")
    opened_at: datetime = strawberry.field(
        description="When it was opened; the order's deadlines stand still from then on."
    )
    decision: enums.SupportDecision | None = strawberry.field(description="What support decided; null while open.")
    decision_message: str | None = strawberry.field(description="Why support decided so; shown to both sides.")
    resolved_at: datetime | None = strawberry.field(description="When support decided.")
    row: strawberry.Private[SupportCaseRow]

    @strawberry.field(description="The order that it is about.")
    async def order(self, info: Info[Context, None]) -> Annotated["Order", strawberry.lazy("api.schema.orders")]:
        from api.schema.orders import Order

        return Order.of(await things.order_of(info.context, self.row.order_id))

    @strawberry.field(description="Who opened it; for a deadline, who had asked and got no answer.")
    async def opened_by(self, info: Info[Context, None]) -> User:
        return User.of(await things.known_user(info.context, self.row.opened_by_id))

    @classmethod
    def of(cls, row: SupportCaseRow) -> "SupportCase":
        return cls(
            id=strawberry.ID(global_id(Kind.SUPPORT_CASE, row.id)),
            opened_by_role=row.opened_by_role,
            message=row.message,
            status=row.status,
            opened_at=row.opened_at,
            decision=row.decision,
            decision_message=row.decision_message,
            resolved_at=row.resolved_at,
            row=row,
        )
