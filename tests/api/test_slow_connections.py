"""Connections that never finish what they begin are cut off, and whoever is refused can read why."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import api.connections
from tests.frames import PATIENCE, connected
from tests.listening import the_log
from tests.service import Service, a_service

POST = b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ASK = b'{"query":"{ viewerScopes }"}'


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """A server that gives half a second, since a test need not see ten pass."""
    hasty = dict.fromkeys(api.connections._SECONDS, 0.5)
    monkeypatch.setattr(api.connections, "_SECONDS", hasty)
    async with a_service(tmp_path) as service:
        yield service


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server says that nothing more does."""
    async with asyncio.timeout(PATIENCE):
        return await reader.read()


def _refusal(answer: bytes, status: int) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), head
    assert b"content-type: application/json" in head
    [error] = json.loads(body)["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    return str(error["message"])


async def test_who_connects_and_sends_nothing_is_cut_off_without_a_word(service: Service) -> None:
    async with connected(service.url) as (reader, _):
        assert await _answer(reader) == b""


async def test_a_head_that_never_ends_is_408(service: Service) -> None:
    async with connected(service.url) as (reader, writer):
        dripping = asyncio.create_task(_drip(writer, b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 10_000))
        assert _refusal(await _answer(reader), 408) == "The request did not come in in time."
        dripping.cancel()


async def test_a_body_that_trickles_is_408_and_nothing_is_logged(service: Service) -> None:
    with the_log() as log:
        async with connected(service.url) as (reader, writer):
            writer.write(POST + b"Content-Length: 100000\r\n\r\n")
            dripping = asyncio.create_task(_drip(writer, b" " * 100_000))
            _refusal(await _answer(reader), 408)
            dripping.cancel()
        # The one who waited for the body is gone as well.
        assert (await service.http.get("/health/live")).status_code == 200
    assert "exception" not in log.getvalue()


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for byte in data:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def test_the_second_request_of_a_connection_has_no_more_time_than_the_first(service: Service) -> None:
    async with connected(service.url) as (reader, writer):
        writer.write(HEALTH)
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 ")
        writer.write(HEALTH[:20])
        _refusal(await _answer(reader), 408)


async def test_a_request_in_pieces_is_answered(service: Service) -> None:
    async with connected(service.url) as (reader, writer):
        for _ in range(3):
            whole = POST + f"Content-Length: {len(ASK)}\r\n\r\n".encode() + ASK
            for first in range(0, len(whole), 60):
                writer.write(whole[first : first + 60])
                await asyncio.sleep(0.001)
            async with asyncio.timeout(PATIENCE):
                assert b"200 OK" in await reader.readuntil(b'"viewerScopes":[]}')


async def test_an_answer_that_takes_longer_than_a_request_may_is_given(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models import reads

    position = reads.log_position

    async def slow() -> int:
        await asyncio.sleep(1)
        return await position()

    monkeypatch.setattr(reads, "log_position", slow)
    assert (await service.http.get("/health/ready")).status_code == 200


async def test_a_head_without_measure_is_431(service: Service) -> None:
    async with connected(service.url) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n")
        for _ in range(40):
            writer.write(b"X-A: " + b"b" * 4_000 + b"\r\n")
            await asyncio.sleep(0)
        assert _refusal(await _answer(reader), 431) == "The head of the request is too large."


async def test_what_is_no_http_is_400(service: Service) -> None:
    async with connected(service.url) as (reader, writer):
        writer.write(b"\x16\x03\x01 is no HTTP\r\n\r\n")
        assert _refusal(await _answer(reader), 400) == "Invalid HTTP request received."


async def test_a_request_without_end_is_cut_off(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trailers, chunks, whatever it is: the application answers early, and the rest is not read for ever."""
    monkeypatch.setattr(api.connections, "_SECONDS", {})
    async with connected(service.url) as (reader, writer):
        writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        with the_log() as log:
            answer = asyncio.create_task(_answer(reader))
            for _ in range(4_000):
                writer.write(b"X-A: " + b"b" * 1_000 + b"\r\n")
                await asyncio.sleep(0)
                if answer.done():
                    break
            assert (await answer).startswith(b"HTTP/1.1 4")
        assert "exception" not in log.getvalue()
