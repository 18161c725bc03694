"""A TCP proxy that can hold its breath, or cut every line: a network between a server and its database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes both ways while it is not paused."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._away = False
        self.port = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def before(cls, url: str) -> AsyncIterator[Self]:
        """A proxy before the PostgreSQL of that address, for as long as the block runs."""
        parts = urlsplit(url)
        proxy = cls(parts.hostname or "127.0.0.1", parts.port or 5432)
        async with proxy.running():
            yield proxy

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            self._open.set()
            self.cut()

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nothing goes through while the block runs; lines stay up."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    async def pause(self, seconds: float) -> None:
        """Nothing goes through for so long; lines stay up."""
        async with self.paused():
            await asyncio.sleep(seconds)

    @contextlib.asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Every line is cut, and no new one is taken while the block runs."""
        self._away = True
        self.cut()
        try:
            yield
        finally:
            self._away = False

    def cut(self) -> None:
        """Every line is cut, as when a network cable is."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away:
            writer.transport.abort()
            return
        try:
            there, here = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, here}
        try:
            await asyncio.gather(self._pass(reader, here), self._pass(there, writer))
        finally:
            for end in (writer, here):
                self._writers.discard(end)
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                await self._open.wait()
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()
