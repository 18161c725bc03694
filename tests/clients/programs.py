"""The clients as programs of their own: each is told what to do, and what it saw is read."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.proxy import Proxy
from tests.service import Service, a_service

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PATIENCE = 60.0
"""Seconds after which a test that waits for a client has failed."""
INSTALLED = HERE / "node_modules" / ".package-lock.json"


def missing() -> str | None:
    """Why clients of Node can't run here."""
    if not shutil.which("node"):
        return "there is no Node"
    if not INSTALLED.exists():
        return "tests/clients has no packages; `make clients` installs them"
    return None


@dataclass
class Issuer:
    """Gives tokens out over HTTP, as an identity provider would, and counts them."""

    service: Service
    ttl: timedelta
    given: int = 0
    url: str = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            token = self.service.token("ada", ttl=self.ttl)
            self.given += 1
            writer.write(
                f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {len(token)}\r\n\r\n{token}".encode()
            )
            await writer.drain()
        writer.close()


@dataclass
class Program:
    """One client at work, and the line between it and the server."""

    service: Service
    issuer: Issuer
    line: Proxy
    process: asyncio.subprocess.Process
    events: list[dict[str, Any]] = field(default_factory=list)
    _answers: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _ended: str | None = None

    async def order(self, order_id: str) -> Any:
        """What the client's query answers."""
        return await self.ask("order", order_id)

    async def submit(self, order_id: str) -> Any:
        """What the client's mutation answers."""
        return await self.ask("submit", order_id)

    async def ask(self, what: str, given: str | int) -> Any:
        """What the client answers to anything else that it can be asked."""
        self._tell(what, given)
        async with asyncio.timeout(PATIENCE):
            said = await self._answers.get()
        assert "answer" in said, said.get("error")
        return _plain(said["answer"])

    async def watch(self, after: str) -> None:
        """Starts the client's subscription."""
        self._tell("watch", after)

    async def saw(self, number: int) -> list[dict[str, Any]]:
        """The events, once there are so many."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: len(self.events) >= number or self._ended is not None)
        assert self._ended is None, self._ended
        return self.events

    async def listen(self) -> None:
        """Reads what the client says until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            said = json.loads(line)
            if "event" in said:
                self.events.append(_plain(said["event"]))
            elif "ended" in said:
                self._ended = f"the stream ended: {said['ended']}"
            else:
                self._answers.put_nowait(said)
            async with self._news:
                self._news.notify_all()
        async with self._news:
            self._ended = self._ended or "the client ended"
            self._answers.put_nowait({"error": self._ended})
            self._news.notify_all()

    def _tell(self, ask: str, given: str | int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"ask": ask, "given": given}).encode() + b"\n")


def _plain(found: Any) -> Any:
    """Without the `__typename` that some clients ask for by themselves, at any depth."""
    if isinstance(found, list):
        return [_plain(one) for one in found]
    if not isinstance(found, dict):
        return found
    return {name: _plain(value) for name, value in found.items() if name != "__typename"}


@contextlib.asynccontextmanager
async def at_work(
    folder: Path, command: list[str], *, ttl: timedelta = timedelta(days=1), cwd: Path = HERE
) -> AsyncIterator[Program]:
    """A server, and this client of Ada's before it, whose tokens are good for so long."""
    async with contextlib.AsyncExitStack() as stack:
        service = await stack.enter_async_context(a_service(folder))
        issuer = Issuer(service, ttl)
        await stack.enter_async_context(issuer.running())
        line = Proxy("127.0.0.1", urlsplit(service.url).port or 0)
        await stack.enter_async_context(line.running())
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=os.environ
            | {
                "GRAPHQL_URL": f"http://127.0.0.1:{line.port}/graphql",
                "TOKEN_URL": issuer.url,
                "PYTHONPATH": str(ROOT),
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        program = Program(service, issuer, line, process)
        listening = asyncio.create_task(program.listen())
        try:
            yield program
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await listening


async def made(folder: Path, *command: str) -> None:
    """Runs a compiler of npm's there; the test fails with what it said when it does."""
    process = await asyncio.create_subprocess_exec(
        str(HERE / "node_modules" / ".bin" / command[0]),
        *command[1:],
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


def workshop(folder: Path) -> Path:
    """A copy of the examples and the schema, where compilers may leave what they make."""
    place = folder / "clients"
    shutil.copytree(HERE, place, ignore=shutil.ignore_patterns("node_modules", "__pycache__", "*.py"))
    shutil.copy(ROOT / "schema.graphql", place)
    (place / "node_modules").symlink_to(HERE / "node_modules")
    return place


NODE = ("node", "--experimental-websocket")
"""Node 20 has a browser's WebSocket behind this; from 22 on it is there anyway."""
PYTHON = sys.executable
