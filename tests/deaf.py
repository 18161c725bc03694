"""A rude client: a raw socket that speaks just enough WebSocket to subscribe, and reads only when it is told."""

import asyncio
import json
import os
import secrets
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TEXT, PING = 0x1, 0x9


@dataclass
class Deaf:
    """A client whose machine acknowledges what comes, as machines do, while the client itself takes none of it."""

    socket: socket.socket

    async def send(self, opcode: int, payload: bytes) -> None:
        """One frame, masked as the protocol wants it of clients."""
        mask = os.urandom(4)
        length = len(payload).to_bytes(2, "big")
        head = (
            bytes([0x80 | opcode, 0x80 | 126]) + length
            if len(payload) > 125
            else bytes([0x80 | opcode, 0x80 | len(payload)])
        )
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        await asyncio.get_running_loop().sock_sendall(self.socket, head + mask + masked)

    async def say(self, message: dict[str, Any]) -> None:
        await self.send(TEXT, json.dumps(message).encode())

    async def take(self, most: int) -> bytes:
        """What has come, at most so many bytes; nothing once the connection has ended."""
        try:
            return await asyncio.get_running_loop().sock_recv(self.socket, most)
        except ConnectionError:
            return b""


@asynccontextmanager
async def a_deaf_client(url: str, token: str, query: str, *, buffer: int = 1) -> AsyncIterator[Deaf]:
    """Connected and subscribed, with the smallest buffer that its machine gives for so many bytes."""
    loop, address = asyncio.get_running_loop(), urlsplit(url)
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        raw.setblocking(False)
        await loop.sock_connect(raw, (address.hostname, address.port))
        key = b64encode(secrets.token_bytes(16)).decode()
        head = (
            f"GET /graphql HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )
        await loop.sock_sendall(raw, head.encode())
        client = Deaf(raw)
        await _until_came(client, b"\r\n\r\n")
        await client.say({"type": "connection_init", "payload": {"authorization": token}})
        await _until_came(client, b"connection_ack")
        await client.say({"id": "1", "type": "subscribe", "payload": {"query": query}})
        # An answer to what was asked after it shows that the subscription stands.
        await client.say({"id": "2", "type": "subscribe", "payload": {"query": "{ viewerScopes }"}})
        await _until_came(client, b"viewerScopes")
        yield client


async def _until_came(client: Deaf, what: bytes) -> None:
    came = b""
    async with asyncio.timeout(10):
        while what not in came:
            chunk = await client.take(4_096)
            assert chunk, came
            came += chunk
