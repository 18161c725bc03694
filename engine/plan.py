"""A plan: what one operation asks, compiled once; a type's selections when an object of it first turns up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any

from graphql import (
    FieldNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    VariableNode,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.values import VariableValues, get_argument_values
from graphql.language import ArgumentNode, ListValueNode, ObjectValueNode, ValueNode

from engine.awaiting import is_plain
from engine.document import Collector, Operation
from engine.leaves import Column, column_of, unchanged
from engine.readers import Attribute, Itself, Method, Reader, ReaderOf

_FLAT = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Compiler:
    """What all selections of a plan are made with. `classes` tells the object type of instances of a class."""

    schema: GraphQLSchema
    operation: Operation
    collector: Collector
    reader_of: ReaderOf
    classes: Mapping[type, GraphQLObjectType]

    def root(self, type_: GraphQLObjectType) -> Selection:
        grouped = self.collector.collect(type_, [self.operation.selections])
        return Selection(self, type_, grouped)


class Selection:
    """The fields that are asked of objects of one type, in the order of the answer."""

    __slots__ = ("fields", "type")

    def __init__(self, compiler: Compiler, type_: GraphQLObjectType, grouped: Mapping[str, list[FieldNode]]) -> None:
        self.type = type_
        self.fields: list[Field] = []
        for key, nodes in grouped.items():
            name = nodes[0].name.value
            definition = compiler.schema.get_field(type_, name)
            if definition is not None:
                self.fields.append(Field(compiler, type_, key, name, nodes, definition, len(self.fields)))

    def only(self, field: Field) -> Selection:
        """The same with one of its fields."""
        alone = Selection.__new__(Selection)
        alone.type = self.type
        alone.fields = [field]
        return alone


class Field:
    """One field of a selection. `nullable[d]` says whether null may stand at depth d of the field's lists; the value
    itself is at depth 0, what is no list at `depth`.

    `as_is` are the classes of the values that are already what the answer holds. `get` gives a parent's value where
    nothing but the parent is needed."""

    __slots__ = (
        "_constant",
        "_names_within",
        "_selections",
        "as_is",
        "column",
        "compiler",
        "composite",
        "definition",
        "depth",
        "get",
        "has_arguments",
        "index",
        "key",
        "known",
        "leaf",
        "name",
        "nodes",
        "nullable",
        "parent_type",
        "reader",
    )

    def __init__(
        self,
        compiler: Compiler,
        parent_type: GraphQLObjectType,
        key: str,
        name: str,
        nodes: list[FieldNode],
        definition: GraphQLField,
        index: int,
    ) -> None:
        self.compiler = compiler
        self.parent_type = parent_type
        self.key = key
        self.name = name
        self.nodes = nodes
        self.definition = definition
        self.index = index
        nullable = []
        type_: Any = definition.type
        while True:
            nullable.append(not is_non_null_type(type_))
            inner = type_.of_type if is_non_null_type(type_) else type_
            if not is_list_type(inner):
                break
            type_ = inner.of_type
        self.nullable = tuple(nullable)
        self.depth = len(nullable) - 1
        self.leaf = inner if is_leaf_type(inner) else None
        self.column: Column | None = None if self.leaf is None else column_of(self.leaf)
        self.composite: GraphQLCompositeType | None = None if self.leaf is not None else inner
        self.known: dict[type, GraphQLObjectType] = self._known()
        self.reader: Reader = compiler.reader_of(parent_type, name, definition)
        self.has_arguments = bool(definition.args or nodes[0].arguments)
        self.as_is = self._as_is()
        self.get: Callable[[Any], Any] | None = self._get()
        self._constant: dict[str, Any] | None = None
        self._names_within: frozenset[str] | None = None
        self._selections: dict[GraphQLObjectType, Selection] = {}

    def _as_is(self) -> frozenset[type]:
        leaves = unchanged(self.leaf) if self.leaf is not None and self.depth == 0 else frozenset()
        return leaves | {NoneType} if self.nullable[0] else leaves

    def _get(self) -> Callable[[Any], Any] | None:
        if self.name == "__typename":
            name = self.parent_type.name
            return lambda _: name
        if isinstance(self.reader, Attribute):
            return self.reader.get
        if isinstance(self.reader, Itself):
            return lambda parent: parent
        return self.reader.function if isinstance(self.reader, Method) and not self.has_arguments else None

    def _known(self) -> dict[type, GraphQLObjectType]:
        """The object types of classes for which neither the type nor the value has to be asked."""
        if self.composite is None:
            return {}
        if is_object_type(self.composite):
            possible = {self.composite}
        else:
            possible = set(self.compiler.schema.get_possible_types(self.composite))  # type: ignore[arg-type]  # abstract
        return {kind: type_ for kind, type_ in self.compiler.classes.items() if type_ in possible}

    def knows(self, kinds: set[type]) -> bool:
        """Whether the types of all these classes are known. A class is learned when its type asks for no proof."""
        if kinds <= self.known.keys():
            return True
        type_ = self.composite
        if not isinstance(type_, GraphQLObjectType) or type_.is_type_of is not None:
            return False
        unknown = kinds - self.known.keys()
        if not all(map(is_plain, unknown)):
            return False
        self.known.update(dict.fromkeys(unknown, type_))
        return True

    def selection(self, type_: GraphQLObjectType) -> Selection:
        """What is asked of the field's value when it is of this type."""
        found = self._selections.get(type_)
        if found is None:
            sets = [node.selection_set for node in self.nodes if node.selection_set]
            found = Selection(self.compiler, type_, self.compiler.collector.collect(type_, sets))
            self._selections[type_] = found
        return found

    @property
    def names_within(self) -> frozenset[str]:
        """The names of all fields that are asked for anywhere below this one, whatever their types and conditions."""
        if self._names_within is None:
            self._names_within = self.compiler.operation.names_within(self.nodes)
        return self._names_within

    def arguments(self, variables: VariableValues, hide_suggestions: bool) -> tuple[dict[str, Any], bool]:
        """The arguments, and whether all parents may share them: a resolver may change a list that it is given, and
        must not change it for others. Raises what graphql-core raises. Constants are kept."""
        if self._constant is not None:
            return self._constant, True
        node = self.nodes[0]
        found = get_argument_values(self.definition, node, variables, hide_suggestions=hide_suggestions)
        shared = all(type(value) in _FLAT for value in found.values())
        if shared and not any(_names_variable(argument) for argument in node.arguments or ()):
            self._constant = found
        return found, shared


def _names_variable(argument: ArgumentNode) -> bool:
    todo: list[ValueNode] = [argument.value]
    while todo:
        value = todo.pop()
        if isinstance(value, VariableNode):
            return True
        if isinstance(value, ListValueNode):
            todo += value.values
        elif isinstance(value, ObjectValueNode):
            todo += [field.value for field in value.fields]
    return False
