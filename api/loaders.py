"""Loaders: what many fields of one operation want is fetched together, once for each level of the answer."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar
from uuid import UUID

from api.batching import Loader
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
Find = Callable[["Loaders", list[K]], Awaitable[Mapping[K, V]]]


class _Lazily(Generic[K, V]):
    """A loader of each operation's, made when it is first wanted: one order with its people wants two of eighteen."""

    def __init__(self, find: Find[K, V]) -> None:
        self._find = find

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, loaders: "Loaders", _: type) -> Loader[K, V]:
        loader = Loader(partial(self._find, loaders))
        # Whoever asks again finds it there, and does not come here.
        loaders.__dict__[self._name] = loader
        return loader


async def _log_position(_: "Loaders", __: Iterable[int]) -> dict[int, int]:
    """Where the log stands, asked once for all that want to know at the same time; its key is 0."""
    return {0: await reads.log_position()}


def _by_span(
    load: Callable[[Iterable[UUID], Span], Awaitable[Mapping[UUID, V]]],
) -> Find[tuple[UUID, Span], V]:
    """For the same part of many orders' lists: nearly always all of them want the same."""

    async def find(_: "Loaders", keys: list[tuple[UUID, Span]]) -> dict[tuple[UUID, Span], V]:
        wanted: dict[Span, list[UUID]] = {}
        for order_id, span in keys:
            wanted.setdefault(span, []).append(order_id)
        return {
            (order_id, span): value
            for span, ids in wanted.items()
            for order_id, value in (await load(ids, span)).items()
        }

    return find


async def _cases(_: "Loaders", orders: list[OrderRow]) -> dict[OrderRow, Case]:
    found = await reads.cases(orders)
    return {order: found[order.id] for order in orders}


async def _confidences(loaders: "Loaders", requests: list[RequestRow]) -> dict[RequestRow, ConfidenceRow]:
    viewer = loaders.viewer()
    found = await reads.confidences(viewer, requests) if viewer else {}
    return {request: found[request.id] for request in requests if request.id in found}


class Loaders:
    """One operation's loaders. They batch and keep nothing: a stream that lives for hours must not show what was."""

    def __init__(self, viewer: Callable[[], Viewer | None], clock: Callable[[], datetime], policy: Policy) -> None:
        self.viewer = viewer
        self.clock = clock
        self.policy = policy

    users: _Lazily[UUID, UserRow] = _Lazily(lambda _, ids: reads.by_ids(UserRow, ids))
    orders: _Lazily[UUID, OrderRow] = _Lazily(lambda _, ids: reads.orders_by_ids(ids))
    requests: _Lazily[UUID, RequestRow] = _Lazily(lambda _, ids: reads.by_ids(RequestRow, ids))
    support_cases: _Lazily[UUID, SupportCaseRow] = _Lazily(lambda _, ids: reads.by_ids(SupportCaseRow, ids))
    refunds: _Lazily[UUID, RefundRow] = _Lazily(lambda _, ids: reads.by_ids(RefundRow, ids))
    events: _Lazily[tuple[UUID, int], EventRow] = _Lazily(lambda _, places: reads.events_by_place(places))
    refunds_by_request: _Lazily[UUID, RefundRow] = _Lazily(lambda _, ids: reads.refunds_by_request(ids))
    support_cases_by_order: _Lazily[UUID, SupportCaseRow] = _Lazily(lambda _, ids: reads.support_cases_by_order(ids))
    pending_requests: _Lazily[UUID, list[RequestRow]] = _Lazily(lambda _, ids: reads.pending_requests(ids))
    tallies: _Lazily[UUID, Tally] = _Lazily(lambda its, ids: reads.tallies(ids, its.clock(), its.policy))
    earnings: _Lazily[UUID, list[Money]] = _Lazily(lambda its, ids: reads.earnings(ids, its.clock(), its.policy))
    log_position: _Lazily[int, int] = _Lazily(_log_position)
    events_of_order: _Lazily[tuple[UUID, Span], list[EventRow]] = _Lazily(_by_span(reads.events_of_orders))
    requests_of_order: _Lazily[tuple[UUID, Span], list[RequestRow]] = _Lazily(_by_span(reads.requests_of_orders))
    numbers_of_events: _Lazily[UUID, int] = _Lazily(lambda _, ids: reads.numbers_of_events(ids))
    numbers_of_requests: _Lazily[UUID, int] = _Lazily(lambda _, ids: reads.numbers_of_requests(ids))
    cases: _Lazily[OrderRow, Case] = _Lazily(_cases)
    confidences: _Lazily[RequestRow, ConfidenceRow] = _Lazily(_confidences)
