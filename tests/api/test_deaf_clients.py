"""Clients that stop reading: each is dropped, costs a bounded memory until then, and nobody else a moment."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.commands import connection
from api.commands.connection import Connection
from api.ids import Kind, uuid_of
from tests.database import a_burst
from tests.deaf import PING, Deaf, a_deaf_client
from tests.servers import beside, servers, talking_to
from tests.service import PATIENCE, Service, a_service
from tests.waiting import until

pytestmark = pytest.mark.slow

LIVE = "subscription($after: String) { viewerEvents(after: $after) { sequence message } }"
DEAF = "subscription { viewerEvents { sequence message } }"
LONG = "😀" * 2_500
"""The longest message that a person may write, 10 kB on the wire."""
ROUNDS, BURST = 3, 100
"""In all 3 MB: more than a machine keeps for a client that has so small a buffer itself."""


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """Every WebSocket connection that the server has had, in the order in which they came."""
    made: list[Connection] = []
    connection_made = Connection.connection_made

    def noted(self: Connection, transport: asyncio.BaseTransport) -> None:
        made.append(self)
        connection_made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", noted)
    return made


@contextlib.asynccontextmanager
async def _deaf(service: Service, buffer: int = 1) -> AsyncIterator[Deaf]:
    async with a_deaf_client(service.url, service.token("ada"), DEAF, buffer=buffer) as client:
        yield client


async def _sockets(service: Service) -> tuple[str, str]:
    """How many sockets and streams are open, as operators see it."""
    text = (await service.http.get("/metrics")).text
    found = dict(line.split() for line in text.splitlines() if line.startswith("resolution_open_"))
    return found["resolution_open_sockets"], found["resolution_open_streams"]


async def _until_open(service: Service, sockets: int, streams: int, patience: float = PATIENCE) -> None:
    async with asyncio.timeout(patience):
        while await _sockets(service) != (f"{sockets:.1f}", f"{streams:.1f}"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def _waiting(of: Connection) -> int:
    """Bytes that wait in the process for a client."""
    return of.transport.get_write_buffer_size()


async def test_who_stops_reading_is_dropped_and_holds_up_nobody_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connections: list[Connection]
) -> None:
    monkeypatch.setattr(connection, "UNREAD", 0.5)
    async with a_service(tmp_path) as service, service.socket("ada", compressed=False) as listening:
        order_id = uuid_of(Kind.ORDER, await service.started())
        assert order_id
        cursor = (await service.ask("ada", "{ eventCursor }"))["eventCursor"]
        others = await listening.subscribe(LIVE, after=cursor)
        async with _deaf(service):
            await _until_open(service, 2, 2)
            heard: list[int] = []
            most = 0
            for number in range(ROUNDS):
                await a_burst(order_id, BURST, LONG)
                heard += [data["viewerEvents"]["sequence"] for data in await others.take(BURST)]
                most = max(most, *map(_waiting, connections))
                assert heard == list(range(3, 3 + (number + 1) * BURST))
            await _until_open(service, 1, 1)
        # The high-water mark, and the one event that went over it.
        assert most < 64 * 1024 + 2 * len(LONG.encode())
        async with service.socket("ada", compressed=False) as again:
            resumed = await again.subscribe(LIVE, after=cursor)
            events = [data["viewerEvents"]["sequence"] for data in await resumed.take(ROUNDS * BURST)]
        assert events == heard


async def test_who_reads_a_byte_now_and_then_is_dropped_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNREAD", 0.5)
    async with a_service(tmp_path) as service:
        order_id = uuid_of(Kind.ORDER, await service.started())
        assert order_id
        async with _deaf(service) as client:
            for _ in range(ROUNDS):
                await a_burst(order_id, BURST, LONG)
            async with asyncio.timeout(PATIENCE):
                while await client.take(1):
                    await asyncio.sleep(0.05)
                    if (await _sockets(service))[0] == "0.0":
                        break
            await _until_open(service, 0, 0)


async def test_who_pings_and_reads_nothing_fills_no_memory(tmp_path: Path, connections: list[Connection]) -> None:
    async with a_service(tmp_path) as service:
        order_id = uuid_of(Kind.ORDER, await service.started())
        assert order_id
        async with _deaf(service) as client:
            for _ in range(ROUNDS):
                await a_burst(order_id, BURST, LONG)
            await until(lambda: _waiting(connections[0]) > 64 * 1024)
            before = _waiting(connections[0])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    while True:
                        await client.send(PING, b"p" * 125)
                        await asyncio.sleep(0)
            assert _waiting(connections[0]) <= before


async def test_who_reads_slowly_but_reads_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connections: list[Connection]
) -> None:
    monkeypatch.setattr(connection, "UNREAD", 1.0)
    async with a_service(tmp_path) as service:
        order_id = uuid_of(Kind.ORDER, await service.started())
        assert order_id
        async with _deaf(service, 128 * 1024) as client:
            # Else this machine would take it all itself.
            ours = connections[0].transport.get_extra_info("socket")
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
            for _ in range(ROUNDS):
                await a_burst(order_id, BURST, LONG)
            await until(lambda: _waiting(connections[0]) > 64 * 1024)
            connections[0].send_keepalive_ping()
            # The ping waits behind all that: it can't have been answered yet.
            connections[0].keepalive_timeout()
            came = 0
            began = time.monotonic()
            async with asyncio.timeout(6 * PATIENCE):
                while came < ROUNDS * BURST * len(LONG.encode()):
                    chunk = await client.take(1 << 20)
                    assert chunk, "it was dropped"
                    came += len(chunk)
                    # Longer in all than anybody may read nothing.
                    if time.monotonic() - began < 3:
                        await asyncio.sleep(0.2)
            assert await _sockets(service) == ("1.0", "1.0")


async def test_who_answers_no_ping_is_dropped_whatever_waits_for_it(
    tmp_path: Path, connections: list[Connection]
) -> None:
    async with a_service(tmp_path) as service, _deaf(service):
        await _until_open(service, 1, 1)
        connections[0].send_keepalive_ping()
        connections[0].keepalive_timeout()
        await _until_open(service, 0, 0)


async def test_within_thirty_seconds_by_the_program_itself(tmp_path: Path) -> None:
    """Nothing is hurried here: the real server, on its real loop, with its real patience."""
    url = f"sqlite://{tmp_path / 'orders.sqlite3'}"
    async with servers(tmp_path, 1, {"RESOLUTION_DATABASE_URL": url}) as (server,), talking_to(server) as service:
        order_id = uuid_of(Kind.ORDER, await service.started())
        assert order_id
        async with service.socket("ada", compressed=False) as listening, _deaf(service):
            others = await listening.subscribe(LIVE)
            await _until_open(service, 2, 2)
            began = time.monotonic()
            async with beside(url):
                for _ in range(ROUNDS):
                    await a_burst(order_id, BURST, LONG)
            # Who listens has it all long before who does not is dropped.
            await others.take(ROUNDS * BURST)
            assert await _sockets(service) == ("2.0", "2.0")
            await _until_open(service, 1, 1, patience=30)
            assert 10 < time.monotonic() - began < 30
