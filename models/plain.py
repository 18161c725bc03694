"""Rows by the driver: the ORM makes the text of a query once, and it is kept."""

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from typing import Any, TypeGuard, TypeVar, cast
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models.database import connection
from models.instants import in_utc
from models.making import Joined, built, one_and_its_own, told

R = TypeVar("R", bound=Model)
Own = TypeVar("Own", bound=Model)

Value = UUID | datetime | int | Sequence[UUID]
"""What a kept text leaves open."""

_PARAMETER = re.compile(r"\$(\d+)")
_MOST_KEPT = 1_000
"""Texts: one for each condition, order, limit and number of ids that was ever asked for."""


async def rows(query: QuerySet[R]) -> list[R]:
    """What `await query` gives, equal to the last attribute; queries of more than conditions on one table are left to
    the ORM. It buys the server a fourth of its time for a page of orders, a fifth for one order, a tenth for an offer:
    that is what the ORM spends on making each text anew and on setting column by column."""
    db = query._choose_db()
    taken: list[Any] = []
    shape = _shape(query, taken)
    if shape is None:
        return list(await query)
    key = (db.capabilities.dialect, query.model, shape)
    text = _kept.get(key)
    if text is None:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        text = _kept[key] = _made(query, len(taken))
    _, records = await db.execute_query(text.text, text.with_values(taken))
    return built(query.model, db.capabilities.dialect, records)


async def asked(
    words: Hashable,
    query_of: Callable[..., QuerySet[R] | Sequence[QuerySet[R]]],
    *values: Value,
    db: BaseDBAsyncClient | None = None,
    joined: Joined | None = None,
) -> list[R]:
    """The rows of the query that `query_of` makes of the values; what is asked in the same `words` differs in nothing
    but them. The query is made once for all words that are the same: making it anew each time, and telling by its parts
    that it is known, cost a process a tenth of its time for one order with its people.

    Columns that a kind of row names as `UNTOLD` are not read, unless they are sorted by, and the rows have no such
    attribute. That spares a process a twelfth of its instructions for a page of orders.

    Several queries are disjoint parts of one table, sorted and limited alike: in one statement come the first rows of
    all of them, and maybe some more. They are in no order, nor are those that come with others `joined` to them."""
    db = db or connection()
    dialect = db.capabilities.dialect
    # SQLite has no arrays: there a text is of one number of ids.
    numbers = () if dialect == "postgres" else tuple([len(value) for value in values if _is_list(value)])
    key = (dialect, words, numbers)
    spoken = _spoken.get(key)
    if spoken is None:
        if len(_spoken) >= _MOST_KEPT:
            _spoken.clear()
        spoken = _spoken[key] = _spoken_by(dialect, query_of, values, joined)
    _, records = await db.execute_query(spoken.text, [_at(place, values, dialect) for place in spoken.places])
    return built(spoken.kind, dialect, records, joined)


async def one_with(
    words: Hashable,
    queries_of: Callable[..., tuple[QuerySet[R], QuerySet[Own]]],
    column: str,
    *values: Value,
    db: BaseDBAsyncClient | None = None,
) -> tuple[R, list[Own]] | None:
    """The one row of the first query, if any, with those rows of the second whose `column` names it, in no order. One
    statement, and so all as it was at one instant. Words are as `asked` has them, and values too, but for lists."""
    db = db or connection()
    dialect = db.capabilities.dialect
    key = (dialect, words, column)
    spoken = _spoken.get(key)
    if spoken is None:
        if len(_spoken) >= _MOST_KEPT:
            _spoken.clear()
        spoken = _spoken[key] = _spoken_by(dialect, queries_of, values, owned_by=column)
    _, records = await db.execute_query(spoken.text, [_at(place, values, dialect) for place in spoken.places])
    return one_and_its_own(spoken.kind, cast("type[Own]", spoken.owned), dialect, records)


# ---------------------------------------------------------------- texts of words


@dataclass(frozen=True, slots=True)
class _Place:
    """What stands at one place of a text: a value, one of the ids of a value, or a constant."""

    number: int | None
    element: int | None = None
    constant: Any = None


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A query's text, and what it leaves open."""

    kind: type[Any]
    text: str
    places: tuple[_Place, ...]
    owned: type[Any] | None = None


