"""One line in the log for each operation: who, what, cost, time, end; and nothing that anybody wrote."""

import asyncio
import contextlib
import io
import json
import re
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.auth import mint
from models import reads
from tests.command_line import ended, prepared, serving
from tests.listening import assert_silent, the_log
from tests.service import PATIENCE, SECRET, Service, Watching, a_service

TELLING = [f"zebra-{word}-in-private" for word in ("title", "why", "note", "text", "literal", "variable", "alias")]
LINE = {
    "timestamp", "level", "logger", "event", "operation_id", "operation", "kind", "hash", "viewer", "cost",
    "duration_ms", "outcome", "refused", "transport",
}  # fmt: skip


@pytest.fixture
def log() -> Any:
    with the_log() as stream:
        yield stream


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    entries = [json.loads(line) for line in log.getvalue().splitlines()]
    return [entry for entry in entries if entry["event"] == "operation"]


def forget(log: io.StringIO) -> None:
    log.seek(0)
    log.truncate()


async def ends(watching: Watching) -> None:
    """Takes what there is, until the operation is over."""
    async for _ in watching:
        pass


@contextlib.asynccontextmanager
async def served(tmp_path: Path, **settings: Any) -> AsyncIterator[Service]:
    async with a_service(tmp_path, **settings) as service:
        yield service


async def test_an_operation_is_one_line_that_says_who_what_how_dear_how_long_and_how_it_ended(
    tmp_path: Path, log: io.StringIO
) -> None:
    query = "query Mine($n: Int) { orders(first: $n) { nodes { id } } }"
    async with served(tmp_path) as service:
        viewer = (await service.ask("ada", "{ viewer { id } }"))["viewer"]["id"]
        forget(log)
        await service.ask("ada", query, n=3)
        [line] = lines(log)
    assert line.keys() == LINE
    assert re.fullmatch(r"[0-9a-f]{16}", line["operation_id"])
    assert line["duration_ms"] > 0
    known = {key: line[key] for key in LINE - {"timestamp", "operation_id", "duration_ms", "viewer"}}
    assert known == {
        "level": "info",
        "logger": "api.schema.extensions",
        "event": "operation",
        "operation": "Mine",
        "kind": "query",
        "hash": sha256(query.encode()).hexdigest(),
        "cost": 5,
        "outcome": "ok",
        "refused": None,
        "transport": "http",
    }
    assert viewer and re.fullmatch(r"[0-9a-f-]{36}", line["viewer"])


