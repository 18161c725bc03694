"""A change whose connection is lost while it is written, before or after it was done."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient

from models import EventRow, saving


def lost_at_once(
    monkeypatch: pytest.MonkeyPatch,
    cut: Callable[[], object],
    *,
    is_done: bool,
    then: Callable[[], Awaitable[Any]] | None = None,
) -> None:
    """The first statement that is a transaction by itself loses its connection, which `cut` cuts; `then` happens before
    anybody tries again."""
    save, lost = saving.save, False

    async def losing(db: BaseDBAsyncClient, *given: Any) -> Sequence[EventRow]:
        nonlocal lost
        if lost:
            return await save(db, *given)
        lost = True
        assert not isinstance(db, TransactionalDBClient)
        if is_done:
            await save(db, *given)
        if then is not None:
            await then()
        async with db.acquire_connection() as session:
            cut()
            await session.execute("SELECT 1")
            raise AssertionError("the connection was not cut")

    monkeypatch.setattr(saving, "save", losing)
