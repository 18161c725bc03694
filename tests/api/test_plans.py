"""Every statement that the API can cause is answered through an index, among 100,000 orders, on each database."""

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tortoise.backends.base.executor import EXECUTOR_CACHE

from api.commands import doctoring, importing, synthetic
from api.ids import Kind, event_id, global_id
from api.settings import read_settings
from bench.crowd import NOW, Crowd, reference
from bench.loading import into_postgres, into_sqlite
from bench.postgresql import execute
from models import EventRow, OrderRow, RefundRow, RequestRow, SupportCaseRow, UserRow
from models.database import POSTGRES_SESSION, connection, in_transaction, migrate, opened
from models.loading import replayed, whole_case
from models.people import name_the_nameless
from rules.vocabulary import OrderStatus, RequestKind, RequestStatus
from tests.api.test_statements import DOCUMENTS, NODES, _every_mutation
from tests.database import PEOPLE, HandClock, with_people
from tests.plans import is_explained, postgres_faults, postgres_sizes, sqlite_faults, sqlite_sizes
from tests.postgres import a_postgres_database
from tests.service import NO_LIMITS, Service, a_service
from tests.statements import Recorder, Statement, recorded
from tests.store import postgresql_only, sqlite_only

pytestmark = pytest.mark.slow

ORDERS = 100_000

WHO: dict[str, list[str]] = {
    "client-1": [],
    "freelancer-1": [],
    "client-199": [],
    "marketplace-1": ["marketplace"],
    "marketplace-3": ["marketplace"],
    "sol": ["support"],
}
"""The busiest two, somebody with few orders, a marketplace with most orders, one with few, and support."""
NESTED = ("client-1", "marketplace-1", "sol")
OWN = "the test itself"
SEES_ALL = ("marketplace-1", "sol")


@dataclass(frozen=True)
class Large:
    """A database with the crowd in it, and what the API asked of it."""

    url: str
    statements: list[Statement]
    path: Path

    def about(self, index: str | None) -> list[Statement]:
        """All statements, or those that may miss an index: it has its name from its table."""
        table = f'"{index.partition("_by_")[0]}"' if index else ""
        return [statement for statement in self.statements if table in statement.text]


# ---------------------------------------------------------------- what the API can cause

PAGE = """query($filter: OrderFilter, $orderBy: OrderSort, $first: Int, $last: Int, $after: String, $before: String) {
  orders(filter: $filter, orderBy: $orderBy, first: $first, last: $last, after: $after, before: $before) {
    nodes { id } pageInfo { startCursor endCursor } } }"""
PAGE_WITH_PENDING = PAGE.replace("nodes { id }", "nodes { id resolutionCenter { pendingRequests { id } } }")
REQUESTS = """query($filter: ResolutionRequestFilter, $last: Int, $after: String, $before: String) {
  resolutionRequests(filter: $filter, last: $last, after: $after, before: $before) {
    nodes { id } pageInfo { startCursor endCursor } } }"""
CASES = """query($status: SupportCaseStatus, $last: Int, $after: String, $before: String) {
  supportCases(status: $status, last: $last, after: $after, before: $before) {
    nodes { id } pageInfo { startCursor endCursor } } }"""
EVENTS = """query($first: Int, $last: Int, $after: String, $before: String) {
  viewerEvents(first: $first, last: $last, after: $after, before: $before) {
    nodes { id } pageInfo { startCursor endCursor } } }"""
OF_ORDERS = """{ orders { nodes { id events(last: 3) { totalCount nodes { id } pageInfo { startCursor endCursor } }
  resolutionCenter { requests { totalCount nodes { id } pageInfo { startCursor endCursor } } } } } }"""
OF_ORDER = """query($id: ID!, $events: String, $requests: String) { order(id: $id) {
  events(before: $events) { nodes { id } } later: events(after: $events, first: 3) { nodes { id } }
  resolutionCenter { requests(after: $requests) { nodes { id } }
    earlier: requests(before: $requests, last: 2) { nodes { id } } } } }"""
COUNTS = """{ orders { totalCount } resolutionRequests { totalCount } supportCases { totalCount }
  viewerEvents { totalCount } }"""

