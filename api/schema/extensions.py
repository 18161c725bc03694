"""What happens around every operation: errors are made presentable, it is logged, the event cursor is read first."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from hashlib import sha256
from typing import Any, Literal

from graphql import (
    DocumentNode,
    GraphQLError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    validate,
)
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, StreamExecutionResult

from api.context import Context
from api.errors import Code, coded, presentable
from api.figures import OperationFigures
from api.logs import begin_operation
from api.logs import tell as write_line
from api.schema.limiting import Price, measuring
from models import reads

LONGEST_NAME = 64

_lines = logging.getLogger(__name__)


class PresentableErrors(SchemaExtension):
    """Gives each error a code, and masks what nobody expected. Strawberry's own MaskErrors drops `extensions`."""

    def on_operation(self) -> Iterator[None]:
        try:
            yield
        except (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError):
            raise
        except GraphQLError as error:
            # Of another hook that refuses: a sentence with a code.
            raise presented(error) from None
        except Exception as error:  # noqa: BLE001 - it is raised again, without its words
            # Of another hook: Strawberry would answer it with its own words, whatever stands in them.
            raise presented(GraphQLError("", original_error=error)) from None
        result = self.execution_context.result
        errors: list[GraphQLError] | None = getattr(result, "errors", None)
        if result is not None and errors:
            result.errors = [presented(error) for error in errors]

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        if isinstance(result, ExecutionResult) and result.errors:
            result.errors = [presented(error) for error in result.errors]
        yield


def presented(error: GraphQLError) -> GraphQLError:
    """An error as a client may see it. Strawberry has errors of its own for a document with nothing to execute; over
    HTTP they are status 400."""
    match error.original_error:
        case CannotGetOperationTypeError() as cannot:
            return coded(Code.BAD_REQUEST, cannot.as_http_error_reason())
        case MissingQueryError():
            return coded(Code.BAD_REQUEST, "No GraphQL query found in the request")
    return presentable(error)


class Line:
    """The one line in the log for an operation, when it is over, and its time for the metrics; a stream has none for
    those. What is logged holds nothing that somebody wrote: no variable, no document, no token."""

    __slots__ = ("_began", "_codes", "_is_gone")

    def __init__(self) -> None:
        # Not unbound: an operation has a task of its own, and what it begins logs the same id.
        begin_operation()
        self._codes: set[str] = set()
        self._is_gone = False
        self._began = time.perf_counter()

    def note(self, result: object) -> None:
        """The codes of a result's errors."""
        errors: list[GraphQLError] | None = getattr(result, "errors", None)
        if errors:
            self._codes.update(map(_code_of, errors))

    def note_error(self, error: BaseException) -> None:
        """What ended the operation: a cancellation, when its client has left."""
        if isinstance(error, Exception):
            self._codes.add(_code_of(error))
        elif isinstance(error, asyncio.CancelledError):
            self._is_gone = True

    def tell(
        self,
        context: Context,
        operation: OperationFigures | None,
        digest: str,
        variables: Mapping[str, Any] | None,
        price: Price | None = None,
    ) -> None:
        """`price` is what was found of the cost, if anything was."""
        seconds = time.perf_counter() - self._began
        viewer = context.caller.viewer
        is_stream = operation is not None and operation.kind == "subscription"
        # A stream is over when its client has enough of it.
        otherwise: Literal["gone", "ok"] = "gone" if self._is_gone and not is_stream else "ok"
        if not is_stream:
            # A name of somebody unknown takes no place among those that have a label of their own.
            name = operation.name if operation and viewer else None
            context.product.metrics.operated(name, seconds, "error" if self._codes else otherwise)
        if not _lines.isEnabledFor(logging.INFO):
            return
        cost = price.cost if price else None
        if cost is None and operation:
            cost = operation.cost(variables)
        write_line(
            _lines,
            "operation",
            operation=_shown(operation.name) if operation else None,
            kind=operation.kind if operation else None,
            hash=digest,
            viewer=str(viewer.user_id) if viewer else None,
            cost=cost,
            duration_ms=round(seconds * 1_000, 1),
            outcome=" ".join(sorted(self._codes)) or otherwise,
            refused=" ".join(context.refusals) or None,
            transport=context.transport,
        )


