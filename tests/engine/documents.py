"""Valid documents by chance over any schema: fragments, directives, variables, aliases, merging, deep nesting."""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
    is_leaf_type,
)

LETTERS = "abc"


@dataclass
class Asked:
    """A document with its variables."""

    text: str
    variables: dict[str, Any]


@dataclass
class Author:
    """Writes one document. A key of the answer always stands for the same field with the same arguments, so that
    what has one key can be merged."""

    schema: GraphQLSchema
    chance: Random
    deepest: int = 4
    widest: int = 4
    null_conditions: bool = False
    """Whether a variable of @skip or @include may be null, which is an error of its own."""
    fragments: list[str] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    by_key: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)

    def write(self, operation: str = "query") -> Asked:
        root = getattr(self.schema, f"{operation}_type")
        only = 1 if operation == "subscription" else None
        selection = self._selection(root, 0, only=only)
        heads = ", ".join(f"${name}: {type_}" for name, type_ in self.declared.items())
        head = f"{operation} Asked({heads})" if heads else f"{operation} Asked"
        return Asked("\n".join([f"{head} {selection}", *self.fragments]), self.values)

    def _selection(self, type_: Any, depth: int, only: int | None = None) -> str:
        count = only or self.chance.randint(1, self.widest)
        parts = [self._one(type_, depth, plain=only is not None) for _ in range(count)]
        if only is None and self.chance.random() < 0.2:
            parts.insert(self.chance.randrange(len(parts) + 1), "__typename")
        return "{ " + " ".join(parts) + " }"

    def _one(self, type_: Any, depth: int, *, plain: bool) -> str:
        choice = self.chance.random()
        if plain or (choice < 0.75 and not isinstance(type_, GraphQLUnionType)):
            return self._field(type_, depth, plain=plain)
        if depth >= self.deepest:
            return f"__typename{self._directives()}"
        if choice < 0.9:
            inner = self._narrowed(type_)
            condition = f" on {inner.name}" if inner is not type_ or self.chance.random() < 0.5 else ""
            return f"...{condition}{self._directives()} {self._selection(inner, depth + 1)}"
        inner = self._narrowed(type_)
        name = f"F{len(self.fragments)}"
        self.fragments.append("")
        self.fragments[int(name[1:])] = f"fragment {name} on {inner.name} {self._selection(inner, depth + 1)}"
        spread = f"...{name}{self._directives()}"
        return f"{spread} ...{name}" if self.chance.random() < 0.3 else spread

    def _narrowed(self, type_: Any) -> Any:
        """A type on which a fragment may stand here."""
        fitting = [type_]
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            possible = self.schema.get_possible_types(type_)
            fitting += possible
            # Also what only some of them are.
            fitting += [interface for each in possible for interface in each.interfaces]
        if isinstance(type_, GraphQLObjectType):
            fitting += type_.interfaces
        return self.chance.choice(fitting)

    def _field(self, type_: Any, depth: int, *, plain: bool) -> str:
        names = list(type_.fields)
        if depth >= self.deepest:
            names = [name for name in names if is_leaf_type(get_named_type(type_.fields[name].type))] or ["__typename"]
        # Objects lead on: they come more often than there are fields of them.
        composite = [
            name
            for name in names
            if name in type_.fields and is_composite_type(get_named_type(type_.fields[name].type))
        ]
        name = self.chance.choice(composite if composite and self.chance.random() < 0.4 else names)
        if name == "__typename":
            return "__typename"
        definition = type_.fields[name]
        key = self.chance.choice([name, *(f"{name}_{letter}" for letter in LETTERS)])
        signature = (name, str(definition.type), *definition.args)
        if self.by_key.get(key, (signature,))[0] != signature:
            key = f"{name}_{type_.name}"
        if key not in self.by_key:
            self.by_key[key] = (signature, name + self._arguments(definition.args))
        asked: str = self.by_key[key][1]
        written = asked if key == name else f"{key}: {asked}"
        inner = get_named_type(definition.type)
        directives = "" if plain else self._directives()
        return f"{written}{directives}" + (f" {self._selection(inner, depth + 1)}" if is_composite_type(inner) else "")

    def _directives(self) -> str:
        written = ""
        for name in ("skip", "include"):
            if self.chance.random() < 0.12:
                written += f" @{name}(if: {self._condition()})"
        return written

    def _condition(self) -> str:
        choice = self.chance.random()
        if choice < 0.3:
            return self.chance.choice(["true", "false"])
        name = self.chance.choice(["yes", "no", "maybe", "usual"])
        if name not in self.declared:
            self.declared[name] = "Boolean = true" if name == "usual" else "Boolean!"
            value = {"yes": True, "no": False, "maybe": self.chance.random() < 0.5}.get(name)
            if value is not None:
                self.values[name] = value
            elif self.chance.random() < 0.5:
                self.values[name] = None if self.null_conditions and self.chance.random() < 0.5 else False
        return f"${name}"

    # arguments

    def _arguments(self, arguments: dict[str, GraphQLArgument]) -> str:
        given = []
        for name, argument in arguments.items():
            required = isinstance(argument.type, GraphQLNonNull) and argument.default is None
            if required or self.chance.random() < 0.5:
                given.append(f"{name}: {self._literal_or_variable(argument.type)}")
        return f"({', '.join(given)})" if given else ""

    def _literal_or_variable(self, type_: Any) -> str:
        if self.chance.random() < 0.4:
            name = f"v{len(self.declared)}"
            default = ""
            if self.chance.random() < 0.3:
                default = f" = {_literal(self._value(type_, 0))}"
            self.declared[name] = f"{type_}{default}"
            needed = isinstance(type_, GraphQLNonNull) and not default
            if needed or self.chance.random() < 0.8:
                self.values[name] = _sent(self._value(type_, 0))
            return f"${name}"
        return _literal(self._value(type_, 0))

    def _value(self, type_: Any, depth: int) -> Any:
        if isinstance(type_, GraphQLNonNull):
            type_ = type_.of_type
        elif self.chance.random() < 0.15:
            return None
        if isinstance(type_, GraphQLList):
            return [self._value(type_.of_type, depth) for _ in range(self.chance.randrange(3))]
        if isinstance(type_, GraphQLInputObjectType):
            return {
                name: self._value(each.type, depth + 1)
                for name, each in type_.fields.items()
                if isinstance(each.type, GraphQLNonNull) or (depth < 2 and self.chance.random() < 0.5)
            }
        if isinstance(type_, GraphQLEnumType):
            return _Name(self.chance.choice(list(type_.values)))
        return self.chance.choice(SAMPLES.get(type_.name, ["?"]))


class _Name(str):
    """A value of an enumeration."""

    __slots__ = ()


SAMPLES: dict[str, list[Any]] = {
    "Int": [0, -3, 100],
    "Float": [1.5, 2],
    "String": ["", "word", 'quo"te'],
    "Boolean": [True, False],
    "ID": ["x", 5],
    "Decimal": ["12.50", 5],
    "DateTime": ["2026-11-24T08:00:00Z"],
    "CurrencyCode": ["USD"],
}


def _literal(value: Any) -> str:
    if isinstance(value, _Name):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_literal(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)


def _sent(value: Any) -> Any:
    """As it comes in JSON."""
    if isinstance(value, _Name):
        return str(value)
    if isinstance(value, list):
        return [_sent(item) for item in value]
    if isinstance(value, dict):
        return {name: _sent(item) for name, item in value.items()}
    return value
