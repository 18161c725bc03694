"""Which database the tests run on, and new databases there: files of SQLite's, or, when RESOLUTION_TEST_STORE says
`postgresql`, databases of their own on the PostgreSQL of RESOLUTION_TEST_POSTGRES_URL."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

T = TypeVar("T")

FILE = "resolution-center.sqlite3"
"""The name of every file: where the commands keep everything when nothing is set."""

ENGINE = os.environ.get("RESOLUTION_TEST_STORE") or "sqlite"
POSTGRES_URL = os.environ.get("RESOLUTION_TEST_POSTGRES_URL")
ON_POSTGRESQL = ENGINE == "postgresql"

sqlite_only = pytest.mark.skipif(ON_POSTGRESQL, reason="it is about SQLite alone")
postgresql_only = pytest.mark.skipif(not ON_POSTGRESQL, reason="it is about PostgreSQL: make test-postgresql runs it")

_OURS = "resolution_test_"
"""How the name of every run begins."""

_AT_ONCE = 8
"""Connections over which databases are dropped."""

Template = bytes | str
"""A database that is kept to be copied: a file's content, or a name."""


class Store(Protocol):
    """Makes databases for tests. Nothing here takes an event loop: tests come with one and without."""

    def url(self, folder: Path) -> str:
        """Of the folder's database, whether it is there or not."""

    def new(self, folder: Path) -> str:
        """An empty database for the folder, which has no tables; its URL."""

    def keep(self, folder: Path) -> Template:
        """Takes the folder's database, which nobody has open, away to be copied."""

    def copy(self, template: Template, folder: Path) -> str:
        """A new database for the folder, equal to the template; its URL."""

    def drop(self, url: str) -> None:
        """The database may go, whoever has it open."""

    def made(self) -> int:
        """How many databases there were until now."""

    def drop_since(self, number: int) -> None:
        """Drops those that were made when there were so many already; not what is kept to be copied."""

    def query(self, url: str, *statements: str) -> list[tuple[Any, ...]]:
        """Does what no command would, all of it or nothing; what the last statement gives."""

    def tables(self, url: str) -> list[str]:
        """The tables of a database; none of one that is not there."""

    def close(self) -> None:
        """Drops whatever this run made, and leaves."""


