"""A WebSocket of a test's own, frame by frame, so that it can say what no client library would."""

import asyncio
import contextlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE = 20.0
"""Seconds after which a test that waits has failed."""
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

INIT = {"type": "connection_init"}


def frame(
    opcode: int, data: bytes = b"", *, fin: bool = True, masked: bool = True, reserved: int = 0, size: int | None = None
) -> bytes:
    """As RFC 6455 has it, unless it is told otherwise. The mask is all zeros, which leaves the data as it is."""
    size = len(data) if size is None else size
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    mask = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask | size])
    elif size < 2**16:
        head += bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask | 127]) + size.to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + data


def text(message: object) -> bytes:
    """One message in one frame."""
    return frame(TEXT, message.encode() if isinstance(message, str) else json.dumps(message).encode())


def subscribe(query: str, operation_id: object = "1", **payload: object) -> dict[str, object]:
    return {"type": "subscribe", "id": operation_id, "payload": {"query": query, **payload}}


@dataclass
class RawSocket:
    """One connection, after the handshake."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Whatever it is. Whoever is cut off meanwhile finds that out by reading."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of the server's: its opcode and what is in it. Raises IncompleteReadError at the end."""
        async with asyncio.timeout(PATIENCE):
            first, second = await self.reader.readexactly(2)
            assert first & 0x80, "the server never fragments"
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return first & 0x0F, await self.reader.readexactly(size)

    async def message(self) -> dict[str, object]:
        """The next message. The test fails if the server closes instead."""
        opcode, data = await self.frame()
        assert opcode == TEXT, (opcode, data)
        found: dict[str, object] = json.loads(data)
        return found

    async def close(self) -> tuple[int, str]:
        """The code and the reason with which the server closes; whatever comes before that is skipped."""
        while True:
            opcode, data = await self.frame()
            if opcode == CLOSE:
                return int.from_bytes(data[:2], "big"), data[2:].decode()

    async def ended(self) -> None:
        """Until the server has cut the connection."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while await self.reader.read(2**16):
                    pass

    async def acknowledged(self, token: str | None = None) -> None:
        """Says who it is, and waits until the server has understood."""
        await self.send(text(INIT | ({"payload": {"authorization": token}} if token else {})))
        assert await self.message() == {"type": "connection_ack"}


def handshake(*, protocol: str | None = "graphql-transport-ws", path: str = "/graphql", more: str = "") -> bytes:
    """The head of a WebSocket's request; `more` holds whole lines."""
    offered = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n{offered}{more}\r\n"
    ).encode()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TCP connection on which nothing was said."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def raw_socket(
    url: str, *, protocol: str | None = "graphql-transport-ws", more: str = ""
) -> AsyncIterator[RawSocket]:
    """A socket that has said nothing yet."""
    async with connected(url) as (reader, writer):
        writer.write(handshake(protocol=protocol, more=more))
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield RawSocket(reader, writer)
