"""A schema made for the purpose: every kind of type in every kind of list, with resolvers that answer by chance, and
fail, give null, or give what does not fit. The same object and field always answer the same, whoever asks, and when."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDefaultInput,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
)

from engine import Attribute, Lookup, Method, Reader, Resolver

KINDS = ("Boolean", "Color", "Even", "Float", "ID", "Int", "String", "Leaf", "Both", "Named", "Thing")
SHAPES = ("T", "T!", "[T]", "[T!]", "[T]!", "[T!]!", "[[T]]", "[[T!]!]!", "[[T!]]")
OBJECTS = ("Query", "Leaf", "Other", "Deep")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a world answers. All figures are shares of one."""

    seed: int
    trouble: float = 0.15
    """Of the answers that are no ordinary value."""
    late: float = 0.0
    """Of the fields that answer asynchronously."""
    batched: float = 0.0
    """Of the fields that answer a whole level at once."""
    late_types: bool = False
    """Whether types are told asynchronously."""
    async_lists: bool = False
    """Whether lists may be asynchronous, and their items late."""


class Source:
    """An object of a world: what it answers follows from its key."""

    def __init__(self, key: str, type_name: str) -> None:
        self.key = key
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name} {self.key}>"


class LeafSource(Source):
    """One whose class tells its type."""


class Stubborn(Exception):
    """An error of a resolver."""


def _even(value: Any) -> int:
    if value == "odd one out":
        raise Stubborn("odd")
    if value == "nothing":
        return None  # type: ignore[return-value]  # a writer that is wrong
    return int(value) * 2


