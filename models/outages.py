"""When the database is away or refuses for now: what a second try heals, what nobody may try again, and the transaction
that tells the two apart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connections
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction as tortoise_transaction

_AGAIN = ("40P01", "40001")
"""Two transactions waited for each other, or saw each other: PostgreSQL undid this one whole."""
_AWAY = ("08", "57P01", "57P02", "57P03", "53300")
"""The connection failed, the server stops or starts, or it takes no more connections."""


_NOT_LET_IN = ("57P03", "53300")
"""Those of them that nothing was sent to."""


class DatabaseAway(Exception):
    """The database can't be reached, or was lost before a commit was sent: nothing was changed."""


class OutcomeUnknown(Exception):
    """The connection was lost while a commit, or a statement that is a transaction by itself, was under way: it was
    done whole, or not at all."""


@asynccontextmanager
async def in_transaction() -> AsyncIterator[BaseDBAsyncClient]:
    """A transaction. Raises DatabaseAway when the database was lost before the commit was sent, and OutcomeUnknown when
    it was lost after that. Tortoise's own, which is inside, can't tell: it raises whatever the rollback met."""
    context: Any = tortoise_transaction()
    db = await _begun(context)
    try:
        yield db
    except BaseException as error:
        await _left(context, error)
        if is_away(error):
            raise DatabaseAway from error
        raise
    try:
        await db.commit()
    except BaseException as error:
        await _left(context, error)
        if is_away(error):
            raise OutcomeUnknown from error
        raise
    await context.__aexit__(None, None, None)


class LostAs:
    """Says what it means when the database is lost in this block: DatabaseAway for a statement that only reads,
    OutcomeUnknown for one that changes something and is a transaction of its own; DatabaseAway for that too, when no
    connection was had to send it by."""

    __slots__ = ("_kind",)

    def __init__(self, kind: type[DatabaseAway | OutcomeUnknown]) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None or not is_away(error):
            return
        was_sent = not isinstance(error, DatabaseAway) and getattr(error, "sqlstate", None) not in _NOT_LET_IN
        raise (self._kind if was_sent else DatabaseAway) from error


def is_away(error: BaseException) -> bool:
    """Whether the database could not be reached, or the connection to it was lost."""
    if isinstance(error, DatabaseAway | ConnectionError):
        return True
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_AWAY)
    # asyncpg's word for a connection or a pool that is closed, which the server never saw. It is an optional package.
    return type(error).__name__ == "InterfaceError" and "clos" in str(error)


def heals(error: BaseException) -> bool:
    """Whether nothing was changed and a second try may succeed. asyncpg's errors of this kind come untranslated."""
    if isinstance(error, OperationalError):
        return "locked" in str(error)
    return isinstance(error, DatabaseAway) or getattr(error, "sqlstate", None) in _AGAIN


async def _begun(context: Any) -> Any:
    try:
        return await context.__aenter__()
    except BaseException as error:
        client = getattr(context, "client", None)
        if client is not None and client._connection is not None:
            # Tortoise would keep the connection for ever, and take this task to be within the transaction.
            get_connections().reset(context.token)
            await client._parent._pool.release(client._connection)
        if is_away(error):
            raise DatabaseAway from error
        raise


async def _left(context: Any, error: BaseException) -> None:
    """Rolled back; where there is no connection any more, the server has done that."""
    try:
        await context.__aexit__(type(error), error, error.__traceback__)
    except Exception as further:
        if not is_away(further):
            raise
