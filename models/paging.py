"""Pages of a list by keyset: they stay right while rows come and go, and cost the same at any depth."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models import plain
from models.cursors import ForeignCursor, Key, read_key, write_key

DEFAULT_PAGE = 25
LARGEST_PAGE = 100

RowT = TypeVar("RowT", bound=Model)
"""A row of one table."""


class BadPage(ValueError):
    """Arguments of a page that can't be; the message says what to ask instead."""


@dataclass(frozen=True, slots=True)
class PageArguments:
    """Relay's four arguments, checked. `size` rows from the start, or from the end when `backward`."""

    size: int
    backward: bool
    after: str | None
    before: str | None

    @classmethod
    def checked(cls, first: int | None, after: str | None, last: int | None, before: str | None) -> "PageArguments":
        """Refused with BadPage: both `first` and `last`, numbers out of 1 to 100. Without either: the first 25."""
        if first is not None and last is not None:
            raise BadPage("Give either first or last, not both.")
        for name, number in (("first", first), ("last", last)):
            if number is not None and not 1 <= number <= LARGEST_PAGE:
                raise BadPage(f"{name} must be 1 to {LARGEST_PAGE}.")
        if last is not None:
            return cls(last, backward=True, after=after, before=before)
        return cls(first or DEFAULT_PAGE, backward=False, after=after, before=before)


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """Rows in the list's order, with what lies beyond them on either side."""

    rows: Sequence[RowT]
    cursors: Sequence[str]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class Listing(Generic[RowT]):
    """A list and its order. `sources` are disjoint parts of it, each of which an index can read in order: a page takes
    what it needs from each and merges, which keeps it as fast among a million rows as among a thousand. The last of
    `keys` is unique. `name` tells the list and its order from all others, so that a cursor is good for its own."""

    name: str
    sources: Sequence[QuerySet[RowT]]
    keys: tuple[str, ...]
    descending: bool

    async def page(self, arguments: PageArguments) -> Page[RowT]:
        """One page, by one statement a source."""
        after, before = self._key(arguments.after), self._key(arguments.before)
        bounds = [self._beyond(after, later=True)] if after else []
        bounds += [self._beyond(before, later=False)] if before else []
        downward = self.descending != arguments.backward
        order = [f"-{key}" if downward else key for key in self.keys]
        rows: list[RowT] = []
        for source in self.sources:
            rows += await plain.rows(source.filter(*bounds).order_by(*order).limit(arguments.size + 1))
        rows.sort(key=self._key_of, reverse=downward)
        rows = rows[: arguments.size + 1]
        return self.page_from(arguments, rows[::-1] if arguments.backward else rows)

    def page_from(self, arguments: PageArguments, rows: Sequence[RowT]) -> Page[RowT]:
        """The page that these rows make: in the list's order, one more than the page has if there are more."""
        return made_page(arguments, rows, [write_key(self.name, self._key_of(row)) for row in rows])

    async def count(self) -> int:
        """How many rows there are in all, by one statement a source."""
        return sum([await source.count() for source in self.sources])

    def _key(self, cursor: str | None) -> Key | None:
        if cursor is None:
            return None
        key = read_key(self.name, cursor, len(self.keys))
        for source in self.sources[:1]:
            _check(source.model, self.keys, key)
        return key

    def _key_of(self, row: RowT) -> list[Any]:
        return [value if isinstance(value := getattr(row, k), int | datetime) else str(value) for k in self.keys]

    def _beyond(self, key: Key, *, later: bool) -> Q:
        """What stands after (`later`) or before a key in the list's order, compared one value after the other."""
        comparison = "lt" if self.descending == later else "gt"
        return lexicographic(self.keys, key, comparison)


def _check(model: type[Model], names: Sequence[str], key: Key) -> None:
    """Refused with ForeignCursor: values that these columns can't have, so that this list never gave them."""
    for name, value in zip(names, key, strict=True):
        kind = model._meta.fields_map[name].field_type
        try:
            if not isinstance(kind(value) if kind is UUID else value, kind):
                raise ForeignCursor
        except (ValueError, TypeError, AttributeError):
            raise ForeignCursor from None


def made_page(arguments: PageArguments, rows: Sequence[RowT], cursors: Sequence[str]) -> Page[RowT]:
    """A page of rows in the list's order; one more than its size says that there are more on the far side."""
    more = len(rows) > arguments.size
    kept = slice(1, None) if more and arguments.backward else slice(0, arguments.size)
    return Page(
        rows[kept],
        cursors[kept],
        has_next=arguments.before is not None if arguments.backward else more,
        has_previous=more if arguments.backward else arguments.after is not None,
    )


def lexicographic(names: Sequence[str], values: Key, comparison: str) -> Q:
    """(a, b, c) beyond (x, y, z): a beyond x, or a = x and (b beyond y, or …)."""
    name, value = names[0], values[0]
    beyond = _q(f"{name}__{comparison}", value)
    if len(names) == 1:
        return beyond
    return beyond | (_q(name, value) & lexicographic(names[1:], values[1:], comparison))


def _q(name: str, value: Any) -> Q:
    return Q(**{name: value})
