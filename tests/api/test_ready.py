"""Operations of known documents take a short way: it leads to the same answer and the same line in the log."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from api.context import Context
from api.figures import OperationFigures
from api.schema import schema
from api.schema.ready import Ready
from api.schema.ready_stream import ReadyStream
from models import reads
from models.block import log_block
from models.cursors import EventCursors
from models.user import UserRow
from subscriptions import stream
from tests.listening import the_log
from tests.service import PATIENCE, Service, a_service
from tests.waiting import until

ORDERS = """query Orders($first: Int, $with: Boolean = true) { orders(first: $first) {
  nodes { id reference status client { name } events(first: 2) { nodes { kind } } price @include(if: $with) { amount } }
  totalCount } viewerScopes }"""
OFFER = """mutation Offer($input: OfferPartialRefundInput!) { offerPartialRefund(input: $input) {
  request { status respondBy } userErrors { code message path } } }"""
DEAR = "query($n: Int) { orders(first: $n) { nodes { events(first: 100) { nodes { order { id } } } } } }"
TWO = "query A { viewerScopes } query B { viewer { name } }"
NOWHERE = {"orderId": "T3JkZXI6MA", "amount": {"amount": "1.00", "currencyCode": "USD"}, "explanation": "x"}


@dataclass(frozen=True)
class Case:
    """What is asked, by whom, and whether it is ready to be executed when the document is known, as it is after the
    variables `before`."""

    text: str
    who: str | None = "ada"
    variables: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    method: str = "POST"
    ready: bool = True
    before: dict[str, Any] | None = None


CASES = {
    "a page": Case(ORDERS, variables={"first": 2}),
    "a page, by GET": Case(ORDERS, variables={"first": 2}, method="GET"),
    "by a stranger": Case(ORDERS, "sol", {"first": 2}),
    "by nobody": Case(ORDERS, None),
    "without a field": Case(ORDERS, variables={"with": False}),
    "@include by null": Case(ORDERS, variables={"with": None}),
    "a page that is too large": Case(ORDERS, variables={"first": 1_000}),
    "a variable of the wrong kind": Case(ORDERS, variables={"first": "one"}),
    "a variable with a broken text": Case("query($id: ID!) { node(id: $id) { id } }", variables={"id": "\ud800"}),
    "a variable that is missing": Case("query($id: ID!) { node(id: $id) { id } }"),
    "too many variables": Case(ORDERS, variables={"first": 2, "more": [0] * 1_001}, before={"first": 2}),
    "too dear": Case(DEAR, variables={"n": 100}, before={"n": 1}),
    "a mutation that is refused": Case(OFFER, "farid", {"input": NOWHERE | {"confidentialReason": "QUALITY"}}),
    "a mutation by nobody": Case(OFFER, None, {"input": NOWHERE | {"confidentialReason": "QUALITY"}}),
    "a mutation without a reason": Case(OFFER, "farid", {"input": NOWHERE}),
    "a mutation by GET": Case(OFFER, "farid", {"input": NOWHERE}, method="GET"),
    "one of two": Case(TWO, name="B"),
    "neither of two": Case(TWO, name="C", ready=False),
    "which of two": Case(TWO, ready=False),
    "the only one by its name": Case("query A { viewer { name } }", name="A"),
    "the only one by another name": Case("query A { viewer { name } }", name="B", ready=False),
    "the cursor": Case("{ eventCursor viewerScopes }"),
    "the cursor for nobody": Case("{ eventCursor viewerScopes }", None),
    "the schema": Case("{ __schema { queryType { name } } }", ready=False),
    "a stream, for whoever takes none": Case("subscription OnlyHere { viewerEvents { kind } }", ready=False),
    "no operation": Case("fragment F on Query { viewerScopes }", ready=False),
    "a field that is not there": Case("{ nothing }", ready=False),
}


@dataclass
class Way:
    """Which way operations went."""

    taken: list[Ready | ReadyStream] = field(default_factory=list)
    open: bool = True


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Way:
    """Whether the short way is open, and what took it."""
    way = Way()
    find = type(schema)._ready

    def found(given: Any, text: str, name: str | None) -> Ready | ReadyStream | None:
        ready = find(given, text, name) if way.open else None
        way.taken += [ready] if ready else []
        return ready

    monkeypatch.setattr(type(schema), "_ready", found)
    return way


async def both(service: Service, way: Way, case: Case) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What comes of it on the long way, and on the short one."""
    way.open = False
    # By POST, since what is refused unread is not known afterwards.
    await asked(service, replace(case, method="POST", variables=case.variables if case.before is None else case.before))
    long = await told(service, case)
    way.open = True
    way.taken.clear()
    return long, await told(service, case)


