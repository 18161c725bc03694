"""What commands start with: the settings, the log, the policy, the secret, the database and the journal."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import click
from uuid_utils.compat import uuid7

from api import logs
from api.policy_file import read_policy
from api.settings import (
    LOCAL_SECRET_FILE,
    PREFIX,
    Settings,
    SettingsProblem,
    local_secret,
    read_settings,
    without_password,
)
from api.trusted import ManifestProblem, TrustedDocuments, read_manifests
from api.web import own_operations
from models.clock import DatabaseClock
from models.database import connection, is_embedded, migrate, opened, pending_migrations
from models.journal import Clock, Journal
from rules.policy import Policy, PolicyProblem
from subscriptions import doorbell

T = TypeVar("T")

MIGRATE_FIRST = "The database lacks migrations: run resolution-center migrate first."


class Problem(click.ClickException):
    """Why a command can't do what it was asked, in one sentence that says what to do. Exit code 1."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end on the fastest loop there is."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def product_version() -> str:
    """Of the package as it was installed; a checkout that was never installed has none."""
    try:
        return version("resolution-center")
    except PackageNotFoundError:
        return "(not installed)"


def now() -> datetime:
    """The clock of the machine."""
    return datetime.now(UTC)


def settings() -> Settings:
    """The settings of this process; its log goes to stderr from here on."""
    try:
        found = read_settings(os.environ)
    except SettingsProblem as problem:
        raise Problem(str(problem)) from None
    logs.configure(found.log_level, found.log_format, sys.stderr)
    return found


def policy(given: Settings) -> Policy:
    """The policy that the operator's file says, or the default."""
    try:
        return read_policy(given.policy_file)
    except PolicyProblem as problem:
        raise Problem(f"{PREFIX}POLICY_FILE: {problem}") from None


def trusted_documents(given: Settings) -> TrustedDocuments | None:
    """The operations that the operator's manifest allows; None without one."""
    if given.trusted_documents is None:
        return None
    try:
        return read_manifests(given.trusted_documents, only=given.trusted_documents_only)
    except ManifestProblem as problem:
        raise Problem(f"{PREFIX}TRUSTED_DOCUMENTS: {problem}") from None


def web_operations(given: Settings) -> TrustedDocuments | None:
    """The operations of the web app that is served, which are trusted too where any are; None where none are."""
    manifests = own_operations(given)
    if given.trusted_documents is None or not manifests:
        return None
    try:
        return read_manifests(*manifests, only=False)
    except ManifestProblem as problem:
        raise Problem(f"The web app: {problem} Build it again: make web.") from None


def journal(given: Settings, clock: Clock) -> Journal:
    """The one way to write. Nobody is rung for each commit: `writing` rings once, for all of them."""
    return Journal(policy(given), clock, uuid7)


def signing_secret(given: Settings) -> str:
    """What tokens may be signed with here. Refused with a JWKS: its keys are the identity provider's."""
    if given.jwks_url is not None:
        raise Problem(
            f"Tokens are checked against {PREFIX}JWKS_URL here, so only your identity provider can make them; "
            f"this command needs {PREFIX}JWT_SECRET."
        )
    if given.jwt_secret is not None:
        return given.jwt_secret.get_secret_value()
    try:
        return local_secret(Path.cwd())
    except SettingsProblem as problem:
        raise Problem(str(problem)) from None


def uses_local_secret(given: Settings) -> bool:
    """Whether tokens are checked with the secret in LOCAL_SECRET_FILE: only ever in development."""
    return given.jwt_secret is None and given.jwks_url is None


def local_secret_is_there() -> bool:
    return Path(LOCAL_SECRET_FILE).exists()


@asynccontextmanager
async def database(given: Settings, *, statement_timeout_ms: int = 15_000) -> AsyncIterator[None]:
    """The database, migrated and open. An embedded one is migrated on the way, any other must have been."""
    await ready(given)
    url, size = given.database_url, given.database_pool_size
    async with opened(url, pool_size=size, statement_timeout_ms=statement_timeout_ms):
        yield


@asynccontextmanager
async def writing(given: Settings) -> AsyncIterator[Clock]:
    """The database, for a command that writes, and the clock that rules there: this machine's for an embedded one,
    else the database's. Servers on it are told at the block's end; that they could not be does no harm, they poll."""
    async with database(given):
        try:
            if is_embedded(given.database_url):
                yield now
            else:
                clock = DatabaseClock()
                async with clock.running():
                    yield clock
        finally:
            await doorbell.ring_once(given.broadcast_url)


async def ready(given: Settings) -> None:
    """Sees to it that the database can be opened. Raises Problem when it can't be reached or lacks migrations."""
    if not await missing_migrations(given):
        return
    if not is_embedded(given.database_url):
        raise Problem(MIGRATE_FIRST)
    await migrated(given)


async def missing_migrations(given: Settings) -> list[str]:
    """The migrations that the database lacks. Raises Problem when it can't be reached."""
    return await _reaching(given, pending_migrations)


async def migrated(given: Settings) -> list[str]:
    """Applies what is missing, and tells what that was. Two at once apply it once."""
    missing = await missing_migrations(given)
    if missing:
        try:
            await migrate(given.database_url)
        except Exception:
            # Somebody else's migration got in the way; it is an error only if something is missing still.
            if await _still_missing(given):
                raise
    return missing


async def _still_missing(given: Settings) -> bool:
    for _ in range(20):
        if not await missing_migrations(given):
            return False
        await asyncio.sleep(0.5)
    return True


async def reach(given: Settings) -> None:
    """Asks the database for a sign of life. Raises Problem."""
    await _reaching(given, _greet)


async def _greet(url: str) -> None:
    async with opened(url, pool_size=1):
        await connection().execute_query("SELECT 1")


async def _reaching(given: Settings, work: Callable[[str], Coroutine[Any, Any, T]]) -> T:
    """The work, once it is known that the database answers: Tortoise takes a host that is away for a database without
    migrations, and waits for ever for a file that is no database."""
    file = database_file(given)
    if file is not None:
        _try_file(file, without_password(given.database_url))
        return await work(given.database_url)
    try:
        await _greet(given.database_url)
        return await work(given.database_url)
    except Exception as error:
        shown = without_password(given.database_url)
        raise Problem(f"The database {shown} can't be reached: {_words(error)}") from error


def _try_file(file: Path, shown: str) -> None:
    """Raises Problem when this can't be, or become, the file of a database that is written."""
    if not file.parent.is_dir():
        raise Problem(f"The database {shown} can't be opened: there is no folder {file.parent}.")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise Problem(f"The database {shown} can't be opened: this user may not write there.")
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise Problem(f"The database {shown} can't be opened: {_words(error)}") from None


def database_file(given: Settings) -> Path | None:
    """The file of an embedded database; None for one in memory, and for any that is not embedded."""
    if not is_embedded(given.database_url):
        return None
    name = given.database_url.partition("://")[2].partition("?")[0]
    return None if name.startswith(":memory:") else Path(name)


def _words(error: BaseException) -> str:
    """The first line of what a driver says, with nothing secret in it."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    first = without_password(said.strip().partition("\n")[0]) or type(error).__name__
    return f"{first.rstrip('.')}."
