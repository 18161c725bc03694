"""Whatever is asked of whatever resolvers: the engine answers as graphql-core does, to the byte."""

import asyncio
import gc
import inspect
import json
from functools import lru_cache
from random import Random
from typing import Any

import pytest
from graphql import ExecutionResult, execute, parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine
from engine.document import definitions_of
from tests.engine.comparing import the_same
from tests.engine.documents import Asked, Author
from tests.engine.worlds import LeafSource, Manner, World

pytestmark = pytest.mark.slow

FACES = st.integers(0, 2**32 - 1)
WORLDS = st.integers(0, 3)
"""A schema is dear to make, so there are few; each has as many faces as there are salts of its root."""
OPERATIONS = st.sampled_from(["query", "query", "query", "mutation", "subscription"])
TROUBLE = st.sampled_from([0, 0.04, 0.15])
a_world = lru_cache(maxsize=64)(World)
some = settings(max_examples=settings().max_examples // 2)
few = settings(max_examples=settings().max_examples // 5)
"""Documents are large: as many as elsewhere would take too long."""


@some
@given(seed=WORLDS, salt=FACES, chance=st.randoms(use_true_random=False), operation=OPERATIONS, trouble=TROUBLE)
def test_resolvers_that_answer_at_once(seed: int, salt: int, chance: Random, operation: str, trouble: float) -> None:
    world = a_world(Manner(seed, trouble))
    asked = a_document(world, chance, operation, null_conditions=True)
    if asked:
        assert told(by_engine(world, asked, salt)) == told(by_core(world, asked, salt))


@some
@given(
    seed=WORLDS,
    salt=FACES,
    chance=st.randoms(use_true_random=False),
    operation=OPERATIONS,
    trouble=TROUBLE,
    late=st.sampled_from([0.5, 1]),
    batched=st.sampled_from([0, 0.5]),
    more_late=st.booleans(),
)
def test_resolvers_that_answer_late_and_in_batches(
    seed: int, salt: int, chance: Random, operation: str, trouble: float, late: float, batched: float, more_late: bool
) -> None:
    """Against graphql-core with the same answers given at once: the engine's don't depend on who answers first."""
    world = a_world(Manner(seed, trouble))
    asked = a_document(world, chance, operation)
    if asked:
        other = a_world(Manner(seed, trouble, late, batched, late_types=more_late, async_lists=more_late))
        assert told(by_engine(other, asked, salt)) == told(by_core(world, asked, salt))


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # graphql-core leaves some behind
@few
@given(
    seed=WORLDS,
    salt=FACES,
    chance=st.randoms(use_true_random=False),
    operation=OPERATIONS,
    trouble=TROUBLE,
    more_late=st.booleans(),
)
def test_the_same_late_resolvers(
    seed: int, salt: int, chance: Random, operation: str, trouble: float, more_late: bool
) -> None:
    """Against graphql-core with the very same late resolvers."""
    world = a_world(Manner(seed, trouble, late=0.7, late_types=more_late, async_lists=more_late))
    asked = a_document(world, chance, operation)
    if asked:
        assert the_same(by_engine(world, asked, salt).formatted, by_core(world, asked, salt).formatted)  # type: ignore[arg-type]  # a dict
        gc.collect()


@some
@given(seed=WORLDS, salt=FACES, chance=st.randoms(use_true_random=False), operation=OPERATIONS)
def test_classes_that_tell_their_types(seed: int, salt: int, chance: Random, operation: str) -> None:
    """Where a class tells the type nobody is asked, so here nobody lies when asked."""
    world = a_world(Manner(seed, trouble=0, late=0.3))
    asked = a_document(world, chance, operation)
    if asked:
        ours = by_engine(world, asked, salt, classes={LeafSource: "Leaf"})
        assert told(ours) == told(by_core(a_world(Manner(seed, trouble=0)), asked, salt))


def test_what_is_compared_is_worth_comparing() -> None:
    """Documents are valid, and are answered with data and with errors."""
    world = a_world(Manner(1, trouble=0.04))
    found = [a_document(world, Random(number), "query") for number in range(100)]
    asked = [document for document in found if document]
    answers = [by_core(world, document, 1) for document in asked]
    assert len(asked) > 85
    assert sum(bool(answer.errors) for answer in answers) > 30
    assert sum(not answer.errors for answer in answers) > 10
    assert sum(bool(answer.data) and bool(answer.errors) for answer in answers) > 20


def a_document(world: World, chance: Random, operation: str, *, null_conditions: bool = False) -> Asked | None:
    asked = Author(world.schema, chance, null_conditions=null_conditions).write(operation)
    return None if validate(world.schema, parse(asked.text)) else asked


def by_core(world: World, asked: Asked, salt: int) -> ExecutionResult:
    async def answered() -> ExecutionResult:
        result = execute(
            world.schema,
            parse(asked.text),
            root_value=world.root(salt),
            context_value="context",
            variable_values=asked.variables,
        )
        return await result if inspect.isawaitable(result) else result

    return asyncio.run(answered())


def by_engine(world: World, asked: Asked, salt: int, **more: Any) -> ExecutionResult:
    """Twice by one plan, which answers the same each time."""

    async def answered() -> ExecutionResult:
        engine = Engine(world.schema, reader_of=world.reader_of, batches=world.batches, **more)
        document = parse(asked.text)
        found = definitions_of(document, None)
        assert found and engine.plan(*found)
        root = world.root(salt)
        first = await engine.execute(document, None, asked.variables, "context", root_value=root)
        again = await engine.execute(document, None, asked.variables, "context", root_value=root)
        assert told(first) == told(again)
        return first

    return asyncio.run(answered())


def told(result: ExecutionResult) -> str:
    """An answer as JSON, keys and errors in its own order."""
    return json.dumps(result.formatted)
