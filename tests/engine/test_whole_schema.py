"""The product's whole schema, with resolvers that answer by chance: the engine answers as graphql-core does."""

import asyncio
import inspect
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any

import pytest
from graphql import (
    ExecutionResult,
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    execute,
    get_introspection_query,
    lexicographic_sort_schema,
    parse,
    validate,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from api.schema import schema
from engine import Engine
from tests.engine.documents import Asked, Author

pytestmark = pytest.mark.slow

ABSTRACT = (GraphQLInterfaceType, GraphQLUnionType)


@settings(max_examples=settings().max_examples // 2)
@given(
    salt=st.integers(0, 2**32 - 1),
    chance=st.randoms(use_true_random=False),
    operation=st.sampled_from(["query", "query", "query", "mutation", "subscription"]),
    trouble=st.sampled_from([0, 0.01, 0.05]),
)
def test_the_whole_schema(salt: int, chance: Random, operation: str, trouble: float) -> None:
    by_chance = the_schema_by_chance()
    asked = Author(by_chance, chance, deepest=6, widest=4).write(operation)
    document = parse(asked.text)
    if not validate(by_chance, document):
        at_once = asyncio.run(by_core(by_chance, asked, Root(salt, trouble, late=False)))
        late = asyncio.run(by_engine(by_chance, asked, Root(salt, trouble, late=True)))
        assert json.dumps(late.formatted) == json.dumps(at_once.formatted)


def test_introspection() -> None:
    """Tools ask it, so that it need not be fast, but right."""
    asked = Asked(get_introspection_query(specified_by_url=True, input_value_deprecation=True), {})
    ours = asyncio.run(by_engine(schema._schema, asked, None))
    assert ours.errors is None
    assert json.dumps(ours.data) == json.dumps(asyncio.run(by_core(schema._schema, asked, None)).data)


class Root:
    """Where an operation begins. All that is answered follows from the salt."""

    def __init__(self, salt: int, trouble: float, *, late: bool) -> None:
        self.key = str(salt)
        self.trouble = trouble
        self.late = late


class Thing:
    """An object of the answer."""

    def __init__(self, key: str, type_name: str, root: Root) -> None:
        self.key = key
        self.type_name = type_name
        self.root = root

    def __repr__(self) -> str:
        return f"<{self.type_name} {self.key}>"


@lru_cache
def the_schema_by_chance() -> GraphQLSchema:
    """A copy, with the same scalars and enumerations, whose fields are all answered by chance."""
    copy = lexicographic_sort_schema(schema._schema)
    for type_ in copy.type_map.values():
        if type_.name.startswith("__"):
            continue
        if isinstance(type_, GraphQLObjectType):
            type_.is_type_of = None
            for name, field in type_.fields.items():
                _answered_by_chance(copy, type_.name, name, field)
        elif isinstance(type_, ABSTRACT):
            type_.resolve_type = lambda thing, *_: thing.type_name
    return copy


def _answered_by_chance(copy: GraphQLSchema, type_name: str, name: str, field: GraphQLField) -> None:
    def resolve(source: Any, info: Any, **given: Any) -> Any:
        root = source if isinstance(source, Root) else source.root
        key = f"{source.key}.{name}"
        assert (info.field_name, info.parent_type.name) == (name, type_name)
        chance = Random(f"{key} {sorted(given.items(), key=repr) if given else ''}")
        if root.late and Random(key).random() < 0.5:
            return _late(chance, copy, field.type, key, root)
        return _value(chance, copy, field.type, key, root)

    field.resolve = resolve


async def _late(chance: Random, copy: GraphQLSchema, type_: Any, key: str, root: Root) -> Any:
    await asyncio.sleep(0)
    return _value(chance, copy, type_, key, root)


def _value(chance: Random, copy: GraphQLSchema, type_: Any, key: str, root: Root) -> Any:
    if chance.random() < root.trouble:
        if chance.random() < 0.5:
            raise LookupError(f"no {key}")
        return chance.choice([None, 2**40, "text", ValueError(key), 1.5])
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    elif chance.random() < 0.2:
        return None
    if isinstance(type_, GraphQLList):
        return [_value(chance, copy, type_.of_type, f"{key}[{number}]", root) for number in range(chance.randrange(4))]
    if isinstance(type_, ABSTRACT):
        return Thing(key, chance.choice(copy.get_possible_types(_abstract(type_))).name, root)
    if isinstance(type_, GraphQLObjectType):
        return Thing(key, type_.name, root)
    if isinstance(type_, GraphQLEnumType):
        return chance.choice(list(type_.values.values())).value
    return {
        "DateTime": datetime(2026, 3, 2, tzinfo=UTC) + timedelta(microseconds=chance.randrange(10**12)),
        "Decimal": Decimal(chance.randrange(10**6)).scaleb(-2),
        "CurrencyCode": "USD",
        "Int": chance.randrange(1_000),
        "Float": chance.random(),
        "Boolean": chance.random() < 0.5,
    }.get(type_.name, f"{type_.name} {chance.randrange(100)}")


def _abstract(type_: Any) -> GraphQLAbstractType:
    assert isinstance(type_, ABSTRACT)
    return type_


async def by_core(over: GraphQLSchema, asked: Asked, root: Any) -> ExecutionResult:
    result = execute(over, parse(asked.text), root_value=root, variable_values=asked.variables)
    return await result if inspect.isawaitable(result) else result


async def by_engine(over: GraphQLSchema, asked: Asked, root: Any) -> ExecutionResult:
    return await Engine(over).execute(parse(asked.text), None, asked.variables, root_value=root)
