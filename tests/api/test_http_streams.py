"""Subscriptions over HTTP: server-sent events as graphql-sse has them, and Apollo's multipart."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import api.streaming
from api.schema.events import OrderEvent
from tests.listening import the_log
from tests.service import PATIENCE, Service, a_service

EVENTS, MULTIPART = "text/event-stream", "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"
SHAPES = pytest.mark.parametrize("accept", [EVENTS, MULTIPART], ids=["events", "multipart"])
ANSWER = b'{"data":{"viewerScopes":[]},"extensions":{"cost":{"requested":1,"limit":10000}}}'
LIVE = "subscription($after: String) { viewerEvents(after: $after) { kind cursor } }"


class Stream:
    """What a client reads of a stream, part by part, byte by byte as it came."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.raw = b""
        self._bytes = answer.aiter_raw()

    async def part(self) -> Any:
        """The next part: what it holds, or its name if it holds nothing."""
        end = b"\n\n" if self.is_events else b"\r\n--graphql"
        while end not in self._unread:
            async with asyncio.timeout(PATIENCE):
                self.raw += await anext(self._bytes)
        part, _, self._rest = self._unread.partition(end)
        self._taken = len(self.raw) - len(self._rest)
        return self._event(part.decode()) if self.is_events else self._part(part.decode())

    async def result(self) -> Any:
        """The next part that is no heartbeat."""
        while (part := await self.part()) == "alive":
            pass
        return part

    async def rest(self) -> bytes:
        """All that still comes before the end."""
        async with asyncio.timeout(PATIENCE):
            async for more in self._bytes:
                self.raw += more
        return self._unread

    _taken = 0

    @property
    def _unread(self) -> bytes:
        return self.raw[self._taken :]

    @property
    def is_events(self) -> bool:
        return self.answer.headers["content-type"].startswith("text/event-stream")

    @staticmethod
    def _event(text: str) -> Any:
        if text == ":":
            return "alive"
        name, data = text.split("\n")
        assert data.startswith("data: ")
        return "complete" if name == "event: complete" else json.loads(data.removeprefix("data: "))

    @staticmethod
    def _part(text: str) -> Any:
        head, _, body = text.removeprefix("--graphql").partition("\r\n\r\n")
        assert head == "\r\ncontent-type: application/json; charset=utf-8"
        found = json.loads(body)
        return found if found.get("errors") else found.get("payload", "alive")


@contextlib.asynccontextmanager
async def streaming(
    service: Service, subject: str | None, query: str, accept: str, *, token: str | None = None, **variables: Any
) -> AsyncIterator[Stream]:
    """A stream, as long as the block runs."""
    given = token or (service.token(subject) if subject else None)
    headers = {"accept": accept} | ({"authorization": f"Bearer {given}"} if given else {})
    body = {"query": query, "variables": variables}
    async with service.http.stream("POST", "/graphql", json=body, headers=headers) as answer:
        yield Stream(answer)


def codes(part: Any) -> list[str]:
    return [error["extensions"]["code"] for error in part["errors"]]


# ---------------------------------------------------------------- a stream


@SHAPES
async def test_events_come_as_they_happen_and_resume_at_a_cursor(tmp_path: Path, accept: str) -> None:
    async with a_service(tmp_path) as service:
        start = (await service.ask("ada", "{ eventCursor }"))["eventCursor"]
        order = await service.place("R-1")
        async with streaming(service, "ada", LIVE, accept, after=start) as stream:
            first = (await stream.result())["data"]["viewerEvents"]
            await service.do("ada", "submitRequirements", orderId=order)
            second = (await stream.result())["data"]["viewerEvents"]
        async with streaming(service, "ada", LIVE, accept, after=first["cursor"]) as stream:
            again = (await stream.result())["data"]["viewerEvents"]
    assert (first["kind"], second["kind"]) == ("ORDER_PLACED", "REQUIREMENTS_SUBMITTED")
    assert again == second


