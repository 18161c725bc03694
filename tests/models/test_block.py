"""The log of blocks: its positions have no gap, and it comes into a database that has rows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from tortoise import Tortoise
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.migrations import api as migrations

from models import UserRow
from models.block import BlockRow, blocks_after, log_block, newest_block
from models.database import _config, connection, migrate, opened, pending_migrations
from tests.database import TestJournal
from tests.processes import processes
from tests.remote import log_blocks
from tests.store import POSTGRES_URL, postgresql_only
from tests.world import ADA, FARID, START

BEFORE = "0002_indexes"


async def test_the_newest_entry_counts(journal: TestJournal) -> None:
    assert await newest_block(ADA) is None
    await log_block(ADA, blocked=True, reason="Ticket 4711", now=START)
    found = await newest_block(ADA)
    assert found and (found.position, found.reason, found.occurred_at) == (1, "Ticket 4711", START)
    assert await newest_block(FARID) is None
    await log_block(ADA, blocked=False, reason=None, now=START)
    assert await newest_block(ADA) is None
    assert [(row.position, row.user_id, row.blocked) for row in await blocks_after(1)] == [(2, ADA, False)]


async def test_many_at_once_leave_no_gap(journal: TestJournal) -> None:
    async with processes(journal, 2) as others:
        await asyncio.gather(*(other.call(log_blocks, ADA, 20) for other in others))
    assert [row.position for row in await blocks_after(0)] == list(range(1, 41))


@asynccontextmanager
async def a_postgres_database() -> AsyncIterator[str]:
    import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

    assert POSTGRES_URL
    name, parts = f"blocks_{uuid4().hex}", urlsplit(POSTGRES_URL)
    admin = await asyncpg.connect(POSTGRES_URL.replace("asyncpg://", "postgres://", 1))
    await admin.execute(f"CREATE DATABASE {name}")
    # Tortoise keeps its statements by the name of the connection, whatever database that is.
    EXECUTOR_CACHE.clear()
    try:
        yield f"postgres://{parts.netloc}/{name}"
    finally:
        EXECUTOR_CACHE.clear()
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()


async def _comes_into_a_database_with_rows(url: str) -> None:
    try:
        await migrations.migrate(config=_config(url, 2, 0), target=f"models.{BEFORE}")
    finally:
        await Tortoise.close_connections()
    async with opened(url):
        await UserRow(id=ADA, subject="ada", name="Ada", created_at=START).save(force_create=True)
        before = await connection().execute_query_dict("SELECT * FROM users")
    assert any("block" in name for name in await pending_migrations(url))
    await migrate(url)
    assert await pending_migrations(url) == []
    async with opened(url):
        assert await connection().execute_query_dict("SELECT * FROM users") == before
        await log_block(ADA, blocked=True, reason="Ticket 4711", now=START)
        assert await newest_block(ADA) == await BlockRow.get(position=1)


async def test_the_log_of_blocks_comes_into_an_sqlite_database_with_rows(tmp_path: Path) -> None:
    await _comes_into_a_database_with_rows(f"sqlite://{tmp_path / 'old.sqlite3'}")


@postgresql_only
async def test_the_log_of_blocks_comes_into_a_postgresql_database_with_rows() -> None:
    async with a_postgres_database() as url:
        await _comes_into_a_database_with_rows(url)