async def told(service: Service, case: Case) -> tuple[Any, ...]:
    with the_log() as log:
        answer = await asked(service, case)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    for line in lines:
        for name in ("timestamp", "operation_id", "duration_ms"):
            line.pop(name, None)
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, headers, answer.json(), lines


async def asked(service: Service, case: Case) -> Response:
    headers = {"authorization": f"Bearer {service.token(case.who)}"} if case.who else {}
    question = {"query": case.text, "variables": case.variables, "operationName": case.name}
    if case.method == "GET":
        params = {"query": case.text, "variables": json.dumps(case.variables)}
        return await service.http.get("/graphql", params=params, headers=headers)
    headers["content-type"] = "application/json"
    return await service.http.post("/graphql", content=json.dumps(question), headers=headers)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_short_way_leads_where_the_long_one_does(tmp_path: Path, way: Way, case: Case) -> None:
    async with a_service(tmp_path) as service:
        for reference in "AB":
            await service.started(reference)
        long, short = await both(service, way, case)
        assert short[:3] == long[:3]
        for line, other in zip(short[3], long[3], strict=True):
            # What is refused before its text is looked at has no name on the long way.
            assert {name: line[name] for name, value in other.items() if value is not None}.items() <= other.items()
            assert line.keys() == other.keys()
        assert bool(way.taken) is case.ready


@pytest.mark.parametrize(
    ("what", "broken"),
    [("log_position", "{ eventCursor viewerScopes }"), ("viewer_scopes", "{ viewerScopes viewer { name } }")],
)
async def test_what_breaks_on_the_short_way_is_masked_as_on_the_long_one(
    tmp_path: Path, way: Way, monkeypatch: pytest.MonkeyPatch, what: str, broken: str
) -> None:
    words = "in " + "confidence"

    def breaks(*given: object) -> None:
        raise LookupError(words)

    async with a_service(tmp_path) as service:
        await service.ask("ada", broken)
        if what == "log_position":
            monkeypatch.setattr(reads, "log_position", breaks)
        else:
            monkeypatch.setattr(Context, "viewer", property(breaks))
        long, short = await both(service, way, Case(broken))
        assert way.taken
        assert words not in str((long, short))
        for told_ in (long, short):
            [error] = told_[2]["errors"]
            assert error["extensions"].pop("id") in error.pop("message")
        assert short[2] == long[2]


async def test_budgets_hold_on_the_short_way(tmp_path: Path, way: Way) -> None:
    async with a_service(tmp_path, RESOLUTION_RATE_VIEWER="100") as service:
        costs = [await asked(service, Case("{ viewer { name } }")) for _ in range(60)]
        assert way.taken
        assert {answer.status_code for answer in costs} == {200, 429}
        assert costs[-1].headers["retry-after"]


