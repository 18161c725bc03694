"""Migrations on a database that has orders: nothing is lost, and what is new is there afterwards, on each database."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from tortoise import Tortoise
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.migrations import api as migrations

from bench.crowd import Crowd
from bench.loading import into_postgres, into_sqlite
from bench.postgresql import execute
from models.constraints import constraint_names
from models.database import _config, migrate, pending_migrations
from tests.postgres import a_postgres_database
from tests.store import postgresql_only, sqlite_only

ORDERS = 200


async def _migrate_to(url: str, name: str) -> None:
    try:
        await migrations.migrate(config=_config(url, 2, 0), target=f"models.{name}")
    finally:
        await Tortoise.close_connections()


def _wanted_indexes() -> set[str]:
    """The names of all constraints and indexes of orders, requests and support cases."""
    return {name for table in ("orders", "requests", "support_cases") for name in constraint_names()[table]}


@sqlite_only
def test_an_sqlite_file_of_the_first_migration_with_orders_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    url = f"sqlite://{path}"
    EXECUTOR_CACHE.clear()
    asyncio.run(_migrate_to(url, "0001_initial"))
    into_sqlite(str(path), Crowd(ORDERS))
    before = _rows(path)
    assert asyncio.run(pending_migrations(url)) == ["0002_indexes", "0003_blocked_users"]
    asyncio.run(migrate(url))
    assert asyncio.run(pending_migrations(url)) == []
    assert _rows(path) == before
    assert len(before["orders"]) == ORDERS
    with closing(sqlite3.connect(path)) as db:
        there = " ".join(f"{name} {sql}" for name, sql in db.execute("SELECT name, sql FROM sqlite_master"))
        assert [name for name in _wanted_indexes() if name not in there] == []
        assert "orders_by_status_age" in there
        assert "orders_by_status ON" not in there
        # What SQLite believes of a table does not depend on how many rows there are.
        [numbers] = db.execute("SELECT stat FROM sqlite_stat1 WHERE idx = 'orders_by_client'")
        assert numbers == ("100000 20 1 1",)
        named = {
            name
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name <> 'blocks'")
        }
        known = {name for (name,) in db.execute("SELECT idx FROM sqlite_stat1")}
        assert known <= named
        assert named - known <= {"sqlite_autoindex_tortoise_migrations_1", "sqlite_autoindex_log_1"}


def _rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as db:
        tables = ("users", "orders", "requests", "support_cases", "refunds", "events", "confidences")
        return {table: db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables}  # noqa: S608


@postgresql_only
async def test_a_postgresql_database_of_the_first_migration_with_orders_is_migrated() -> None:
    async with a_postgres_database() as url:
        await _migrate_to(url, "0001_initial")
        await into_postgres(url, Crowd(ORDERS))
        await migrate(url)
        assert await pending_migrations(url) == []
        indexes = {row["indexname"] for row in await execute(url, "SELECT indexname FROM pg_indexes")}
        checks = {row["conname"] for row in await execute(url, "SELECT conname FROM pg_constraint")}
        assert _wanted_indexes() <= indexes | checks
        assert "orders_by_status" not in indexes
        [count] = await execute(url, "SELECT count(*) AS n FROM orders")
        assert count["n"] == ORDERS
