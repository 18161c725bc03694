"""Plain rows are what the ORM gives, for whatever is asked and whatever the rows hold, on each database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from bench.crowd import NOW, YEAR, Crowd
from bench.loading import into_postgres, into_sqlite
from models import EventRow, OrderRow, RefundRow, RequestRow, SupportCaseRow, UserRow, plain, reads
from models.database import migrate, opened
from models.making import Owned
from models.reads.sources import PEOPLE, PEOPLE_AND_PENDING
from rules.vocabulary import OrderStatus, RequestKind, RequestStatus
from tests.postgres import a_postgres_database
from tests.store import ON_POSTGRESQL, postgresql_only, sqlite_only

ORDERS = 300
R = TypeVar("R", bound=Model)


async def _same(query: QuerySet[R]) -> list[R]:
    """What both give, which must be equal to the last attribute. Twice, since the second time the text was kept."""
    by_orm = await query._clone()
    for _ in range(2):
        by_driver = await plain.rows(query._clone())
        assert [type(row) for row in by_driver] == [type(row) for row in by_orm]
        assert [vars(row) for row in by_driver] == [vars(row) for row in by_orm]
        kinds = [{name: type(value) for name, value in vars(row).items()} for row in by_driver]
        assert kinds == [{name: type(value) for name, value in vars(row).items()} for row in by_orm]
    return by_orm


async def _same_words(query_of: Callable[..., QuerySet[R]], *values: plain.Value) -> list[R]:
    """What is asked in words, and by the ORM."""
    by_orm = await query_of(*values)
    for _ in range(2):
        by_words = await plain.asked(query_of, query_of, *values)
        assert [vars(row) for row in by_words] == [_told(row) for row in by_orm]
    return by_orm


def _told(row: Model, *untold_too: str) -> dict[str, Any]:
    """All but what is not read where words ask, with what they sort by all the same."""
    untold: frozenset[str] = getattr(row, "UNTOLD", frozenset()) - set(untold_too)
    assert untold <= vars(row).keys()
    return {name: value for name, value in vars(row).items() if name not in untold}


def _by_price(ids: Sequence[UUID]) -> QuerySet[OrderRow]:
    return OrderRow.filter(id__in=ids).order_by("-price_sort", "id").limit(20)


def _by_ids(ids: Sequence[UUID]) -> QuerySet[OrderRow]:
    return OrderRow.filter(id__in=ids).order_by("-created_at", "id")


def _between(one: UUID, since: datetime, other: UUID, price: int) -> QuerySet[OrderRow]:
    """Values of one kind in two places, and constants among them."""
    sides = Q(client_id=one) | Q(freelancer_id=other)
    wanted = [OrderStatus.COMPLETED, OrderStatus.CANCELLED]
    return OrderRow.filter(
        sides, status__in=wanted, counted=True, created_at__gte=since, price_minor__gt=price, version__gt=1
    ).order_by("id")


async def _try_words() -> None:
    orders = await OrderRow.all().order_by("id")
    ids = [order.id for order in orders]
    before = len(plain._spoken)
    for number in (1, 2, 30, 30):
        assert len(await _same_words(_by_ids, ids[:number])) == number
    by_price = await plain.asked(_by_price, _by_price, ids)
    assert [vars(row) for row in by_price] == [_told(row, "price_sort") for row in await _by_price(ids)]
    # An array is one value, however long it is.
    assert len(plain._spoken) - before == (2 if ON_POSTGRESQL else 4)
    found = 0
    for one, other in zip(orders[::2], orders[1::2], strict=True):
        for since, price in ((NOW - YEAR, 0), (one.created_at, other.price_minor)):
            found += len(await _same_words(_between, one.client_id, since, other.freelancer_id, price))
    assert found > ORDERS


def _of_a_side(me: UUID, since: datetime) -> list[QuerySet[OrderRow]]:
    """Two parts of a list, each with a value of its own in a place of its own."""
    return [
        OrderRow.filter(client_id=me, created_at__gte=since).order_by("-created_at", "-id").limit(4),
        OrderRow.filter(freelancer_id=me).order_by("-created_at", "-id").limit(4),
    ]


async def _try_parts() -> None:
    """Parts of a list come in one statement: what is first of all of them, with the people of each."""
    for order in (await OrderRow.all().order_by("id"))[::20]:
        for me in (order.client_id, order.freelancer_id):
            for since in (NOW - YEAR, order.created_at):
                parts = _of_a_side(me, since)
                by_orm = [row for part in parts for row in await part._clone()]
                wanted = sorted(by_orm, key=_age, reverse=True)[:4]
                for joined in (None, PEOPLE):
                    words = (_of_a_side, joined)
                    found = sorted(await plain.asked(words, _of_a_side, me, since, joined=joined), key=_age)
                    assert [_bare(row) for row in found[:-5:-1]] == [_told(row) for row in wanted]
                    assert all((row.people is not None) == (joined is not None) for row in found)
                    await _assert_people(found if joined else [])


def _age(row: OrderRow) -> tuple[datetime, str]:
    return row.created_at, str(row.id)


def _bare(row: Model) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name not in ("people", "pending")}


async def _assert_people(orders: Sequence[OrderRow]) -> None:
    users = {user.id: user for user in await UserRow.all()}
    for order in orders:
        assert order.people
        wanted = [users[order.client_id], users[order.freelancer_id]]
        assert [vars(person) for person in order.people] == [_told(person) for person in wanted]


async def _try_owned() -> None:
    """Orders come with their people and with those requests that have one status, each as often as it is there."""
    orders = (await OrderRow.all().order_by("-created_at", "-id"))[:ORDERS]
    numbers: set[int] = set()
    for status in RequestStatus:
        joined = replace(PEOPLE, owned=Owned("pending", RequestRow, "order_id", status))
        words = ("those of a status", status)
        rows = await plain.asked(words, lambda ids: OrderRow.filter(id__in=ids), [o.id for o in orders], joined=joined)
        by_orm: dict[UUID, dict[UUID, Any]] = {order.id: {} for order in orders}
        for request in await RequestRow.filter(status=status):
            by_orm[request.order_id][request.id] = vars(request)
        assert {row.id: _bare(row) for row in rows} == {order.id: _told(order) for order in orders}
        assert len(rows) == len(orders)
        await _assert_people(rows)
        for row in rows:
            assert row.pending is not None
            assert {each.id: vars(each) for each in row.pending} == by_orm[row.id]
            assert len(row.pending) == len(by_orm[row.id])
            numbers.add(len(row.pending))
    assert {0, 1, 2} <= numbers
    assert PEOPLE_AND_PENDING.owned == Owned("pending", RequestRow, "order_id", RequestStatus.PENDING)


async def _try_people() -> None:
    """Orders by their ids, one or many, come with their people, and are what the ORM gives beside."""
    orders = await OrderRow.all().order_by("id")
    for number in (1, 2, 30, 1):
        found = await reads.orders_by_ids(order.id for order in orders[:number])
        assert {row_id: _bare(row) for row_id, row in found.items()} == {row.id: _told(row) for row in orders[:number]}
        await _assert_people(list(found.values()))
    assert await reads.orders_by_ids([]) == {}
    one, other = await reads.orders_by_ids([orders[0].id]), await reads.orders_by_ids([orders[1].id])
    assert list(one) != list(other)


def _an_order_and_what_waits(order_id: UUID, request_id: UUID) -> tuple[QuerySet[OrderRow], QuerySet[RequestRow]]:
    waits = Q(status=RequestStatus.PENDING) | Q(id=request_id)
    return OrderRow.filter(id=order_id), RequestRow.filter(waits)


async def _try_one_with() -> None:
    """An order with what is its own, in one statement, is what the ORM gives in two."""
    numbers: set[int] = set()
    requests = await RequestRow.exclude(status=RequestStatus.PENDING)
    for order in await OrderRow.all():
        named = next((each.id for each in requests if each.order_id == order.id), uuid4())
        found = await plain.one_with("one", _an_order_and_what_waits, "order_id", order.id, named)
        assert found
        row, its = found
        by_orm = await _an_order_and_what_waits(order.id, named)[1].filter(order_id=order.id)
        assert vars(row) == _told(order)
        assert {each.id: vars(each) for each in its} == {each.id: vars(each) for each in by_orm}
        assert len(its) == len(by_orm)
        numbers.add(len(its))
    assert {0, 1, 2} <= numbers
    assert await plain.one_with("one", _an_order_and_what_waits, "order_id", uuid4(), uuid4()) is None


async def _try_actors() -> None:
    """Events come with who did them, and with nobody where nobody did."""
    users = {user.id: user for user in await UserRow.all()}
    by_orm = await EventRow.filter(position__gt=3).order_by("position").limit(200)
    found = await reads.events_after(3, 200)
    assert [_bare(row) for row in found] == [_told(row) for row in by_orm]
    actors = [row.people[0] if row.people else None for row in found]
    assert [None if each is None else vars(each) for each in actors] == [
        None if row.actor_id is None else _told(users[row.actor_id]) for row in by_orm
    ]
    assert None in actors
    assert any(actors)


async def _try_everything() -> None:
    await _try_words()
    await _try_one_with()
    await _try_actors()
    await _try_parts()
    await _try_owned()
    await _try_people()
    kinds: tuple[type[Model], ...] = (OrderRow, RequestRow, RefundRow, SupportCaseRow, UserRow)
    for kind in kinds:
        assert await _same(kind.all().order_by("id"))
    orders = await OrderRow.all().order_by("id")
    ids = [order.id for order in orders]
    for number in (1, 2, 30, 30):
        assert len(await _same(OrderRow.filter(id__in=ids[:number]).order_by("-created_at", "id"))) == number
        await _same(UserRow.filter(id__in=[order.client_id for order in orders[:number]]).order_by("id"))
    pending = RequestRow.filter(order_id__in=ids, status=RequestStatus.PENDING)
    assert await _same(pending.order_by("respond_by", "id").limit(5))
    relevant = Q(status=RequestStatus.PENDING) | Q(kind=RequestKind.PARTIAL_REFUND, status__in=[RequestStatus.ACCEPTED])
    assert await _same(RequestRow.filter(relevant, order_id__in=ids).order_by("id"))
    assert await _same(RequestRow.filter(relevant | Q(id=(await pending.order_by("id"))[0].id)).order_by("id"))
    party = Q(client_id=orders[0].client_id) | Q(freelancer_id=orders[1].freelancer_id)
    assert await _same(OrderRow.filter(~party, placed_by_id=orders[0].placed_by_id).order_by("id"))
    middle = orders[ORDERS // 2]
    beyond = Q(created_at__lt=middle.created_at) | (Q(created_at=middle.created_at) & Q(id__lt=middle.id))
    for row in (middle, orders[7]):
        beyond = Q(created_at__lt=row.created_at) | (Q(created_at=row.created_at) & Q(id__lt=row.id))
        assert await _same(OrderRow.filter(beyond, awaits_client=False).order_by("-created_at", "-id").limit(26))
    await _same(OrderRow.filter(delivered_at__isnull=True, price_sort__gte=5_000).order_by("id"))
    for position in (0, 5, 7):
        assert (await _same(EventRow.filter(position__gt=position).order_by("position").limit(50)))[
            0
        ].position > position
    assert await _same(OrderRow.filter(id=orders[3].id).select_for_update(no_key=True))
    assert await _same(OrderRow.filter(id=orders[3].id).select_for_update(skip_locked=True))
    # More than conditions on one table: left to the ORM.
    assert await _same(OrderRow.filter(search_text__contains="logo", reference="CROWD-0000001").order_by("id"))


@sqlite_only
async def test_plain_rows_are_the_orms_on_sqlite(tmp_path: Path) -> None:
    async with _sqlite(tmp_path):
        await _try_everything()


@postgresql_only
async def test_plain_rows_are_the_orms_on_postgresql() -> None:
    async with _postgres():
        await _try_everything()


INSTANTS = st.timedeltas(timedelta(0), YEAR).map(lambda age: NOW - age)
UUIDS = st.uuids() | st.integers(1, 500).map(lambda number: UUID(int=number))
LEAVES = st.one_of(
    st.builds(lambda v: Q(client_id=v), UUIDS),
    st.builds(lambda v: Q(id__in=v), st.lists(UUIDS, max_size=4)),
    st.builds(lambda v: Q(created_at__gt=v), INSTANTS),
    st.builds(lambda v: Q(due_sort__lte=v), INSTANTS),
    st.builds(lambda v: Q(status=v), st.sampled_from(OrderStatus)),
    st.builds(lambda v: Q(status__in=v), st.lists(st.sampled_from(OrderStatus), max_size=3)),
    st.builds(lambda v: Q(frozen_at__isnull=v), st.booleans()),
    st.builds(lambda v: Q(price_sort__gt=v), st.integers(0, 9_000_000)),
    st.builds(lambda v: Q(awaits_client=v), st.booleans()),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=5,
)
SORTS = st.permutations(["created_at", "-price_sort", "due_sort", "status"]).map(lambda names: [*names[:2], "id"])


@pytest.mark.slow
@sqlite_only
async def test_any_condition_finds_the_same_rows(tmp_path: Path) -> None:
    tried: list[tuple[Q, Sequence[str], int]] = []

    @settings(max_examples=150)
    @given(CONDITIONS, SORTS, st.integers(1, 40))
    def take(condition: Q, sort: Sequence[str], limit: int) -> None:
        tried.append((condition, sort, limit))

    take()
    async with _sqlite(tmp_path):
        found = [await _same(OrderRow.filter(where).order_by(*sort).limit(limit)) for where, sort, limit in tried]
    assert sum(bool(rows) for rows in found) > len(tried) // 4


@pytest.mark.slow
@sqlite_only
async def test_texts_that_are_kept_hold_nobodys_words(tmp_path: Path) -> None:
    words = (Q(search_text__contains="secret"), Q(reference="secret"), Q(Q(reference="secret"), Q(counted=True)))
    async with _sqlite(tmp_path):
        for where in words:
            assert plain._shape(OrderRow.filter(where), []) is None
        before = len(plain._kept)
        for where in words:
            await plain.rows(OrderRow.filter(where))
        assert len(plain._kept) == before


@pytest.mark.slow
@sqlite_only
async def test_one_text_is_kept_whatever_the_position(tmp_path: Path) -> None:
    async with _sqlite(tmp_path):
        await plain.rows(EventRow.filter(position__gt=0).limit(1))
        before = len(plain._kept)
        for position in range(1, 9):
            [row] = await plain.rows(EventRow.filter(position__gt=position).order_by("position").limit(1))
            assert row.position == position + 1
        assert len(plain._kept) == before + 1


@asynccontextmanager
async def _sqlite(folder: Path) -> AsyncIterator[None]:
    path = folder / "crowd.sqlite3"
    await migrate(f"sqlite://{path}")
    await asyncio.to_thread(into_sqlite, str(path), Crowd(ORDERS))
    async with opened(f"sqlite://{path}"):
        yield


@asynccontextmanager
async def _postgres() -> AsyncIterator[None]:
    async with a_postgres_database() as url:
        await migrate(url)
        await into_postgres(url, Crowd(ORDERS))
        async with opened(url):
            yield
