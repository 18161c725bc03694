"""Writes a crowd straight into a new database's tables: in seconds what the journal would take an hour for."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any
from uuid import UUID

from bench.crowd import Crowd, Row

# What stands between a bulk of rows and the table: indexes are made anew when all rows are there, and what a row
# belongs to is in the crowd.


def into_sqlite(path: str, crowd: Crowd) -> None:
    """Fills a file that is migrated and that nobody has open."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("PRAGMA synchronous = OFF")
        indexes = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
        # What SQLite was told of an index goes with it.
        numbers = db.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall() if _is_told(db) else []
        for name, _ in indexes:
            db.execute(f'DROP INDEX "{name}"')
        db.execute("BEGIN")
        for chunk in crowd.chunks():
            for table, rows in chunk.items():
                columns = list(rows[0]) if rows else []
                places = ", ".join("?" * len(columns))
                text = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - our own names
                db.executemany(text, _values(rows, columns, _as_sqlite))
        db.execute("UPDATE log SET position = ?", (crowd.position,))
        db.execute("COMMIT")
        for _, text in indexes:
            db.execute(text)
        if numbers:
            db.execute("DELETE FROM sqlite_stat1")
            db.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", numbers)


def _is_told(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone() is not None


async def into_postgres(url: str, crowd: Crowd) -> None:
    """Fills a database that is migrated, as a superuser: nobody else may leave foreign keys unchecked."""
    import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

    db = await asyncpg.connect(url)
    try:
        await db.execute("SET session_replication_role = replica")
        await db.execute("SET synchronous_commit = off")
        indexes = await db.fetch(
            "SELECT c.relname AS name, pg_get_indexdef(c.oid) AS text FROM pg_index i "
            "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = current_schema() "
            "AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)"
        )
        for index in indexes:
            await db.execute(f'DROP INDEX "{index["name"]}"')
        for chunk in crowd.chunks():
            for table, rows in chunk.items():
                columns = list(rows[0]) if rows else []
                records = list(_values(rows, columns, lambda value: value))
                await db.copy_records_to_table(table, records=records, columns=columns)
        await db.execute("UPDATE log SET position = $1", crowd.position)
        for index in indexes:
            await db.execute(index["text"])
    finally:
        await db.close()


def _values(rows: Sequence[Row], columns: list[str], written: Callable[[Any], Any]) -> Iterable[tuple[Any, ...]]:
    return (tuple([written(row[column]) for column in columns]) for row in rows)


def _as_sqlite(value: Any) -> Any:
    """As the product writes it."""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return str(value) if isinstance(value, UUID | str) else value
