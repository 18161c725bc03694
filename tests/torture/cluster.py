"""The machines of the torture: server processes on one database and one ring, to be killed and brought back."""

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.proxy import Proxy
from tests.servers import Redis, Server, a_migrated_database, a_redis, servers, through

IN_A_HURRY = {"RESOLUTION_REFUND_LEASE_SECONDS": "4"}
"""What a process that is killed was paying is taken up by another after so long; by default, after a minute."""


@dataclass
class Cluster:
    """Everything that can be hurt."""

    servers: list[Server]
    ring: Redis | None
    proxy: Proxy | None
    database_url: str
    """Straight to the database, past the proxy."""
    deeds: dict[str, int] = field(default_factory=dict)
    slowest_stop: float = 0.0

    def any_server(self) -> Server:
        return random.choice(self.servers)

    def did(self, what: str) -> None:
        self.deeds[what] = self.deeds.get(what, 0) + 1

    async def torment(self, until: float, pause: float) -> None:
        """Does one thing after the other until that instant of the event loop's clock, then leaves all well."""
        deeds = [self.kill_server, self.stop_server]
        if self.ring:
            deeds.append(self.restart_ring)
        if self.proxy:
            deeds += [self.pause_database, self.cut_database]
        loop = asyncio.get_running_loop()
        turn = 0
        # Each at least once, however long a machine takes that has much else to do.
        while loop.time() < until or turn < len(deeds):
            await asyncio.sleep(pause)
            await deeds[turn % len(deeds)]()
            turn += 1

    async def kill_server(self) -> None:
        server = self.any_server()
        await server.kill()
        self.did("servers killed")
        await asyncio.sleep(random.uniform(0, 0.5))
        await server.start()

    async def stop_server(self) -> None:
        server = self.any_server()
        self.slowest_stop = max(self.slowest_stop, await server.stop(signal.SIGTERM))
        self.did("servers stopped")
        await server.start()

    async def restart_ring(self) -> None:
        assert self.ring is not None
        await self.ring.kill()
        self.did("rings restarted")
        await asyncio.sleep(random.uniform(0.5, 2))
        await self.ring.start()

    async def pause_database(self) -> None:
        assert self.proxy is not None
        self.did("databases paused")
        await self.proxy.pause(random.uniform(0.5, 2))

    async def cut_database(self) -> None:
        assert self.proxy is not None
        self.did("databases cut off")
        self.proxy.cut()


@contextlib.asynccontextmanager
async def on_postgres(folder: Path, number: int) -> AsyncIterator[Cluster]:
    """So many servers on a database of their own, reached through a proxy, and a Redis of their own."""
    async with a_migrated_database() as own, Proxy.before(own) as proxy, a_redis(folder) as ring:
        given = {"RESOLUTION_DATABASE_URL": through(own, proxy.port), "RESOLUTION_BROADCAST_URL": ring.url}
        async with servers(folder, number, given | IN_A_HURRY) as made:
            yield Cluster(made, ring, proxy, own)


@contextlib.asynccontextmanager
async def on_sqlite(folder: Path) -> AsyncIterator[Cluster]:
    """One server on a file."""
    url = f"sqlite://{folder / 'torture.sqlite3'}"
    async with servers(folder, 1, {"RESOLUTION_DATABASE_URL": url} | IN_A_HURRY) as made:
        yield Cluster(made, None, None, url)