class Watched(SchemaExtension):
    """The line of an operation that goes Strawberry's way."""

    def on_operation(self) -> Iterator[None]:
        self._line = Line()
        try:
            yield
        except BaseException as error:
            self._line.note_error(error)
            raise
        finally:
            self._line.note(self.execution_context.result)
            self._tell()

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        yield
        self._line.note(result)

    def _tell(self) -> None:
        execution = self.execution_context
        document = execution.graphql_document
        figures = measuring(execution.schema).figures(document) if document else None
        operation = figures.operation(execution.operation_name) if figures else None
        digest = sha256((execution.query or "").encode(errors="replace")).hexdigest()
        self._line.tell(execution.context, operation, digest, execution.variables)


def _code_of(error: Exception) -> str:
    """A code is ours, whatever it says: `api.errors` gives each error one."""
    if isinstance(error, GraphQLError):
        return str((error.extensions or {}).get("code", Code.INTERNAL_SERVER_ERROR))
    known = isinstance(error, MissingQueryError | CannotGetOperationTypeError | InvalidOperationTypeError)
    return (Code.BAD_REQUEST if known else Code.INTERNAL_SERVER_ERROR).value


def _shown(name: str | None) -> str | None:
    """A name comes from a stranger: GraphQL bounds its alphabet, and we its length."""
    return name[:LONGEST_NAME] if name else None


class BlockedAreRefused(SchemaExtension):
    """Refuses every operation of a blocked person whole: not even the fields are answered that anybody may ask."""

    def on_execute(self) -> Iterator[None]:
        self.execution_context.context.refuse_the_blocked()
        yield


class EventCursorFirst(SchemaExtension):
    """Reads where the log stands before any other field is read, when the operation asks for it: whatever happens
    after that shows in a stream that begins there, though the state may show it too."""

    async def on_execute(self) -> AsyncIterator[None]:
        if EVENT_CURSOR in (self.execution_context.query or ""):
            await read_cursor(self.execution_context.context)
        yield


EVENT_CURSOR = "eventCursor"


async def read_cursor(context: Context) -> None:
    """Reads where the log stands, for whoever may know."""
    if context.caller.viewer:
        context.log_position = await reads.log_position()


class OneOperation(SchemaExtension):
    """Refuses a document of several operations when the request names none of them (GraphQL, «GetOperation»), where
    Strawberry would execute the first. Stands behind whatever knows documents, since it is no fault of theirs."""

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        document = execution.graphql_document
        if document and execution._provided_operation_name is None:
            names = [each.name for each in document.definitions if isinstance(each, OperationDefinitionNode)]
            # Nameless ones, or two of one name, are the validation's to refuse.
            if len(names) > 1 and len({name.value for name in names if name}) == len(names):
                message = "The document has several operations: say which one by `operationName`."
                execution.pre_execution_errors = [coded(Code.BAD_REQUEST, message)]
        yield


class Introspecting(SchemaExtension):
    """Shows the schema to those whom the settings name. A document that one caller may send is judged again for the
    next one, so this too stands behind whatever knows documents."""

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        document = execution.graphql_document
        if document and INTROSPECTION.search(execution.query or "") and not execution.pre_execution_errors:
            try:
                if self._asks_for_the_schema(document) and not execution.context.may_introspect():
                    execution.pre_execution_errors = [coded(Code.FORBIDDEN, "This server does not show its schema.")]
            except GraphQLError as error:
                execution.pre_execution_errors = [error]
        yield

    def _asks_for_the_schema(self, document: DocumentNode) -> bool:
        schema = self.execution_context.schema._schema
        return bool(validate(schema, document, [NoSchemaIntrospectionCustomRule], max_errors=1))


INTROSPECTION = re.compile(r"__(?:schema|type)\b")
"""A document without these words need not be looked at."""