class World:
    """A schema and what its resolvers answer. One world for each executor that is compared: those of one seed differ
    only in when their resolvers answer, never in what."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.batches: dict[tuple[str, str], Callable[..., Any]] = {}
        self.readers: dict[tuple[str, str], Reader] = {}
        self.calls: list[str] = []
        self.schema = self._schema()

    def root(self, salt: int) -> Source:
        """Where an operation begins. All answers follow from the salt: a world has as many faces as there are."""
        return Source(f"root{salt}", "Query")

    # the schema

    def _schema(self) -> GraphQLSchema:
        self.leaves: dict[str, Any] = {
            "Boolean": GraphQLBoolean,
            "Float": GraphQLFloat,
            "ID": GraphQLID,
            "Int": GraphQLInt,
            "String": GraphQLString,
            "Color": GraphQLEnumType("Color", {"RED": 0, "GREEN": "green", "BLUE": (1, 2)}),
            "Even": GraphQLScalarType("Even", coerce_output_value=_even),
        }
        size = GraphQLInputObjectType(
            "Size",
            lambda: {
                "width": GraphQLInputField(GraphQLNonNull(GraphQLInt)),
                "color": GraphQLInputField(self.leaves["Color"], default=GraphQLDefaultInput("RED")),
                "tags": GraphQLInputField(GraphQLList(GraphQLNonNull(GraphQLString))),
                "inner": GraphQLInputField(size),
            },
        )
        self.arguments = {
            "number": GraphQLArgument(GraphQLInt, default=GraphQLDefaultInput(7)),
            "color": GraphQLArgument(self.leaves["Color"]),
            "size": GraphQLArgument(size, out_name="given_size"),
            "words": GraphQLArgument(GraphQLList(GraphQLNonNull(GraphQLString))),
        }
        # A type that asks for no proof is told by its class; somebody has to tell it where there are several.
        proves = {"Leaf": self._chance("proof") < 0.3, "Other": True, "Deep": True}
        told = not proves["Leaf"] or self._chance("told") < 0.5
        named = GraphQLInterfaceType("Named", self._fields_of("Named"), resolve_type=self._type_of if told else None)
        thing = GraphQLInterfaceType("Thing", self._fields_of("Thing"), interfaces=[named])
        self.types: dict[str, Any] = {"Named": named, "Thing": thing}
        for name, interfaces in (("Query", []), ("Leaf", [named]), ("Other", [named, thing]), ("Deep", [named, thing])):
            self.types[name] = GraphQLObjectType(
                name,
                self._fields_of(name),
                interfaces=interfaces,
                is_type_of=self._prover(name) if proves.get(name) else None,
            )
        self.types["Both"] = GraphQLUnionType(
            "Both", [self.types["Leaf"], self.types["Other"]], resolve_type=self._type_of if told else None
        )
        mutation = GraphQLObjectType("Mutation", lambda: self._fields("Mutation"))
        subscription = GraphQLObjectType("Subscription", lambda: self._fields("Subscription"))
        return GraphQLSchema(
            self.types["Query"], mutation, subscription, types=[self.types["Other"], self.types["Deep"]]
        )

    def _fields_of(self, name: str) -> Callable[[], dict[str, GraphQLField]]:
        return lambda: self._fields(name)

    def _fields(self, type_name: str) -> dict[str, GraphQLField]:
        """The same names with the same types everywhere, so that whatever is asked can be merged."""
        fields = {"path": self._field(type_name, "path", GraphQLNonNull(GraphQLString))}
        for kind, (number, shape) in product(KINDS, enumerate(SHAPES)):
            name = f"{kind.lower()}{number}"
            fields[name] = self._field(type_name, name, self._shaped(kind, shape))
        fields["withArguments"] = self._field(type_name, "withArguments", GraphQLString, self.arguments)
        return fields

    def _shaped(self, kind: str, shape: str) -> Any:
        if shape.endswith("!"):
            return GraphQLNonNull(self._shaped(kind, shape[:-1]))
        if shape.startswith("["):
            return GraphQLList(self._shaped(kind, shape[1:-1]))
        return self.leaves.get(kind) or self.types[kind]

    # resolvers

    def _field(
        self, type_name: str, name: str, type_: Any, arguments: dict[str, GraphQLArgument] | None = None
    ) -> GraphQLField:
        late = self._chance("late", type_name, name) < self.manner.late

        def resolve(source: Any, info: Any, **given: Any) -> Any:
            self.calls.append(f"{getattr(source, 'key', None)}.{name}")
            if name == "path":
                return "/".join(map(str, info.path.as_list()))
            if late:
                return self._later(source, name, type_, given)
            return self._answer(source, name, type_, given)

        async def batch_late(sources: list[Any], info: Any, **given: Any) -> list[Any]:
            await asyncio.sleep(0)
            assert info.field_name == name
            return batch(sources, info, **given)

        def batch(sources: list[Any], _: Any, **given: Any) -> list[Any]:
            return [self._answer_or_error(source, name, type_, given) for source in sources]

        of_objects = type_name not in ("Named", "Thing")
        if of_objects and name != "path" and self._chance("batch", type_name, name) < self.manner.batched:
            self.batches[type_name, name] = batch_late if late else batch
        elif not arguments and name != "path" and self._chance("method", type_name, name) < 0.2:
            self.readers[type_name, name] = Method(lambda source: resolve(source, None))
        return GraphQLField(type_, arguments, resolve=resolve, subscribe=None)

    def reader_of(self, type_: GraphQLObjectType, name: str, field: GraphQLField) -> Reader:
        reader = self.readers.get((type_.name, name))
        return reader or (Lookup(name) if field.resolve is None else Resolver(field.resolve))

    async def _later(self, source: Any, name: str, type_: Any, given: Mapping[str, Any]) -> Any:
        for _ in range(self._random("ticks", source, name).randrange(3)):
            await asyncio.sleep(0)
        return self._answer(source, name, type_, given)

    def _answer_or_error(self, source: Any, name: str, type_: Any, given: Mapping[str, Any]) -> Any:
        try:
            return self._answer(source, name, type_, given)
        except Exception as error:  # noqa: BLE001 - whatever a resolver raises is a batch's value
            return error

    # answers

    def _answer(self, source: Any, name: str, type_: Any, given: Mapping[str, Any]) -> Any:
        if name == "path":
            return "a batch knows none"
        if given:
            return repr(sorted(given.items()))
        chance = self._random("answer", source, name)
        return self._value(chance, type_, f"{getattr(source, 'key', 'root')}.{name}")

    def _value(self, chance: Random, type_: Any, key: str) -> Any:
        if isinstance(type_, GraphQLNonNull):
            type_ = type_.of_type
            if chance.random() < 0.5 * self.manner.trouble:
                return None if chance.random() < 0.5 else self._trouble(chance, key)
        elif chance.random() < self.manner.trouble:
            return None if chance.random() < 0.4 else self._trouble(chance, key)
        if isinstance(type_, GraphQLList):
            return self._list(chance, type_.of_type, key)
        if type_.name in self.leaves:
            return self._leaf(chance, type_.name)
        name = chance.choice(
            {"Both": ["Leaf", "Other"], "Leaf": ["Leaf"], "Thing": ["Other", "Deep"]}.get(type_.name, OBJECTS[1:])
        )
        return LeafSource(key, name) if name == "Leaf" else Source(key, name)

    def _list(self, chance: Random, item_type: Any, key: str) -> Any:
        items = []
        for number in range(chance.choice((0, 1, 2, 2, 3, 5))):
            try:
                items.append(self._value(chance, item_type, f"{key}[{number}]"))
            except Exception as error:  # noqa: BLE001 - an error in a list's place
                items.append(error)
        form = chance.random()
        breaks = chance.random() < 0.3
        if form < 0.6:
            return self._with_late_items(chance, items)
        if form < 0.7:
            return tuple(items)
        if form < 0.8 and self.manner.async_lists:
            return _drawn_async(items, breaks=breaks)
        return _drawn(items, breaks=breaks and form < 0.8)

    def _with_late_items(self, chance: Random, items: list[Any]) -> list[Any]:
        late = [chance.random() < 0.2 for _ in items]
        if not self.manner.async_lists:
            return items
        return [_after_a_while(item) if is_late else item for item, is_late in zip(items, late, strict=True)]

    def _leaf(self, chance: Random, name: str) -> Any:
        usual: dict[str, list[Any]] = {
            "Boolean": [True, False],
            "Color": ["green", 0, (1, 2)],
            "Even": [1, "2", 3.0],
            "Float": [1.5, -0.0, 2, 1e300],
            "ID": ["a", "b c", 5],
            "Int": [0, -5, 2_147_483_647, 3.0, "17"],
            "String": ["", "text", 'q"\n', "ü", 4, True],
        }
        # Mostly one class, as in earnest, and now and then a value of it that must not be.
        if chance.random() < self.manner.trouble / 4:
            return {"Int": 2**31, "Float": float("nan"), "Color": "PINK", "Even": "nothing"}.get(name, [])
        return usual[name][0] if chance.random() < 0.8 else chance.choice(usual[name])

    def _trouble(self, chance: Random, key: str) -> Any:
        kind = chance.randrange(9)
        if kind == 0:
            raise Stubborn(f"no {key}")
        if kind == 1:
            raise GraphQLError(f"refused {key}", extensions={"code": "REFUSED"})
        if kind == 2:
            return Stubborn(f"returned {key}")
        if kind == 3:
            raise GraphQLError("placed elsewhere", path=["elsewhere", 1])
        return chance.choice(
            [
                2**31,
                10**400,
                float("nan"),
                float("inf"),
                2.5,
                "text",
                "odd one out",
                "nothing",
                {"a": 1},
                b"bytes",
                [[]],
                object,
            ]
        )

    # types

    def _type_of(self, source: Any, info: Any, _: Any) -> Any:
        name: Any = getattr(source, "type_name", None)
        if self._random("type", source).random() < self.manner.trouble / 3:
            name = self._random("wrong type", source).choice(
                ["Nobody", "Color", "Query", "Deep", None, 5, Stubborn("?")]
            )
            if isinstance(name, Exception):
                raise name
        assert info.field_name
        return _after_a_while(name) if self.manner.late_types else name

    def _prover(self, name: str) -> Callable[[Any, Any], Any]:
        def is_type_of(source: Any, info: Any) -> Any:
            assert info.schema
            proof: Any = getattr(source, "type_name", None) == name
            chance = self._random("proof", source, name)
            # Only the right type fails: late ones are all asked, while of those that answer at once none is asked
            # after the first that says yes.
            if proof and chance.random() < self.manner.trouble / 5:
                if chance.random() < 0.5:
                    return self._failing_late() if self.manner.late_types else self._failing()
                proof = False
            return _after_a_while(proof) if self.manner.late_types else proof

        return is_type_of

    @staticmethod
    def _failing() -> Any:
        raise Stubborn("who knows")

    @staticmethod
    async def _failing_late() -> Any:
        raise Stubborn("who knows")

    # chance

    def _random(self, what: str, source: Any, *more: Any) -> Random:
        key = getattr(source, "key", None) or repr(source)
        return Random(_hashed(self.manner.seed, what, key, *more))

    def _chance(self, *what: str) -> float:
        return Random(_hashed(self.manner.seed, *what)).random()


def _hashed(*parts: Any) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest())


def _drawn(items: list[Any], *, breaks: bool) -> Iterator[Any]:
    yield from items
    if breaks:
        raise Stubborn("the list broke")


async def _drawn_async(items: list[Any], *, breaks: bool) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        yield item
    if breaks:
        raise Stubborn("the list broke")


async def _after_a_while(value: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(value, Exception):
        raise value
    return value


__all__ = ["Attribute", "LeafSource", "Manner", "Source", "Stubborn", "World"]
