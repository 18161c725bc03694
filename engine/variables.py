"""Variables that are taken by what is known of their types: nearly all are, save those that are wrong.

graphql-core finds out each variable's type anew for each request: a twentieth of what one order takes, and of what an
offer takes, whose input is an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    VariableDefinitionNode,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value

Taker: TypeAlias = Callable[[Any], Any]
"""Gives the value that something given stands for; `Undefined` where graphql-core has to look at it, as at all that is
wrong, and at what it would make something else of."""

_AS_GIVEN: Mapping[Any, type] = {GraphQLID: str, GraphQLString: str, GraphQLBoolean: bool}
"""The scalars whose values are what they are given as, when they are given as exactly that class."""


class _Simple(NamedTuple):
    name: str
    take: Taker
    signature: GraphQLVariableSignature
    may_be_absent: bool


@dataclass(frozen=True, slots=True)
class SimpleVariables:
    """All variables of an operation, none of which has a default."""

    variables: tuple[_Simple, ...]

    def coerced(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Their values; None where graphql-core has to look at one."""
        sources: dict[str, VariableValueSource] = {}
        values: dict[str, Any] = {}
        for name, take, signature, may_be_absent in self.variables:
            if name in given:
                value = given[name]
                taken = take(value)
                if taken is Undefined:
                    return None
                sources[name], values[name] = VariableValueSource(signature, value), taken
            elif may_be_absent:
                sources[name] = VariableValueSource(signature)
            else:
                return None
        return VariableValues(sources, values)


def simple_variables(schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> SimpleVariables | None:
    """What is known of these variables; None where one of them must be looked at each time, or there is none."""
    found: list[_Simple] = []
    for definition in definitions:
        signature = get_variable_signature(schema, definition)
        if isinstance(signature, GraphQLError) or signature.default is not None:
            return None
        take = _taker(signature.type, ())
        if take is None:
            return None
        may_be_absent = not isinstance(signature.type, GraphQLNonNull)
        found.append(_Simple(definition.variable.name.value, take, signature, may_be_absent))
    return SimpleVariables(tuple(found)) if found else None


def _taker(type_: GraphQLInputType, around: tuple[GraphQLInputObjectType, ...]) -> Taker | None:
    """How values of a type are taken; None where graphql-core has to look at all of them. `around` are the objects that
    it stands in: one that holds itself may be nested without an end."""
    of, null = (type_.of_type, Undefined) if isinstance(type_, GraphQLNonNull) else (type_, None)
    take = _taker_of_some(of, around)
    return None if take is None else _null_taker(take, null)


def _null_taker(take: Taker, null: Any) -> Taker:
    return lambda given: null if given is None else take(given)


def _taker_of_some(type_: GraphQLInputType, around: tuple[GraphQLInputObjectType, ...]) -> Taker | None:
    """The same for what is not null."""
    if isinstance(type_, GraphQLList):
        take_item = _taker(type_.of_type, around)
        return None if take_item is None else _list_taker(take_item)
    if isinstance(type_, GraphQLInputObjectType):
        return None if type_ in around or type_.is_one_of else _object_taker(type_, (*around, type_))
    if type_ is GraphQLInt:
        return _integer
    assert isinstance(type_, GraphQLLeafType)
    kind = _AS_GIVEN.get(type_)
    return _leaf_taker(type_) if kind is None else lambda given: given if type(given) is kind else Undefined


def _integer(given: Any) -> Any:
    return given if type(given) is int and GRAPHQL_MIN_INT <= given <= GRAPHQL_MAX_INT else Undefined


def _leaf_taker(type_: GraphQLLeafType) -> Taker:
    def take(given: Any) -> Any:
        try:
            return type_.coerce_input_value(given)
        except Exception:  # noqa: BLE001 - graphql-core asks again, and tells it
            return Undefined

    return take


def _list_taker(take_item: Taker) -> Taker:
    def take(given: Any) -> Any:
        if type(given) is not list:
            return Undefined
        found = list(map(take_item, given))
        return Undefined if any(item is Undefined for item in found) else found

    return take


class _Field(NamedTuple):
    """A field of an input object; its default is the same object each time, as graphql-core has it."""

    name: str
    out_name: str
    take: Taker
    is_required: bool
    default: Any


def _object_taker(type_: GraphQLInputObjectType, around: tuple[GraphQLInputObjectType, ...]) -> Taker | None:
    fields: list[_Field] = []
    for name, field in type_.fields.items():
        take = _taker(field.type, around)
        if take is None:
            return None
        fields.append(
            _Field(name, field.out_name or name, take, is_required_input_field(field), coerce_default_value(field))
        )

    def take_object(given: Any) -> Any:
        if type(given) is not dict:
            return Undefined
        found: dict[str, Any] = {}
        known = 0
        for name, out_name, take, is_required, default in fields:
            if name in given:
                known += 1
                value = take(given[name])
                if value is Undefined:
                    return Undefined
                found[out_name] = value
            elif is_required:
                return Undefined
            elif default is not Undefined:
                found[out_name] = default
        return type_.out_type(found) if known == len(given) else Undefined

    return take_object
