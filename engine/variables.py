"""Variables that are taken as they are given: ids, strings and numbers, which nearly all variables are.

graphql-core finds out each variable's type anew for each request, which took a twentieth of what one order takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLError,
    GraphQLID,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    VariableDefinitionNode,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource

_AS_GIVEN: Mapping[Any, type] = {GraphQLID: str, GraphQLString: str, GraphQLInt: int}
"""The scalars whose values are what they are given as, when they are given as exactly that class."""


class _Simple(NamedTuple):
    name: str
    kind: type
    signature: GraphQLVariableSignature


@dataclass(frozen=True, slots=True)
class SimpleVariables:
    """All variables of an operation, none of which has a default."""

    variables: tuple[_Simple, ...]

    def coerced(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Their values; None where one is not there, or is not exactly as it should be."""
        sources: dict[str, VariableValueSource] = {}
        values: dict[str, Any] = {}
        for name, kind, signature in self.variables:
            value: Any = given.get(name)
            its = type(value)
            if its is not kind or (its is int and not GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT):
                return None
            sources[name], values[name] = VariableValueSource(signature, value), value
        return VariableValues(sources, values)


def simple_variables(schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> SimpleVariables | None:
    """What is known of these variables; None where one of them must be looked at each time, or there is none."""
    found: list[_Simple] = []
    for definition in definitions:
        signature = get_variable_signature(schema, definition)
        if isinstance(signature, GraphQLError) or signature.default is not None:
            return None
        named = signature.type.of_type if isinstance(signature.type, GraphQLNonNull) else signature.type
        kind = _AS_GIVEN.get(named)
        if kind is None:
            return None
        found.append(_Simple(definition.variable.name.value, kind, signature))
    return SimpleVariables(tuple(found)) if found else None
