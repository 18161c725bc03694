"""What the engine promises beside equal answers: plans are kept, nothing is read twice, the rest is left alone."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from enum import StrEnum
from itertools import product
from typing import Any

import pytest
from graphql import (
    ExecutionResult,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    MiddlewareManager,
    execute,
    graphql_sync,
    parse,
    subscribe,
)
from graphql.pyutils import Undefined

from engine import Attribute, Engine, EngineExecutor, Itself, LevelInfo, Method, Reader, Resolver, ordinary
from engine.document import definitions_of


class Calls:
    """A small schema, and which of its resolvers were called."""

    def __init__(self) -> None:
        self.names: list[str] = []
        pet = GraphQLObjectType(
            "Pet",
            lambda: {
                "name": self._field("name", GraphQLNonNull(GraphQLString), lambda pet: pet["name"]),
                "owner": self._field("owner", GraphQLString, lambda pet: f"owner of {pet['name']}"),
            },
        )
        self.pets = [{"name": "Rex"}, {"name": "Tom"}]
        fields = {
            "pets": self._field("pets", GraphQLList(pet), lambda _: self.pets),
            "strict": self._field("strict", GraphQLNonNull(GraphQLInt), lambda _: None),
            "one": self._field("one", GraphQLInt, lambda _: 1),
        }
        mutation = GraphQLObjectType("Mutation", {name: fields[name] for name in ("one", "strict", "pets")})
        event = GraphQLField(pet, resolve=lambda event, _: event, subscribe=lambda *_: self._events())
        self.schema = GraphQLSchema(
            GraphQLObjectType("Query", fields), mutation, GraphQLObjectType("Subscription", {"event": event})
        )

    def _field(self, name: str, type_: Any, answer: Any) -> GraphQLField:
        def resolve(source: Any, _: Any) -> Any:
            self.names.append(name)
            return answer(source)

        return GraphQLField(type_, resolve=resolve)

    async def _events(self) -> AsyncIterator[dict[str, str]]:
        for pet in self.pets:
            yield pet


async def answered(engine: Engine, text: str, **variables: Any) -> Any:
    return (await engine.execute(parse(text), variables=variables)).formatted


# ------------------------------------------------------------------------------------------------ batches


async def test_a_batch_answers_a_level_at_once() -> None:
    calls = Calls()
    seen = []

    async def owners(pets: list[Any], info: LevelInfo) -> list[str]:
        seen.append((len(pets), info.field_name, info.parent_type.name, info.context))
        return [pet["name"].upper() for pet in pets]

    engine = Engine(calls.schema, batches={("Pet", "owner"): owners})
    result = await engine.execute(parse("{ pets { name owner } }"), context="here")
    assert result.data == {"pets": [{"name": "Rex", "owner": "REX"}, {"name": "Tom", "owner": "TOM"}]}
    assert seen == [(2, "owner", "Pet", "here")]
    assert "owner" not in calls.names


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a"], "The batch of Pet.owner gave 1 values for 2 parents."),
        ("ab", "The batch of Pet.owner gave str for 2 parents."),
        (ValueError("all"), "all"),
    ],
)
async def test_a_batch_that_fails_fails_for_each_parent(values: Any, message: str) -> None:
    def owners(*_: Any) -> Any:
        if isinstance(values, Exception):
            raise values
        return values

    answer = await answered(Engine(Calls().schema, batches={("Pet", "owner"): owners}), "{ pets { owner } }")
    assert answer["data"] == {"pets": [{"owner": None}, {"owner": None}]}
    assert [(error["message"], error["path"]) for error in answer["errors"]] == [
        (message, ["pets", 0, "owner"]),
        (message, ["pets", 1, "owner"]),
    ]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("{ pets { name } }", {"name"}),
        ("{ pets { name owner } one }", {"name", "owner"}),
        (
            """{ pets { ...Some } } fragment Some on Pet { alias: name ... on Pet { ...More } ...Same }
            fragment More on Pet { owner } fragment Same on Pet { owner }""",
            {"name", "owner"},
        ),
        ("query($no: Boolean = false) { pets { name owner @include(if: $no) } }", {"name", "owner"}),
        ("{ pets { name } pets { owner } }", {"name", "owner"}),
    ],
)
async def test_a_resolver_is_told_what_is_asked_for_below(query: str, names: set[str]) -> None:
    told: list[frozenset[str]] = []

    def reader_of(type_: GraphQLObjectType, name: str, field: GraphQLField) -> Reader:
        if name != "pets":
            return ordinary(type_, name, field)

        def pets(_: Any, info: LevelInfo) -> list[dict[str, str]]:
            told.append(info.names_within)
            return []

        return Resolver(pets)

    engine, document = Engine(Calls().schema, reader_of=reader_of), parse(query)
    for _ in range(2):
        assert (await engine.execute(document)).data is not None
    assert told == [frozenset(names)] * 2


@pytest.mark.parametrize("query", ["subscription { event { name } }", "subscription { event(since: 7) { name } }"])
async def test_a_field_that_is_the_event_itself_asks_nobody(query: str) -> None:
    """Neither its resolver nor its arguments, which were for what made the event."""

    def unasked(*_: Any) -> Any:
        raise AssertionError("it was asked")

    since = GraphQLArgument(GraphQLScalarType("Since", parse_value=unasked, parse_literal=unasked))
    pet = GraphQLObjectType("Pet", {"name": GraphQLField(GraphQLString)})
    event = GraphQLField(pet, {"since": since}, resolve=unasked)
    schema = GraphQLSchema(
        GraphQLObjectType("Query", {"one": GraphQLField(GraphQLInt)}),
        subscription=GraphQLObjectType("Subscription", {"event": event}),
    )

    def reader_of(type_: GraphQLObjectType, name: str, field: GraphQLField) -> Reader:
        return Itself() if type_.name == "Subscription" else ordinary(type_, name, field)

    engine = Engine(schema, reader_of=reader_of)
    assert (await engine.execute(parse(query), root_value={"name": "Rex"})).formatted == {
        "data": {"event": {"name": "Rex"}}
    }


async def test_an_error_in_a_batch_is_one_parents() -> None:
    engine = Engine(Calls().schema, batches={("Pet", "owner"): lambda *_: ["Ada", ValueError("nobody's")]})
    answer = await answered(engine, "{ pets { owner } }")
    assert answer["data"] == {"pets": [{"owner": "Ada"}, {"owner": None}]}
    assert [error["path"] for error in answer["errors"]] == [["pets", 1, "owner"]]


def test_a_batch_or_a_class_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(LookupError, match=r"no field Pet\.age"):
        Engine(Calls().schema, batches={("Pet", "age"): lambda *_: []})
    with pytest.raises(LookupError, match="no object type Dog"):
        Engine(Calls().schema, classes={dict: "Dog"})


# ------------------------------------------------------------------------------------------------ plans


async def test_a_plan_is_kept_for_as_long_as_its_document() -> None:
    engine = Engine(Calls().schema)
    document = parse("query A { one } query B { pets { name } }")
    found = definitions_of(document, "A")
    assert found
    plan = engine.plan(*found)
    assert plan is not None
    assert engine.plan(*found) is plan
    del found, document
    gc.collect()
    assert len(engine._kept) == 0


async def test_plans_and_their_variants_are_bounded() -> None:
    engine = Engine(Calls().schema, most_plans=2)
    documents = [parse("{ one }") for _ in range(5)]
    for document in documents:
        await engine.execute(document)
    assert len(engine._kept) == 2
    names = [f"v{number}" for number in range(6)]
    heads = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: one @include(if: ${name})" for name in names)
    document = parse(f"query({heads}) {{ one {fields} }}")
    for number in range(2**6):
        chosen = {name: bool(number >> index & 1) for index, name in enumerate(names)}
        result = await engine.execute(document, variables=chosen)
        assert result.data == {"one": 1} | {name: 1 for name in names if chosen[name]}
    found = definitions_of(document, None)
    assert found
    plan = engine.plan(*found)
    assert plan
    assert len(plan._selections) == 32


# ------------------------------------------------------------------------------------------------ what is left


@pytest.mark.parametrize(
    "text",
    [
        "query A { one } query B { one }",
        "fragment F on Query { one }",
        "query @unknown { one }",
        "{ one @unknown }",
        "{ ... @defer { one } }",
        "{ one @skip(if: 1) }",
        "{ one @include }",
        "query($v: Boolean) { one @include(if: $v) }",
        "query($v: Int!) { one }",
    ],
)
async def test_what_has_no_plan_is_answered_by_graphql_core_and_read_once(text: str) -> None:
    ours, theirs = Calls(), Calls()
    answer = await _or_error(Engine(ours.schema).execute(parse(text)))
    assert answer == await _or_error(_by_core(theirs.schema, text))
    assert ours.names == theirs.names
    assert len(ours.names) <= 1


async def _by_core(schema: GraphQLSchema, text: str) -> ExecutionResult:
    result = execute(schema, parse(text))
    return result if isinstance(result, ExecutionResult) else await result


async def _or_error(answer: Any) -> Any:
    try:
        return (await answer).formatted
    except Exception as error:  # noqa: BLE001 - whatever it is, both must raise it
        return repr(error)


async def test_a_field_that_the_schema_does_not_have_is_left_out() -> None:
    """As graphql-core does with a document that nobody validated."""
    assert await answered(Engine(Calls().schema), "{ one nothing ...Missing }") == {"data": {"one": 1}}


# ------------------------------------------------------------------------------------------------ mutations


async def test_a_mutation_stops_where_its_whole_answer_is_lost() -> None:
    calls = Calls()
    answer = await answered(Engine(calls.schema), "mutation { one strict pets { name } }")
    assert answer["data"] is None
    assert calls.names == ["one", "strict"]


async def test_a_mutations_fields_wait_for_all_of_the_one_before() -> None:
    seen: list[str] = []

    def late(name: str) -> GraphQLField:
        async def resolve(*_: Any) -> int:
            seen.append(f"{name} begins")
            await asyncio.sleep(0)
            seen.append(f"{name} ends")
            return 1

        return GraphQLField(GraphQLInt, resolve=resolve)

    step = GraphQLObjectType("Step", {"inner": late("inner")})
    root = {"first": GraphQLField(step, resolve=lambda *_: {}), "second": late("second")}
    schema = GraphQLSchema(GraphQLObjectType("Query", {"one": late("one")}), GraphQLObjectType("Mutation", root))
    answer = await answered(Engine(schema), "mutation { first { inner } second }")
    assert answer == {"data": {"first": {"inner": 1}, "second": 1}}
    assert seen == ["inner begins", "inner ends", "second begins", "second ends"]


# ------------------------------------------------------------------------------------------------ readers, arguments


async def test_a_field_is_read_as_it_is_told() -> None:
    class Pet:
        name = "Rex"

        @property
        def owner(self) -> str:
            raise StopIteration

    calls = Calls()
    calls.pets = [Pet(), Pet()]  # type: ignore[list-item]  # read by attributes here

    def reader_of(type_: GraphQLObjectType, name: str, field: GraphQLField) -> Reader:
        return {"name": Attribute("name"), "owner": Attribute("owner")}.get(name) or ordinary(type_, name, field)

    answer = await answered(Engine(calls.schema, reader_of=reader_of), "{ pets { name owner } }")
    assert answer["data"] == {"pets": [{"name": "Rex", "owner": None}] * 2}
    assert [error["path"] for error in answer["errors"]] == [["pets", 0, "owner"], ["pets", 1, "owner"]]


async def test_a_field_of_one_object_is_read_as_one_of_many() -> None:
    """What is usual, what is null, what is wrong: the answer for the first of one is that for the first of two."""

    class Pet:
        name = "Rex"

        @property
        def owner(self) -> str:
            raise StopIteration("gone")

    calls = Calls()

    def reader_of(type_: GraphQLObjectType, name: str, field: GraphQLField) -> Reader:
        readers: dict[str, Reader] = {"name": Method(lambda pet: pet.name), "owner": Attribute("owner")}
        return readers.get(name) or ordinary(type_, name, field)

    engine = Engine(calls.schema, reader_of=reader_of)
    for name in ("Rex", None, 5, ValueError("no name")):
        Pet.name = name  # type: ignore[assignment]  # whatever it is
        answers = []
        for number in (1, 2):
            calls.pets = [Pet() for _ in range(number)]  # type: ignore[misc]  # read by attributes here
            answer = await answered(engine, "{ pets { __typename name owner } }")
            errors = [error["path"] for error in answer["errors"] if error["path"][1] == 0]
            answers.append((answer["data"]["pets"][0], errors))
        assert answers[0] == answers[1]


async def test_an_attribute_may_be_of_what_the_parent_holds() -> None:
    """A name with a point in it is a name, not a path."""
    calls = Calls()
    row = type("Row", (), {"name": "Rex", "the.owner": "Ada"})
    calls.pets = [type("Pet", (), {"row": row}), type("Pet", (), {"row": None})]  # type: ignore[list-item]  # no dicts

    def reader_of(type_: GraphQLObjectType, name: str, field: GraphQLField) -> Reader:
        readers = {"name": Attribute("name", within="row"), "owner": Attribute("the.owner", within="row")}
        return readers.get(name) or ordinary(type_, name, field)

    answer = await answered(Engine(calls.schema, reader_of=reader_of), "{ pets { owner name } }")
    assert answer["data"] == {"pets": [{"owner": "Ada", "name": "Rex"}, None]}
    assert [error["path"] for error in answer["errors"]] == [["pets", 1, "owner"], ["pets", 1, "name"]]


async def test_a_plan_takes_other_variables_each_time() -> None:
    given = {"number": GraphQLArgument(GraphQLInt), "by": GraphQLArgument(GraphQLInt)}
    times = GraphQLField(GraphQLInt, given, resolve=lambda _, __, number=0, by=2: by * number)
    engine = Engine(GraphQLSchema(GraphQLObjectType("Query", {"times": times})))
    document = parse("query($n: Int) { a: times(number: $n) b: times(number: 5) c: times d: times(number: $n, by: 3) }")
    for number in (1, 2, 0):
        result = await engine.execute(document, variables={"n": number} if number else {})
        assert result.data == {"a": 2 * number, "b": 10, "c": 0, "d": 3 * number}


async def test_what_was_awaited_is_not_awaited_again() -> None:
    """What an awaitable gives is the value, even should it be awaitable itself."""

    class Patient:
        def __await__(self) -> Any:
            raise AssertionError("awaited")

        def __str__(self) -> str:
            return "a patient value"

    async def late(*_: Any) -> Any:
        return Patient()

    field = GraphQLField(GraphQLString, resolve=late)
    pet = GraphQLObjectType("Pet", {"name": field})
    schema = GraphQLSchema(
        GraphQLObjectType("Query", {"one": field, "pets": GraphQLField(GraphQLList(pet), resolve=lambda *_: [1, 2])})
    )
    text = "{ one pets { name } }"
    expected = {"data": {"one": "a patient value", "pets": [{"name": "a patient value"}] * 2}}
    assert (await _by_core(schema, text)).formatted == expected
    assert await answered(Engine(schema), text) == expected


async def test_a_resolver_may_change_a_list_that_it_is_given() -> None:
    """A list in the document is each parent's own; one in the variables is the operation's, as in graphql-core."""

    def spoil(_: Any, words: list[str]) -> str:
        words.append("more")
        return " ".join(words)

    words = {"words": GraphQLArgument(GraphQLList(GraphQLString))}
    pet = GraphQLObjectType("Pet", {"say": GraphQLField(GraphQLString, words)})
    query = GraphQLObjectType("Query", {"pets": GraphQLField(GraphQLList(pet), resolve=lambda *_: [1, 2])})
    engine = Engine(
        GraphQLSchema(query),
        reader_of=lambda type_, name, field: Method(spoil) if name == "say" else Resolver(field.resolve or spoil),
    )
    document = parse('query($w: [String]) { pets { a: say(words: ["x"]) b: say(words: $w) } }')
    for _ in range(2):
        result = await engine.execute(document, variables={"w": ["y"]})
        assert result.data == {"pets": [{"a": "x more", "b": "y more"}, {"a": "x more", "b": "y more more"}]}


class Color(StrEnum):
    """An enumeration."""

    RED = "RED"
    BLUE = "BLUE"


class Tone(StrEnum):
    """Another one, with an equal member."""

    RED = "RED"


def _own(value: Any) -> Any:
    return {"none": None, "undefined": Undefined}.get(value, f"own {value}")


LEAVES = {
    GraphQLInt: [0, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, True, 1.0, 1.5, "3", None],
    GraphQLFloat: [0.5, float("nan"), float("inf"), 1, 2**2000, True, "x", None],
    GraphQLString: ["a", 1, True, 1.5, b"", [], None, ValueError("returned"), Undefined],
    GraphQLID: ["a", 1, 1.5, True, None],
    GraphQLBoolean: [True, 0, 1.5, "x", None],
    GraphQLEnumType("Color", Color): [Color.RED, Color.BLUE, "RED", "PINK", Tone.RED, 5, [], None],
    GraphQLScalarType("Text", coerce_output_value=str): [
        "a",
        1,
        Tone.RED,
        0.5,
        None,
        ValueError("returned"),
        Undefined,
    ],
    GraphQLScalarType("Own", coerce_output_value=_own): ["a", 1, "none", "undefined", None, []],
}


@pytest.mark.parametrize("type_", LEAVES, ids=str)
@pytest.mark.parametrize("is_nullable", [True, False])
async def test_columns_of_leaves(type_: Any, is_nullable: bool) -> None:
    """Every pair of values in one column, and in lists, as graphql-core answers it."""
    for pair in product(LEAVES[type_], repeat=2):
        inner = type_ if is_nullable else GraphQLNonNull(type_)
        fields = {
            "leaf": GraphQLField(inner, resolve=lambda value, _: value),
            "leaves": GraphQLField(GraphQLList(inner), resolve=lambda value, _, both=pair: [*both, value]),
        }
        item = GraphQLList(GraphQLObjectType("Item", fields))
        items = GraphQLField(item, resolve=lambda *_, both=pair: [*both, both[0]])
        schema = GraphQLSchema(GraphQLObjectType("Query", {"items": items}))
        text = "{ items { leaf leaves } again: items { leaf } }"
        engine = Engine(schema)
        document = parse(text)
        expected = json.dumps((await _by_core(schema, text)).formatted)
        for _ in range(2):
            assert json.dumps((await engine.execute(document)).formatted) == expected, pair


async def test_where_an_error_in_lists_of_several_parents_is() -> None:
    """Objects of many lists become one level, and each still knows its place."""

    def name(value: int, info: Any) -> str:
        if value % 3 == 0:
            raise ValueError(f"{value} at {info.path.as_list()}")
        return str(value)

    leaf = GraphQLObjectType("Leaf", {"name": GraphQLField(GraphQLString, resolve=name)})
    row = GraphQLObjectType(
        "Row",
        {
            "cells": GraphQLField(GraphQLList(leaf), resolve=lambda row, _: row),
            "first": GraphQLField(leaf, resolve=lambda row, _: row[0] if row else None),
        },
    )
    rows = GraphQLField(GraphQLList(row), resolve=lambda *_: [[1, 2, 3], [], [4, 5], [6], [7, 8, 9]])
    schema = GraphQLSchema(GraphQLObjectType("Query", {"rows": rows}))
    text = "{ rows { cells { name } first { name } } }"
    ours = await answered(Engine(schema), text)
    assert json.dumps(ours) == json.dumps((await _by_core(schema, text)).formatted)
    assert [error["path"] for error in ours["errors"]] == [
        ["rows", 0, "cells", 2, "name"],
        ["rows", 3, "cells", 0, "name"],
        ["rows", 3, "first", "name"],
        ["rows", 4, "cells", 2, "name"],
    ]


# ------------------------------------------------------------------------------------------------ as an executor


class Planned(EngineExecutor):
    """An executor of a test."""


async def test_an_executor_answers_queries_at_once_and_events_one_by_one() -> None:
    calls = Calls()
    Planned.engine = Engine(calls.schema, batches={("Pet", "owner"): lambda pets, _: ["by batch"] * len(pets)})
    assert graphql_sync(calls.schema, "{ pets { owner } }", executor_class=Planned).data == {
        "pets": [{"owner": "by batch"}] * 2
    }
    stream = subscribe(calls.schema, parse("subscription { event { name owner } }"), executor_class=Planned)
    assert not isinstance(stream, ExecutionResult)
    events = (
        [event.data async for event in await stream]
        if asyncio.iscoroutine(stream)
        else [
            event.data
            async for event in stream  # type: ignore[union-attr]  # a stream
        ]
    )
    assert events == [{"event": {"name": name, "owner": "by batch"}} for name in ("Rex", "Tom")]


async def test_an_executor_leaves_to_graphql_core_what_the_engine_knows_nothing_of() -> None:
    calls = Calls()
    Planned.engine = Engine(calls.schema, batches={("Pet", "owner"): lambda pets, _: ["by batch"] * len(pets)})

    def loud(following: Any, source: Any, info: Any, **given: Any) -> Any:
        return following(source, info, **given)

    for more in ({"middleware": MiddlewareManager(loud)}, {"field_resolver": lambda *_: None}):
        result = execute(calls.schema, parse("{ pets { owner } }"), executor_class=Planned, **more)
        assert isinstance(result, ExecutionResult)
        assert result.data == {"pets": [{"owner": "owner of Rex"}, {"owner": "owner of Tom"}]}


# ------------------------------------------------------------------------------------------------ cancelling


async def test_a_resolver_that_is_cancelled_is_no_error_of_a_field() -> None:
    async def late(name: str, _: Any) -> str:
        if name == "second":
            raise asyncio.CancelledError
        return name

    pet = GraphQLObjectType("Pet", {"name": GraphQLField(GraphQLString, resolve=late)})
    pets = GraphQLField(GraphQLList(pet), resolve=lambda *_: ["first", "second"])
    schema = GraphQLSchema(GraphQLObjectType("Query", {"pets": pets}))
    # Each of two pets' names waits for itself: in a task of its own, or in the one that reads the pets.
    for query in ("{ pets { name } }", "{ a: pets { name } b: pets { name } }"):
        for answer in (_by_core(schema, query), Engine(schema).execute(parse(query))):
            with pytest.raises(asyncio.CancelledError):
                await answer


async def test_whoever_is_cancelled_cancels_what_runs_for_it() -> None:
    """And leaves nothing behind that nobody awaits: a warning would fail the test."""
    begun, ended = [], []

    async def for_ever(*_: Any) -> int:
        begun.append(1)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)
        return 1

    field = GraphQLField(GraphQLInt, resolve=for_ever)
    pet = GraphQLObjectType("Pet", {"a": field, "b": field})
    query = GraphQLObjectType("Query", {"pets": GraphQLField(GraphQLList(pet), resolve=lambda *_: [1, 2])})
    task = asyncio.create_task(Engine(GraphQLSchema(query)).execute(parse("{ pets { a b } }")))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (len(begun), len(ended)) == (4, 4)
