"""`python -m bench.idle`: what a socket that does nothing costs the server's memory, at each step of its life."""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import sys
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from api.auth import mint
from bench import machine, tables
from bench.server import SECRET, Server, serving

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_AT_ONCE = 50
_QUICK = 60
SPARE_FILES = 200
_SUBSCRIPTION = "subscription { viewerEvents { id kind order { id } } }"


def main() -> None:
    options = _options()
    sockets = _QUICK if options.quick else options.sockets
    allow_files(sockets * 2 + SPARE_FILES)
    rows = []
    for title, step in _STEPS:
        # A server of its own for each: memory that one step gave back would be the next one's.
        with TemporaryDirectory() as folder, serving(Path(folder), 0) as server:
            kibibytes = asyncio.run(_measured(server, step, sockets))
        rows.append([title, f"{kibibytes:.1f}"])
    facts = {
        "what": f"the server's resident memory for each of {sockets:,} sockets, opened beside a tenth as many",
        "machine": machine.description(),
        "versions": machine.versions(),
        "command": "`python -m bench.idle --write`",
    }
    text = f"{tables.table(['socket', 'KiB each'], rows)}\n\n{tables.listed(facts)}"
    print(text)
    if options.write:
        tables.write(PAGE, text, "idle")


_PING, _PONG = 0x89, 0x8A


class Idle:
    """One socket: no more than a handshake, a few frames, and silence."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connected(cls, url: str) -> "Idle":
        """TCP alone: nothing has been sent."""
        address = urlsplit(url)
        return cls(*await asyncio.open_connection(address.hostname, address.port, limit=2**12))

    async def shake_hands(self, url: str) -> None:
        """As a browser does, which offers to compress."""
        head = [
            "GET /graphql HTTP/1.1",
            f"Host: {urlsplit(url).netloc}",
            f"Origin: {url}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: graphql-transport-ws",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
            "Accept-Encoding: gzip, deflate, br",
            "Accept-Language: en-GB,en;q=0.9",
        ]
        self._writer.write("\r\n".join((*head, "", "")).encode())
        answer = await self._reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101"), answer

    async def send(self, message: dict[str, object]) -> None:
        data = json.dumps(message).encode()
        size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFE]) + len(data).to_bytes(2, "big")
        # Masked with zeros, which leaves it as it is.
        self._writer.write(b"\x81" + size + bytes(4) + data)
        await self._writer.drain()

    async def receive(self) -> dict[str, object]:
        _, size = await self._reader.readexactly(2)
        assert size < 126, "the server's short answers alone are read here"
        found: dict[str, object] = json.loads(await self._reader.readexactly(size))
        return found

    async def answer_pings(self) -> None:
        """Until it is closed: whoever does not is cut off. Nothing else is to come."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, size = await self._reader.readexactly(2)
                payload = await self._reader.readexactly(size)
                if kind == _PING:
                    self._writer.write(bytes([_PONG, 0x80 | size]) + bytes(4) + payload)

    def close(self) -> None:
        self._writer.close()


Step = Callable[[Server, int], Awaitable[Idle]]


async def _only_connected(server: Server, _: int) -> Idle:
    return await Idle.connected(server.url)


async def _silent(server: Server, _: int) -> Idle:
    socket = await Idle.connected(server.url)
    await socket.shake_hands(server.url)
    return socket


async def _acknowledged(server: Server, number: int) -> Idle:
    socket = await _silent(server, number)
    token = mint(SECRET, f"idle-{number}", ttl=timedelta(hours=1), now=datetime.now(UTC))
    await socket.send({"type": "connection_init", "payload": {"authorization": token}})
    answer = await socket.receive()
    assert answer == {"type": "connection_ack"}, answer
    return socket


async def subscribed(server: Server, number: int) -> Idle:
    socket = await _acknowledged(server, number)
    await socket.send({"id": "1", "type": "subscribe", "payload": {"query": _SUBSCRIPTION}})
    await socket.send({"type": "ping"})
    answer = await socket.receive()
    assert answer == {"type": "pong"}, answer
    return socket


_STEPS: tuple[tuple[str, Step], ...] = (
    ("connected, nothing sent", _only_connected),
    ("open, no connection_init", _silent),
    ("acknowledged, each of another user", _acknowledged),
    ("with one subscription", subscribed),
)


async def _measured(server: Server, step: Step, number: int) -> float:
    """After a tenth of them, so that what the first one brings in is not counted: KiB for each of the others."""
    warm_up = await opened(server, step, range(max(_AT_ONCE, number // 10)))
    before = server.memory()
    began = time.monotonic()
    sockets = await opened(server, step, range(len(warm_up), len(warm_up) + number))
    await asyncio.sleep(0.5)
    after, took = server.memory(), time.monotonic() - began
    print(f"{number:,} opened in {took:.1f} s", file=sys.stderr)
    for socket in (*warm_up, *sockets):
        socket.close()
    return (after - before) / 1024 / number


async def opened(server: Server, step: Step, numbers: range) -> list[Idle]:
    sockets: list[Idle] = []
    for first in range(numbers.start, numbers.stop, _AT_ONCE):
        group = range(first, min(first + _AT_ONCE, numbers.stop))
        sockets += await asyncio.gather(*(step(server, number) for number in group))
    return sockets


def allow_files(number: int) -> None:
    """The server inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, hard), hard))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--sockets", type=int, default=2_000, help="how many are opened; 2,000")
    parser.add_argument("--quick", action="store_true", help="a run of seconds, to see that it works")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