async def test_nothing_is_coerced_for_whoever_has_not_paid(
    tmp_path: Path, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_service(tmp_path, RESOLUTION_RATE_VIEWER="100") as service:
        case = Case("query($id: ID!) { node(id: $id) { id } }", variables={"id": "x"})
        while (await asked(service, case)).status_code == 200:
            pass
        monkeypatch.setattr(type(schema.engine), "coerced", None)
        way.taken.clear()
        assert (await asked(service, case)).status_code == 429
        tall = Case(case.text, variables={"id": "x", "more": [0] * 1_001})
        assert (await asked(service, tall)).json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert len(way.taken) == 2


async def test_limits_are_those_of_the_server_that_is_asked(tmp_path: Path, way: Way) -> None:
    """Documents are known to the process, whatever its servers allow."""
    text = "{ orders(first: 5) { nodes { id } } }"
    async with a_service(tmp_path) as service:
        await service.ask("ada", text)
    (tmp_path / "narrow").mkdir()
    async with a_service(tmp_path / "narrow", RESOLUTION_MAX_COST="3") as service:
        assert await service.error("ada", text) == "QUERY_TOO_COMPLEX"
    assert way.taken


async def test_the_blocked_are_refused_on_the_short_way(tmp_path: Path, way: Way) -> None:
    text = "{ viewer { name } viewerScopes }"
    async with a_service(tmp_path) as service:
        await service.ask("ada", text)
        ada = await UserRow.get(subject="ada")
        await log_block(ada.id, blocked=True, reason=None, now=datetime.now(UTC))
        async with asyncio.timeout(PATIENCE):
            while "errors" not in (answer := await service.post("ada", text)):  # noqa: ASYNC110 - asked from outside
                await asyncio.sleep(0.05)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
        assert way.taken


async def test_a_cost_is_worked_out_once_and_paid_told_and_logged(
    tmp_path: Path, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked_out: list[int] = []
    cost = OperationFigures.cost

    def counted(figures: OperationFigures, variables: Any) -> int:
        worked_out.append(cost(figures, variables))
        return worked_out[-1]

    case = Case(ORDERS, variables={"first": 3})
    async with a_service(tmp_path) as service:
        await asked(service, case)
        monkeypatch.setattr(OperationFigures, "cost", counted)
        _, _, answer, [line] = await told(service, case)
    assert way.taken
    assert worked_out == [line["cost"]] == [answer["extensions"]["cost"]["requested"]]


async def test_what_is_ready_is_not_kept_longer_than_its_document(tmp_path: Path) -> None:
    text = "{ viewerScopes viewer { name subject } }"
    async with a_service(tmp_path) as service:
        for _ in range(2):
            await service.ask("ada", text)
        known = schema._known.get(text)
        assert known and known.ready.keys() == {None}
        # A name that is not there is looked for each time, so that nobody fills the memory with names.
        await service.http.post("/graphql", json={"query": text, "operationName": "Other"})
        assert known.ready.keys() == {None}


# ---------------------------------------------------------------- streams

EVENTS = """subscription Live($after: String, $with: Boolean = true) { viewerEvents(after: $after) {
  id cursor kind actor { name } order { reference viewerRole } sequence @include(if: $with) } }"""
OF_ORDER = "subscription($id: ID!, $after: String) { orderEvents(orderId: $id, after: $after) { kind } }"
DEAR_STREAM = """subscription($n: Int) { viewerEvents { order {
  events(first: $n) { nodes { order { events(first: 100) { nodes { id } } } } } } } }"""


@dataclass(frozen=True)
class Live(Case):
    """A stream, of which so many messages are read. `after` and `id` in its variables are put right."""

    take: int = 1


STREAMS = {
    "events since a cursor": Live(EVENTS, variables={"after": "…"}, take=4),
    "events without a field": Live(EVENTS, variables={"after": "…", "with": False}, take=2),
    "@include by null": Live(EVENTS, variables={"after": "…", "with": None}),
    "one order's": Live(OF_ORDER, "farid", variables={"id": "…", "after": "…"}, take=2),
    "one order's, by a stranger": Live(OF_ORDER, "gita", variables={"id": "…"}),
    "a cursor that nobody gave": Live(EVENTS, variables={"after": "x"}),
    "by nobody": Live(EVENTS, None),
    "a variable of the wrong kind": Live(EVENTS, variables={"after": 1.5}),
    "a variable that is missing": Live(OF_ORDER),
    "too many variables": Live(EVENTS, variables={"more": [0] * 1_001}, before={"after": "x"}),
    "too dear": Live(DEAR_STREAM, variables={"n": 100}, before={"n": 1}),
    "a dashboard": Live("subscription { dashboard { awaitingMe lateOrders } }"),
    "a query": Live("{ viewer { name } }", take=2),
    "a mutation that is refused": Live(OFFER, "farid", {"input": NOWHERE | {"confidentialReason": "QUALITY"}}, take=2),
    "one of two": Live(f"{EVENTS} query B {{ viewerScopes }}", name="Live", variables={"after": "…"}, take=2),
    "which of two": Live(f"{EVENTS} query B {{ viewerScopes }}", ready=False),
    "a field that is not there": Live("subscription { nothing }", ready=False),
}


async def messages(service: Service, case: Live, known: dict[str, str]) -> tuple[list[Any], list[Any]]:
    """What comes over a socket, and what the log says of it."""
    variables = {name: known[name] if value == "…" else value for name, value in case.variables.items()}
    payload = {"query": case.text, "variables": variables, "operationName": case.name}
    with the_log() as log:
        async with service.socket(case.who) as socket:
            await socket.send({"id": "7", "type": "subscribe", "payload": payload})
            found = [await socket.next_of("7") for _ in range(case.take)]
            if not found:
                # A stream that has nothing to say stands before this is answered.
                await (await socket.subscribe("{ viewerScopes }")).take(1)
        # The question above has a line too, and the stream's own comes last.
        number = 1 if found else 2
        await until(lambda: log.getvalue().count('"event":"operation"') == number)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    for line in lines:
        for name in ("timestamp", "operation_id", "duration_ms"):
            line.pop(name, None)
    return found, [line for line in lines if line["event"] == "operation"]


@pytest.mark.parametrize("case", STREAMS.values(), ids=STREAMS)
async def test_the_short_way_of_streams_leads_where_the_long_one_does(tmp_path: Path, way: Way, case: Live) -> None:
    async with a_service(tmp_path) as service:
        known = {"after": (await service.ask("ada", "{ eventCursor }"))["eventCursor"]}
        known["id"] = await service.started("A")
        await service.started("B")
        way.open = False
        if case.before is not None:
            # What is refused unread is not known afterwards.
            await messages(service, replace(case, variables=case.before, take=0), known)
        else:
            await messages(service, case, known)
        long = await messages(service, case, known)
        way.open = True
        way.taken.clear()
        short = await messages(service, case, known)
        assert short[0] == long[0]
        for line, other in zip(short[1], long[1], strict=True):
            assert {name: line[name] for name, value in other.items() if value is not None}.items() <= other.items()
            assert line.keys() == other.keys()
        assert bool(way.taken) is case.ready


async def test_a_stream_that_breaks_on_the_short_way_is_masked_as_on_the_long_one(
    tmp_path: Path, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its first event, after it, and in an answer."""
    words = "in " + "confidence"
    events = stream.events

    async def breaks_after(number: int, *given: Any) -> AsyncIterator[Any]:
        if not number:
            raise LookupError(words)
        async for event in events(*given):
            yield event
            raise LookupError(words)

    def breaks(_: Any) -> Any:
        raise LookupError(words)

    async with a_service(tmp_path) as service:
        known = {"after": (await service.ask("ada", "{ eventCursor }"))["eventCursor"]}
        await service.started("A")
        await messages(service, Live(EVENTS, variables={"after": "…"}), known)
        for number, take in ((0, 2), (1, 3), (None, 1)):
            with monkeypatch.context() as patched:
                if number is None:
                    patched.setattr(EventCursors, "write", breaks)
                else:
                    patched.setattr(stream, "events", partial(breaks_after, number))
                told_ = []
                for way.open in (False, True):
                    found, lines = await messages(service, Live(EVENTS, variables={"after": "…"}, take=take), known)
                    assert words not in str((found, lines))
                    told_.append(([_without_ids(message) for message in found], [line["outcome"] for line in lines]))
                assert told_[0] == told_[1]
                assert told_[0][1] == ["INTERNAL_SERVER_ERROR"]
        assert way.taken


def _without_ids(message: dict[str, Any]) -> dict[str, Any]:
    """Of errors, which have one each."""
    errors = message["payload"] if message["type"] == "error" else message.get("payload", {}).get("errors", [])
    for error in errors:
        assert error["extensions"].pop("id") in error.pop("message")
    return message
