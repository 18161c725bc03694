"""A PostgreSQL database of a bench's own, for as long as the bench runs, on the server that the command line names."""

import argparse
import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from models.database import migrate

URL = "RESOLUTION_TEST_POSTGRES_URL"
"""Names the server where the command line does not."""


def add_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--postgres", metavar="URL", help=f"a PostgreSQL server to make databases on; else {URL}")


def named(options: argparse.Namespace) -> str:
    """The server's address. Ends the program with what to do when there is none."""
    url: str | None = options.postgres or os.environ.get(URL)
    if not url:
        raise SystemExit(f"Name a PostgreSQL server: --postgres postgres://user@host:5432/database, or {URL}.")
    return url


@contextmanager
def own_database(server_url: str) -> Iterator[str]:
    """The address of a new, migrated database beside the one that the address names. Dropped afterwards."""
    name = f"bench_{uuid4().hex}"
    asyncio.run(execute(server_url, f"CREATE DATABASE {name}"))
    try:
        url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
        asyncio.run(migrate(url.replace("postgres://", "asyncpg://", 1)))
        yield url
    finally:
        asyncio.run(execute(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


async def execute(url: str, statement: str) -> list[Any]:
    """One statement on a connection of its own; what it gives."""
    import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

    session = await asyncpg.connect(url)
    try:
        found: list[Any] = await session.fetch(statement)
        return found
    finally:
        await session.close()


async def bare_log(url: str, seconds: float, connections: int) -> float:
    """Transactions a second when each takes a position of a one-row log as its last lock, notes it, and commits: what
    a log carries when whoever writes needs no time at all. Makes tables of its own."""
    import asyncpg

    pool = await asyncpg.create_pool(url, min_size=connections, max_size=connections)
    await pool.execute("CREATE TABLE bare_log (position bigint); INSERT INTO bare_log VALUES (0)")
    await pool.execute("CREATE TABLE bare_events (position bigint PRIMARY KEY, said text)")
    begun = time.monotonic()

    async def write() -> int:
        done = 0
        async with pool.acquire() as session:
            while time.monotonic() - begun < seconds:
                async with session.transaction():
                    position = await session.fetchval("UPDATE bare_log SET position = position + 1 RETURNING position")
                    await session.execute("INSERT INTO bare_events VALUES ($1, $2)", position, "x" * 300)
                done += 1
        return done

    done = await asyncio.gather(*(write() for _ in range(connections)))
    taken = time.monotonic() - begun
    await pool.execute("DROP TABLE bare_log, bare_events")
    await pool.close()
    return sum(done) / taken