ORDER_FILTERS: list[dict[str, Any]] = [
    *({"status": [status]} for status in OrderStatus),
    {"status": ["IN_PROGRESS", "DELIVERED"]},
    {"awaitingMe": True},
    {"awaitingMe": False},
    {"late": True},
    {"late": False},
    {"late": True, "awaitingMe": True},
    *({"role": role} for role in ("CLIENT", "FREELANCER", "SUPPORT", "MARKETPLACE")),
    {"reference": reference(777)},
]
REQUEST_FILTERS: list[dict[str, Any]] = [
    {},
    *({"status": [status]} for status in RequestStatus),
    *({"kind": [kind]} for kind in RequestKind),
    {"status": ["PENDING"], "kind": ["PARTIAL_REFUND"]},
    {"awaitingMe": True},
    {"awaitingMe": False},
    {"role": "CLIENT"},
]


async def _drive(service: Service, recorder: Recorder) -> None:
    """Everything that a client, a stream, a worker or a command may ask for."""

    async def ask(subject: str, query: str, **variables: Any) -> Any:
        headers = {"authorization": f"Bearer {service.token(subject, scopes=WHO.get(subject))}"}
        body = {"query": query, "variables": variables}
        answer = (await service.http.post("/graphql", json=body, headers=headers, timeout=120)).json()
        assert "errors" not in answer, (subject, query, variables, answer["errors"])
        return answer["data"]

    for subject in WHO:
        await _lists(ask, subject, recorder)
        await _nested(ask, subject, recorder)
    await _streams(service, recorder)
    recorder.cause = OWN
    ids = await _ids()
    recorder.cause = "nodes"
    await ask("client-1", NODES, ids=ids)
    recorder.cause = "health"
    for path in ("/health/ready", "/metrics"):
        await service.http.get(path)
    recorder.cause = "mutations"
    await _every_mutation(service, "plans", asked_before=2)
    for _ in range(2):
        await _place_with_a_key(service)
    recorder.cause = "deadlines and refunds"
    service.clock.now = NOW + timedelta(hours=3)
    await asyncio.sleep(1)
    recorder.cause = OWN
    await service.all_paid()
    while await OrderRow.filter(next_deadline_at__lte=service.clock.now).exists():  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.1)
    await _commands(recorder)
    recorder.cause = "end"


async def _lists(ask: Any, subject: str, recorder: Recorder) -> None:
    sorts = list(itertools.product(("CREATED_AT", "DELIVERY_DUE_AT", "PRICE"), ("ASC", "DESC")))
    for field, direction in sorts:
        recorder.cause = f"orders by {field} {direction} of {subject}"
        given = {"orderBy": {"field": field, "direction": direction}}
        for page in (PAGE, PAGE_WITH_PENDING):
            await _pages(ask, subject, page, "orders", given)
    # Whose orders are few, looks at all of them at most.
    for wanted, (field, direction) in itertools.product(ORDER_FILTERS, sorts if subject in SEES_ALL else sorts[:1]):
        recorder.cause = f"orders {wanted} by {field} {direction} of {subject}"
        for page in (PAGE, PAGE_WITH_PENDING):
            await ask(subject, page, filter=wanted, orderBy={"field": field, "direction": direction})
    recorder.cause = f"searching orders of {subject}"
    await ask(subject, PAGE, filter={"search": "nowhere"})
    await ask(subject, PAGE, filter={"search": "Logo"})
    for wanted in REQUEST_FILTERS:
        recorder.cause = f"requests {wanted} of {subject}"
        await ask(subject, REQUESTS, filter=wanted)
    await _pages(ask, subject, REQUESTS, "resolutionRequests", {})
    for status in (None, "OPEN", "RESOLVED"):
        recorder.cause = f"support cases {status} of {subject}"
        await _pages(ask, subject, CASES, "supportCases", {"status": status})
    recorder.cause = f"events of {subject}"
    await _pages(ask, subject, EVENTS, "viewerEvents", {})


