"""Real servers for a test, each a process of its own: the product's, and a Redis; and PostgreSQL databases for them."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from tortoise.backends.base.executor import EXECUTOR_CACHE

from models.database import opened
from tests.database import HandClock
from tests.postgres import a_postgres_database
from tests.service import PATIENCE, SECRET, Service
from tests.store import postgresql_only

START_PATIENCE = 60.0
ROOT = Path(__file__).parent.parent

POOL = "4"
"""Connections to PostgreSQL that a process may hold: many tests share one."""

needs_postgres = postgresql_only
needs_redis_server = pytest.mark.skipif(
    not shutil.which("redis-server"), reason="needs redis-server, to start and kill one of its own"
)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environ(given: dict[str, str]) -> dict[str, str]:
    """What a process of the product is started with: these settings alone, whatever is set for the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESOLUTION_")}
    return kept | {"PYTHONPATH": str(ROOT), "RESOLUTION_JWT_SECRET": SECRET, "RESOLUTION_LOG_FORMAT": "json"} | given


@dataclass
class Server:
    """One `resolution-center serve`."""

    port: int
    environ: dict[str, str]
    folder: Path
    program: tuple[str, ...] = ("-m", "api.cli")
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has said so far, over all its lives."""
        return (self.folder / f"server-{self.port}.log").read_text()

    async def start(self) -> None:
        with (self.folder / f"server-{self.port}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *(*self.program, "serve", "--port", str(self.port)),
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
                    raise RuntimeError(f"the server on {self.port} ended: {self.log}")
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

    async def kill(self) -> None:
        """As `kill -9` does it: nothing is tidied up."""
        await self.stop(signal.SIGKILL)


@contextlib.asynccontextmanager
async def servers(folder: Path, number: int, given: dict[str, str]) -> AsyncIterator[list[Server]]:
    """So many servers with these settings, for as long as the block runs."""
    made = [Server(free_port(), environ(given), folder) for _ in range(number)]
    async with running(made):
        yield made


@contextlib.asynccontextmanager
async def running(made: list[Server]) -> AsyncIterator[None]:
    """Starts these servers, and ends those that still run then."""
    try:
        await asyncio.gather(*(server.start() for server in made))
        yield
    finally:
        for server in made:
            if server.process and server.process.returncode is None:
                await server.kill()


@contextlib.asynccontextmanager
async def talking_to(server: Server) -> AsyncIterator[Service]:
    """What it takes to talk to one of them. Tokens are good from now on."""
    async with httpx.AsyncClient(base_url=server.url, timeout=3 * PATIENCE) as http:
        yield Service(server.url, HandClock(datetime.now(UTC)), http, Starlette())


@dataclass
class Redis:
    """A Redis of the test's own, to be stopped and brought back."""

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
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(START_PATIENCE):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """As a machine that goes down: nobody is told."""
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def freeze(self) -> None:
        """It keeps its connections, and does nothing."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)


@contextlib.asynccontextmanager
async def a_redis(folder: Path) -> AsyncIterator[Redis]:
    """A Redis of the test's own, for as long as the block runs."""
    redis = Redis(free_port(), folder)
    await redis.start()
    try:
        yield redis
    finally:
        await redis.kill()


# ---------------------------------------------------------------- databases


@contextlib.asynccontextmanager
async def a_migrated_database() -> AsyncIterator[str]:
    """The address of a new PostgreSQL database, migrated by a process of its own, as servers want it."""
    async with a_postgres_database() as address:
        url = address.replace("asyncpg://", "postgres://", 1)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "api.cli", "migrate"),
            env=environ({"RESOLUTION_DATABASE_URL": url}),
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await process.wait() == 0
        yield url


def through(url: str, port: int) -> str:
    """The same database, reached through a proxy on this machine."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()


@contextlib.asynccontextmanager
async def asking(url: str) -> AsyncIterator[Any]:
    """A session of asyncpg on that database."""
    import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

    session = await asyncpg.connect(url)
    try:
        yield session
    finally:
        await session.close()


@contextlib.asynccontextmanager
async def beside(url: str) -> AsyncIterator[None]:
    """The file of a server, open in this process too. Tortoise keeps the texts of statements by table, whatever
    database they are for."""
    EXECUTOR_CACHE.clear()
    try:
        async with opened(url):
            yield
    finally:
        EXECUTOR_CACHE.clear()
