"""Pages of a list by keyset: they stay right while rows come and go, and cost the same at any depth."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models import plain
from models.cursors import ForeignCursor, Key, read_key, write_key
from models.making import Joined

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
class Sources(Generic[RowT]):
    """Disjoint parts of a list, each of which an index can read in order. `made` makes their queries of `values`; those
    of the same `words` differ in nothing but them. Without words the queries hold what a person wrote, of which no text
    is kept."""

    kind: type[RowT]
    made: Callable[..., Sequence[QuerySet[RowT]]]
    values: tuple[plain.Value, ...] = ()
    words: Hashable | None = None
    joined: Joined | None = None

    def queries(self) -> Sequence[QuerySet[RowT]]:
        """One query a part."""
        return self.made(*self.values)


@dataclass(frozen=True, slots=True)
class Listing(Generic[RowT]):
    """A list and its order. A page takes what it needs from each of its sources and merges, which keeps it as fast
    among a million rows as among a thousand. The last of `keys` is unique. `name` tells the list and its order from all
    others, so that a cursor is good for its own."""

    name: str
    sources: Sources[RowT]
    keys: tuple[str, ...]
    descending: bool

    async def page(self, arguments: PageArguments) -> Page[RowT]:
        """One page: by one statement where the text of it is kept, else by one a source."""
        after, before = self._key(arguments.after), self._key(arguments.before)
        downward = self.descending != arguments.backward
        asked = self._by_queries if self.sources.words is None else self._by_words
        rows = await asked(after, before, downward, arguments.size + 1)
        rows.sort(key=attrgetter(*self.keys), reverse=downward)
        rows = rows[: arguments.size + 1]
        return self.page_from(arguments, rows[::-1] if arguments.backward else rows)

    async def _by_queries(self, after: Key | None, before: Key | None, downward: bool, most: int) -> list[RowT]:
        rows: list[RowT] = []
        for query in self._bounded(self.sources.queries(), after, before, downward, most):
            rows += await plain.rows(query)
        return rows

    async def _by_words(self, after: Key | None, before: Key | None, downward: bool, most: int) -> list[RowT]:
        """The queries are not even made, once their text is known: for a page of orders that is an eighth of what a
        process does."""
        number, width = len(self.sources.values), len(self.keys)

        def made(*values: Any) -> Sequence[QuerySet[RowT]]:
            bounds = values[number:]
            start, end = bounds[:width] if after else None, bounds[-width:] if before else None
            return self._bounded(self.sources.made(*values[:number]), start, end, downward, most)

        words = (self.sources.words, self.keys, self.descending, downward, most, after is None, before is None)
        values: list[Any] = [*self.sources.values, *(after or ()), *(before or ())]
        return await plain.asked(words, made, *values, joined=self.sources.joined)

    def _bounded(
        self, queries: Sequence[QuerySet[RowT]], after: Key | None, before: Key | None, downward: bool, most: int
    ) -> Sequence[QuerySet[RowT]]:
        bounds = [self._beyond(after, later=True)] if after else []
        bounds += [self._beyond(before, later=False)] if before else []
        order = [f"-{key}" if downward else key for key in self.keys]
        return [query.filter(*bounds).order_by(*order).limit(most) for query in queries]

    def page_from(self, arguments: PageArguments, rows: Sequence[RowT]) -> Page[RowT]:
        """The page that these rows make: in the list's order, one more than the page has if there are more."""
        cursors = [
            write_key(
                self.name, [v if isinstance(v := getattr(row, key), (int, datetime)) else str(v) for key in self.keys]
            )
            for row in rows
        ]
        return made_page(arguments, rows, cursors)

    async def count(self) -> int:
        """How many rows there are in all, by one statement a source."""
        return sum([await query.count() for query in self.sources.queries()])

    def _key(self, cursor: str | None) -> Key | None:
        """The values of a cursor, as its list's columns have them."""
        if cursor is None:
            return None
        return _checked(self.sources.kind, self.keys, read_key(self.name, cursor, len(self.keys)))

    def _beyond(self, key: Key, *, later: bool) -> Q:
        """What stands after (`later`) or before a key in the list's order, compared one value after the other."""
        comparison = "lt" if self.descending == later else "gt"
        return lexicographic(self.keys, key, comparison)


def _checked(model: type[Model], names: Sequence[str], key: Key) -> Key:
    """The values, of the kinds that these columns have. Refused with ForeignCursor: values that they can't have, so
    that this list never gave them."""
    found: list[Any] = []
    for name, value in zip(names, key, strict=True):
        kind = model._meta.fields_map[name].field_type
        try:
            found.append(kind(value) if kind is UUID else value)
        except (ValueError, TypeError, AttributeError):
            raise ForeignCursor from None
        if not isinstance(found[-1], kind):
            raise ForeignCursor
    return found


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
