"""HTTP/1.1 with as little work as can be: prepared requests on kept connections, so that the server is what is slow."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Self, cast
from urllib.parse import urlsplit


def get(path: str) -> bytes:
    """A request as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode()


def post(token: str, document: str, variables: Mapping[str, Any]) -> bytes:
    """A GraphQL request as it goes over the wire."""
    body = json.dumps({"query": document, "variables": variables}).encode()
    head = (
        "POST /graphql HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\naccept: application/json\r\n"
        f"authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One connection, which has one request on its way at a time. Fails on anything but 200 with a length."""

    def __init__(self, on_answer: Callable[[bytes], None], on_loss: Callable[[Exception], None]) -> None:
        self._on_answer = on_answer
        self._on_loss = on_loss
        self._received = bytearray()
        self._whole = 0
        self._body_at = 0
        self._transport: asyncio.WriteTransport | None = None

    @classmethod
    async def open(cls, url: str, on_answer: Callable[[bytes], None], on_loss: Callable[[Exception], None]) -> Self:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: cls(on_answer, on_loss), parts.hostname, parts.port)
        return made

    def send(self, request: bytes) -> None:
        assert self._transport
        self._transport.write(request)

    def close(self) -> None:
        self._on_loss = lambda _: None
        assert self._transport
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of any.
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_loss(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._whole and not self._read_head():
            return
        if len(self._received) >= self._whole:
            body = bytes(self._received[self._body_at : self._whole])
            del self._received[: self._whole]
            self._whole = 0
            self._on_answer(body)

    def _read_head(self) -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._received[:end]).lower()
        _, found, rest = head.partition(b"\r\ncontent-length:")
        if not head.startswith(b"http/1.1 200") or not found:
            self._on_loss(RuntimeError(f"no plain answer: {bytes(self._received[: end + 500])!r}"))
            return False
        self._body_at = end + 4
        self._whole = self._body_at + int(rest.partition(b"\r\n")[0])
        return True


class Caller:
    """A connection for whoever waits for each answer."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._answer: asyncio.Future[bytes] | None = None

    @classmethod
    async def open(cls, url: str) -> Self:
        made = cls()
        made._connection = await Connection.open(url, made._answered, made._lost)
        return made

    async def call(self, request: bytes) -> bytes:
        """The answer's body."""
        assert self._connection
        self._answer = asyncio.get_running_loop().create_future()
        self._connection.send(request)
        return await self._answer

    def close(self) -> None:
        assert self._connection
        self._connection.close()

    def _answered(self, body: bytes) -> None:
        assert self._answer
        self._answer.set_result(body)

    def _lost(self, why: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(why)
