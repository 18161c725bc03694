"""graphql-transport-ws to the letter, frame by frame: each close code, and errors that end but an operation."""

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from api.connections import MOST_FRAGMENTS
from api.schema import schema
from tests.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    INIT,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    connected,
    frame,
    handshake,
    raw_socket,
    subscribe,
    text,
)
from tests.listening import the_log
from tests.service import Service, a_service

LIVE = "subscription { viewerEvents { id } }"
ASK = "{ viewerScopes }"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with a_service(tmp_path_factory.mktemp("protocol")) as service:
        yield service


pytestmark = pytest.mark.asyncio(loop_scope="module")


# ---------------------------------------------------------------- the handshake


@pytest.mark.parametrize("protocol", [None, "graphql-ws", "chat"])
async def test_without_the_subprotocol_a_socket_is_closed_with_4406(service: Service, protocol: str | None) -> None:
    async with raw_socket(service.url, protocol=protocol) as socket:
        assert await socket.close() == (4406, "Subprotocol not acceptable")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (handshake(more=f"Cookie: {'a' * 9_000}\r\n"), 431),
        (handshake(path=f"/graphql?{'a' * 9_000}"), 414),
        (handshake().replace(b"Sec-WebSocket-Key", b"X-Key"), 400),
        (handshake().replace(b"Version: 13", b"Version: 12"), 400),
        (handshake(path="/elsewhere"), 403),
        (handshake(more="Origin: https://elsewhere.example\r\n"), 403),
    ],
)
async def test_a_handshake_that_is_refused_is_answered(service: Service, head: bytes, status: int) -> None:
    with the_log() as log:
        async with connected(service.url) as (reader, writer):
            writer.write(head)
            async with asyncio.timeout(PATIENCE):
                answer = await reader.read()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:100]
    assert "exception" not in log.getvalue()


async def test_the_head_of_the_handshake_is_not_kept_for_as_long_as_the_socket(service: Service) -> None:
    async with raw_socket(service.url, more=f"Cookie: {MARK}\r\n") as socket:
        await socket.acknowledged()
        gc.collect()
        assert not [held for held in gc.get_objects() if isinstance(held, list) and any(map(_is_mark, held))]


MARK = f"mark={uuid4()}"


def _is_mark(item: object) -> bool:
    """A header's value, alone or with its name, as text or bytes."""
    parts = item if isinstance(item, tuple) else (item,)
    return any(isinstance(part, str | bytes) and part in (MARK, MARK.encode()) for part in parts)


# ---------------------------------------------------------------- who says who it is, and when


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {}}, {"payload": {"other": [1]}}])
async def test_nobody_may_say_who_it_is_in_every_form(service: Service, payload: dict[str, object]) -> None:
    async with raw_socket(service.url) as socket:
        await socket.send(text(INIT | payload))
        assert await socket.message() == {"type": "connection_ack"}


async def test_to_say_it_twice_is_4429(service: Service) -> None:
    async with raw_socket(service.url) as socket:
        await socket.acknowledged()
        await socket.send(text(INIT))
        assert await socket.close() == (4429, "Too many initialisation requests")


async def test_an_operation_before_that_is_4401(service: Service) -> None:
    async with raw_socket(service.url) as socket:
        await socket.send(text(subscribe(ASK)))
        assert await socket.close() == (4401, "Unauthorized")


# ---------------------------------------------------------------- messages that are none

MALFORMED: dict[str, object] = {
    "no JSON": "nothing",
    "nothing at all": "",
    "half of it": '{"type": "ping"',
    "a number that is none": '{"type": "ping", "payload": {"a": NaN}}',
    "a list": [],
    "a text": '"ping"',
    "null": None,
    "a number": 7,
    "no type": {},
    "a type that is no text": {"type": 1},
    "a type that is a list": {"type": ["ping"]},
    "an unknown type": {"type": "hello"},
    "a server's type": {"type": "connection_ack"},
    "the old protocol's": {"type": "start", "id": "1", "payload": {"query": ASK}},
    "a very long type": {"type": "a" * 100_000},
    "an init whose payload is none": INIT | {"payload": "token"},
    "a ping whose payload is none": {"type": "ping", "payload": 1},
    "a pong whose payload is none": {"type": "pong", "payload": []},
    "no id": {"type": "subscribe", "payload": {"query": ASK}},
    "an id that is no text": subscribe(ASK, 1),
    "an id that is null": subscribe(ASK, None),
    "an empty id": subscribe(ASK, ""),
    "a huge id": subscribe(ASK, "1" * 256),
    "no payload": {"type": "subscribe", "id": "1"},
    "a payload that is none": {"type": "subscribe", "id": "1", "payload": [ASK]},
    "no query": {"type": "subscribe", "id": "1", "payload": {}},
    "a query that is no text": {"type": "subscribe", "id": "1", "payload": {"query": 1}},
    "variables that are none": subscribe(ASK, variables=[1]),
    "extensions that are none": subscribe(ASK, extensions="all"),
    "a name that is none": subscribe(ASK, operationName=1),
    "an end without an id": {"type": "complete"},
    "an end of nothing": {"type": "complete", "id": ""},
    "JSON that is too deep": "[" * 100_000,
    "a ping that is too deep to answer": '{"type":"ping","payload":' + '{"a":' * 990 + "1" + "}" * 991,
}


