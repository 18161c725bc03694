"""Streams that are ready to begin: subscriptions of known documents, each event of which takes the short way."""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from graphql import ExecutionResult as GraphQLResult
from graphql import create_source_event_stream
from graphql.execution.values import VariableValues
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as Executor
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from api.context import Context
from api.schema.events import OrderEvent
from api.schema.extensions import Line, presented
from api.schema.limiting import Price
from api.schema.ready import Prepared, as_error
from api.sharing import Question
from engine import Run

Answer: TypeAlias = GraphQLResult | Awaitable[GraphQLResult]


@dataclass(frozen=True, slots=True)
class ReadyStream(Prepared):
    """A subscription. How it begins is left to graphql-core; its events are answered here, each by what another stream
    found of it or by the plan."""

    KINDS = (OperationType.SUBSCRIPTION,)

    async def results(
        self, given: dict[str, Any] | None, context: Context, extensions: dict[str, Any] | None
    ) -> AsyncGenerator[ExecutionResult, None]:
        """A result for each event, its errors as a client may see them. The first also tells what the stream costs."""
        line, price = Line(), Price()
        variables = given or {}
        try:
            begun = await self._begun(variables, context, extensions, price)
            told = price.told
            if isinstance(begun, PreExecutionError):
                yield _told(begun, line, told)
                return
            try:
                async with aclosing(begun.events) as events:
                    async for event in events:
                        answer = begun.answer(event)
                        found = answer if isinstance(answer, GraphQLResult) else await answer
                        yield _told(ExecutionResult(found.data, found.errors), line, told)
                        told = {}
            except Exception as error:  # noqa: BLE001 - whatever it is, it is masked and logged
                yield _told(ExecutionResult(None, [as_error(error)]), line, told)
        except BaseException as error:
            line.note_error(error)
            raise
        finally:
            line.tell(context, self._operation, self._digest, variables, price)

    async def _begun(
        self, variables: dict[str, Any], context: Context, extensions: dict[str, Any] | None, price: Price
    ) -> "_Begun | PreExecutionError":
        """The events, or why there are none."""
        try:
            refusal = await self._refusal(variables, context, price)
            if refusal is not None:
                return PreExecutionError(None, [refusal])
            await self._begin(context)
            executor = Executor.build(
                self._engine.schema,
                self._document,
                context_value=context,
                raw_variable_values=variables,
                operation_name=self._name,
                operation_extensions=extensions,
            )
            if isinstance(executor, list):
                return PreExecutionError(None, executor)
            source = create_source_event_stream(executor)
            events = await source if isinstance(source, Awaitable) else source
            if isinstance(events, GraphQLResult):
                return PreExecutionError(None, events.errors)
            question = context.product.shared.question(self._node, self._fragments, executor.variable_values.coerced)
            return _Begun(
                cast("AsyncGenerator[Any, None]", events), self, context, executor.variable_values, extensions, question
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it is masked and logged
            return PreExecutionError(None, [as_error(error)])

    def executed(
        self, event: Any, context: Context, variables: VariableValues, extensions: dict[str, Any] | None
    ) -> Answer:
        """What is asked, of one event."""
        run = Run(self._node, event, context, variables, extras=extensions)
        answer = self._engine.begin(self._plan, run)
        assert answer is not None, "there is a selection for these variables"
        return answer


@dataclass(frozen=True, slots=True)
class _Begun:
    """A stream that stands, with what its events are answered by. Without a question its answers are its own."""

    events: AsyncGenerator[Any, None]
    _stream: ReadyStream
    _context: Context
    _variables: VariableValues
    _extensions: dict[str, Any] | None
    _question: Question | None

    def answer(self, event: Any) -> Answer:
        """The answer about one event."""
        if self._question is None or not isinstance(event, OrderEvent):
            return self._anew(event)
        context = self._context
        return context.product.shared.answer(
            self._question,
            event.row.position,
            context.caller.viewer,
            lambda: self._anew(event),
            lambda: context.viewer_was_asked,
        )

    def _anew(self, event: Any) -> Answer:
        self._context.viewer_was_asked = False
        return self._stream.executed(event, self._context, self._variables, self._extensions)


def _told(result: ExecutionResult, line: Line, extensions: dict[str, Any]) -> ExecutionResult:
    """A result as its client reads it."""
    if result.errors:
        result.errors = [presented(error) for error in result.errors]
        line.note(result)
    result.extensions = extensions
    return result
