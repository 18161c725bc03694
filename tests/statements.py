"""The statements that reach the database while a test runs, with their values, whichever database it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionWrapper

_METHODS = ("execute_query", "execute_query_dict", "execute_insert", "execute_many")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `cause` is what the test was about when it was taken."""

    text: str
    values: tuple[Any, ...]
    cause: str


@dataclass
class Recorder:
    """Keeps the first statements of each text. `cause` is set by the test as it goes on."""

    cause: str = "start"
    kept: dict[str, list[Statement]] = field(default_factory=dict)

    def heard(self, text: str, values: Any) -> None:
        of_this = self.kept.setdefault(text, [])
        if self.cause not in {statement.cause for statement in of_this}:
            of_this.append(Statement(text, tuple(values or ()), self.cause))

    def all(self) -> list[Statement]:
        return [statement for statements in self.kept.values() for statement in statements]


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Hears every statement that goes through Tortoise's clients, in transactions and out of them."""
    recorder = Recorder()

    def hearing(method: Any) -> Any:
        async def call(client: Any, query: str, values: Any = None) -> Any:
            given = values[0] if method.__name__ == "execute_many" and values else values
            recorder.heard(query, given)
            return await (method(client, query) if values is None else method(client, query, values))

        return call

    with pytest.MonkeyPatch.context() as patch:
        for client in _clients():
            for name in _METHODS:
                if name in vars(client):
                    patch.setattr(client, name, hearing(getattr(client, name)))
        yield recorder


def _clients() -> list[type]:
    clients: list[type] = [SqliteClient, SqliteTransactionWrapper]
    try:
        from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
    except ImportError:
        return clients
    from models.postgresql import PostgreSQL, Transaction

    return [*clients, AsyncpgDBClient, TransactionWrapper, PostgreSQL, Transaction]
