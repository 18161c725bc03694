"""Streams over HTTP: the results of one operation as they come, as server-sent events or in parts of a multipart."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from graphql import GraphQLError
from starlette.types import Message, Receive, Scope, Send

from api.errors import masked
from api.http_answer import Formatted
from api.json_text import written
from api.media import BOUNDARY, Stream

HEARTBEAT = 12.0
"""Seconds of silence after which a client and the proxies between hear that the stream lives."""
UNREAD = 30.0
"""Seconds that one part may stay unread, until the client counts as gone."""


class Framing(ABC):
    """How results are written."""

    media_type: str
    opening = b""
    alive: bytes
    """Says nothing but that the stream lives."""
    end: bytes
    """Says that the operation is complete: a stream that ends without it broke off, and a client may resume it."""

    @abstractmethod
    def result(self, result: Formatted) -> bytes:
        """One result."""

    @abstractmethod
    def failure(self, errors: Sequence[Formatted]) -> bytes:
        """Errors of the stream itself, after which it ends."""


class EventStream(Framing):
    """graphql-sse, distinct connections mode. LF alone ends a line: some parsers don't know CRLF."""

    media_type = "text/event-stream; charset=utf-8"
    alive = b":\n\n"
    # A browser passes over an event without data.
    end = b"event: complete\ndata: \n\n"

    def result(self, result: Formatted) -> bytes:
        return f"event: next\ndata: {written(result)}\n\n".encode()

    def failure(self, errors: Sequence[Formatted]) -> bytes:
        return self.result({"errors": errors})


class MultipartStream(Framing):
    """Apollo's multipart subscriptions, 1.0. Every part ends with the next boundary, so that a client need not wait for
    what follows to know that it has it."""

    media_type = f'multipart/mixed;boundary="{BOUNDARY}";subscriptionSpec="1.0"'
    opening = f"--{BOUNDARY}".encode()
    end = b"--\r\n"

    def __init__(self) -> None:
        self.alive = self._part({})

    def result(self, result: Formatted) -> bytes:
        return self._part({"payload": result})

    def failure(self, errors: Sequence[Formatted]) -> bytes:
        return self._part({"payload": None, "errors": errors})

    @staticmethod
    def _part(content: Formatted) -> bytes:
        head = "\r\ncontent-type: application/json; charset=utf-8\r\n\r\n"
        return f"{head}{written(content)}\r\n--{BOUNDARY}".encode()


FRAMINGS: Mapping[Stream, type[Framing]] = {Stream.EVENTS: EventStream, Stream.MULTIPART: MultipartStream}


class Streamed:
    """An answer that lasts as long as its operation, its client, and the right to see it. `ending` ends it before: with
    an error that the client is told, or with None, without a word, so that the client resumes elsewhere."""

    def __init__(
        self, kind: Stream, results: AsyncGenerator[Formatted, None], ending: "asyncio.Future[GraphQLError | None]"
    ) -> None:
        self._framing = FRAMINGS[kind]()
        self._results = results
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        headers = {
            "content-type": self._framing.media_type,
            # No proxy may keep, squeeze or hold back what must come at once.
            "cache-control": "no-store, no-transform",
            "x-accel-buffering": "no",
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        self._send = send
        tasks = [asyncio.create_task(work) for work in (self._tell(), self._beat(), _gone(receive))]
        telling = tasks[0]
        until: list[asyncio.Future[Any]] = [*tasks, self._ending]
        try:
            await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
            if self._ending.done():
                await _stopped(*tasks)
                await self._finish(self._last_words(self._ending.result()))
            elif telling.done() and telling.exception() is None:
                await self._finish(b"")
            # Else the client is gone, or reads no more: without an end the server drops the connection.
        finally:
            await _stopped(*tasks)

    def _last_words(self, error: GraphQLError | None) -> bytes:
        return self._framing.failure([error.formatted]) + self._framing.end if error else b""

    async def _tell(self) -> None:
        """All results, and the end of the operation."""
        await self._part(self._framing.opening + self._framing.alive)
        async with aclosing(self._results) as results, aclosing(self._framed(results)) as parts:
            async for part in parts:
                await self._part(part)
        await self._part(self._framing.end)

    async def _framed(self, results: AsyncGenerator[Formatted, None]) -> AsyncGenerator[bytes, None]:
        try:
            async for result in results:
                yield self._framing.result(result)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an id for it
            yield self._framing.failure([masked(error).formatted])

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            await self._part(self._framing.alive)

    async def _part(self, body: bytes) -> None:
        async with asyncio.timeout(UNREAD):
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _finish(self, body: bytes) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(UNREAD):
                await self._send({"type": "http.response.body", "body": body, "more_body": False})


async def _gone(receive: Receive) -> None:
    """Until the client has gone."""
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


async def _stopped(*tasks: asyncio.Task[Any]) -> None:
    """Each generator's own end has been reached before this returns."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
