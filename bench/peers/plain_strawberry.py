"""Strawberry as its documentation has it, with Tortoise's prefetch: `python -m bench.peers.plain_strawberry`, with
DATABASE_URL and JWT_SECRET; prints its port."""

import os
import socket
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import jwt
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from strawberry.asgi import GraphQL
from tortoise.expressions import Q

from models import OrderRow, RequestRow, UserRow
from models.database import opened
from rules.vocabulary import OrderStatus, RequestKind, RequestStatus, Role

SECRET = os.environ["JWT_SECRET"]
_DIGITS = {"JPY": 0, "KRW": 0}


def global_id(kind: str, value: UUID) -> strawberry.ID:
    return strawberry.ID(urlsafe_b64encode(f"{kind}:{value}".encode()).rstrip(b"=").decode())


@strawberry.type
class Money:
    amount: str
    currency_code: str

    @classmethod
    def of(cls, minor: int, currency: str) -> "Money":
        digits = _DIGITS.get(currency, 2)
        return cls(amount=str(Decimal(minor).scaleb(-digits)), currency_code=currency)


@strawberry.type
class User:
    id: strawberry.ID
    subject: str
    name: str

    @classmethod
    def of(cls, row: UserRow) -> "User":
        return cls(id=global_id("User", row.id), subject=row.subject, name=row.name)


@strawberry.interface
class ResolutionRequest:
    id: strawberry.ID
    kind: str
    status: str
    requested_by_role: str
    created_at: datetime
    respond_by: datetime
    on_deadline: str


@strawberry.type
class PartialRefundOffer(ResolutionRequest):
    amount: Money


@strawberry.type
class OtherRequest(ResolutionRequest):
    pass


def request_of(row: RequestRow) -> ResolutionRequest:
    values: dict[str, Any] = {
        "id": global_id("ResolutionRequest", row.id),
        "kind": row.kind.value,
        "status": row.status.value,
        "requested_by_role": row.requested_by_role.value,
        "created_at": row.created_at,
        "respond_by": row.respond_by,
        "on_deadline": row.on_deadline.value,
    }
    if row.kind is RequestKind.PARTIAL_REFUND:
        assert row.amount_minor is not None
        assert row.currency is not None
        return PartialRefundOffer(**values, amount=Money.of(row.amount_minor, row.currency))
    return OtherRequest(**values)


@strawberry.type
class ResolutionCenter:
    pending_requests: list[ResolutionRequest]


@strawberry.type
class Order:
    row: strawberry.Private[OrderRow]
    pending: strawberry.Private[list[RequestRow]]
    viewer: strawberry.Private[UUID]
    reference: str
    title: str
    status: str
    version: int
    created_at: datetime
    delivery_due_at: datetime | None
    delivered_at: datetime | None
    auto_completes_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None

    @strawberry.field
    def id(self) -> strawberry.ID:
        return global_id("Order", self.row.id)

    @strawberry.field
    def price(self) -> Money:
        return Money.of(self.row.price_minor, self.row.currency)

    @strawberry.field
    def refunded(self) -> Money:
        return Money.of(self.row.refunded_minor, self.row.currency)

    @strawberry.field
    def viewer_role(self) -> str:
        return (Role.CLIENT if self.row.client_id == self.viewer else Role.FREELANCER).value

    @strawberry.field
    def is_late(self) -> bool:
        due = self.row.delivery_due_at
        active = self.row.status in (OrderStatus.IN_PROGRESS, OrderStatus.IN_REVISION)
        return active and due is not None and due < datetime.now(UTC)

    @strawberry.field
    def client(self) -> User:
        return User.of(self.row.client)

    @strawberry.field
    def freelancer(self) -> User:
        return User.of(self.row.freelancer)

    @strawberry.field
    def resolution_center(self) -> ResolutionCenter:
        return ResolutionCenter(pending_requests=[request_of(row) for row in self.pending])


@strawberry.type
class OrderEdge:
    cursor: str
    node: Order


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class OrderConnection:
    edges: list[OrderEdge]
    page_info: PageInfo


async def orders_of(rows: list[OrderRow], viewer: UUID) -> list[Order]:
    """With their people, which were fetched with them, and their pending requests."""
    pending: dict[UUID, list[RequestRow]] = {row.id: [] for row in rows}
    found = RequestRow.filter(order_id__in=list(pending), status=RequestStatus.PENDING)
    for request in await found.order_by("created_at"):
        pending[request.order_id].append(request)
    return [
        Order(
            row=row,
            pending=pending[row.id],
            viewer=viewer,
            reference=row.reference,
            title=row.title,
            status=row.status.value,
            version=row.version,
            created_at=row.created_at,
            delivery_due_at=row.delivery_due_at,
            delivered_at=row.delivered_at,
            auto_completes_at=row.auto_completes_at,
            completed_at=row.completed_at,
            cancelled_at=row.cancelled_at,
        )
        for row in rows
    ]


Info = strawberry.Info[dict[str, Any], None]


@strawberry.type
class Query:
    @strawberry.field
    async def orders(self, info: Info, first: int = 25) -> OrderConnection:
        viewer = info.context["viewer"]
        mine = OrderRow.filter(Q(client_id=viewer) | Q(freelancer_id=viewer)).order_by("-created_at", "-id")
        rows = await mine.limit(first + 1).prefetch_related("client", "freelancer")
        orders = await orders_of(rows[:first], viewer)
        edges = [OrderEdge(cursor=global_id("Order", order.row.id), node=order) for order in orders]
        info_of_page = PageInfo(
            has_next_page=len(rows) > first,
            has_previous_page=False,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return OrderConnection(edges=edges, page_info=info_of_page)

    @strawberry.field
    async def order(self, info: Info, id: Annotated[strawberry.ID, "A global id"]) -> Order | None:
        viewer = info.context["viewer"]
        value = urlsafe_b64decode(f"{id}==").decode().partition(":")[2]
        mine = OrderRow.filter(Q(client_id=viewer) | Q(freelancer_id=viewer), id=value)
        row = await mine.first().prefetch_related("client", "freelancer")
        return (await orders_of([row], viewer))[0] if row else None


class View(GraphQL[dict[str, Any], None]):
    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:  # noqa: ARG002 - Strawberry's signature
        token = request.headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_aud": False})
        user = await UserRow.get(subject=claims["sub"])
        return {"viewer": user.id}


def live(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with opened(os.environ["DATABASE_URL"].replace("postgres://", "asyncpg://", 1)):
        yield


def main() -> None:
    schema = strawberry.Schema(Query, types=[PartialRefundOffer, OtherRequest])
    app = Starlette(routes=[Route("/health/live", live), Route("/graphql", View(schema))], lifespan=lifespan)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])


if __name__ == "__main__":
    main()