@pytest.mark.parametrize("what", MALFORMED)
@pytest.mark.parametrize("acknowledged", [True, False], ids=["after the ack", "before the ack"])
async def test_a_malformed_message_is_4400(service: Service, what: str, acknowledged: bool) -> None:
    message = MALFORMED[what]
    raw = isinstance(message, str)
    with the_log() as log:
        async with raw_socket(service.url) as socket:
            if acknowledged:
                await socket.acknowledged()
            await socket.send(text(message if raw else json.dumps(message)))
            code, reason = await socket.close()
    assert code == 4400
    assert 0 < len(reason) < 100 and "aaaa" not in reason, "a reason says what is wrong, and repeats nothing"
    assert "error" not in log.getvalue() and "exception" not in log.getvalue()


async def test_binary_is_4400(service: Service) -> None:
    async with raw_socket(service.url) as socket:
        await socket.send(frame(BINARY, json.dumps(INIT).encode()))
        assert await socket.close() == (4400, "WebSocket message type must be text")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(CONTINUATION, b"("), 1007),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(TEXT, b"a" * 300_000), 1009),
        (frame(TEXT, b"a", size=2**62), 1009),
        (frame(TEXT, b"a" * 200_000, fin=False) + frame(CONTINUATION, b"a" * 200_000), 1009),
        (frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * (MOST_FRAGMENTS + 1), 1009),
        (frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * MOST_FRAGMENTS + frame(PING), 1009),
        (frame(TEXT, b"\xff") + frame(PING) + text(INIT), 1007),
        (frame(TEXT, b"{}", masked=False), 1002),
        (frame(TEXT, b"{}", reserved=4), 1002),
        (frame(3, b"{}"), 1002),
        (frame(11, b"{}"), 1002),
        (frame(CONTINUATION, b"{}"), 1002),
        (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002),
        (frame(PING, b"a" * 126), 1002),
        (frame(PING, fin=False), 1002),
        (frame(CLOSE, b"a"), 1002),
        (frame(CLOSE, b"\x00\x01"), 1002),
    ],
)
async def test_what_is_no_websocket_is_closed_with_the_code_of_rfc_6455(
    service: Service, sent: bytes, code: int
) -> None:
    """Whoever still sends when it is refused must be able to read why."""
    with the_log() as log:
        async with raw_socket(service.url) as socket:
            await socket.acknowledged()
            await socket.send(sent)
            assert (await socket.close())[0] == code
            await socket.ended()
    assert not log.getvalue(), "a stranger can't fill the log"


async def test_a_message_may_come_in_fragments_with_pings_between(service: Service) -> None:
    async with raw_socket(service.url) as socket:
        await socket.send(
            frame(TEXT, b'{"type":', fin=False)
            + frame(PING, b"there?")
            + frame(CONTINUATION, b'"pi', fin=False)
            + frame(PONG)
            + frame(CONTINUATION, b'ng"}')
        )
        assert await socket.frame() == (PONG, b"there?")
        assert await socket.message() == {"type": "pong"}


async def test_a_close_is_answered(service: Service) -> None:
    async with raw_socket(service.url) as socket:
        await socket.send(frame(CLOSE, (1000).to_bytes(2, "big")))
        assert await socket.close() == (1000, "")
        await socket.ended()


# ---------------------------------------------------------------- pings


@pytest.mark.parametrize("payload", [{}, {"at": 12}, {"deep": {"text": "ä", "big": 2**70}}])
async def test_a_ping_s_payload_comes_back(service: Service, payload: dict[str, object]) -> None:
    async with raw_socket(service.url) as socket:
        await socket.send(text({"type": "ping", "payload": payload}))
        assert await socket.message() == {"type": "pong", "payload": payload}


async def test_pings_need_no_ack_and_pongs_no_answer(service: Service) -> None:
    async with raw_socket(service.url) as socket:
        for message in ({"type": "pong"}, {"type": "pong", "payload": None}, {"type": "ping", "payload": None}):
            await socket.send(text(message))
        assert await socket.message() == {"type": "pong"}


async def test_who_pings_and_never_reads_is_not_read_either(service: Service) -> None:
    """Otherwise the answers would pile up here for as long as the pings come."""
    async with raw_socket(service.url) as socket:
        socket.writer.transport.set_write_buffer_limits(high=2**16)
        ping, most, sent = frame(PING, b"a" * 125) * 1_000, 64 * 2**20, 0
        with contextlib.suppress(TimeoutError):
            while sent < most:
                async with asyncio.timeout(2):
                    await socket.send(ping)
                sent += len(ping)
    assert sent < most, "the server went on reading"