async def test_events_are_framed_as_graphql_sse_has_them(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service, streaming(service, None, "{ viewerScopes }", EVENTS) as stream:
        raw = await stream.rest()
    assert stream.answer.status_code == 200
    assert stream.answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.answer.headers["cache-control"] == "no-store, no-transform"
    assert stream.answer.headers["x-accel-buffering"] == "no"
    assert raw == b":\n\nevent: next\ndata: %s\n\nevent: complete\ndata: \n\n" % ANSWER


async def test_parts_are_framed_as_apollo_has_them(tmp_path: Path) -> None:
    only = "multipart/mixed;subscriptionSpec=1.0"
    async with a_service(tmp_path) as service, streaming(service, None, "{ viewerScopes }", only) as stream:
        raw = await stream.rest()
    assert stream.answer.headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0"'
    part = b"\r\ncontent-type: application/json; charset=utf-8\r\n\r\n%s\r\n--graphql"
    result = b'{"payload":%s}' % ANSWER
    assert raw == b"--graphql" + part % b"{}" + part % result + b"--\r\n"


async def test_a_query_comes_whole_to_whoever_takes_json_too(tmp_path: Path) -> None:
    # What urql sends with every query, and Apollo Client with every operation that might be a subscription.
    urqls = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream"
    async with a_service(tmp_path) as service:
        for accept, type_ in ((urqls, "application/graphql-response+json"), (MULTIPART, "application/json")):
            body = {"query": "{ viewerScopes }"}
            answer = await service.http.post("/graphql", json=body, headers={"accept": accept})
            assert answer.headers["content-type"] == f"{type_}; charset=utf-8"
            assert answer.content == ANSWER
        async with streaming(service, "ada", LIVE, urqls) as stream:
            assert await stream.part() == "alive"


@SHAPES
async def test_silence_is_broken_by_a_sign_of_life(
    tmp_path: Path, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.streaming, "HEARTBEAT", 0.05)
    async with a_service(tmp_path) as service, streaming(service, "ada", LIVE, accept) as stream:
        assert [await stream.part() for _ in range(4)] == ["alive"] * 4


# ---------------------------------------------------------------- errors


@SHAPES
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { viewerEvents(after: "never") { id } }', "CURSOR_INVALID"),
        ('subscription { orderEvents(orderId: "nothing") { id } }', "NOT_FOUND"),
        ("subscription A { viewerEvents { id } } subscription B { viewerEvents { id } }", "BAD_REQUEST"),
    ],
)
async def test_an_operation_that_can_not_be_ends_with_an_error(
    tmp_path: Path, accept: str, query: str, code: str
) -> None:
    async with a_service(tmp_path) as service, streaming(service, "ada", query, accept) as stream:
        if stream.answer.headers["content-type"].startswith("application/json"):
            # Found out before the stream began, by whoever takes JSON.
            assert codes(json.loads(await stream.rest())) == [code]
            return
        assert codes(await stream.result()) == [code]
        assert (await stream.rest()).endswith(b"event: complete\ndata: \n\n" if accept == EVENTS else b"--\r\n")


@SHAPES
async def test_nobody_may_watch_nothing(tmp_path: Path, accept: str) -> None:
    async with a_service(tmp_path) as service, streaming(service, None, LIVE, accept) as stream:
        assert codes(await stream.result()) == ["UNAUTHENTICATED"]
        await stream.rest()