class Files:
    """SQLite. A database is a file in its folder, and goes with it."""

    def url(self, folder: Path) -> str:
        return f"sqlite://{folder / FILE}"

    def new(self, folder: Path) -> str:
        return self.url(folder)

    def keep(self, folder: Path) -> Template:
        self.query(self.url(folder), "PRAGMA wal_checkpoint(TRUNCATE)")
        content = (folder / FILE).read_bytes()
        for path in folder.glob(f"{FILE}*"):
            path.unlink()
        return content

    def copy(self, template: Template, folder: Path) -> str:
        assert isinstance(template, bytes)
        (folder / FILE).write_bytes(template)
        return self.url(folder)

    def drop(self, url: str) -> None:
        """It goes with its folder."""

    def made(self) -> int:
        return 0

    def drop_since(self, number: int) -> None:
        """They go with their folders."""

    def query(self, url: str, *statements: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite://"), timeout=10)) as db:
            for statement in statements:
                found = db.execute(statement).fetchall()
            db.commit()
        return found

    def tables(self, url: str) -> list[str]:
        if not Path(url.removeprefix("sqlite://")).exists():
            return []
        return [name for (name,) in self.query(url, "SELECT name FROM sqlite_master WHERE type = 'table'")]

    def close(self) -> None:
        """Nothing is held."""


class Server:
    """A PostgreSQL. The name of a database begins with its run's; a run keeps one connection open that bears the same
    name, so whatever belongs to no connection was left behind by a run that died, and goes.

    Whoever wants a copy gets one that another test has done with, emptied to what the template holds, unless that test
    changed its tables: measured, CREATE DATABASE takes 42 ms (with FILE_COPY 240) and DROP DATABASE as long on an idle
    server and seconds on a busy one, since it waits for a checkpoint; emptying takes 10. Commits don't wait for the
    disk, and sessions are not in UTC unless they say so themselves, as the product must."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url.replace("asyncpg://", "postgres://", 1))
        path = self._address.path if self._address.path.strip("/") else "/postgres"
        self._admin_url = self._address._replace(path=path).geturl()
        self._run = f"{_OURS}{uuid4().hex[:12]}"
        self._thread: _LoopThread | None = None
        self._admin: Any = None
        self._numbers = count(1)
        self._names: dict[Path, str] = {}
        self._took: dict[Path, int] = {}
        self._kept: dict[str, _Kept] = {}
        self._in_use: dict[str, Template] = {}
        self._done_with: dict[Template, list[str]] = {}

    def url(self, folder: Path) -> str:
        if folder not in self._names:
            self._name(folder, f"{self._run}_{next(self._numbers)}")
        return self._url(self._names[folder])

    def new(self, folder: Path) -> str:
        return self._create(folder, "template0")

    def keep(self, folder: Path) -> Template:
        name = self._names.pop(folder)
        self._kept[name] = self._begun().wait(_kept(self._url(name)))
        return name

    def copy(self, template: Template, folder: Path) -> str:
        assert isinstance(template, str)
        done_with = self._done_with.get(template, [])
        while done_with:
            name = done_with.pop()
            if self._begun().wait(_emptied(self._url(name), self._kept[template])):
                self._in_use[name] = template
                self._name(folder, name)
                return self._url(name)
        return self._create(folder, template)

    def drop(self, url: str) -> None:
        name = urlsplit(url).path[1:]
        if template := self._in_use.pop(name, None):
            self._done_with.setdefault(template, []).append(name)

    def made(self) -> int:
        return max(self._took.values(), default=0)

    def drop_since(self, number: int) -> None:
        for folder in [folder for folder, taken in self._took.items() if taken > number]:
            del self._took[folder]
            if folder in self._names:
                self.drop(self._url(self._names.pop(folder)))

    def query(self, url: str, *statements: str) -> list[tuple[Any, ...]]:
        return self._begun().wait(_query(url, statements))

    def tables(self, url: str) -> list[str]:
        if urlsplit(url).path[1:] not in self._in_use:
            return []
        return [name for (name,) in self.query(url, _TABLES)]

    def close(self) -> None:
        if self._thread is None:
            return
        self._drop_all("starts_with(datname, $1)", self._run)
        self._thread.wait(self._admin.close())
        self._thread.end()
        self._thread = None

    def _create(self, folder: Path, template: str) -> str:
        name = f"{self._run}_{next(self._numbers)}"
        thread = self._begun()
        for statement in (
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY WAL_LOG",
            f"ALTER DATABASE {name} SET synchronous_commit = off",
            f"ALTER DATABASE {name} SET timezone = 'Asia/Kathmandu'",
        ):
            thread.wait(self._admin.execute(statement))
        self._in_use[name] = template
        self._name(folder, name)
        return self._url(name)

    def _name(self, folder: Path, name: str) -> None:
        self._names[folder], self._took[folder] = name, next(self._numbers)

    def _url(self, name: str) -> str:
        return self._address._replace(scheme="asyncpg", path=f"/{name}").geturl()

    def _begun(self) -> "_LoopThread":
        """Begins the run when anybody wants the first database."""
        if self._thread is None:
            import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

            self._thread = _LoopThread()
            named = {"application_name": self._run}
            self._admin = self._thread.wait(asyncpg.connect(self._admin_url, server_settings=named))
            self._drop_all(
                "starts_with(datname, $1) AND NOT EXISTS (SELECT FROM pg_stat_activity a "
                "WHERE starts_with(a.application_name, $1) AND starts_with(d.datname, a.application_name))",
                _OURS,
            )
        return self._thread

    def _drop_all(self, condition: str, given: str) -> None:
        """Over several connections: those that go together share a checkpoint."""
        thread = self._begun()
        sql = f"SELECT d.datname FROM pg_database d WHERE {condition}"  # noqa: S608 - our own words
        names = [row["datname"] for row in thread.wait(self._admin.fetch(sql, given))]

        async def drop(some: list[str]) -> None:
            async with _session(self._admin_url) as session:
                for name in some:
                    await session.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

        async def drop_all() -> None:
            await asyncio.gather(*(drop(names[first::_AT_ONCE]) for first in range(_AT_ONCE)))

        if names:
            thread.wait(drop_all())


class _LoopThread:
    """An event loop in a thread of its own, for whoever has none or must not leave his."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="databases of the tests", daemon=True)
        self._thread.start()

    def wait(self, work: Awaitable[T]) -> T:
        """What the work comes to; meanwhile the caller's own loop stands still."""

        async def done() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a template holds: the rows lie in it a second time, and a script brings a copy back to them."""

    shape: str
    script: str


_TABLES = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_SHAPE = """
    SELECT md5(string_agg(found, ' ' ORDER BY found)) FROM (
        SELECT c.oid || ' ' || c.relname || ' ' || coalesce(a.attname || a.attnotnull, '') FROM pg_class c
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relnamespace = 'public'::regnamespace
        UNION ALL SELECT oid || ' ' || conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    ) AS shape (found)
"""
"""What a migration would change: tables, indexes, columns and constraints. A copy has them with the same numbers."""


async def _kept(url: str) -> _Kept:
    async with _session(url) as session:
        tables = [row[0] for row in await session.fetch(_TABLES)]
        references = await session.fetch(
            "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
        )
        order = TopologicalSorter[str](dict.fromkeys(tables, ()))
        for table, owner in references:
            order.add(table, owner)
        owners_first = list(order.static_order())
        await session.execute("DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept")
        for table in tables:
            await session.execute(f"CREATE TABLE kept.{table} AS TABLE public.{table}")
        lines = [f"DELETE FROM public.{table};" for table in reversed(owners_first)]  # noqa: S608 - our own tables
        lines += [f"INSERT INTO public.{table} SELECT * FROM kept.{table};" for table in owners_first]  # noqa: S608
        return _Kept(await session.fetchval(_SHAPE), "\n".join(lines))


async def _emptied(url: str, kept: _Kept) -> bool:
    """Brings a copy back to what its template holds; false when its tables are others by now."""
    async with _session(url) as session:
        # Whoever was killed, or forgot to leave.
        await session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        if await session.fetchval(_SHAPE) != kept.shape:
            return False
        await session.execute(kept.script)
        return True


async def _query(url: str, statements: tuple[str, ...]) -> list[tuple[Any, ...]]:
    async with _session(url) as session, session.transaction():
        for statement in statements[:-1]:
            await session.execute(statement)
        return [tuple(row) for row in await session.fetch(statements[-1])]


@contextlib.asynccontextmanager
async def _session(url: str) -> AsyncIterator[Any]:
    import asyncpg

    session = await asyncpg.connect(url.replace("asyncpg://", "postgres://", 1))
    try:
        yield session
    finally:
        await session.close()


def check() -> None:
    """Raises UsageError when the settings of the run can't be."""
    if ENGINE not in ("sqlite", "postgresql"):
        raise pytest.UsageError(f"RESOLUTION_TEST_STORE is {ENGINE!r}; it may be sqlite or postgresql.")
    if ON_POSTGRESQL and not POSTGRES_URL:
        raise pytest.UsageError("RESOLUTION_TEST_STORE=postgresql takes RESOLUTION_TEST_POSTGRES_URL too.")


STORE: Store = Server(POSTGRES_URL or "") if ON_POSTGRESQL else Files()
