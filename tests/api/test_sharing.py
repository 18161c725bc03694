"""What many streams ask alike is found once; and nobody gets what was found for somebody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, parse

from api.sharing import Question, SharedAnswers, SharedData
from models.reads import batches
from rules.visibility import Viewer
from rules.vocabulary import Role
from tests.service import PATIENCE, Service, a_service
from tests.world import ADA, FARID, SOL

WATCHED = """subscription($id: ID!, $more: Boolean = false) { orderEvents(orderId: $id) {
  id cursor sequence kind actor { name } ... @include(if: $more) { actorRole } } }"""
PRIVATE = """subscription($id: ID!) { orderEvents(orderId: $id) { id sequence kind
  request { id status confidentialNote confidentialReason { code } }
  order { viewerRole resolutionCenter { actions { action available } }
    freelancer { standing { earnings { amount currencyCode } } } } } }"""
THE_SAME_BY_QUERY = PRIVATE.replace(
    "subscription($id: ID!) { orderEvents(orderId: $id)", "query($id: ID!) { node(id: $id)"
)
THE_SAME_BY_QUERY = THE_SAME_BY_QUERY.replace("{ id sequence", "{ ... on OrderEvent { id sequence", 1) + " }"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with a_service(Path(tmp_path_factory.mktemp("service"))) as running:
        yield running


@pytest.mark.asyncio(loop_scope="module")
async def test_many_who_watch_an_order_cost_one_look_at_its_people(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await service.started("many")
    async with AsyncExitStack() as stack:
        watching = []
        for subject in ["ada", "farid", "sol"] * 10:
            socket = await stack.enter_async_context(service.socket(subject))
            watching.append(await socket.subscribe(WATCHED, id=order_id))
        await _standing(service, len(watching))
        looks = _looks_at_people(monkeypatch)
        await service.offer(order_id)
        events = [(await anext(each))["orderEvents"] for each in watching]
    assert all(event == events[0] for event in events)
    assert events[0]["actor"] == {"name": "Farid"}
    # Farid's own mutation looks too, if at all, before his event does.
    assert looks.count("users") <= 2


@pytest.mark.asyncio(loop_scope="module")
async def test_each_sees_with_his_own_eyes(service: Service) -> None:
    order_id = await service.started("own eyes")
    subjects = ["ada", "farid", "sol", "bazaar"] * 3
    async with AsyncExitStack() as stack:
        watching = []
        for subject in subjects:
            socket = await stack.enter_async_context(service.socket(subject))
            watching.append(await socket.subscribe(PRIVATE, id=order_id))
        await _standing(service, len(watching))
        await service.offer(order_id, confidentialNote="I was ill.")
        for subject, each in zip(subjects, watching, strict=True):
            event = (await anext(each))["orderEvents"]
            assert event == (await service.ask(subject, THE_SAME_BY_QUERY, id=event["id"]))["node"]
            assert (event["request"]["confidentialNote"] == "I was ill.") is (subject in ("farid", "sol"))


@pytest.mark.asyncio(loop_scope="module")
async def test_variables_that_an_answer_depends_on_keep_answers_apart(service: Service) -> None:
    order_id = await service.started("variables")
    async with service.socket("ada") as one, service.socket("ada") as other:
        less = await one.subscribe(WATCHED, id=order_id)
        more = await other.subscribe(WATCHED, id=order_id, more=True)
        await _standing(service, 2)
        await service.offer(order_id)
        assert "actorRole" not in (await anext(less))["orderEvents"]
        assert (await anext(more))["orderEvents"]["actorRole"] == "FREELANCER"


@pytest.mark.asyncio(loop_scope="module")
async def test_ids_of_operations_come_back_as_they_were_sent(service: Service) -> None:
    order_id = await service.started("ids")
    names = ['"quoted"', "back\\slash", "é\u2028", "1"]
    async with service.socket("ada") as socket:
        for name in names:
            payload = {"query": WATCHED, "variables": {"id": order_id}}
            await socket.send({"id": name, "type": "subscribe", "payload": payload})
        await _standing(service, len(names))
        await service.offer(order_id)
        messages = [await socket.receive() for _ in names]
    assert sorted(message["id"] for message in messages) == sorted(names)
    assert {message["type"] for message in messages} == {"next"}
    assert all(message["payload"] == messages[0]["payload"] for message in messages)


async def _standing(service: Service, number: int) -> None:
    """Until so many streams stand: a query afterwards would not tell, since each has a task of its own."""
    async with asyncio.timeout(PATIENCE):
        while f"resolution_open_streams {number:.1f}" not in (await service.http.get("/metrics")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _looks_at_people(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables of all look-ups by id from now on."""
    looks: list[str] = []
    by_ids = batches.by_ids

    async def noted(model: Any, ids: Any) -> Any:
        looks.append(model._meta.db_table)
        return await by_ids(model, ids)

    monkeypatch.setattr("models.reads.by_ids", noted)
    return looks


