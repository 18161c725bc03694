"""How a field gets its values: six ways, each of which says what it needs and no more."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeAlias

from graphql import GraphQLField, GraphQLObjectType

BatchFunction: TypeAlias = Callable[..., Sequence[Any] | Awaitable[Sequence[Any]]]
"""`function(parents, info, **arguments)`: one value for each parent, in their order."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """`getattr(parent, name)`. A parent without it has an error there. Read for a whole level in C: 25 ns a value,
    where calling a resolver that does it takes 250. `within` names the parent's attribute that has it, if it is not the
    parent itself."""

    name: str
    within: str | None = None
    get: Callable[[Any], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "get", _getter(self.name, self.within))


@dataclass(frozen=True, slots=True)
class Lookup:
    """What graphql-core does where a field has no resolver: a mapping's item or an attribute, None where there is
    none; called with the info and the arguments when it can be called."""

    name: str


@dataclass(frozen=True, slots=True)
class Method:
    """`function(parent, **arguments)`, async or not: a resolver that need not know where it stands. It saves the making
    of an info, 160 ns a call."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Resolver:
    """`function(parent, info, **arguments)`, async or not: graphql-core's own form."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Itself:
    """The parent: what a subscription's field makes of its event. Its arguments are for what makes the events, and were
    coerced for that: to coerce them again took some 25 calls of Python an event."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`function(parents, info, **arguments)`, async or not: answers a whole level at once, one value for each parent in
    their order. An exception in the place of a value is that parent's error; one that is raised is the error of all.
    The info has no path: it stands for many places."""

    function: BatchFunction


Reader: TypeAlias = Attribute | Lookup | Method | Resolver | Itself | Batch
ReaderOf: TypeAlias = Callable[[GraphQLObjectType, str, GraphQLField], Reader]
"""Says how a field is read: its type, its name there, and its definition."""


def ordinary(_: GraphQLObjectType, name: str, field: GraphQLField) -> Reader:
    """As graphql-core reads it."""
    return Lookup(name) if field.resolve is None else Resolver(field.resolve)


def _getter(name: str, within: str | None) -> Callable[[Any], Any]:
    """In C, but for names that it would take for paths."""
    if "." in name:
        return lambda parent: getattr(parent if within is None else getattr(parent, within), name)
    return attrgetter(name if within is None else f"{within}.{name}")
