"""Arguments of our schema become what Strawberry would make of them."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import strawberry
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInputType, get_nullable_type, is_list_type
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.field import StrawberryField

from api.arguments import arguments_of
from api.schema import schema


def fields(given: strawberry.Schema) -> Iterator[tuple[str, StrawberryField, dict[str, GraphQLInputType]]]:
    """Every field that takes arguments, with their types."""
    for type_ in given._schema.type_map.values():
        for name, field in getattr(type_, "fields", {}).items():
            definition = getattr(field, "extensions", {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
            if isinstance(definition, StrawberryField) and definition.arguments:
                types = {name: argument.type for name, argument in field.args.items()}
                yield f"{type_.name}.{name}", definition, types


def coerced(type_: GraphQLInputType, chance: Random) -> Any:
    """A value as graphql-core hands it over; what a scalar holds does not matter."""
    nullable = get_nullable_type(type_)
    if nullable is type_ and chance.random() < 0.2:
        return None
    if is_list_type(nullable):
        return [coerced(nullable.of_type, chance) for _ in range(chance.randrange(3))]
    if isinstance(nullable, GraphQLInputObjectType):
        return {
            name: coerced(field.type, chance)
            for name, field in nullable.fields.items()
            if get_nullable_type(field.type) is not field.type or chance.random() < 0.7
        }
    if isinstance(nullable, GraphQLEnumType):
        return chance.choice(list(nullable.values.values())).value
    return chance.choice(["text", 7, True])


def both(given: strawberry.Schema, arguments: list[StrawberryArgument], values: dict[str, Any]) -> tuple[Any, Any]:
    registry = given.schema_converter.scalar_registry
    theirs = convert_arguments(values, arguments, scalar_registry=registry, config=given.config)
    return arguments_of(given, arguments)(values), theirs


def test_every_argument_of_the_schema_is_converted_alike() -> None:
    found = list(fields(schema))
    assert len(found) > 20
    for name, field, types in found:
        for seed in range(20):
            chance = Random(seed)
            values = {key: coerced(type_, chance) for key, type_ in types.items() if chance.random() < 0.8}
            ours, theirs = both(schema, field.arguments, values)
            assert ours == theirs, (name, values)
            assert list(map(type, ours.values())) == list(map(type, theirs.values()))


@strawberry.input
class Leaf:
    number: int | None = 3
    names: list[str] = strawberry.field(default_factory=lambda: ["a"])
    more: strawberry.Maybe[str | None] = None


@strawberry.input
class Tree:
    leaf: Leaf
    leaves: list[Leaf | None] | None
    note: str | None = strawberry.UNSET


@strawberry.type
class Query:
    @strawberry.field
    def held(self, tree: Tree | None = None, matrix: list[list[int]] | None = None) -> str:
        return f"{tree} {matrix}"


OWN = strawberry.Schema(query=Query, config=StrawberryConfig())


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"tree": None, "matrix": [[1], []]},
        {"tree": {"leaf": {}}},
        {
            "tree": {
                "leaf": {"number": None, "names": ["b"], "more": None},
                "leaves": [None, {"more": "x"}],
                "note": "n",
            }
        },
    ],
)
def test_defaults_lists_and_kinds_that_are_strawberrys_alone(values: dict[str, Any]) -> None:
    [(_, field, _)] = fields(OWN)
    ours, theirs = both(OWN, field.arguments, values)
    assert ours == theirs


def test_a_list_is_the_resolvers_own() -> None:
    """A default value is everybody's."""
    [(_, field, _)] = fields(OWN)
    matrix = [[1]]
    [ours] = arguments_of(OWN, field.arguments)({"matrix": matrix}).values()
    assert ours == matrix and ours is not matrix and ours[0] is not matrix[0]