_spoken: dict[Hashable, _Spoken] = {}


def _is_list(value: object) -> TypeGuard[Sequence[UUID]]:
    return isinstance(value, list | tuple)


def _at(place: _Place, values: Sequence[Any], dialect: str) -> Any:
    if place.number is None:
        return place.constant
    value = values[place.number] if place.element is None else values[place.number][place.element]
    # PostgreSQL's driver takes ids as they are.
    return value if dialect == "postgres" else _as_written(value)


def _spoken_by(
    dialect: str,
    query_of: Callable[..., QuerySet[Any] | Sequence[QuerySet[Any]]],
    values: Sequence[Value],
    joined: Joined | None = None,
    owned_by: str | None = None,
) -> _Spoken:
    """The text that the ORM makes of the query of stand-ins for the values."""
    known: dict[Any, _Place] = {}
    numbers = count()
    made = query_of(*[_stood_in(number, value, dialect, known, numbers) for number, value in enumerate(values)])
    parts = [made] if isinstance(made, QuerySet) else list(made)
    texts: list[str] = []
    places: list[_Place] = []
    for part in parts:
        text, parameters = _written_by_the_orm(part)
        texts.append(_numbered_from(len(places), text))
        places += [_place_of(parameter, known) for parameter in parameters]
    assert set(known.values()) <= set(places), "a value has got lost"
    if owned_by is not None:
        owner, owned = parts
        return _Spoken(owner.model, _with_owned(texts, owner.model, owned_by), tuple(places), owned.model)
    whole = texts[0] if len(texts) == 1 else _merged(texts, parts[0], dialect)
    if dialect == "postgres":
        for number, place in enumerate(places, start=1):
            if place.number is not None and _is_list(values[place.number]):
                whole = _with_an_array(whole, number)
    kind = parts[0].model
    return _Spoken(kind, joined.beside(kind, whole) if joined else whole, tuple(places))


def _written_by_the_orm(query: QuerySet[Any]) -> tuple[str, list[Any]]:
    model: type[Model] = query.model
    wanted = dict.fromkeys((*told(model), *[name for name, _ in query._orderings]))
    query = query.only(*wanted)
    query._choose_db_if_not_chosen()
    query._make_query()
    text, parameters = query.query.get_parameterized_sql()
    return text, list(parameters)


def _place_of(parameter: Any, known: dict[Any, _Place]) -> _Place:
    constant = _Place(None, constant=parameter)
    return known.get(parameter, constant) if isinstance(parameter, str | datetime | int) else constant


def _numbered_from(first: int, text: str) -> str:
    """PostgreSQL's places have numbers, which go on from one part of a statement to the next."""
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + first}", text) if first else text


def _merged(texts: Sequence[str], one: QuerySet[Any], dialect: str) -> str:
    """The first rows of all parts together. An index gives each part in its order, as far as it is wanted."""
    quoted = " UNION ALL ".join(f"SELECT * FROM ({text}) AS p{n}" for n, text in enumerate(texts))  # noqa: S608
    if dialect == "sqlite":
        # It would sort them by a table made for that, and whoever asks puts them in order anyway.
        return quoted
    sorting = ", ".join(f'"{name}" {order.value}' for name, order in one._orderings)
    return f"SELECT * FROM ({quoted}) AS parts ORDER BY {sorting} LIMIT {one._limit}"  # noqa: S608 - our own names


def _with_owned(texts: Sequence[str], owner: type[Model], column: str) -> str:
    """Each row of the first text beside each of the second's that names it; once by itself where there is none."""
    one, its = texts
    key = owner._meta.db_pk_column
    return f'SELECT main.*, own.* FROM ({one}) AS main LEFT JOIN ({its}) AS own ON own."{column}"=main."{key}"'  # noqa: S608


def _stood_in(number: int, value: Value, dialect: str, known: dict[Any, _Place], places: Iterator[int]) -> Any:
    if not _is_list(value):
        found = _stand_in(value, next(places))
        known[_as_written(found)] = _Place(number)
        return found
    ids = []
    for element in range(1 if dialect == "postgres" else len(value)):
        ids.append(_stand_in(value[element], next(places)))
        known[_as_written(ids[-1])] = _Place(number, None if dialect == "postgres" else element)
    return ids


