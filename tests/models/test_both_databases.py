# ruff: noqa: S608 - the names in these statements are our own
"""SQLite and PostgreSQL hold the same tables: the same columns, keys, checks and indexes, as their catalogs say."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.store import STORE, postgresql_only

ROOT = Path(__file__).parent.parent.parent
MIGRATING = "import asyncio, sys; from models.database import migrate; asyncio.run(migrate(sys.argv[1]))"

Facts = dict[str, set[object]]
"""What is there, by the sort of thing."""

SAME_TYPE = {
    "char(36)": "uuid",
    "timestamp": "timestamp with time zone",
    "int": "integer",
    "smallint": "smallint",
    "bigint": "bigint",
    "json": "jsonb",
    "blob": "bytea",
    "text": "text",
}
"""How PostgreSQL calls what SQLite calls so."""


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Facts, Facts]:
    """Of an SQLite file and of a PostgreSQL database, both just migrated; each by a process of its own, since Tortoise
    keeps what it says to the first."""
    folder = tmp_path_factory.mktemp("both")
    file, url = folder / "beside.sqlite3", STORE.new(folder)
    for address in (f"sqlite://{file}", url):
        subprocess.run([sys.executable, "-c", MIGRATING, address], cwd=ROOT, check=True)  # noqa: S603
    return _in_sqlite(file), _in_postgresql(url)


@postgresql_only
@pytest.mark.parametrize("sort", ["columns", "primary keys", "checks", "unique", "indexes", "foreign keys"])
async def test_both_databases_hold_the_same(catalogs: tuple[Facts, Facts], sort: str) -> None:
    in_sqlite, in_postgresql = catalogs
    assert in_sqlite[sort]
    assert in_sqlite[sort] == in_postgresql[sort]


def _in_sqlite(file: Path) -> Facts:
    facts: Facts = {"columns": set(), "primary keys": set(), "checks": set(), "foreign keys": set()}
    facts |= {"unique": set(), "indexes": set()}
    with closing(sqlite3.connect(file)) as db:
        tables = dict(
            db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        )
        for table, sql in tables.items():
            columns = db.execute(f"PRAGMA table_info({table})").fetchall()
            for _, name, type_, required, _, key in columns:
                facts["columns"].add((table, name, _type(type_), bool(required or key)))
            keys = sorted((key, name) for _, name, _, _, _, key in columns if key)
            facts["primary keys"].add((table, tuple(name for _, name in keys)))
            facts["checks"] |= {(table, name) for name in re.findall(r'CONSTRAINT "?(\w+)"? CHECK', sql)}
            for row in db.execute(f"PRAGMA foreign_key_list({table})"):
                facts["foreign keys"].add((table, row[3], row[2], row[4], row[6]))
            for _, name, unique, origin, partial in db.execute(f"PRAGMA index_list({table})").fetchall():
                found = db.execute(f"PRAGMA index_xinfo({name})").fetchall()
                keyed = tuple((row[2], bool(row[3])) for row in found if row[5])
                written = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [name]).fetchone()[0]
                where = _condition(written.rpartition(" WHERE ")[2]) if partial else ""
                if unique and origin != "pk":
                    facts["unique"].add((table, keyed, where))
                elif not unique:
                    facts["indexes"].add((table, name, keyed, where))
    return facts


def _in_postgresql(url: str) -> Facts:
    relation = "conrelid::regclass::text"
    columns = "(SELECT array_agg(attname::text ORDER BY place) FROM unnest({keys}) WITH ORDINALITY k (number, place) "
    columns += "JOIN pg_attribute ON attrelid = {relation} AND attnum = number)"
    constrained = columns.format(keys="conkey", relation="conrelid")
    referred = columns.format(keys="confkey", relation="confrelid")
    ours = "connamespace = 'public'::regnamespace"
    rules = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
    facts: Facts = {
        "columns": set(
            STORE.query(
                url,
                "SELECT table_name::text, column_name::text, CASE data_type WHEN 'character varying' "
                "THEN 'varchar(' || character_maximum_length || ')' "
                # SQLite has no type for them.
                "WHEN 'boolean' THEN 'integer' ELSE data_type END, is_nullable = 'NO' "
                "FROM information_schema.columns WHERE table_schema = 'public'",
            )
        ),
        "primary keys": {
            (table, tuple(names))
            for table, names in STORE.query(
                url, f"SELECT {relation}, {constrained} FROM pg_constraint WHERE contype = 'p' AND {ours}"
            )
        },
        "checks": set(
            STORE.query(url, f"SELECT {relation}, conname::text FROM pg_constraint WHERE contype = 'c' AND {ours}")
        ),
        "foreign keys": {
            (table, name, other, key, rules[rule])
            for table, [name], other, [key], rule in STORE.query(
                url,
                f"SELECT {relation}, {constrained}, confrelid::regclass::text, {referred}, confdeltype::text "
                f"FROM pg_constraint WHERE contype = 'f' AND {ours}",
            )
        },
        "unique": set(),
        "indexes": set(),
    }
    for table, name, unique, keyed, where in _indexes(url):
        if unique:
            facts["unique"].add((table, keyed, where))
        else:
            facts["indexes"].add((table, name, keyed, where))
    return facts


def _indexes(url: str) -> Iterator[tuple[str, str, bool, tuple[tuple[str, bool], ...], str]]:
    """The table, the name, whether it is unique, its columns and whether each goes downwards, and its condition."""
    rows = STORE.query(
        url,
        "SELECT indrelid::regclass::text, c.relname::text, indisunique, coalesce(pg_get_expr(indpred, indrelid), ''), "
        "array_agg(pg_get_indexdef(indexrelid, place, true) ORDER BY place), "
        "array_agg(indoption[place - 1] & 1 = 1 ORDER BY place) "
        "FROM pg_index JOIN pg_class c ON c.oid = indexrelid, generate_series(1, indnkeyatts) place "
        "WHERE NOT indisprimary AND indisvalid AND c.relnamespace = 'public'::regnamespace GROUP BY 1, 2, 3, 4",
    )
    for table, name, unique, where, columns, downwards in rows:
        yield (
            table,
            name,
            unique,
            tuple(zip((column.strip('"') for column in columns), downwards, strict=True)),
            _condition(where),
        )


def _type(declared: str) -> str:
    lowered = declared.lower()
    return SAME_TYPE.get(lowered, lowered)


def _condition(text: str) -> str:
    """A condition, however it is written: PostgreSQL says `= ANY (ARRAY[…])` for IN, and casts and brackets."""
    plain = re.sub(r"::[a-z ]+(\[\])?", "", text.replace('"', ""))
    plain = re.sub(r"= ANY \(+ARRAY\[(.*?)\]\)+", r"IN (\1)", plain)
    return re.sub(r"[()\s]+", " ", plain).strip()
