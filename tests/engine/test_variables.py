"""Variables that are taken by what is known of their types: as graphql-core takes them, or left to it."""

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
  input In { a: Int, b: ID! = "b", c: [E!] = [A, B], inner: Inner, "Without a default." d: Boolean }
  input Inner { text: String!, own: Own, numbers: [[Int!]] }
  input Endless { more: Endless, a: Int }
  input One @oneOf { a: Int, b: ID }
  enum E { A B }
  type Query {
    f(id: ID, text: String, number: Int, real: Float, yes: Boolean, own: Own, e: E, in: In, l: [ID], r: Endless,
      one: One): Int
  }
""")
TYPES = ["ID", "String", "Int", "Float", "Boolean", "Own", "E", "In", "[ID]", "[In!]", "[[Int]!]", "Endless", "One"]
LEAVES = st.one_of(
    st.text(max_size=3),
    st.integers(-(2**33), 2**33),
    st.sampled_from([2**31 - 1, 2**31, -(2**31), -(2**31) - 1]),
    st.booleans(),
    st.none(),
    st.floats(),
    st.sampled_from(["A", "B"]),
)
NAMES = st.sampled_from(["a", "b", "c", "d", "inner", "text", "own", "numbers", "more", "unknown"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=6,
)
FITTING = st.fixed_dictionaries(
    {},
    optional={
        "a": st.integers(-5, 5) | st.none(),
        "b": st.text(max_size=2),
        "c": st.none() | st.lists(st.sampled_from(["A", "B"]), max_size=2),
        "d": st.booleans(),
        "inner": st.fixed_dictionaries(
            {"text": st.text(max_size=2)},
            optional={
                "own": LEAVES,
                "numbers": st.lists(st.none() | st.lists(st.integers(0, 3), max_size=2), max_size=2),
            },
        ),
    },
)
"""What `In` takes, which chance alone hardly finds."""
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


@settings(max_examples=600)
@given(st.lists(DEFINITIONS, min_size=1, max_size=3), st.data())
def test_what_the_engine_coerces_is_what_graphql_core_coerces(
    definitions: list[tuple[str, bool, str]], data: st.DataObject
) -> None:
    operation = _operation(definitions)
    inputs = {
        f"v{number}": data.draw(VALUES | FITTING)
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
        ("String", None, True),
        ("String!", None, False),
        ("Int!", 2**31 - 1, True),
        ("Int!", 2**31, False),
        ("Int!", True, False),
        ("Boolean!", True, True),
        ("Boolean!", 1, False),
        ("[ID!]!", "a", False),
        ("[ID!]!", ["a"], True),
        ("[ID!]!", ["a", None], False),
        ("Own!", {"a": 1}, True),
        ("E!", "A", True),
        ("E!", "C", False),
        ("In!", {}, True),
        ("In!", {"a": 1, "inner": {"text": "t"}}, True),
        ("In!", {"inner": {}}, False),
        ("In!", {"unknown": 1}, False),
        ("In!", {"a": "1"}, False),
        ("Endless!", {"a": 1}, False),
        ("One!", {"a": 1}, False),
        ('String = "a"', "b", False),
    ],
)
def test_only_what_needs_no_look_is_simple(definition: str, value: object, is_simple: bool) -> None:
    operation = parse(f"query($v: {definition}) {{ __typename }}").definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    simple = simple_variables(SCHEMA, operation.variable_definitions or ())
    assert (simple is not None and simple.coerced({"v": value}) is not None) == is_simple
    # Without one, a variable that may be null has no value.
    assert simple is None or (simple.coerced({}) is not None) == (not definition.endswith("!"))
