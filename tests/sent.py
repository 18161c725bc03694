"""Every statement that goes to the database, by the driver: with the beginnings and ends of transactions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.store import ON_POSTGRESQL


@contextmanager
def noted(note: Callable[[str], object]) -> Iterator[None]:
    """Notes each meanwhile, inside transactions and out of them."""

    def noting(name: str, method: Any) -> Any:
        def call(connection: Any, *given: Any, **named: Any) -> Any:
            note(str(given[0]) if given else name)
            return method(connection, *given, **named)

        return call

    driver, names = _driver()
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(driver, name, noting(name, getattr(driver, name)))
        yield


def _driver() -> tuple[Any, tuple[str, ...]]:
    """A connection's class, and its methods that send."""
    if ON_POSTGRESQL:
        import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

        return asyncpg.Connection, ("execute", "fetch", "fetchrow", "fetchval", "executemany")
    import aiosqlite

    names = ("execute", "execute_insert", "execute_fetchall", "executemany", "executescript", "commit")
    return aiosqlite.Connection, names