# ---------------------------------------------------------------- the answers by themselves

CLIENT, FREELANCER, SUPPORT = Viewer(ADA), Viewer(FARID), Viewer(SOL, frozenset({Role.SUPPORT}))


def an_operation() -> OperationDefinitionNode:
    [operation] = parse("subscription { x }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation


class Stage:
    """Counts how often an answer is looked for."""

    def __init__(self) -> None:
        self.shared = SharedAnswers()
        self.question = Question(an_operation(), ())
        self.executed = 0
        self.errors: list[GraphQLError] | None = None
        self.gate = asyncio.Event()

    async def execute(self) -> ExecutionResult:
        self.executed += 1
        number = self.executed
        await self.gate.wait()
        return ExecutionResult({"number": number}, self.errors)

    async def ask(self, viewer: Viewer, *, personal: bool = False, position: int = 1) -> Any:
        answer = self.shared.answer(self.question, position, viewer, self.execute, lambda: personal)
        return (answer if isinstance(answer, ExecutionResult) else await answer).data

    async def all_at_once(self, *viewers: Viewer, personal: bool) -> list[Any]:
        asking = [asyncio.create_task(self.ask(viewer, personal=personal)) for viewer in viewers]
        await asyncio.sleep(0)
        self.gate.set()
        return await asyncio.gather(*asking)


async def test_what_depends_on_nobody_is_found_once_for_all() -> None:
    stage = Stage()
    answers = await stage.all_at_once(CLIENT, FREELANCER, SUPPORT, CLIENT, personal=False)
    assert stage.executed == 1
    assert all(answer is answers[0] for answer in answers)
    assert await stage.ask(FREELANCER) is answers[0]
    assert await stage.ask(FREELANCER, position=2) is not answers[0]


async def test_what_depends_on_the_viewer_is_found_once_for_each() -> None:
    stage = Stage()
    one, other, support, again = await stage.all_at_once(CLIENT, FREELANCER, SUPPORT, CLIENT, personal=True)
    assert len({id(one), id(other), id(support)}) == 3
    assert again is one
    assert stage.executed == 3
    assert await stage.ask(FREELANCER, personal=True) is other
    with_scope = Viewer(ADA, frozenset({Role.SUPPORT}))
    assert await stage.ask(with_scope, personal=True) is not one


async def test_whoever_is_cut_off_in_the_middle_takes_nobody_along() -> None:
    stage = Stage()
    first = asyncio.create_task(stage.ask(CLIENT))
    second = asyncio.create_task(stage.ask(FREELANCER))
    await asyncio.sleep(0)
    first.cancel()
    stage.gate.set()
    assert await second == {"number": 2}


async def test_errors_are_nobody_elses() -> None:
    stage = Stage()
    stage.errors = [GraphQLError("It went wrong.")]
    await stage.all_at_once(CLIENT, FREELANCER, personal=False)
    assert stage.executed == 2


def test_an_answer_is_encoded_once_and_again_for_other_extensions() -> None:
    written: list[object] = []

    def encode(value: object) -> str:
        written.append(value)
        return str(value)

    data = SharedData({"x": 1})
    assert data.encoded({"cost": 1}, encode) == data.encoded({"cost": 1}, encode)
    assert len(written) == 1
    assert data.encoded({"cost": 2}, encode) == "{'data': {'x': 1}, 'extensions': {'cost': 2}}"
    assert data.encoded(None, encode) == "{'data': {'x': 1}}"
