"""The engine: plans are made once, kept, and executed; what it can't do goes to graphql-core unread."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableDefinitionNode,
    assert_valid_schema,
    execute,
)
from graphql.execution.values import VariableValues, get_variable_values

from engine.document import Collector, Operation, Unsupported, definitions_of, operation_of
from engine.failures import settle
from engine.frames import Frame
from engine.plan import Compiler, Field, Selection
from engine.readers import Batch, BatchFunction, Reader, ReaderOf, ordinary
from engine.run import Run, Work
from engine.variables import simple_variables

MOST_PLANS = 1_000
MOST_VARIANTS = 32
"""How many combinations of the values of @skip's and @include's variables are kept of one plan."""
MOST_COERCION_ERRORS = 50
"""As graphql-core has it."""


class Plan:
    """One operation, ready to be executed any number of times, also at the same time."""

    __slots__ = ("_engine", "_root_type", "_selections", "_simple", "operation")

    def __init__(self, engine: Engine, operation: Operation, variables: Sequence[VariableDefinitionNode] = ()) -> None:
        """Raises Unsupported for a root that the schema does not have."""
        root_type = engine.schema.get_root_type(operation.kind)
        if root_type is None:
            raise Unsupported("a root that the schema does not have")
        self.operation = operation
        self._engine = engine
        self._root_type = root_type
        self._selections: OrderedDict[tuple[bool, ...], Selection] = OrderedDict()
        self._simple = simple_variables(engine.schema, variables)

    def simply_coerced(self, variables: Mapping[str, Any]) -> VariableValues | None:
        """The values of the operation's variables, where all are given and taken as they are; else graphql-core has to
        look at them."""
        return self._simple.coerced(variables) if self._simple else None

    def selection(self, variables: VariableValues) -> Selection | None:
        """What is asked with these variables; None when @skip or @include get what is no boolean."""
        conditions: dict[str, bool] = {}
        for name in self.operation.conditions:
            value = variables.coerced.get(name)
            if not isinstance(value, bool):
                return None
            conditions[name] = value
        key = tuple(conditions.values())
        found = self._selections.get(key)
        if found is None:
            found = self._selections[key] = self._engine.compiler(self.operation, conditions).root(self._root_type)
            if len(self._selections) > MOST_VARIANTS:
                self._selections.popitem(last=False)
        return found


class _Kept(NamedTuple):
    """An operation that is somebody else's to keep, and its plan; None where graphql-core executes it."""

    operation: weakref.ref[OperationDefinitionNode]
    plan: Plan | None


