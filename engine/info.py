"""What a resolver is told about its place: the same names as graphql-core's info, made only when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, gather_with_cancel
from graphql.type.definition import GraphQLResolveInfoHelpers

from engine.awaiting import is_awaitable

if TYPE_CHECKING:
    from engine.frames import Frame
    from engine.plan import Field
    from engine.run import Run


class LevelInfo:
    """What holds for all objects of a level: everything that graphql-core's info has, but for the path."""

    __slots__ = ("_field", "_run", "context")

    abort_signal = None
    is_awaitable = staticmethod(is_awaitable)

    def __init__(self, run: Run, field: Field) -> None:
        self._run = run
        self._field = field
        self.context: Any = run.context

    @property
    def field_name(self) -> str:
        return self._field.name

    @property
    def field_nodes(self) -> list[FieldNode]:
        return self._field.nodes

    @property
    def names_within(self) -> frozenset[str]:
        """The names of all fields that are asked for anywhere below this one: what is worth fetching along with it."""
        return self._field.names_within

    @property
    def return_type(self) -> GraphQLOutputType:
        return self._field.definition.type

    @property
    def parent_type(self) -> GraphQLObjectType:
        return self._field.parent_type

    @property
    def schema(self) -> GraphQLSchema:
        return self._field.compiler.schema

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        return dict(self._field.compiler.operation.fragments)

    @property
    def operation(self) -> OperationDefinitionNode:
        return self._run.operation

    @property
    def root_value(self) -> Any:
        return self._run.root_value

    @property
    def variable_values(self) -> VariableValues:
        return self._run.variables

    @property
    def operation_extensions(self) -> Any:
        """What the caller of the engine passed beside the variables; None without."""
        return self._run.extras

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        return GraphQLResolveInfoHelpers(
            gather=lambda values: gather_with_cancel(*values), track=self._run.settle_in_background
        )


class ResolveInfo(LevelInfo):
    """What a resolver of one parent is told. The path is found by walking up when somebody asks: nobody pays for what
    nobody reads."""

    __slots__ = ("_frame", "_index")

    def __init__(self, run: Run, field: Field, frame: Frame, index: int) -> None:
        self._run = run
        self._field = field
        self._frame = frame
        self._index = index
        self.context = run.context

    @property
    def path(self) -> Path:
        return self._frame.path(self._index, self._field)