# ---------------------------------------------------------------- operations


async def test_an_id_in_use_is_4409(service: Service) -> None:
    async with raw_socket(service.url) as socket:
        await socket.acknowledged(service.token("ada"))
        await socket.send(text(subscribe(LIVE)) + text(subscribe(ASK)))
        assert await socket.close() == (4409, "Subscriber for 1 already exists")


async def test_a_completed_id_is_free_at_once_and_its_stream_ends(service: Service) -> None:
    async with raw_socket(service.url) as socket:
        await socket.acknowledged(service.token("ada"))
        for _ in range(3):
            await socket.send(text(subscribe(LIVE)) + text({"type": "complete", "id": "1"}))
        await socket.send(text({"type": "complete", "id": "never begun"}))
        await socket.send(text(subscribe(ASK)))
        answer: Any = await socket.message()
        assert (answer["type"], answer["id"], answer["payload"]["data"]) == ("next", "1", {"viewerScopes": []})
        assert await socket.message() == {"type": "complete", "id": "1"}
        await service.place("COMPLETED")
        await socket.send(text({"type": "ping"}))
        assert await socket.message() == {"type": "pong"}, "no event of a stream that was completed"


WRONG = {
    "{": "GRAPHQL_PARSE_FAILED",
    "": "BAD_REQUEST",
    "fragment A on Query { viewerScopes }": "BAD_REQUEST",
    "{ nothing }": "GRAPHQL_VALIDATION_FAILED",
    "query($id: ID!) { node(id: $id) { id } }": "BAD_USER_INPUT",
    "{ orders { totalCount } }": "UNAUTHENTICATED",
    LIVE: "UNAUTHENTICATED",
    "{" * 100: "GRAPHQL_PARSE_FAILED",
    "{" * 500: "QUERY_TOO_COMPLEX",
    "{ a" * 150: "GRAPHQL_PARSE_FAILED",
    "{ a" * 5_000: "QUERY_TOO_COMPLEX",
}


async def test_what_is_wrong_with_an_operation_ends_that_operation_with_a_code_and_no_other(service: Service) -> None:
    async with raw_socket(service.url) as socket:
        await socket.acknowledged()
        for number, (query, code) in enumerate(WRONG.items()):
            await socket.send(text(subscribe(query, str(number))))
            message = await socket.message()
            assert message["id"] == str(number)
            if message["type"] == "next":
                # It was executed; its errors stand in the result, and its end follows.
                payload: Any = message["payload"]
                errors = payload["errors"]
                assert await socket.message() == {"type": "complete", "id": str(number)}
            else:
                assert message["type"] == "error", message
                errors = message["payload"]
            assert [error["extensions"]["code"] for error in errors] == [code], query
        await socket.send(text(subscribe(ASK, operationName="Unknown")))
        unknown: Any = await socket.message()
        assert (unknown["type"], unknown["payload"][0]["extensions"]["code"]) == ("error", "BAD_REQUEST")
        await socket.send(text(subscribe(ASK)))
        assert (await socket.message())["type"] == "next"


async def test_what_nobody_expected_is_masked_and_ends_nothing_but_its_operation(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "in " + "confidence"

    async def broken(*given: object, **named: object) -> None:
        raise LookupError(words)

    async with raw_socket(service.url) as socket:
        await socket.acknowledged()
        with the_log() as log, monkeypatch.context() as patch:
            patch.setattr(type(schema), "stream", broken)
            await socket.send(text(subscribe(ASK)))
            message: Any = await socket.message()
        assert message["type"] == "error"
        [error] = message["payload"]
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert error["extensions"]["id"] in log.getvalue()
        assert words not in log.getvalue() + json.dumps(message)
        await socket.send(text(subscribe(ASK)))
        assert (await socket.message())["type"] == "next"


async def test_queries_mutations_and_streams_run_at_once_on_one_socket(service: Service) -> None:
    order_id = await service.place("TWENTY")
    async with raw_socket(service.url) as socket:
        await socket.acknowledged(service.token("ada"))
        for number in range(19):
            await socket.send(text(subscribe(LIVE if number % 2 else ASK, str(number))))
        document = "mutation($input: SubmitRequirementsInput!) { submitRequirements(input: $input) { order { id } } }"
        await socket.send(text(subscribe(document, "19", variables={"input": {"orderId": order_id}})))
        ended, told = set[object](), set[object]()
        async with asyncio.timeout(PATIENCE):
            while len(ended) < 11 or len(told) < 20:
                message = await socket.message()
                assert message["type"] in ("next", "complete"), message
                (told if message["type"] == "next" else ended).add(message["id"])
        assert ended == {str(number) for number in range(0, 19, 2)} | {"19"}
