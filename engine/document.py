"""What a document holds: the operation, its fragments, and on which variables it depends what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
    type_from_ast,
)

Conditions: TypeAlias = Mapping[str, bool]
"""The values of the variables that @skip and @include name."""
Grouped: TypeAlias = dict[str, list[FieldNode]]
"""The fields of a selection by the key that they have in the answer, those of one key merged."""


class Unsupported(Exception):
    """A document has something that is left to graphql-core. Raised before anything is executed."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a plan needs of an operation. The node itself is not among it: a plan is kept for as long as the node is.
    `conditions` are sorted names of variables."""

    kind: OperationType
    selections: SelectionSetNode
    fragments: Mapping[str, FragmentDefinitionNode]
    conditions: tuple[str, ...]

    def names_within(self, nodes: Iterable[FieldNode]) -> frozenset[str]:
        """The names of all fields below these, whatever their types and conditions. Without recursion, as below."""
        names: set[str] = set()
        seen: set[str] = set()
        todo = [node.selection_set for node in nodes if node.selection_set]
        while todo:
            for node in todo.pop().selections:
                inner = getattr(node, "selection_set", None)
                if isinstance(node, FieldNode):
                    names.add(node.name.value)
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                    seen.add(node.name.value)
                    fragment = self.fragments.get(node.name.value)
                    inner = fragment.selection_set if fragment else None
                if inner:
                    todo.append(inner)
        return frozenset(names)


def definitions_of(
    document: DocumentNode, name: str | None
) -> tuple[OperationDefinitionNode, dict[str, FragmentDefinitionNode]] | None:
    """The operation of that name, or the only one, and the fragments; None when it is not clear which one."""
    fragments: dict[str, FragmentDefinitionNode] = {}
    found: list[OperationDefinitionNode] = []
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
        elif isinstance(definition, OperationDefinitionNode) and name in (None, _name(definition)):
            found.append(definition)
    return (found[0], fragments) if len(found) == 1 else None


def _name(definition: OperationDefinitionNode) -> str | None:
    return definition.name.value if definition.name else None


def operation_of(definition: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Operation:
    """Raises Unsupported for what the engine leaves to graphql-core: directives other than @skip and @include, and
    fragments with variables."""
    conditions = tuple(sorted(set(_conditions(definition, fragments.values()))))
    return Operation(definition.operation, definition.selection_set, fragments, conditions)


def _conditions(operation: OperationDefinitionNode, fragments: Iterable[FragmentDefinitionNode]) -> Iterator[str]:
    """Which variables decide what is asked. Walks each definition once, without recursion: a document may be deep."""
    if operation.directives or any(variable.directives for variable in operation.variable_definitions or ()):
        raise Unsupported("directives of an operation")
    todo: list[SelectionSetNode] = [operation.selection_set]
    for fragment in fragments:
        if fragment.directives or fragment.variable_definitions:
            raise Unsupported("directives or variables of a fragment")
        todo.append(fragment.selection_set)
    while todo:
        for node in todo.pop().selections:
            for directive in node.directives or ():
                yield from _variable_of(directive)
            if isinstance(node, FieldNode | InlineFragmentNode):
                if node.selection_set:
                    todo.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.arguments:
                raise Unsupported("arguments of a fragment")


def _variable_of(directive: DirectiveNode) -> Iterator[str]:
    if directive.name.value not in ("skip", "include"):
        raise Unsupported(f"@{directive.name.value}")
    arguments = directive.arguments or ()
    if len(arguments) != 1 or arguments[0].name.value != "if":
        raise Unsupported("@skip or @include without a condition")
    value = arguments[0].value
    if isinstance(value, VariableNode):
        yield value.name.value
    elif not isinstance(value, BooleanValueNode):
        raise Unsupported("@skip or @include with another condition")


@dataclass(frozen=True, slots=True)
class Collector:
    """Which fields a selection has for one object type, under these conditions: the specification's CollectFields."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    conditions: Conditions

    def collect(self, type_: GraphQLObjectType, sets: Iterable[SelectionSetNode]) -> Grouped:
        grouped: Grouped = {}
        seen: set[str] = set()
        for selections in sets:
            self._visit(type_, selections, grouped, seen)
        return grouped

    def _visit(self, type_: GraphQLObjectType, selections: SelectionSetNode, grouped: Grouped, seen: set[str]) -> None:
        for node in selections.selections:
            if not self._included(node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                grouped.setdefault(key, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if self._fits(node, type_):
                    self._visit(type_, node.selection_set, grouped, seen)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                fragment = self.fragments.get(name)
                if name not in seen and fragment is not None and self._fits(fragment, type_):
                    seen.add(name)
                    self._visit(type_, fragment.selection_set, grouped, seen)

    def _included(self, directives: Iterable[DirectiveNode]) -> bool:
        for directive in directives:
            [argument] = directive.arguments or ()
            value = argument.value
            if isinstance(value, VariableNode):
                holds = self.conditions[value.name.value]
            else:
                assert isinstance(value, BooleanValueNode), "everything else is Unsupported"
                holds = value.value
            if holds is (directive.name.value == "skip"):
                return False
        return True

    def _fits(self, fragment: FragmentDefinitionNode | InlineFragmentNode, type_: GraphQLObjectType) -> bool:
        if fragment.type_condition is None:
            return True
        condition = type_from_ast(self.schema, fragment.type_condition)
        if condition is type_:
            return True
        return is_abstract_type(condition) and self.schema.is_sub_type(condition, type_)
