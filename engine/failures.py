"""Errors of fields: which of them are told, in which order, and what becomes null by them."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import GraphQLError, located_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.frames import Frame, Items
    from engine.plan import Field

Place: TypeAlias = tuple[float, ...]
"""Where something stands in the answer, by counting: fields in the order of the document, items of lists. Places
sort as the answer reads."""


class Failure:
    """An error at a field of one object, or at an item of its lists. `after_items`: it came when the items before it
    had been answered, as when a list breaks off."""

    __slots__ = ("after_items", "error", "field", "frame", "index", "items")

    def __init__(
        self, frame: Frame, field: Field, index: int, items: Items, error: Exception, *, after_items: bool = False
    ) -> None:
        self.frame = frame
        self.field = field
        self.index = index
        self.items = items
        self.error = error
        self.after_items = after_items

    def place(self) -> Place:
        found = _place(self.frame, self.field, self.index, self.items)
        return (*found, inf) if self.after_items else found

    def empties_answer(self) -> bool:
        """Whether nothing around it may be null."""
        return _innermost_nullable(self) is None

    def located(self) -> GraphQLError:
        path = [*self.frame.path(self.index, self.field).as_list(), *self.items]
        return located_error(self.error, self.field.nodes, path)


def _place(frame: Frame, field: Field, index: int, items: Items) -> Place:
    parts: list[tuple[float, ...]] = [(field.index, *items)]
    while frame.above is not None:
        assert frame.field is not None
        above = frame.field
        index, items = frame.origin(index)
        frame = frame.above
        parts.append((above.index, *items))
    return tuple(number for part in reversed(parts) for number in part)


def settle(failures: Iterable[Failure]) -> tuple[list[GraphQLError], bool]:
    """Makes null in the answer what the failures make null, and gives the errors to tell; and whether nothing is left.

    All that follows from the specification's «propagation» is done here, once, after everything was read; an answer
    without errors never pays for it. The errors are those that graphql-core tells when it reads one field after the
    other: in the order of the answer, none of a place that an earlier one had made null already."""
    errors: list[GraphQLError] = []
    nulled: set[Place] = set()
    for place, failure in sorted(((failure.place(), failure) for failure in failures), key=lambda pair: pair[0]):
        if any(place[:length] in nulled for length in range(len(place) + 1)):
            continue
        errors.append(failure.located())
        nulled.add(_made_null(failure))
    return errors, () in nulled


def _made_null(failure: Failure) -> Place:
    """Writes the null that the failure causes, and says where. () is the whole answer."""
    found = _innermost_nullable(failure)
    if found is None:
        return ()
    frame, field, index, items = found
    _write_null(frame.outs[index], field.key, items)
    return _place(frame, field, index, items)


def _innermost_nullable(failure: Failure) -> tuple[Frame, Field, int, Items] | None:
    """The innermost place around the failure that may be null; None when there is none."""
    frame, field, index, items = failure.frame, failure.field, failure.index, failure.items
    while True:
        for depth in range(len(items), -1, -1):
            if field.nullable[depth]:
                return frame, field, index, items[:depth]
        if frame.above is None:
            return None
        assert frame.field is not None
        field = frame.field
        index, items = frame.origin(index)
        frame = frame.above


def _write_null(out: dict[str, Any], key: str, items: Items) -> None:
    if not items:
        out[key] = None
        return
    within = out[key]
    for item in items[:-1]:
        within = within[item]
    within[items[-1]] = None
