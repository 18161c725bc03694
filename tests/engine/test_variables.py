"""Variables that are taken as they are given: the same values as graphql-core finds, or left to it."""

from typing import Any

import pytest
from graphql import GraphQLError, OperationDefinitionNode, build_schema, parse
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine
from engine.variables import simple_variables

SCHEMA = build_schema("""
  scalar Own
  input In { a: Int }
  enum E { A }
  type Query { f(id: ID, text: String, number: Int, real: Float, yes: Boolean, own: Own, e: E, in: In, l: [ID]): Int }
""")
TYPES = ["ID", "String", "Int", "Float", "Boolean", "Own", "E", "In", "[ID]"]
VALUES = st.one_of(
    st.text(max_size=3),
    st.integers(-(2**33), 2**33),
    st.sampled_from([2**31 - 1, 2**31, -(2**31), -(2**31) - 1]),
    st.booleans(),
    st.none(),
    st.floats(),
    st.just("A"),
    st.lists(st.text(max_size=2), max_size=2),
    st.just({"a": 1}),
)
DEFINITIONS = st.tuples(st.sampled_from([*TYPES[:3], *TYPES]), st.booleans(), st.sampled_from(["", "", "", " = null"]))


def _operation(definitions: list[tuple[str, bool, str]]) -> OperationDefinitionNode:
    text = ", ".join(
        f"$v{number}: {kind}{'!' if required else ''}{'' if required else default}"
        for number, (kind, required, default) in enumerate(definitions)
    )
    found = parse(f"query({text}) {{ __typename }}").definitions[0]
    assert isinstance(found, OperationDefinitionNode)
    return found


def _plain(values: VariableValues | list[GraphQLError]) -> Any:
    if isinstance(values, list):
        return [error.formatted for error in values]
    sources = {
        name: (source.signature.name, str(source.signature.type), source.value) for name, source in values[0].items()
    }
    return sources, values.coerced


@settings(max_examples=400)
@given(st.lists(DEFINITIONS, min_size=1, max_size=3), st.data())
def test_what_the_engine_coerces_is_what_graphql_core_coerces(
    definitions: list[tuple[str, bool, str]], data: st.DataObject
) -> None:
    operation = _operation(definitions)
    inputs = {
        f"v{number}": data.draw(VALUES)
        for number in range(len(definitions))
        if data.draw(st.integers(0, 9)) or not number
    } | {"unknown": 1}
    engine = Engine(SCHEMA)
    assert engine.plan(operation, {})
    wanted = get_variable_values(SCHEMA, operation.variable_definitions or (), inputs, max_errors=50)
    # `repr`, since what is not a number equals nothing.
    assert repr(_plain(engine.coerced(operation, inputs))) == repr(_plain(wanted))


@pytest.mark.parametrize(
    ("definition", "value", "is_simple"),
    [
        ("ID!", "a", True),
        ("ID", 1, False),
        ("String", "a", True),
        ("String", None, False),
        ("Int!", 2**31 - 1, True),
        ("Int!", 2**31, False),
        ("Int!", True, False),
        ("Boolean!", True, False),
        ("[ID!]!", "a", False),
        ('String = "a"', "b", False),
    ],
)
def test_only_what_needs_no_look_is_simple(definition: str, value: object, is_simple: bool) -> None:
    operation = parse(f"query($v: {definition}) {{ __typename }}").definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    simple = simple_variables(SCHEMA, operation.variable_definitions or ())
    assert (simple is not None and simple.coerced({"v": value}) is not None) == is_simple
    assert simple is None or simple.coerced({}) is None
