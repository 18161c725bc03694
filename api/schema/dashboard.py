"""The figures of a live dashboard as clients see them."""

from datetime import datetime

import strawberry

from api.schema import enums
from models.reads import Figures


@strawberry.type(description="How many orders stand in one status.")
class OrderStatusCount:
    status: enums.OrderStatus = strawberry.field(description="Which status.")
    count: int = strawberry.field(description="How many orders.")


@strawberry.type(description="How many requests of one kind are pending.")
class RequestKindCount:
    kind: enums.RequestKind = strawberry.field(description="Which kind.")
    count: int = strawberry.field(description="How many pending requests.")


@strawberry.type(description="The figures of a live dashboard: over your own orders, or over all of them for support.")
class Dashboard:
    at: datetime = strawberry.field(description="When these figures were true.")
    orders_by_status: list[OrderStatusCount] = strawberry.field(description="Orders in each status, zeros included.")
    pending_requests_by_kind: list[RequestKindCount] = strawberry.field(
        description="Pending requests of each kind, zeros included."
    )
    awaiting_me: int = strawberry.field(description="Pending requests that wait for your answer.")
    deadlines_near: int = strawberry.field(
        description="Pending requests whose deadline is less than 4 hours away, unless the operator says otherwise."
    )
    late_orders: int = strawberry.field(description="Orders that are late.")
    open_support_cases: int = strawberry.field(description="Support cases that are not decided yet.")

    @classmethod
    def of(cls, figures: Figures, at: datetime) -> "Dashboard":
        return cls(
            at=at,
            orders_by_status=[OrderStatusCount(status=s, count=n) for s, n in figures.orders_by_status],
            pending_requests_by_kind=[RequestKindCount(kind=k, count=n) for k, n in figures.pending_by_kind],
            awaiting_me=figures.awaiting_me,
            deadlines_near=figures.deadlines_near,
            late_orders=figures.late_orders,
            open_support_cases=figures.open_support_cases,
        )
