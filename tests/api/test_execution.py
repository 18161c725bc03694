"""Our own resolvers over real rows: the engine, with its batches, answers as Strawberry does."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from graphql import OperationType, parse, validate
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.execution import Executing, by_engine
from api.schema import schema
from engine import Engine, Plan
from tests.engine.comparing import the_same
from tests.engine.documents import SAMPLES, Author
from tests.service import NO_LIMITS, Service, a_service

DOCUMENTS = 60
STANDS_STILL: dict[str, Any] = {"RESOLUTION_SWEEP_INTERVAL_SECONDS": "3600"}


@pytest.fixture
def switch() -> Iterator[Callable[[bool], None]]:
    """Turns the engine on and off; afterwards it is as it was."""
    before, engine = schema.execution_context_class, Executing.engine

    def turn(on: bool) -> None:
        by_engine(schema)
        if not on:
            schema.execution_context_class, schema.engine = StrawberryGraphQLCoreExecutionContext, None

    yield turn
    schema.execution_context_class, Executing.engine, schema.engine = before, engine, engine


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that are executed, once for each execution."""
    executed: list[Plan] = []
    begin = Engine.begin

    def noting(engine: Engine, plan: Plan, run: Any, **more: Any) -> Any:
        executed.append(plan)
        return begin(engine, plan, run, **more)

    monkeypatch.setattr(Engine, "begin", noting)
    return executed


@pytest.mark.slow
async def test_documents_by_chance(
    tmp_path: Path, switch: Callable[[bool], None], plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_service(tmp_path, **STANDS_STILL, **NO_LIMITS) as service:
        ids = await _some_orders(service)
        monkeypatch.setitem(SAMPLES, "ID", ids)
        monkeypatch.setitem(SAMPLES, "Int", [1, 2, 3, 100, 101])
        graphql_schema = schema._schema
        answered = 0
        for number in range(DOCUMENTS):
            asked = Author(graphql_schema, Random(number), deepest=7, widest=4).write("query")
            if validate(graphql_schema, parse(asked.text)):
                continue
            subject = Random(number).choice(["ada", "farid", "bela", "sol", None])
            answers = []
            for on in (False, True):
                switch(on)
                answers.append(await service.post(subject, asked.text, **asked.variables))
            theirs, ours = answers
            assert the_same(ours, theirs), asked.text
            answered += bool(theirs.get("data"))
        assert answered > DOCUMENTS / 3
        assert len(plans) > DOCUMENTS / 2


async def test_a_page_of_orders(tmp_path: Path, switch: Callable[[bool], None]) -> None:
    """What is answered in batches, for each who may see it and for a stranger."""
    people = "client { id name standing { completedOrders } } freelancer { id name }"
    query = f"""{{ orders(first: 20) {{ nodes {{ reference viewerRole {people}
        resolutionCenter {{ pendingRequests {{ __typename id kind respondBy confidentialNote order {{ {people} }} }} }}
        }} }} }}"""
    async with a_service(tmp_path, **STANDS_STILL) as service:
        await _some_orders(service)
        for subject in ("ada", "farid", "sol", "bela"):
            switch(False)
            theirs = await service.post(subject, query)
            switch(True)
            assert json.dumps(await service.post(subject, query)) == json.dumps(theirs)
        nodes = (await service.post("ada", query))["data"]["orders"]["nodes"]
        assert len(nodes) == 4
        assert sum(len(node["resolutionCenter"]["pendingRequests"]) for node in nodes) == 3
        # What nobody answered in time is gone from the page before anybody sweeps.
        service.clock.later(timedelta(hours=49))
        after = (await service.post("ada", query))["data"]["orders"]["nodes"]
        assert sum(len(node["resolutionCenter"]["pendingRequests"]) for node in after) == 0


async def test_mutations_and_events(tmp_path: Path, switch: Callable[[bool], None], plans: list[Plan]) -> None:
    switch(True)
    watch = """subscription($id: ID!, $after: String) { orderEvents(orderId: $id, after: $after) {
        kind actor { name } order { status client { name } } request { __typename id } } }"""
    async with a_service(tmp_path, **STANDS_STILL) as service, service.socket("ada") as socket:
        order_id = await service.place()
        cursor = (await service.ask("ada", "{ eventCursor }"))["eventCursor"]
        stream = await socket.subscribe(watch, id=order_id, after=cursor)
        await service.do("ada", "submitRequirements", orderId=order_id)
        [told] = await stream.take(1)
        assert told["orderEvents"] == {
            "kind": "REQUIREMENTS_SUBMITTED",
            "actor": {"name": "Ada"},
            "order": {"status": "IN_PROGRESS", "client": {"name": "Ada"}},
            "request": None,
        }
    kinds = {plan.operation.kind for plan in plans}
    assert kinds == {OperationType.QUERY, OperationType.MUTATION, OperationType.SUBSCRIPTION}


async def _some_orders(service: Service) -> list[str]:
    """Orders with requests in them; the ids of all that there is to see."""
    orders = [await service.place(f"R-{number}") for number in range(4)]
    ids = list(orders)
    for order_id in orders[:3]:
        await service.do("ada", "submitRequirements", orderId=order_id)
    for order_id in orders[:2]:
        offer = {"amount": "20.00", "currencyCode": "USD"}
        request = await service.do(
            "farid",
            "offerPartialRefund",
            orderId=order_id,
            amount=offer,
            explanation="The second draft came late.",
            confidentialReason="DELIVERY_DELAYED",
        )
        ids.append(request["id"])
    request = await service.do("ada", "requestOrderUpdate", orderId=orders[2], explanation="How is it going?")
    return [*ids, request["id"], "nonsense"]
