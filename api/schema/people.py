"""People and how they stand."""

import strawberry
from strawberry import Info

from api.context import Context
from api.ids import Kind
from api.schema import enums
from api.schema.money import Money
from api.schema.nodes import Node
from api.schema.rows import column
from models.user import UserRow
from rules.standing import Tally
from rules.visibility import may_see_earnings


@strawberry.type(
    description="What cancellations do to a freelancer. Rolling window, 60 days unless the operator says otherwise."
)
class FreelancerStanding:
    user: strawberry.Private[UserRow]

    @strawberry.field(description="How many days the window has.")
    def window_days(self, info: Info[Context, None]) -> int:
        return info.context.policy.standing_window.days

    @strawberry.field(description="Orders completed in the window.")
    async def completed_orders(self, info: Info[Context, None]) -> int:
        return (await self._tally(info)).completed

    @strawberry.field(
        description="Orders cancelled in the window, but for those that are no fault of the freelancer's: by default "
        "what the client cancelled alone before the requirements were in."
    )
    async def cancelled_orders(self, info: Info[Context, None]) -> int:
        return (await self._tally(info)).cancelled

    @strawberry.field(
        description="completed / (completed + cancelled) in the window, 0 to 1; null when neither happened. "
        "A partial refund never lowers it."
    )
    async def completion_rate(self, info: Info[Context, None]) -> float | None:
        return (await self._tally(info)).rate

    @strawberry.field(description="What the marketplace's search does with this freelancer's gigs at that rate.")
    async def search_visibility(self, info: Info[Context, None]) -> enums.SearchVisibility:
        return (await self._tally(info)).visibility(info.context.policy)

    @strawberry.field(
        description="Earned in the window, one entry a currency. Null unless it is you, or support, who asks."
    )
    async def earnings(self, info: Info[Context, None]) -> list[Money] | None:
        if not may_see_earnings(info.context.viewer, self.user.id):
            return None
        return [Money.of(amount) for amount in await info.context.loaders.earnings.load(self.user.id) or []]

    async def _tally(self, info: Info[Context, None]) -> Tally:
        return await info.context.loaders.tallies.load(self.user.id) or Tally()


@strawberry.type(description="Somebody: a client, a freelancer, or both; support; the marketplace.")
class User(Node):
    id_kind = Kind.USER
    row: strawberry.Private[UserRow]
    subject: str = column("The identity provider's subject.")
    name: str = column("The display name, as the newest token has it.")

    @strawberry.field(description="How this user stands as a freelancer; public, as on a profile page.")
    def standing(self) -> FreelancerStanding:
        return FreelancerStanding(user=self.row)

    @classmethod
    def of(cls, row: UserRow) -> "User":
        return cls(row=row)
