"""Opens the database: from an address to Tortoise's connections, migrated and ready, and closed again."""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.context import require_context
from tortoise.exceptions import OperationalError
from tortoise.migrations import api as migrations

from models.outages import DatabaseAway, in_transaction

__all__ = [
    "connection",
    "in_transaction",
    "is_embedded",
    "lacks_migrations",
    "migrate",
    "opened",
    "pending_migrations",
]

_SQLITE_PRAGMAS = {"busy_timeout": "5000", "synchronous": "NORMAL"}
"""Another process may hold the write lock for a moment; with WAL, NORMAL loses nothing that was committed unless the
machine itself loses power, and never harms the file."""

POSTGRES_SESSION = {"timezone": "UTC", "application_name": "resolution-center", "random_page_cost": "1.1"}
"""A page that is fetched on its own costs hardly more than its neighbours, in memory and on every disk that has no arm;
PostgreSQL's own guess, 4, makes it read whole tables where it has an index."""

_TRIES = 10
_SQLITE_HEAD = b"SQLite format 3\x00"
_MIGRATION_LOCK = 0x7265736F6C7665
"""A number that nobody else will lock."""


def is_embedded(url: str) -> bool:
    """Whether the database is a file of this host's, which `serve` migrates by itself."""
    return urlsplit(url).scheme == "sqlite"


def connection() -> BaseDBAsyncClient:
    """The process's connection, or its pool."""
    # Tortoise's `connections` imports this at each call, which took a hundredth of the instructions of one order.
    return require_context().connections.get("default")


@asynccontextmanager
async def opened(url: str, *, pool_size: int = 10, statement_timeout_ms: int = 15_000) -> AsyncIterator[None]:
    """The database for as long as the block runs. One a process: the models find it from every task."""
    _forget_texts()
    await Tortoise.init(config=_config(url, pool_size, statement_timeout_ms), _enable_global_fallback=True)
    try:
        if is_embedded(url):
            # Connects now: whoever is cancelled while the first query connects keeps the connection's lock for ever.
            await connection().execute_query("SELECT 1")
        yield
    finally:
        await Tortoise.close_connections()


async def migrate(url: str) -> None:
    """Brings the tables to what this version wants; nothing when they are. Safe when several processes start at once:
    one does it, the others wait. Raises OperationalError for a file that is no SQLite database. The block of `opened`
    must be over."""
    _refuse_other_files(url)
    _forget_texts()
    async with _alone(url):
        for tries_left in reversed(range(_TRIES)):
            try:
                await migrations.migrate(config=_config(url, 2, 0))
            except OperationalError:
                # On SQLite another process may have been first: then there is nothing left to do.
                if not tries_left or not is_embedded(url):
                    raise
                await asyncio.sleep(0.2)
            else:
                return
            finally:
                await Tortoise.close_connections()


def _forget_texts() -> None:
    """Tortoise keeps the texts of inserts by the connection's name, which is the same for each kind of database."""
    EXECUTOR_CACHE.clear()


def _refuse_other_files(url: str) -> None:
    """Tortoise would keep its lock after such a file could not be opened, and wait for itself for ever."""
    path = Path(url.partition("://")[2].partition("?")[0])
    if not is_embedded(url) or not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(len(_SQLITE_HEAD))
    if head and head != _SQLITE_HEAD:
        raise OperationalError(f"{path.name} is no SQLite database")


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[None]:
    """Nobody else migrates this PostgreSQL database meanwhile. SQLite locks its file by itself."""
    if is_embedded(url):
        yield
        return
    import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

    plain = _connection(url, 1, 0)["credentials"]
    session = await asyncpg.connect(
        host=plain["host"],
        port=plain["port"],
        user=plain["user"],
        password=plain["password"],
        database=plain["database"],
        ssl=plain.get("ssl"),
    )
    try:
        await session.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
        yield
    finally:
        await session.close()


async def _connected(*given: Any, **named: Any) -> Any:
    """A connection of the pool. Raises DatabaseAway with what the system says when there is nobody at the address."""
    import asyncpg

    try:
        return await asyncpg.connect(*given, **named)
    except OSError as error:
        raise DatabaseAway(error.strerror or str(error) or type(error).__name__) from error


async def pending_migrations(url: str) -> list[str]:
    """The migrations that this database lacks. The block of `opened` must be over."""
    from tortoise.connection import get_connection
    from tortoise.migrations.executor import MigrationExecutor

    config = _config(url, 2, 0)
    await Tortoise.init(config=config, init_connections=False)
    try:
        plan = await MigrationExecutor(get_connection("default"), config["apps"]).plan(None)
        return [step.migration.name for step in plan]
    finally:
        await Tortoise.close_connections()


async def lacks_migrations() -> bool:
    """Whether the open database lacks a migration of this version's. One that has more is a newer version's, and good
    enough: a migration keeps the last version working. Raises when the database does not answer."""
    db = connection()
    try:
        rows = await db.execute_query_dict("SELECT name FROM tortoise_migrations WHERE app = 'models'")
    except OperationalError:
        # There may be no such table; or nothing at all, and then this raises too.
        await db.execute_query("SELECT 1")
        return True
    return not _known_migrations() <= {row["name"] for row in rows}


@functools.cache
def _known_migrations() -> frozenset[str]:
    return frozenset(path.stem for path in Path(__file__).with_name("migrations").glob("[0-9]*.py"))


def _config(url: str, pool_size: int, statement_timeout_ms: int) -> dict[str, Any]:
    return {
        "connections": {"default": _connection(url, pool_size, statement_timeout_ms)},
        "apps": {"models": {"models": ["models"], "migrations": "models.migrations", "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


def _connection(url: str, pool_size: int, statement_timeout_ms: int) -> dict[str, Any]:
    """Tortoise's own reading of the address, with what we always want."""
    address, _, query = url.partition("?")
    given = dict(parse_qsl(query))
    # asyncpg knows `ssl`, people know libpq's `sslmode`; Tortoise would pass either on as something else.
    ssl = given.pop("sslmode", given.pop("ssl", None))
    found: dict[str, Any] = expand_db_url(f"{address}?{urlencode(given)}" if given else address)
    credentials: dict[str, Any] = found["credentials"]
    if is_embedded(url):
        found["credentials"] = _SQLITE_PRAGMAS | credentials
        return found
    found["engine"] = "models.postgresql"
    credentials["reset"] = _as_it_is
    credentials.setdefault("minsize", 1)
    credentials.setdefault("maxsize", pool_size)
    session = dict(POSTGRES_SESSION)
    if statement_timeout_ms:
        session["statement_timeout"] = str(statement_timeout_ms)
    credentials["server_settings"] = session
    credentials["connect"] = _connected
    if ssl:
        credentials["ssl"] = ssl
    return found


async def _as_it_is(session: object) -> None:
    """Nothing that we send changes a session, beyond its transaction, which asyncpg's pool has ended by then. So the
    pool needs not forget with every connection that it takes back, a round trip, what there is not."""
