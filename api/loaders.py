"""Loaders: what many fields of one operation want is fetched together, once for each level of the answer."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from models import reads
from models.confidence import ConfidenceRow
from models.event import EventRow
from models.order import OrderRow
from models.reads import Span
from models.refund import RefundRow
from models.request import RequestRow
from models.support_case import SupportCaseRow
from models.user import UserRow
from rules.case import Case
from rules.money import Money
from rules.policy import Policy
from rules.standing import Tally
from rules.visibility import Viewer

K = TypeVar("K")
V = TypeVar("V")


class Loaders:
    """One operation's loaders. They batch and keep nothing: a stream that lives for hours must not show what was."""

    def __init__(self, viewer: Callable[[], Viewer | None], clock: Callable[[], datetime], policy: Policy) -> None:
        self.users: DataLoader[UUID, UserRow | None] = _batching(lambda ids: reads.by_ids(UserRow, ids))
        self.orders: DataLoader[UUID, OrderRow | None] = _batching(lambda ids: reads.by_ids(OrderRow, ids))
        self.requests: DataLoader[UUID, RequestRow | None] = _batching(lambda ids: reads.by_ids(RequestRow, ids))
        self.support_cases: DataLoader[UUID, SupportCaseRow | None] = _batching(
            lambda ids: reads.by_ids(SupportCaseRow, ids)
        )
        self.refunds: DataLoader[UUID, RefundRow | None] = _batching(lambda ids: reads.by_ids(RefundRow, ids))
        self.events: DataLoader[tuple[UUID, int], EventRow | None] = _batching(reads.events_by_place)
        self.refunds_by_request: DataLoader[UUID, RefundRow | None] = _batching(reads.refunds_by_request)
        self.support_cases_by_order: DataLoader[UUID, SupportCaseRow | None] = _batching(reads.support_cases_by_order)
        self.pending_requests: DataLoader[UUID, list[RequestRow] | None] = _batching(reads.pending_requests)
        self.tallies: DataLoader[UUID, Tally | None] = _batching(lambda ids: reads.tallies(ids, clock(), policy))
        self.earnings: DataLoader[UUID, list[Money] | None] = _batching(
            lambda ids: reads.earnings(ids, clock(), policy)
        )
        self.log_position: DataLoader[int, int | None] = _batching(_log_position)
        self.events_of_order: DataLoader[tuple[UUID, Span], list[EventRow] | None] = _by_span(reads.events_of_orders)
        self.requests_of_order: DataLoader[tuple[UUID, Span], list[RequestRow] | None] = _by_span(
            reads.requests_of_orders
        )
        self.numbers_of_events: DataLoader[UUID, int | None] = _batching(reads.numbers_of_events)
        self.numbers_of_requests: DataLoader[UUID, int | None] = _batching(reads.numbers_of_requests)
        self.cases: DataLoader[OrderRow, Case | None] = _by_id(reads.cases)
        self.confidences: DataLoader[RequestRow, ConfidenceRow | None] = _by_id(
            lambda rows: reads.confidences(who, rows) if (who := viewer()) else _nothing()
        )


def _batching(load: Callable[[Iterable[K]], Awaitable[Mapping[K, V]]]) -> DataLoader[K, V | None]:
    async def load_all(keys: list[K]) -> list[V | None]:
        found = await load(keys)
        return [found.get(key) for key in keys]

    return DataLoader(load_all, cache=False)


def _by_span(
    load: Callable[[Iterable[UUID], Span], Awaitable[Mapping[UUID, V]]],
) -> DataLoader[tuple[UUID, Span], V | None]:
    """For the same part of many orders' lists: nearly always all of them want the same."""

    async def load_all(keys: list[tuple[UUID, Span]]) -> list[V | None]:
        wanted: dict[Span, list[UUID]] = {}
        for order_id, span in keys:
            wanted.setdefault(span, []).append(order_id)
        found = {span: await load(ids, span) for span, ids in wanted.items()}
        return [found[span].get(order_id) for order_id, span in keys]

    return DataLoader(load_all, cache=False)


async def _log_position(_: Iterable[int]) -> dict[int, int]:
    """Where the log stands, asked once for all that want to know at the same time; its key is 0."""
    return {0: await reads.log_position()}


R = TypeVar("R", OrderRow, RequestRow)


def _by_id(load: Callable[[Iterable[R]], Awaitable[Mapping[UUID, V]]]) -> DataLoader[R, V | None]:
    """For loads that need the rows themselves."""

    async def load_all(rows: list[R]) -> list[V | None]:
        found = await load(rows)
        return [found.get(row.id) for row in rows]

    return DataLoader(load_all, cache=False)


async def _nothing() -> dict[UUID, ConfidenceRow]:
    return {}