def _with_an_array(text: str, number: int) -> str:
    """A list as an array: one text does for any number of ids."""
    assert text.count(f" IN (${number})") == 1, "an id is not asked for as one of a list"
    return text.replace(f" IN (${number})", f"=ANY(${number})")


# ---------------------------------------------------------------- texts of queries


@dataclass(frozen=True, slots=True)
class _Text:
    """A statement, with what stands at each of its places: a constant, or the number of a value."""

    text: str
    places: tuple[tuple[int | None, Any], ...]

    def with_values(self, values: Sequence[Any]) -> list[Any]:
        return [constant if number is None else _as_written(values[number]) for number, constant in self.places]


_kept: dict[Hashable, _Text] = {}


def _as_written(value: UUID | datetime | int) -> Any:
    """As the fields of these kinds have it."""
    if isinstance(value, UUID):
        return str(value)
    return in_utc(value) if isinstance(value, datetime) else value


def _shape(query: QuerySet[Any], taken: list[Any]) -> Hashable | None:
    """All of a query but its ids, instants and numbers, which are put into `taken`. None: it is more than conditions on
    a table, or holds words that people wrote, of which no text shall be kept."""
    if query._annotations or query._select_related or query._prefetch_map or query._fields_for_select:
        return None
    if query._distinct or query._offset or query._single:
        return None
    try:
        conditions = tuple([_condition(q, taken) for q in query._q_objects])
    except _MoreThanThat:
        return None
    orderings = tuple([(name, order) for name, order in query._orderings])
    return conditions, orderings, query._limit, _lock(query)


def _lock(query: QuerySet[Any]) -> Hashable:
    """With which lock the rows are read, if any."""
    if not query._select_for_update:
        return None
    waits_not = query._select_for_update_nowait, query._select_for_update_skip_locked
    return waits_not, frozenset(query._select_for_update_of), query._select_for_update_no_key


class _MoreThanThat(Exception):
    """A condition compares with something else than ids, instants, numbers, and our own words."""


def _condition(q: Q, taken: list[Any]) -> Hashable:
    filters = tuple([(name, _value(value, taken)) for name, value in q.filters.items()])
    return q.join_type, q._is_negated, filters, tuple([_condition(child, taken) for child in q.children])


def _value(value: Any, taken: list[Any]) -> Hashable:
    if _is_taken(value):
        taken.append(value)
        return type(value).__name__
    if isinstance(value, list):
        return tuple([_value(each, taken) for each in value])
    if value is None or isinstance(value, Enum | bool):
        return type(value), value
    raise _MoreThanThat


def _is_taken(value: Any) -> bool:
    return isinstance(value, UUID | datetime) or type(value) is int


def _made(query: QuerySet[Any], number: int) -> _Text:
    """The text, made by the ORM of the same query with stand-ins for its values: so it is known where each came to."""
    stand_ins = iter(range(number))
    known: dict[Any, int] = {}

    def stood_in(value: Any) -> Any:
        if isinstance(value, list):
            return [stood_in(each) for each in value]
        if not _is_taken(value):
            return value
        place = next(stand_ins)
        found = _stand_in(value, place)
        known[_as_written(found)] = place
        return found

    def copied(q: Q) -> Q:
        filters = {name: stood_in(value) for name, value in q.filters.items()}
        copy = Q(*[], join_type=q.join_type, **filters)
        copy.children = tuple([copied(child) for child in q.children])
        copy._is_negated = q._is_negated
        return copy

    model = query._clone()
    model._q_objects = [copied(q) for q in query._q_objects]
    model._choose_db_if_not_chosen()
    model._make_query()
    text, values = model.query.get_parameterized_sql()
    places = tuple([(known.get(value) if isinstance(value, str | datetime | int) else None, value) for value in values])
    assert {place for place, _ in places if place is not None} == set(range(number)), "a value has got lost"
    return _Text(text, places)


def _stand_in(value: Any, place: int) -> UUID | datetime | int:
    """A value of this kind that nobody asks for."""
    if isinstance(value, UUID):
        return UUID(int=(0x5EED << 112) + place)
    return _LAST - timedelta(microseconds=place) if isinstance(value, datetime) else _MOST - place


_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
_MOST = 2**63 - 1