async def _pages(ask: Any, subject: str, document: str, root: str, given: dict[str, Any]) -> None:
    """The first page, the last, and those beside them."""
    first = (await ask(subject, document, **given))[root]["pageInfo"]
    last = (await ask(subject, document, **given, last=20))[root]["pageInfo"]
    if first["endCursor"]:
        await ask(subject, document, **given, after=first["endCursor"])
        await ask(subject, document, **given, last=20, before=last["startCursor"])
        await ask(subject, document, **given, after=first["startCursor"], before=last["endCursor"])


async def _nested(ask: Any, subject: str, recorder: Recorder) -> None:
    for name, document in DOCUMENTS.items() if subject in NESTED else ():
        recorder.cause = f"{name} of {subject}"
        await ask(subject, document.replace("totalCount", "__typename"))
    recorder.cause = f"lists of orders of {subject}"
    for node in (await ask(subject, OF_ORDERS))["orders"]["nodes"][:3]:
        events, requests = node["events"]["pageInfo"], node["resolutionCenter"]["requests"]["pageInfo"]
        await ask(subject, OF_ORDER, id=node["id"], events=events["startCursor"], requests=requests["startCursor"])
    recorder.cause = f"counts of {subject}"
    await ask(subject, COUNTS)


async def _ids() -> list[str]:
    """Some of each kind."""
    event = await EventRow.filter(position__in=[1, 5_000]).values_list("order_id", "sequence")
    ids = [event_id(order_id, sequence) for order_id, sequence in event]
    kinds = {Kind.ORDER: OrderRow, Kind.REQUEST: RequestRow, Kind.REFUND: RefundRow, Kind.SUPPORT_CASE: SupportCaseRow}
    for kind, rows in kinds.items():
        ids += [global_id(kind, row.pk) for row in await rows.all().limit(5)]
    return ids


async def _streams(service: Service, recorder: Recorder) -> None:
    for subject, scopes in WHO.items():
        recorder.cause = f"streams of {subject}"
        token = service.token(subject, scopes=scopes)
        headers = {"authorization": f"Bearer {token}"}

        async def asked(query: str, headers: dict[str, str] = headers) -> Any:
            return (await service.http.post("/graphql", json={"query": query}, headers=headers, timeout=60)).json()[
                "data"
            ]

        found = await asked("{ viewerEvents { edges { cursor node { order { id } } } } }")
        edge = found["viewerEvents"]["edges"][0]
        async with service.socket(None, token=token) as socket:
            for document, given in (
                ("subscription($after: String) { viewerEvents(after: $after) { id } }", {"after": edge["cursor"]}),
                (
                    "subscription($id: ID!, $after: String) { orderEvents(orderId: $id, after: $after) { id } }",
                    {"after": edge["cursor"], "id": edge["node"]["order"]["id"]},
                ),
                ("subscription { dashboard { lateOrders } }", {}),
            ):
                stream = await socket.subscribe(document, **given)
                await stream.take(1)
                await stream.stop()


async def _place_with_a_key(service: Service) -> None:
    price = {"amount": "20.00", "currencyCode": "USD"}
    await service.place("plans-key", price=price["amount"], idempotencyKey="k-1")


async def _commands(recorder: Recorder) -> None:
    recorder.cause = "import"
    await importing._there([reference(number) for number in range(1, 201)])
    await name_the_nameless(connection(), {"client-5": "Five"})
    recorder.cause = "seed"
    await synthetic._versions(range(1, 500))
    with contextlib.suppress(Exception):
        await synthetic._parties(1)
    recorder.cause = "doctor"
    given = read_settings({"RESOLUTION_DATABASE_URL": "sqlite://nothing"})
    for check in (doctoring.log_is_whole, doctoring.deadlines, doctoring.refunds):
        with contextlib.suppress(doctoring.Wrong):
            await check(given)
    await doctoring._sample()
    order = await OrderRow.get(reference=reference(777))
    await whole_case(order.id)
    with contextlib.suppress(Exception):
        await replayed(order.id)
    assert await EventRow.filter(order_id=order.id).exists()


