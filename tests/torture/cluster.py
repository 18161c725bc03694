"""The machines of the torture: server processes on one database and one ring, to be killed and brought back."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from tests.torture.proxy import Proxy

SECRET = "a secret of the torture that is long enough"
START_PATIENCE = 60.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """One `resolution-center serve`."""

    port: int
    environ: dict[str, str]
    folder: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        with (self.folder / f"server-{self.port}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "api.cli", "serve", "--port", str(self.port)),
                cwd=self.folder,
                env=self.environ,
                stdout=log,
                stderr=log,
            )
        await self.ready()

    async def ready(self) -> None:
        deadline = time.monotonic() + START_PATIENCE
        async with httpx.AsyncClient() as http:
            while time.monotonic() < deadline:
                assert self.process is not None
                if self.process.returncode is not None:
                    raise RuntimeError(f"the server on {self.port} ended: see its log in {self.folder}")
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get(f"{self.url}/health/ready", timeout=2)).status_code == 200:
                        return
                await asyncio.sleep(0.1)
        raise TimeoutError(f"the server on {self.port} does not get ready")

    async def stop(self, how: signal.Signals) -> float:
        """Sends the signal; how many seconds the process took to end."""
        assert self.process is not None
        began = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        await self.process.wait()
        return time.monotonic() - began


@dataclass
class Ring:
    """A Redis of our own, to be killed and brought back."""

    port: int
    folder: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            "redis-server",
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
            cwd=self.folder,
            stdout=asyncio.subprocess.DEVNULL,
        )

    async def stop(self) -> None:
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@dataclass
class Cluster:
    """Everything that can be hurt."""

    servers: list[Server]
    ring: Ring | None
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
        while loop.time() < until:
            await asyncio.sleep(pause)
            # Each in turn first, so that even a short torture does all of it.
            await deeds[turn % len(deeds)]()
            turn += 1

    async def kill_server(self) -> None:
        server = self.any_server()
        await server.stop(signal.SIGKILL)
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
        await self.ring.stop()
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
async def on_postgres(folder: Path, url: str, number: int) -> AsyncIterator[Cluster]:
    """So many servers on a database of their own beside `url`, reached through a proxy, and a Redis of their own."""
    import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

    name = f"torture_{uuid4().hex}"
    parts = urlsplit(url)
    admin = await asyncpg.connect(url.replace("asyncpg://", "postgres://", 1))
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        async with contextlib.AsyncExitStack() as stack:
            proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5432)
            await stack.enter_async_context(proxy.running())
            ring = Ring(free_port(), folder) if shutil.which("redis-server") else None
            if ring:
                await ring.start()
                stack.push_async_callback(ring.stop)
            login = parts.netloc.rpartition("@")[0]
            own = f"postgres://{login}@{parts.hostname}:{parts.port or 5432}/{name}"
            through = f"postgres://{login}@127.0.0.1:{proxy.port}/{name}"
            await _command({"RESOLUTION_DATABASE_URL": own}, folder, "migrate")
            given = {"RESOLUTION_DATABASE_URL": through, "RESOLUTION_BROADCAST_URL": ring.url if ring else "memory://"}
            cluster = Cluster(_servers(folder, number, given), ring, proxy, own)
            await stack.enter_async_context(_running(cluster))
            yield cluster
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


@contextlib.asynccontextmanager
async def on_sqlite(folder: Path) -> AsyncIterator[Cluster]:
    """One server on a file."""
    url = f"sqlite://{folder / 'torture.sqlite3'}"
    cluster = Cluster(_servers(folder, 1, {"RESOLUTION_DATABASE_URL": url}), None, None, url)
    async with _running(cluster):
        yield cluster


def _servers(folder: Path, number: int, given: dict[str, str]) -> list[Server]:
    return [Server(free_port(), _environ(given), folder) for _ in range(number)]


@contextlib.asynccontextmanager
async def _running(cluster: Cluster) -> AsyncIterator[None]:
    try:
        await asyncio.gather(*(server.start() for server in cluster.servers))
        yield
    finally:
        for server in cluster.servers:
            if server.process and server.process.returncode is None:
                await server.stop(signal.SIGKILL)


def _environ(given: dict[str, str]) -> dict[str, str]:
    root = str(Path(__file__).parent.parent.parent)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESOLUTION_")}
    return kept | {"PYTHONPATH": root, "RESOLUTION_JWT_SECRET": SECRET, "RESOLUTION_LOG_FORMAT": "json"} | given


async def _command(given: dict[str, str], folder: Path, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli", *words, cwd=folder, env=_environ(given), stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise RuntimeError(f"{words[0]} failed")
