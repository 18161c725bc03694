"""What happens around every operation: errors are made presentable, and the event cursor is read first."""

import time
from collections.abc import AsyncIterator, Iterator

from graphql import GraphQLError, OperationType, get_operation_ast
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types.execution import ExecutionResult, StreamExecutionResult

from api.errors import Code, coded, presentable
from models import reads


class PresentableErrors(SchemaExtension):
    """Gives each error a code, and masks what nobody expected. Strawberry's own MaskErrors drops `extensions`."""

    def on_operation(self) -> Iterator[None]:
        yield
        result = self.execution_context.result
        errors: list[GraphQLError] | None = getattr(result, "errors", None)
        if result is not None and errors:
            result.errors = [_presented(error) for error in errors]

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        if isinstance(result, ExecutionResult) and result.errors:
            result.errors = [_presented(error) for error in result.errors]
        yield


def _presented(error: GraphQLError) -> GraphQLError:
    """Strawberry has errors of its own for a document with nothing to execute; over HTTP they are status 400."""
    match error.original_error:
        case CannotGetOperationTypeError() as cannot:
            return coded(Code.BAD_REQUEST, cannot.as_http_error_reason())
        case MissingQueryError():
            return coded(Code.BAD_REQUEST, "No GraphQL query found in the request")
    return presentable(error)


class Watched(SchemaExtension):
    """Tells the metrics how long each query and mutation took, and how it ended. Streams have no such time."""

    def on_operation(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        execution = self.execution_context
        document = execution.graphql_document
        operation = get_operation_ast(document, execution.operation_name) if document else None
        if operation and operation.operation is OperationType.SUBSCRIPTION:
            return
        failed = bool(getattr(execution.result, "errors", None))
        metrics = execution.context.product.metrics
        metrics.operated(execution.operation_name, time.perf_counter() - began, failed=failed)


class EventCursorFirst(SchemaExtension):
    """Reads where the log stands before any other field is read, when the operation asks for it: whatever happens
    after that shows in a stream that begins there, though the state may show it too."""

    async def on_execute(self) -> AsyncIterator[None]:
        context = self.execution_context.context
        if "eventCursor" in (self.execution_context.query or "") and context.caller.viewer:
            context.log_position = await reads.log_position()
        yield
