"""The number of SQL statements of an operation does not depend on the number of rows."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionWrapper

from tests.service import PATIENCE, Service, a_service

BACKGROUND = ("tail", "refunds", "deadlines")
PERSON = "id name standing { completionRate searchVisibility earnings { amount } completedOrders cancelledOrders }"
REQUEST = """id kind status respondBy confidentialReason { code } confidentialNote requestedBy { name }
    order { reference } ... on PartialRefundOffer { amount { amount } refund { status } }
    ... on CancellationRequest { refund { status } }"""
CENTER = f"""actions {{ action available request {{ id }} maximumRefund {{ amount }} reasons {{ code }}
        preview {{ refund {{ amount }} completionRateAfter }} }}
    pendingRequests {{ {REQUEST} }} requests(first: 5) {{ nodes {{ {REQUEST} }} }}"""
EVENT = f"sequence cursor kind actor {{ name }} order {{ reference client {{ name }} }} request {{ {REQUEST} }}"
LISTS = {
    "orders": f"""{{ orders(first: 50) {{ totalCount nodes {{ reference viewerRole isLate client {{ {PERSON} }}
        freelancer {{ {PERSON} }} supportCase {{ message openedBy {{ name }} }} resolutionCenter {{ {CENTER} }}
        events(first: 3) {{ nodes {{ {EVENT} }} }} }} }} }}""",
    "resolutionRequests": f"{{ resolutionRequests(first: 50) {{ totalCount nodes {{ {REQUEST} }} }} }}",
    "supportCases": "{ supportCases(first: 50) { totalCount nodes { order { reference } openedBy { name } } } }",
    "viewerEvents": f"{{ viewerEvents(first: 100) {{ totalCount nodes {{ {EVENT} }} }} }}",
    "dashboard": "{ dashboard { awaitingMe deadlinesNear lateOrders openSupportCases ordersByStatus { count } } }",
}


@contextmanager
def counted() -> Iterator[list[str]]:
    """Every statement that is executed meanwhile, inside transactions and out of them."""
    statements: list[str] = []
    patched: list[tuple[type, str, Any]] = []
    kinds: tuple[type, ...] = (SqliteClient, SqliteTransactionWrapper)
    for kind in kinds:
        for name in ("execute_query", "execute_query_dict", "execute_insert", "execute_many"):
            if name in kind.__dict__:
                patched.append((kind, name, kind.__dict__[name]))
                setattr(kind, name, _counting(kind.__dict__[name], statements))
    try:
        yield statements
    finally:
        for kind, name, method in patched:
            setattr(kind, name, method)


def _counting(method: Any, statements: list[str]) -> Any:
    async def counting(self: Any, query: str, *rest: Any) -> Any:
        task = asyncio.current_task()
        # The tail and the workers look for news on their own, now and then.
        if task and task.get_name() not in BACKGROUND:
            statements.append(query)
        return await method(self, query, *rest)

    return counting


async def _orders_with_everything(service: Service, numbers: range) -> None:
    """Orders of Ada's with Farid: an offer that was accepted, a request of each side, a support case."""
    for number in numbers:
        order_id = await service.started(f"R-{number}")
        request_id = await service.offer(order_id, "20.00")
        await service.do("ada", "acceptRequest", requestId=request_id)
        await service.do(
            "ada", "askFreelancerToCancel", orderId=order_id, feedback="Late.", confidentialReason="LATE_DELIVERY"
        )
        await service.do("ada", "requestOrderUpdate", orderId=order_id, explanation="How is it?")
        await service.do("ada", "contactSupport", orderId=order_id, message="We can't agree.")
    async with asyncio.timeout(PATIENCE):
        while "resolution_pending_refunds 0.0" not in (await service.http.get("/metrics")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _statements(service: Service, subject: str, query: str, **variables: Any) -> int:
    # Once before, so that what is learned once a process does not count.
    await service.ask(subject, query, **variables)
    with counted() as statements:
        await service.ask(subject, query, **variables)
    return len(statements)


@pytest.mark.parametrize("subject", ["ada", "sol"])
async def test_a_list_takes_as_many_statements_for_twelve_orders_as_for_two(tmp_path: Path, subject: str) -> None:
    async with a_service(tmp_path) as service:
        await _orders_with_everything(service, range(2))
        few = {name: await _statements(service, subject, query) for name, query in LISTS.items()}
        await _orders_with_everything(service, range(2, 12))
        many = {name: await _statements(service, subject, query) for name, query in LISTS.items()}
    assert many == few


async def test_nodes_take_as_many_statements_for_many_as_for_few(tmp_path: Path) -> None:
    query = f"""query($ids: [ID!]!) {{ nodes(ids: $ids) {{ id ... on Order {{ client {{ name }} }}
        ... on OrderEvent {{ {EVENT} }} }} }}"""
    ids = "{ orders { nodes { id events { nodes { id } } } } }"
    async with a_service(tmp_path) as service:
        await _orders_with_everything(service, range(4))
        nodes = (await service.ask("ada", ids))["orders"]["nodes"]
        few = await _statements(service, "ada", query, ids=_ids(nodes[:1]))
        assert await _statements(service, "ada", query, ids=_ids(nodes)) == few


def _ids(nodes: list[Any]) -> list[str]:
    return [found for node in nodes for found in (node["id"], *(event["id"] for event in node["events"]["nodes"]))]


async def test_a_mutation_takes_as_many_statements_among_many_orders_as_among_few(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        await _orders_with_everything(service, range(1))
        few = await _offering(service, await service.started("A"))
        await _orders_with_everything(service, range(1, 8))
        assert await _offering(service, await service.started("B")) == few


async def _offering(service: Service, order_id: str) -> int:
    with counted() as statements:
        await service.offer(order_id)
    return len(statements)