# ---------------------------------------------------------------- where


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Large:
    folder = tmp_path_factory.mktemp("plans")
    path = folder / "crowd.sqlite3"
    url = f"sqlite://{path}"
    EXECUTOR_CACHE.clear()
    asyncio.run(migrate(url))
    into_sqlite(str(path), Crowd(ORDERS))
    return Large(url, asyncio.run(_asked(url, folder)), path)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    with asyncio.Runner() as runner:
        database = a_postgres_database()
        url = runner.run(database.__aenter__())
        try:
            yield Large(url, runner.run(_asked_of_postgres(url, tmp_path_factory.mktemp("plans"))), Path())
        finally:
            runner.run(database.__aexit__(None, None, None))


async def _asked_of_postgres(url: str, folder: Path) -> list[Statement]:
    await migrate(url)
    await into_postgres(url, Crowd(ORDERS))
    await execute(url, "VACUUM ANALYZE")
    return await _asked(url, folder)


async def _asked(url: str, folder: Path) -> list[Statement]:
    # `a_service` makes a database of its own too, and Tortoise would keep the texts that it learned there.
    await with_people()
    EXECUTOR_CACHE.clear()
    async with opened(url), in_transaction() as db:
        for subject, user_id in PEOPLE.items():
            await UserRow(id=user_id, subject=subject, name=subject, created_at=NOW).save(
                using_db=db, force_create=True
            )
    with recorded() as recorder:
        async with a_service(folder, clock=HandClock(NOW), RESOLUTION_DATABASE_URL=url, **NO_LIMITS) as service:
            await _drive(service, recorder)
    return [statement for statement in recorder.all() if statement.cause != OWN and is_explained(statement)]


# ---------------------------------------------------------------- what must hold

WHOLE = (
    # Part of a title: whoever sees all orders looks at all of them, the newest first.
    ("searching orders", ""),
    # How many there are in all, and in which status.
    ("counts", ""),
    ("dashboard", 'GROUP BY "status"'),
    ("streams", 'GROUP BY "status"'),
)
"""What looks at all that somebody sees by purpose: who sees all, waits. Causes, and what stands in the statements."""


def _is_whole(statement: Statement) -> bool:
    return statement.cause.endswith(SEES_ALL) and any(
        statement.cause.startswith(cause) and part in statement.text for cause, part in WHOLE
    )


def _faults_on_sqlite(large: Large, without: str | None = None) -> list[str]:
    with closing(sqlite3.connect(large.path, isolation_level=None)) as db:
        sizes = sqlite_sizes(db)
        db.execute("BEGIN")
        if without:
            db.execute(f"DROP INDEX {without}")
        found = _said((statement, sqlite_faults(db, statement, sizes)) for statement in large.about(without))
        db.execute("ROLLBACK")
        return found


def _faults_on_postgres(large: Large, without: str | None = None) -> list[str]:
    import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

    async def found() -> list[str]:
        db = await asyncpg.connect(large.url, server_settings=POSTGRES_SESSION)
        try:
            sizes = await postgres_sizes(db)
            await db.execute("BEGIN")
            if without:
                await db.execute(f"DROP INDEX {without}")
            return _said([(s, await postgres_faults(db, s, sizes)) for s in large.about(without)])
        finally:
            await db.close()

    return asyncio.run(found())


def _said(found: Any) -> list[str]:
    return [
        f"{statement.cause}: {', '.join(faults)}\n    {statement.text}\n    {statement.values}"
        for statement, faults in found
        if faults and not _is_whole(statement)
    ]


NEEDED = ("orders_by_deadline", "events_by_client", "refunds_by_request")
"""Some of the indexes, of which each is missed by something."""


@sqlite_only
def test_sqlite_looks_at_no_large_table_from_end_to_end(sqlite: Large) -> None:
    assert _faults_on_sqlite(sqlite) == []


@postgresql_only
def test_postgresql_looks_at_no_large_table_from_end_to_end(postgres: Large) -> None:
    assert _faults_on_postgres(postgres) == []


@sqlite_only
@pytest.mark.parametrize("index", NEEDED)
def test_an_index_that_is_missing_in_sqlite_is_missed(sqlite: Large, index: str) -> None:
    assert _faults_on_sqlite(sqlite, without=index) != []


@postgresql_only
@pytest.mark.parametrize("index", NEEDED)
def test_an_index_that_is_missing_in_postgresql_is_missed(postgres: Large, index: str) -> None:
    assert _faults_on_postgres(postgres, without=index) != []
