"""How a database would answer a statement: what of a plan no large table can bear."""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.statements import Statement

LARGE = 1_000
"""Rows from which on a table is large enough to be looked at."""
TOO_SMALL = 50_000
"""Rows below which PostgreSQL may rightly read a whole table; it must have an index that it could take instead."""
SHARE = 0.07
"""How much of a table a statement may look at. The busiest person of the crowd has less of everything."""
STEPS_A_ROW = 60
"""Of SQLite's machine, for looking at one row and giving it away."""

_COUNTS = re.compile(r"^SELECT .*\b(COUNT|SUM)\(", re.IGNORECASE)


def is_explained(statement: Statement) -> bool:
    """Whether a plan says anything: of what is written anew there is nothing to look for."""
    return statement.text.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH"))


# ---------------------------------------------------------------- PostgreSQL


async def postgres_sizes(db: Any) -> dict[str, int]:
    """The large tables, with how many rows they have. The database must have been analysed."""
    rows = await db.fetch(
        "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {row["relname"]: int(row["reltuples"]) for row in rows if row["reltuples"] >= LARGE}


async def postgres_faults(db: Any, statement: Statement, sizes: Mapping[str, int]) -> list[str]:
    """What is wrong with PostgreSQL's plan of the statement with these values. A SELECT is executed for it. `db` has
    the product's own session settings."""
    text = statement.text.lstrip().upper()
    reads = text.startswith(("SELECT", "WITH")) and "INSERT INTO" not in text
    counts = _COUNTS.match(statement.text) is not None
    large = {table: size for table, size in sizes.items() if size >= TOO_SMALL}
    plan = await _plan(db, statement, "FORMAT JSON, ANALYZE, TIMING OFF" if reads else "FORMAT JSON")
    faults = [fault for node in _nodes(plan) for fault in _node_faults(node, large, counts=counts)]
    if not faults and any(node["Node Type"] == "Seq Scan" for node in _nodes(plan)):
        await db.execute("SET enable_seqscan = off")
        plan = await _plan(db, statement, "FORMAT JSON")
        await db.execute("RESET enable_seqscan")
        faults = [f for node in _nodes(plan) for f in _node_faults(node, sizes, counts=counts)]
    return faults


async def _plan(db: Any, statement: Statement, options: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(
        await db.fetchval(f"EXPLAIN ({options}) {statement.text}", *statement.values)
    )[0]["Plan"]
    return found


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _node_faults(node: Mapping[str, Any], sizes: Mapping[str, int], *, counts: bool) -> Iterator[str]:
    table = node.get("Relation Name", "")
    if table not in sizes:
        return
    if node["Node Type"] == "Seq Scan":
        yield f"a sequential scan of {table}"
        return
    loops = node.get("Actual Loops", 0)
    thrown_away = (node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)) * loops
    # What is counted must be looked at; everything else stands on a page.
    looked_at = thrown_away if counts else thrown_away + node.get("Actual Rows", 0) * loops
    if looked_at > sizes[table] * SHARE:
        name = node.get("Index Name", node["Node Type"])
        yield f"{looked_at:,} rows of {table} are looked at by {name}, {thrown_away:,} for nothing"


# ---------------------------------------------------------------- SQLite


def sqlite_sizes(db: sqlite3.Connection) -> dict[str, int]:
    """The large tables, with how many rows they have."""
    names = [
        name
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    ]
    sizes = {name: int(db.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0]) for name in names}  # noqa: S608
    return {name: size for name, size in sizes.items() if size >= LARGE}


def sqlite_faults(db: sqlite3.Connection, statement: Statement, sizes: Mapping[str, int]) -> list[str]:
    """What is wrong with SQLite's plan of the statement with these values. A SELECT is executed for it, and the steps
    of SQLite's machine are counted."""
    values = [_as_sqlite(value) for value in statement.values]
    faults = []
    for *_, detail in db.execute(f"EXPLAIN QUERY PLAN {statement.text}", values):
        if (scan := re.match(r"SCAN (\w+)(?! USING)", detail)) and scan[1] in sizes and "USING" not in detail:
            faults.append(f"a scan of {scan[1]}")
        if "TEMP B-TREE FOR ORDER BY" in detail and ' FROM "orders"' in statement.text and " LIMIT " in statement.text:
            faults.append("a page is sorted")
    if not faults and statement.text.lstrip().upper().startswith("SELECT") and not _COUNTS.match(statement.text):
        steps, bound = _steps(db, statement.text, values), max(sizes.values(), default=0)
        tables = [size for name, size in sizes.items() if f'"{name}"' in statement.text]
        bound = int(min(tables, default=bound) * SHARE * STEPS_A_ROW)
        if steps > max(bound, 20_000):
            faults.append(f"{steps:,} steps, of which {bound:,} may be taken")
    return faults


def _steps(db: sqlite3.Connection, text: str, values: list[Any]) -> int:
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    db.set_progress_handler(step, 100)
    try:
        with closing(db.execute(text, values)) as cursor:
            cursor.fetchall()
    finally:
        db.set_progress_handler(None, 0)
    return taken * 100


def _as_sqlite(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return str(value) if isinstance(value, UUID) else value
