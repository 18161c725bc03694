"""Requests as clients see them: one interface, one type a kind."""

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
from api.schema.people import User
from api.schema.reasons import Reason
from api.schema.refunds import Refund
from api.schema.rows import column
from api.schema.scalars import CurrencyCode
from models.request import RequestRow
from rules.vocabulary import RequestKind, Role

if TYPE_CHECKING:
    from api.schema.orders import Order


@strawberry.interface(description="What one side asked of the other.")
class ResolutionRequest(Node):
    id_kind = Kind.REQUEST
    row: strawberry.Private[RequestRow]
    kind: enums.RequestKind = column("What is asked.")
    status: enums.RequestStatus = column("Where it stands.")
    requested_by_role: enums.Role = column("Which side asked.")
    created_at: datetime = column("When it was asked.")
    respond_by: datetime = column(
        "The last instant to answer is just before this one. 48 hours after creation by default; later "
        "when a support case made the clock stand still."
    )
    on_deadline: enums.OnDeadline = column("What silence until then will do.")
    settled_at: datetime | None = column("When it was settled; null while pending.")
    settled_by_role: enums.Role | None = column(
        "Who settled it: a party, SUPPORT, or SYSTEM for a deadline. Never called mutual when it was not."
    )
    decline_message: str | None = column("What the other side said when it declined.")

    @strawberry.field(description="The order that it is about.")
    async def order(self, info: Info[Context, None]) -> Annotated["Order", strawberry.lazy("api.schema.orders")]:
        from api.schema.orders import Order

        return Order.of(await things.order_of(info.context, self.row.order_id))

    @strawberry.field(description="Who asked.")
    async def requested_by(self, info: Info[Context, None]) -> User:
        return User.of(await things.known_user(info.context, self.row.requested_by_id))

    @strawberry.field(
        description="The reason that only its author and support may see. Null for everyone else, always."
    )
    async def confidential_reason(self, info: Info[Context, None]) -> Reason | None:
        found = await info.context.loaders.confidences.load(self.row)
        if found is None:
            return None
        freelancer = self.row.requested_by_role is Role.FREELANCER
        policy = info.context.policy
        return Reason.named(found.reason, policy.refund_reasons if freelancer else policy.client_cancellation_reasons)

    @strawberry.field(description="The note to that reason, as private as the reason itself.")
    async def confidential_note(self, info: Info[Context, None]) -> str | None:
        found = await info.context.loaders.confidences.load(self.row)
        return found.note if found else None

    @classmethod
    def of(cls, row: RequestRow) -> "ResolutionRequest":
        """The type that the row's kind wants."""
        return _TYPES[row.kind](row=row)


@strawberry.type(description="The freelancer's offer to give part of the price back.")
class PartialRefundOffer(ResolutionRequest):
    @strawberry.field(description="How much is offered.")
    def amount(self) -> Money:
        assert self.row.amount_minor is not None
        assert self.row.currency is not None
        return Money(minor=self.row.amount_minor, currency_code=CurrencyCode(self.row.currency))

    @strawberry.field(description="Why, for the client.")
    def explanation(self) -> str:
        return self.row.text or ""

    @strawberry.field(description="The money on its way back, once accepted.")
    async def refund(self, info: Info[Context, None]) -> Refund | None:
        return await _refund(info, self.row)


@strawberry.type(description="One side's wish to cancel the order.")
class CancellationRequest(ResolutionRequest):
    @strawberry.field(
        description="The freelancer's reason, shown to both; null when the client asked: its reason is private."
    )
    def reason(self, info: Info[Context, None]) -> Reason | None:
        if self.row.reason is None:
            return None
        return Reason.named(self.row.reason, info.context.policy.freelancer_cancellation_reasons)

    @strawberry.field(description="Shown to both: the freelancer's personal note, or the client's feedback.")
    def message(self) -> str | None:
        return self.row.text

    @strawberry.field(description="The money on its way back, once the order is cancelled by it.")
    async def refund(self, info: Info[Context, None]) -> Refund | None:
        return await _refund(info, self.row)


@strawberry.type(description="The client's question how the order goes.")
class OrderUpdateRequest(ResolutionRequest):
    @strawberry.field(description="Why the client wants to know.")
    def explanation(self) -> str:
        return self.row.text or ""

    @strawberry.field(description="What the freelancer answered; null before that.")
    def answer(self) -> str | None:
        return self.row.answer


@strawberry.type(description="One side's wish for more days until the delivery is due.")
class DeliveryExtensionRequest(ResolutionRequest):
    @strawberry.field(description="How many days more: from the due date, or from the agreement when that comes later.")
    def days(self) -> int:
        assert self.row.days is not None
        return self.row.days

    @strawberry.field(description="Why, for the other side.")
    def explanation(self) -> str:
        return self.row.text or ""


_TYPES: dict[RequestKind, type[ResolutionRequest]] = {
    RequestKind.PARTIAL_REFUND: PartialRefundOffer,
    RequestKind.CANCELLATION: CancellationRequest,
    RequestKind.ORDER_UPDATE: OrderUpdateRequest,
    RequestKind.DELIVERY_EXTENSION: DeliveryExtensionRequest,
}
REQUEST_TYPES = tuple(_TYPES.values())


async def _refund(info: Info[Context, None], row: RequestRow) -> Refund | None:
    found = await info.context.loaders.refunds_by_request.load(row.id)
    return Refund.of(found) if found else None
