"""What can be awaited, and how many things are awaited together."""

import asyncio
from collections.abc import Awaitable, Sequence
from inspect import CO_ITERABLE_COROUTINE
from types import CoroutineType, GeneratorType, NoneType
from typing import Any, TypeGuard

from graphql.pyutils import UndefinedType

COROUTINES: frozenset[type] = frozenset({CoroutineType})


def is_awaitable(value: Any) -> TypeGuard[Awaitable[Any]]:
    """As graphql-core sees it."""
    return (
        isinstance(value, CoroutineType)
        or (isinstance(value, GeneratorType) and bool(value.gi_code.co_flags & CO_ITERABLE_COROUTINE))
        or hasattr(value, "__await__")
    )


def is_plain(kind: type) -> bool:
    """Whether values of exactly this class are neither null, nor errors, nor to be awaited. Told once for each class,
    which saves three checks for each value."""
    # The class's own names: `hasattr` would also find those of its metaclass, which every enumeration has.
    names = {name for base in kind.__mro__ for name in ("__await__", "__getattr__") if name in base.__dict__}
    # One with `__getattr__` may answer for any name, `__await__` too.
    return not names and not issubclass(kind, BaseException | NoneType | UndefinedType | CoroutineType | GeneratorType)


async def all_of(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """The results in order, an error in the place of what failed. Whatever is no error, a cancellation above all, is
    raised. A single one is awaited where it stands: a task costs 3 µs."""
    if len(awaitables) == 1:
        try:
            return [await awaitables[0]]
        except Exception as error:  # noqa: BLE001 - a field's error is a value
            return [error]
    results: list[Any] = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Exception):
            raise result
    return results