async def test_a_subscription_is_told_how_it_may_come(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        answer = await service.http.post("/graphql", json={"query": LIVE})
    assert answer.status_code == 400
    assert "text/event-stream" in answer.json()["errors"][0]["message"]


@SHAPES
async def test_a_malformed_request_is_refused_before_any_stream(tmp_path: Path, accept: str) -> None:
    async with a_service(tmp_path) as service:
        headers = {"accept": accept, "content-type": "application/json"}
        answer = await service.http.post("/graphql", content="{", headers=headers)
    assert (answer.status_code, codes(answer.json())) == (400, ["BAD_REQUEST"])


@SHAPES
async def test_what_nobody_expected_is_masked_in_a_stream_too(
    tmp_path: Path, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = "the password is swordfish"

    def broken(*_: object) -> object:
        raise LookupError(private)

    async with a_service(tmp_path) as service:
        with the_log() as log:
            async with streaming(service, "ada", LIVE, accept) as stream:
                monkeypatch.setattr(OrderEvent, "of", broken)
                await stream.part()
                await service.place("R-1")
                part = await stream.result()
                await stream.rest()
    assert codes(part) == ["INTERNAL_SERVER_ERROR"]
    assert part["errors"][0]["extensions"]["id"] in log.getvalue()
    assert b"swordfish" not in stream.raw
    assert "swordfish" not in log.getvalue()


# ---------------------------------------------------------------- rights, and the end


@SHAPES
async def test_a_stream_ends_with_its_token_though_nothing_happens(tmp_path: Path, accept: str) -> None:
    async with a_service(tmp_path) as service:
        token = service.token("ada", ttl=timedelta(seconds=1))
        async with streaming(service, None, LIVE, accept, token=token) as stream:
            assert codes(await stream.result()) == ["UNAUTHENTICATED"]
            assert (await stream.rest()).endswith(b"event: complete\ndata: \n\n" if accept == EVENTS else b"--\r\n")


@SHAPES
async def test_nothing_that_happens_after_the_token_expired_is_sent(tmp_path: Path, accept: str) -> None:
    async with a_service(tmp_path) as service:
        token = service.token("ada", ttl=timedelta(hours=1))
        async with streaming(service, None, LIVE, accept, token=token) as stream:
            assert await stream.part() == "alive"
            # The clock is set, and no timer has fired: the rights are judged for the event itself.
            service.clock.later(timedelta(hours=2))
            await service.place("R-1")
            assert codes(await stream.result()) == ["UNAUTHENTICATED"]
            await stream.rest()
    assert b"ORDER_PLACED" not in stream.raw


async def test_a_client_that_goes_leaves_no_reader_behind(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        async with streaming(service, "ada", LIVE, EVENTS), streaming(service, "farid", LIVE, MULTIPART):
            await readers(service, 2)
        await readers(service, 0)


async def readers(service: Service, number: int) -> None:
    """Waits until so many streams read the log."""
    async with asyncio.timeout(PATIENCE):
        while f"resolution_open_streams {number}.0\n" not in (await service.http.get("/metrics")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@SHAPES
async def test_a_server_that_goes_ends_its_streams_at_once_and_without_a_word(tmp_path: Path, accept: str) -> None:
    async with a_service(tmp_path) as service, streaming(service, "ada", LIVE, accept) as stream:
        assert await stream.part() == "alive"
        service.app.state.end_streams()
        assert await stream.rest() == b""


async def test_a_stream_takes_a_place_like_a_socket(tmp_path: Path) -> None:
    async with (
        a_service(tmp_path, RESOLUTION_SOCKETS_PER_VIEWER="2") as service,
        service.socket("ada"),
        streaming(service, "ada", LIVE, EVENTS) as one,
    ):
        await one.part()
        async with streaming(service, "ada", LIVE, MULTIPART) as many:
            assert codes(json.loads(await many.rest())) == ["THROTTLED"]
        assert (many.answer.status_code, many.answer.headers["retry-after"]) == (429, "10")
        async with streaming(service, "farid", LIVE, EVENTS) as others:
            await others.part()
        await one.answer.aclose()
        await readers(service, 0)
        async with streaming(service, "ada", LIVE, EVENTS) as again:
            assert again.answer.status_code == 200


async def test_an_apollo_subscription_is_one_operation_in_the_log(tmp_path: Path) -> None:
    with the_log() as log:
        async with a_service(tmp_path) as service, streaming(service, "ada", LIVE, MULTIPART) as stream:
            await stream.part()
            service.app.state.end_streams()
            await stream.rest()
    assert log.getvalue().replace('": "', '":"').count('"event":"operation"') == 1
