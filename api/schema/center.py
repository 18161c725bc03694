"""The Resolution Center of one order as clients see it."""

from typing import Annotated

import strawberry
from strawberry import Info

from api.context import Context
from api.resolvers import center, lists
from api.schema import enums
from api.schema.connections import After, Before, Connection, First, Last, connection
from api.schema.money import Money, MoneyInput
from api.schema.reasons import Reason
from api.schema.requests import ResolutionRequest
from models.order import OrderRow


@strawberry.type(
    description="What would change: money back to the client, what is left for the freelancer, and the freelancer's "
    "rate. For a request, what happens when the other side accepts it."
)
class ActionPreview:
    refund: Money = strawberry.field(description="What would go back to the client.")
    payout: Money = strawberry.field(description="What would be left for the freelancer.")
    completion_rate_before: float | None = strawberry.field(description="The freelancer's completion rate now.")
    completion_rate_after: float | None = strawberry.field(description="The freelancer's completion rate then.")


@strawberry.type(description="One action of your role: available, or blocked with the reason.")
class ActionAvailability:
    opened: strawberry.Private[center.OpenAction]
    action: enums.ResolutionAction = strawberry.field(description="Which action; its mutation has the same name.")
    available: bool = strawberry.field(description="Whether it may be taken now.")
    blocked_by: enums.RefusalCode | None = strawberry.field(description="Why not; null when available.")
    explanation: str | None = strawberry.field(description="The same in words, fit to show.")

    @strawberry.field(description="The request that the action would act on (accept, decline, withdraw, answer).")
    async def request(self, info: Info[Context, None]) -> ResolutionRequest | None:
        request = self.opened.availability.request
        if request is None:
            return None
        row = await info.context.loaders.requests.load(request.id)
        return ResolutionRequest.of(row) if row else None

    @strawberry.field(description="The most that may be offered now, for OFFER_PARTIAL_REFUND where it is available.")
    def maximum_refund(self, info: Info[Context, None]) -> Money | None:
        most = center.most(info.context, self.opened)
        return Money.of(most) if most else None

    @strawberry.field(
        description="The drop-down for this action, as the operator configured it; empty where it has none."
    )
    def reasons(self, info: Info[Context, None]) -> list[Reason]:
        return [Reason.of(reason) for reason in center.reasons(info.context, self.opened.availability.action)]

    @strawberry.field(
        description="How long the other side would have to answer what the action opens (a request, or a delivery), in "
        "whole seconds from the instant of the action; while support has the order that clock stands still. It is the "
        "policy's, said of a blocked action too; null for an action that nobody has to answer."
    )
    def respond_within_seconds(self, info: Info[Context, None]) -> int | None:
        found = center.silence(info.context, self.opened.availability.action)
        return int(found.window.total_seconds()) if found else None

    @strawberry.field(
        description="What the other side's silence until then would do; null for an action that nobody has to answer. "
        "For DELIVER_ORDER it is ACCEPT: silence completes the order."
    )
    def on_deadline(self, info: Info[Context, None]) -> enums.OnDeadline | None:
        found = center.silence(info.context, self.opened.availability.action)
        return found.effect if found else None

    @strawberry.field(
        description="What taking the action would do, before it is taken. Null when it is blocked, or when it moves "
        "neither money nor rate."
    )
    async def preview(
        self,
        info: Info[Context, None],
        refund: Annotated[
            MoneyInput | None,
            strawberry.argument(
                description="For OFFER_PARTIAL_REFUND: of this amount instead of the most; null when it is refused."
            ),
        ] = None,
    ) -> ActionPreview | None:
        found = await center.preview(info.context, self.opened, refund.asked if refund else None)
        if found is None:
            return None
        effect, before, after = found
        return ActionPreview(
            refund=Money.of(effect.refund),
            payout=Money.of(effect.payout),
            completion_rate_before=before,
            completion_rate_after=after,
        )

    @classmethod
    def of(cls, opened: center.OpenAction) -> "ActionAvailability":
        refusal = opened.availability.refusal
        return cls(
            opened=opened,
            action=opened.availability.action,
            available=refusal is None,
            blocked_by=refusal.code if refusal else None,
            explanation=refusal.message if refusal else None,
        )


@strawberry.type(description="The page behind an order's «Resolution Center» link.")
class ResolutionCenter:
    row: strawberry.Private[OrderRow]

    @strawberry.field(
        description="Every action that exists for your role, available now or not, with the reason when it is not. "
        "Computed by the same rules that the mutations obey, so the page and the server can't disagree. "
        "Actions on requests stand once for each request that they fit."
    )
    async def actions(self, info: Info[Context, None]) -> list[ActionAvailability]:
        return [ActionAvailability.of(opened) for opened in await center.available(info.context, self.row)]

    @strawberry.field(description="The requests that wait for an answer, the soonest deadline first.")
    async def pending_requests(self, info: Info[Context, None]) -> list[ResolutionRequest]:
        return [ResolutionRequest.of(row) for row in await center.pending(info.context, self.row)]

    @strawberry.field(description="Everything that was ever asked on this order, the oldest first.")
    async def requests(
        self,
        info: Info[Context, None],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[ResolutionRequest]:
        found = await lists.order_request_page(info.context, self.row.id, first, after, last, before)
        return connection(found, ResolutionRequest.of)