async def test_each_way_to_end_has_its_code(tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, RESOLUTION_RATE_ADDRESS="50") as service:
        order = await service.place()
        await service.ask("ada", "{ viewerScopes }")
        forget(log)
        for subject, text, code in (
            ("ada", "{ viewerScopes }", "ok"),
            ("ada", "{", "GRAPHQL_PARSE_FAILED"),
            ("ada", "{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("ada", "query A { viewerScopes } query A { viewerScopes }", "GRAPHQL_VALIDATION_FAILED"),
            ("ada", "{" + "a" * 20_000 + "}", "QUERY_TOO_COMPLEX"),
            (None, "{ orders { nodes { id } } }", "UNAUTHENTICATED"),
            (None, "{ __schema { types { name } } }", "THROTTLED"),
        ):
            await service.answer(subject, text)
            assert lines(log)[-1]["outcome"] == code, text
        await service.http.post("/graphql", json={"query": "query A { viewerScopes }", "operationName": "B"})
        assert (lines(log)[-1]["outcome"], lines(log)[-1]["operation"]) == ("BAD_REQUEST", None)
        await service.refused("farid", "deliverOrder", orderId=order, message="Here.")
        assert (lines(log)[-1]["outcome"], lines(log)[-1]["refused"]) == ("ok", "ORDER_STATUS")

        async def broken() -> int:
            raise RuntimeError("zebra in the database")

        monkeypatch.setattr(reads, "log_position", broken)
        answer = await service.post("ada", "{ eventCursor }")
        assert lines(log)[-1]["outcome"] == "INTERNAL_SERVER_ERROR"
    # What a hook stumbles on is masked like all else, and found in the log by the ids of both.
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR" and "zebra" not in json.dumps(answer)
    entries = [json.loads(line) for line in log.getvalue().splitlines()]
    [unexpected] = [entry for entry in entries if entry["event"] == "unexpected error"]
    assert unexpected["error_id"] == error["extensions"]["id"]
    assert unexpected["operation_id"] == lines(log)[-1]["operation_id"]


async def test_operations_on_one_connection_have_ids_of_their_own_and_all_that_they_log_has_theirs(
    tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> int:
        raise RuntimeError

    async with served(tmp_path) as service:
        monkeypatch.setattr(reads, "log_position", broken)
        for _ in range(3):
            await service.post("ada", "query Broken { eventCursor }")
        await service.http.post("/graphql", content="{", headers={"content-type": "application/json"})
    entries = [json.loads(line) for line in log.getvalue().splitlines()]
    ids = [entry["operation_id"] for entry in entries if entry["event"] == "unexpected error"]
    assert ids == [line["operation_id"] for line in lines(log)] and len(set(ids)) == 3
    assert not [entry for entry in entries if "operation_id" in entry and entry["operation_id"] not in ids]


async def test_over_websocket_each_operation_has_its_line_and_a_stream_when_it_ends(
    tmp_path: Path, log: io.StringIO
) -> None:
    async with served(tmp_path) as service:
        async with service.socket("ada") as socket:
            stream = await socket.subscribe("subscription Watch { viewerEvents { kind } }")
            await ends(await socket.subscribe("query Scopes { viewerScopes }"))
            assert {line["operation"] for line in lines(log)} == {"Scopes"}
            await service.place()
            await stream.take(1)
            forget(log)
        async with service.socket("ada") as socket:
            await (await socket.subscribe("{ viewerScopes }")).take(1)
    [ended] = [line for line in lines(log) if line["operation"] == "Watch"]
    assert (ended["kind"], ended["outcome"], ended["transport"], ended["cost"]) == (
        "subscription",
        "ok",
        "websocket",
        2,
    )


async def test_an_operation_whose_client_left_before_its_answer_is_gone_and_a_stream_that_is_left_is_over(
    tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def slow() -> int:
        begun.set()
        await asyncio.sleep(PATIENCE)
        raise AssertionError("nobody waits for this any more")

    slowly = "query Slowly { eventCursor }"
    async with served(tmp_path) as service:
        async with service.socket("ada") as socket:
            stream = await socket.subscribe("subscription Watch { viewerEvents { kind } }")
            await service.place()
            await stream.take(1)
            monkeypatch.setattr(reads, "log_position", slow)
            asked = await socket.subscribe(slowly)
            await begun.wait()
            await asked.stop()
            await stream.stop()
            await ends(await socket.subscribe("{ viewerScopes }"))
        begun.clear()
        headers = {"accept": "text/event-stream", "authorization": f"Bearer {service.token('ada')}"}
        async with service.http.stream("POST", "/graphql", json={"query": slowly}, headers=headers):
            await begun.wait()
        async with asyncio.timeout(PATIENCE):
            while len(found := [line for line in lines(log) if line["operation"] in ("Slowly", "Watch")]) < 3:  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.01)
        metrics = (await service.http.get("/metrics")).text
    assert sorted((line["operation"], line["transport"], line["outcome"]) for line in found) == [
        ("Slowly", "http stream", "gone"),
        ("Slowly", "websocket", "gone"),
        ("Watch", "websocket", "ok"),
    ]
    assert 'resolution_operation_seconds_count{operation="Slowly",outcome="gone"} 2.0' in metrics


async def test_an_order_is_played_and_nothing_that_anybody_wrote_is_in_the_log(
    tmp_path: Path, log: io.StringIO
) -> None:
    title, why, note, text, literal, variable, alias = TELLING
    async with served(tmp_path) as service, service.socket("ada") as socket:
        stream = await socket.subscribe("subscription { viewerEvents { kind message } }")
        order = await service.started(title=title)
        await service.offer(order, explanation=why, confidentialReason="OTHER", confidentialNote=note)
        await service.refused("farid", "deliverOrder", orderId=order, message=text * 200)
        await service.do("farid", "deliverOrder", orderId=order, message=text)
        await service.post("ada", f'{{ order(id: "{literal}") {{ id }} }}')
        await service.post("ada", f'{{ order(id: "{literal}" ')
        await service.post("ada", f'{{ {alias.replace("-", "_")}: nothing(of: "{literal}") }}')
        await service.post("ada", "query($id: ID!) { order(id: $id) { id } }", id={"deep": variable})
        await service.post("ada", "query($n: Int) { orders(first: $n) { nodes { id } } }", n=variable)
        await (await socket.subscribe(f'{{ node(id: "{literal}") {{ id }} }}', other=variable)).take(1)
        await service.http.post("/graphql", json={"query": "{ viewerScopes }", "operationName": variable})
        await service.http.post("/graphql", content=b'{"query": "' + literal.encode())
        await stream.take(3)
        token = service.token("ada")
    assert len(lines(log)) > 10
    assert_silent(log.getvalue(), "the log", [*TELLING, alias.replace("-", "_"), token])


@pytest.mark.parametrize(
    "name",
    [
        "x\n2026-11-24 [info] forged",
        "x\x1b[31m",
        '","outcome":"forged',
        "é" * 100,
        "\ud800",
        "Q" * 5_000,
    ],
)
async def test_a_name_can_not_forge_a_line(tmp_path: Path, log: io.StringIO, name: str) -> None:
    """Neither one that stands in the document nor one that is sent beside it."""
    async with served(tmp_path) as service:
        for body in (
            {"query": "{ viewerScopes }", "operationName": name},
            {"query": f"query {name} {{ viewerScopes }}"},
            {"query": f"query {name} {{ viewerScopes }}", "operationName": name},
        ):
            await service.http.post("/graphql", content=json.dumps(body), headers={"content-type": "application/json"})
        metrics = (await service.http.get("/metrics")).text
    assert len(lines(log)) == 3
    assert all(len(line) < 1_000 for line in log.getvalue().splitlines())
    assert {line["operation"] for line in lines(log)} <= {None, "Q" * 64}
    assert "forged" not in log.getvalue() and "forged" not in metrics and "Q" * 65 not in metrics


async def test_strangers_take_no_label_of_the_metrics(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        for number in range(5):
            await service.post(None, f"query Junk{number} {{ __typename }}")
        await service.post("ada", "query Mine { viewerScopes }")
        text = (await service.http.get("/metrics")).text
    assert "Junk" not in text
    assert 'resolution_operation_seconds_count{operation="anonymous",outcome="ok"} 5.0' in text
    assert 'resolution_operation_seconds_count{operation="Mine",outcome="ok"} 1.0' in text


async def test_operations_at_once_on_one_socket_have_ids_of_their_own(tmp_path: Path, log: io.StringIO) -> None:
    async with served(tmp_path) as service, service.socket("ada") as socket:
        asked = [await socket.subscribe(f"query Q{number} {{ viewerScopes }}") for number in range(10)]
        for each in asked:
            await ends(each)
    ids = {line["operation_id"] for line in lines(log)}
    assert len(ids) == len(lines(log)) == 10


def test_a_server_in_production_writes_its_lines_to_standard_error_and_nothing_that_anybody_wrote(
    tmp_path: Path,
) -> None:
    title, why, note, *_ = TELLING
    environ = {"RESOLUTION_ENVIRONMENT": "production", "RESOLUTION_JWT_SECRET": SECRET}

    def token(subject: str, *scopes: str) -> str:
        now = datetime.now(UTC)
        return mint(SECRET, subject, name=subject, scopes=list(scopes), ttl=timedelta(hours=1), now=now)

    with serving(prepared(tmp_path, "migrate"), **environ) as (process, printed):
        [address] = re.findall(r"GraphQL   (http\S+)", "\n".join(printed))
        with httpx.Client(timeout=PATIENCE) as http:

            def do(who: str, name: str, returning: str, **given: object) -> str:
                query = (
                    f"mutation Do($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ {returning} "
                    "{ id } userErrors { code } } }"
                )
                body = {"query": query, "variables": {"input": given}}
                answer = http.post(address, json=body, headers={"authorization": f"Bearer {who}"}).json()
                return str(answer["data"][name][returning]["id"])

            bazaar, ada, farid = token("bazaar", "marketplace"), token("ada"), token("farid")
            money = {"currencyCode": "USD"}
            people = {"clientSubject": "ada", "freelancerSubject": "farid"}
            price = money | {"amount": "100.00"}
            order = do(bazaar, "placeOrder", "order", reference="R", title=title, price=price, deliveryDays=3, **people)
            do(ada, "submitRequirements", "order", orderId=order)
            offer = {"explanation": why, "confidentialReason": "OTHER", "confidentialNote": note}
            amount = money | {"amount": "20.00"}
            do(farid, "offerPartialRefund", "request", orderId=order, amount=amount, **offer)
        process.send_signal(signal.SIGTERM)
        written = ended(process).err
    assert_silent(written, "standard error", [*TELLING, bazaar, ada, farid])
    entries = [json.loads(line) for line in written.splitlines()]
    assert [entry["operation"] for entry in entries if entry["event"] == "operation"] == ["Do"] * 3