class Engine:
    """Executes operations over one schema.

    `reader_of` says how a field is read; `batches` names functions, by type and field, that answer a whole level in
    place of the field's resolver; `classes` tells the object type of a class's instances, which saves asking
    `resolve_type` and `is_type_of` for each; the class must be exactly that one. A field that is in `batches` has its
    ordinary resolver too: graphql-core asks that one, where the engine leaves an operation to it."""

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        reader_of: ReaderOf = ordinary,
        batches: Mapping[tuple[str, str], BatchFunction] | None = None,
        classes: Mapping[type, str] | None = None,
        most_plans: int = MOST_PLANS,
    ) -> None:
        assert_valid_schema(schema)
        self.schema = schema
        self._reader_of = reader_of
        self._batches = dict(batches or {})
        self._classes = {kind: _object_type(schema, name) for kind, name in (classes or {}).items()}
        self._most_plans = most_plans
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        for type_name, field_name in self._batches:
            if field_name not in _object_type(schema, type_name).fields:
                raise LookupError(f"the schema has no field {type_name}.{field_name}")

    async def execute(
        self,
        document: DocumentNode,
        operation_name: str | None = None,
        variables: Mapping[str, Any] | None = None,
        context: Any = None,
        *,
        root_value: Any = None,
    ) -> ExecutionResult:
        """The answer to an operation of a valid document. For a subscription the root value is one event."""
        values = dict(variables or {})
        found = definitions_of(document, operation_name)
        plan = self.plan(*found) if found else None
        if found and plan:
            coerced = self.coerced(found[0], values)
            if isinstance(coerced, list):
                return ExecutionResult(None, coerced)
            answer = self.begin(plan, Run(found[0], root_value, context, coerced))
            if answer is not None:
                return answer if isinstance(answer, ExecutionResult) else await answer
        result = execute(
            self.schema,
            document,
            root_value=root_value,
            context_value=context,
            variable_values=values,
            operation_name=operation_name,
        )
        return result if isinstance(result, ExecutionResult) else await result

    def coerced(
        self, operation: OperationDefinitionNode, variables: Mapping[str, Any] | None
    ) -> VariableValues | list[GraphQLError]:
        """The values of an operation's variables, or what is wrong with them."""
        kept = self._kept.get(id(operation))
        if kept and kept.plan and variables and (simple := kept.plan.simply_coerced(variables)):
            return simple
        definitions = operation.variable_definitions or ()
        return get_variable_values(self.schema, definitions, dict(variables or {}), max_errors=MOST_COERCION_ERRORS)

    def plan(self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Plan | None:
        """The plan of an operation; None when graphql-core has to execute it. Kept for as long as the operation's node
        is, by its identity: whoever parses a text once has its plan made once, and whoever forgets it frees both."""
        key = id(operation)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept.plan
        try:
            plan = Plan(self, operation_of(operation, fragments), operation.variable_definitions or ())
        except Unsupported:
            plan = None
        self._kept[key] = _Kept(weakref.ref(operation, lambda _: self._kept.pop(key, None)), plan)
        if len(self._kept) > self._most_plans:
            self._kept.popitem(last=False)
        return plan

    def begin(
        self, plan: Plan, run: Run, *, serially: bool | None = None
    ) -> ExecutionResult | Awaitable[ExecutionResult] | None:
        """Executes a plan: at once, when nothing has to be awaited. None, with nothing read, when the variables are
        such that graphql-core has to do it. A mutation's fields are read one after the other unless told otherwise."""
        selection = plan.selection(run.variables)
        if selection is None:
            return None
        data: dict[str, Any] = {}
        frame = Frame(selection, [run.root_value], [data])
        if plan.operation.kind is OperationType.MUTATION if serially is None else serially:
            return _one_after_the_other(run, frame)
        work = Work(frame)
        run.read_all(work)
        return _after(run, work, data) if work.waits else _answer(run, data)

    def compiler(self, operation: Operation, conditions: Mapping[str, bool]) -> Compiler:
        """What makes the selections of an operation under these conditions."""
        collector = Collector(self.schema, operation.fragments, conditions)
        return Compiler(self.schema, operation, collector, self._reader, self._classes)

    def _reader(self, type_: GraphQLObjectType, name: str, field: GraphQLField) -> Reader:
        batch = self._batches.get((type_.name, name))
        if batch is not None:
            return Batch(batch)
        introspection = name.startswith("__") or type_.name.startswith("__")
        return (ordinary if introspection else self._reader_of)(type_, name, field)


async def _after(run: Run, work: Work, data: dict[str, Any]) -> ExecutionResult:
    await run.finish(work)
    return _answer(run, data)


def _one_after_the_other(run: Run, frame: Frame) -> ExecutionResult | Awaitable[ExecutionResult]:
    """A mutation's fields: each with all that is asked of its answer, before the next begins. When one makes the whole
    answer null, those after it are not begun."""
    todo = iter(frame.selection.fields)
    for field in todo:
        work = _begun(run, frame, field)
        if work.waits:
            return _others_later(run, frame, work, todo)
        if any(failure.empties_answer() for failure in run.failures):
            break
    return _answer(run, frame.outs[0])


async def _others_later(run: Run, frame: Frame, work: Work, todo: Iterator[Field]) -> ExecutionResult:
    await run.finish(work)
    for field in todo:
        if any(failure.empties_answer() for failure in run.failures):
            break
        await run.finish(_begun(run, frame, field))
    return _answer(run, frame.outs[0])


def _begun(run: Run, frame: Frame, field: Field) -> Work:
    work = Work(Frame(frame.selection.only(field), frame.sources, frame.outs))
    run.read_all(work)
    return work


def _answer(run: Run, data: dict[str, Any]) -> ExecutionResult:
    if not run.failures:
        return ExecutionResult(data, None)
    errors, nothing_left = settle(run.failures)
    return ExecutionResult(None if nothing_left else data, errors)


def _object_type(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    type_ = schema.get_type(name)
    if isinstance(type_, GraphQLObjectType):
        return type_
    raise LookupError(f"the schema has no object type {name}")
