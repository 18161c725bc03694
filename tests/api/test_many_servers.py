"""Two real servers on one PostgreSQL: what happens at one is heard at the other, at once or, without a ring, soon."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import (
    POOL,
    Server,
    a_migrated_database,
    a_redis,
    asking,
    environ,
    needs_postgres,
    needs_redis_server,
    servers,
    talking_to,
)
from tests.service import Service, Watching

pytestmark = [needs_postgres, pytest.mark.slow]

LIVE = "subscription { viewerEvents { kind sequence } }"
POLL = 20.0
"""Seconds between two polls here: what comes sooner was rung for."""


@dataclass
class Pair:
    """Two servers; somebody writes at one, and listens at the other."""

    servers: list[Server]
    writes: Service
    hears: Service
    listening: Watching

    async def rings(self) -> bool:
        """Whether both say that the ring works."""
        answers = [await service.http.get("/health/ready") for service in (self.writes, self.hears)]
        return all(answer.json()["checks"]["ring"] for answer in answers)

    async def until_rings(self, wanted: bool) -> None:
        async with asyncio.timeout(60):
            while await self.rings() is not wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def crossing(self, reference: str) -> tuple[float, float]:
        """How many seconds a mutation at the one took, and its event from then on to the other."""
        began = time.monotonic()
        await self.writes.place(reference)
        answered = time.monotonic()
        async with asyncio.timeout(3 * POLL):
            await anext(self.listening)
        return answered - began, time.monotonic() - answered


@asynccontextmanager
async def _a_pair(folder: Path, database: str, ring: str, poll: float) -> AsyncIterator[Pair]:
    given = {
        "RESOLUTION_DATABASE_URL": database,
        "RESOLUTION_DATABASE_POOL_SIZE": POOL,
        "RESOLUTION_BROADCAST_URL": ring,
        "RESOLUTION_TAIL_POLL_SECONDS": str(poll),
    }
    async with servers(folder, 2, given) as made, AsyncExitStack() as stack:
        writes, hears = [await stack.enter_async_context(talking_to(server)) for server in made]
        socket = await stack.enter_async_context(hears.socket("ada"))
        listening = await socket.subscribe(LIVE)
        await (await socket.subscribe("{ viewerScopes }")).take(1)
        yield Pair(made, writes, hears, listening)


async def test_postgresql_rings_across_servers_and_is_built_anew_when_its_connection_is_killed(tmp_path: Path) -> None:
    """For operators without Redis."""
    async with a_migrated_database() as url, _a_pair(tmp_path, url, url, POLL) as pair, asking(url) as admin:
        await pair.until_rings(True)
        assert (await pair.crossing("before"))[1] < POLL / 2
        for number in range(2):
            killed = await admin.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query ILIKE '%pg_notify%' AND pid <> pg_backend_pid()"
            )
            assert len(killed) == 2
            await pair.until_rings(False)
            await pair.until_rings(True)
            assert (await pair.crossing(f"after-{number}"))[1] < POLL / 2


@needs_redis_server
async def test_a_ring_that_loses_every_message_only_makes_streams_slower(tmp_path: Path) -> None:
    async with (
        a_migrated_database() as url,
        a_redis(tmp_path) as redis,
        _a_pair(tmp_path, url, redis.url, 1.0) as pair,
    ):
        await pair.until_rings(True)
        ringing = [await pair.crossing(f"rings-{number}") for number in range(5)]
        # It takes what it is sent, and hands nothing on.
        redis.freeze()
        await pair.until_rings(False)
        silent = [await pair.crossing(f"silent-{number}") for number in range(5)]
        redis.thaw()
        await pair.until_rings(True)
        await pair.crossing("rings-again")
        # No event was lost or repeated, since each was the next that came. Who writes is not slowed down.
        assert min(took for took, _ in silent) < max(1.0, 3 * max(took for took, _ in ringing))
        assert max(came for _, came in silent) < max(5.0, 3 * max(came for _, came in ringing))


@needs_redis_server
async def test_what_a_command_writes_is_heard_at_once(tmp_path: Path) -> None:
    rows = tmp_path / "orders.csv"
    rows.write_text(
        "reference,title,amount,currency,clientSubject,freelancerSubject,deliveryDays\n"
        "I-1,A logo,10.00,USD,ada,farid,3\n"
    )
    async with (
        a_migrated_database() as url,
        a_redis(tmp_path) as redis,
        _a_pair(tmp_path, url, redis.url, 60.0) as pair,
    ):
        await pair.until_rings(True)
        given = {"RESOLUTION_DATABASE_URL": url, "RESOLUTION_BROADCAST_URL": redis.url}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api.cli", "import", rows.name), cwd=tmp_path, env=environ(given)
        )
        assert await process.wait() == 0
        began = time.monotonic()
        async with asyncio.timeout(120):
            await anext(pair.listening)
        # Nobody polled meanwhile.
        assert time.monotonic() - began < 20
