"""PostgreSQL for a test: a database of its own beside that of RESOLUTION_TEST_POSTGRES_URL, dropped when it is over."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.servers import environ

POSTGRES = os.environ.get("RESOLUTION_TEST_POSTGRES_URL")
POOL = "4"
"""Connections a process: many tests share one PostgreSQL."""

needs_postgres = pytest.mark.skipif(not POSTGRES, reason="needs PostgreSQL: RESOLUTION_TEST_POSTGRES_URL is not set")


@contextlib.asynccontextmanager
async def a_postgres_database(near: str = POSTGRES or "", *, migrated: bool = True) -> AsyncIterator[str]:
    """The address of a new database beside that one, as people write it."""
    import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

    name = f"test_{uuid4().hex}"
    parts = urlsplit(near)
    admin = await asyncpg.connect(near.replace("asyncpg://", "postgres://", 1))
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        try:
            url = f"postgres://{parts.netloc}/{name}"
            if migrated:
                await _migrate(url)
            yield url
        finally:
            await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await admin.close()


async def _migrate(url: str) -> None:
    """In a process of its own: Tortoise keeps the statements of the first kind of database that a process wrote to."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "api.cli", "migrate"),
        env=environ({"RESOLUTION_DATABASE_URL": url}),
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0


def through(url: str, port: int) -> str:
    """The same database, reached through a proxy on this machine."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return f"postgres://{login}@127.0.0.1:{port}{parts.path}"


@contextlib.asynccontextmanager
async def asking(url: str) -> AsyncIterator[Any]:
    """A session of asyncpg on that database."""
    import asyncpg

    session = await asyncpg.connect(url)
    try:
        yield session
    finally:
        await session.close()
