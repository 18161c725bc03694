"""Columns of leaf values: a level's strings, numbers, enumeration values and own scalars, made fit for the answer."""

from collections.abc import Callable, Sequence
from enum import Enum
from itertools import filterfalse
from math import isfinite
from types import NoneType
from typing import Any, TypeAlias

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
)
from graphql.pyutils import Undefined, UndefinedType, inspect

from engine.awaiting import is_plain

Column: TypeAlias = Callable[[set[type], Sequence[Any], bool], Sequence[Any] | None]
"""`column(kinds, values, nullable)`: all values as the answer has them, or None where one of them is not as usual, and
each must be looked at. `kinds` are the classes that occur."""

_NULL = {NoneType}
_NOTHING = {NoneType, UndefinedType}


def serialized(type_: GraphQLLeafType, value: Any) -> Any:
    """One value, as graphql-core does it, errors included."""
    written = type_.coerce_output_value(value)
    if written is Undefined or written is None:
        raise TypeError(
            f"Expected `{inspect(type_)}.coerce_output_value({inspect(value)})` to return non-nullable value,"
            f" returned: {inspect(written)}"
        )
    return written


def column_of(type_: GraphQLLeafType) -> Column:
    """How a column of this type is completed. The types of the specification are known by what they do, so that a
    scalar of one's own that is called `Int` is not taken for one of them."""
    if isinstance(type_, GraphQLEnumType):
        return _enumeration(type_)
    return _SPECIFIED.get(type_.coerce_output_value) or _own(type_)


def unchanged(type_: GraphQLLeafType) -> frozenset[type]:
    """The classes whose values the answer holds as they are."""
    return _UNCHANGED.get(type_.coerce_output_value, frozenset())


def _as_it_is(kind: type) -> Column:
    """Values of one class that need no change: one set of classes is made for the column, and no value is touched."""
    allowed: set[type] = {kind}
    or_null = allowed | _NULL

    def column(kinds: set[type], values: Sequence[Any], nullable: bool) -> Sequence[Any] | None:
        return values if kinds <= (or_null if nullable else allowed) else None

    return column


def _integers(kinds: set[type], values: Sequence[Any], nullable: bool) -> Sequence[Any] | None:
    present = _present(int, kinds, values, nullable)
    if present is None:
        return None
    in_range = not present or (min(present) >= GRAPHQL_MIN_INT and max(present) <= GRAPHQL_MAX_INT)
    return values if in_range else None


def _floats(kinds: set[type], values: Sequence[Any], nullable: bool) -> Sequence[Any] | None:
    present = _present(float, kinds, values, nullable)
    return values if present is not None and all(map(isfinite, present)) else None


def _present(kind: type, kinds: set[type], values: Sequence[Any], nullable: bool) -> Sequence[Any] | None:
    """The values without the nulls, if they are all of that class."""
    if kinds == {kind}:
        return values
    if nullable and kinds <= {kind, NoneType}:
        return list(filterfalse(_is_null, values))
    return None


def _is_null(value: Any) -> bool:
    return value is None


_SPECIFIED: dict[Callable[..., Any], Column] = {
    GraphQLString.coerce_output_value: _as_it_is(str),
    GraphQLID.coerce_output_value: _as_it_is(str),
    GraphQLBoolean.coerce_output_value: _as_it_is(bool),
    GraphQLInt.coerce_output_value: _integers,
    GraphQLFloat.coerce_output_value: _floats,
}

_UNCHANGED: dict[Callable[..., Any], frozenset[type]] = {
    GraphQLString.coerce_output_value: frozenset({str}),
    GraphQLID.coerce_output_value: frozenset({str}),
    GraphQLBoolean.coerce_output_value: frozenset({bool}),
    # A scalar of one's own that is written by `str`.
    str: frozenset({str}),
}


def _enumeration(type_: GraphQLEnumType) -> Column:
    """Names are learned once for each member. One table a class: members of two string enumerations may be equal."""
    tables: dict[type, dict[Any, str | None]] = {}

    def column(kinds: set[type], values: Sequence[Any], nullable: bool) -> Sequence[Any] | None:
        kinds = kinds - _NULL if nullable else kinds
        if len(kinds) != 1:
            return None
        [kind] = kinds
        table = tables.get(kind)
        if table is None:
            if not (issubclass(kind, Enum) or kind is str) or not is_plain(kind):
                return None
            table = tables[kind] = {None: None}
        try:
            return [table[value] for value in values]
        except KeyError:
            return _learned(type_, table, values)

    return column


def _learned(type_: GraphQLEnumType, table: dict[Any, str | None], values: Sequence[Any]) -> Sequence[Any] | None:
    try:
        for value in values:
            if value not in table:
                table[value] = serialized(type_, value)
    except Exception:  # noqa: BLE001 - whoever looks at each value will meet it again
        return None
    return [table[value] for value in values]


def _own(type_: GraphQLLeafType) -> Column:
    """A scalar of one's own: its writer is called for each value. Should it refuse one, all are looked at anew."""
    plain: set[type] = set()
    write = type_.coerce_output_value

    def column(kinds: set[type], values: Sequence[Any], nullable: bool) -> Sequence[Any] | None:
        has_nulls = nullable and NoneType in kinds
        if has_nulls:
            kinds = kinds - _NULL
        if not kinds <= plain:
            if not all(map(is_plain, kinds)):
                return None
            plain.update(kinds)
        if not kinds:
            return values
        present = list(filterfalse(_is_null, values)) if has_nulls else values
        try:
            written = [write(value) for value in present]
        except Exception:  # noqa: BLE001 - whoever looks at each value will meet it again
            return None
        if not _NOTHING.isdisjoint(map(type, written)):
            return None
        if not has_nulls:
            return written
        texts = iter(written)
        return [None if value is None else next(texts) for value in values]

    return column
