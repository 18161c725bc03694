"""The product's schema: Strawberry's, with limits, and with a short way for what is ready to be executed."""

from collections.abc import Iterable
from typing import Any

from strawberry.schema.schema import StreamResult
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from api.context import Context
from api.schema.limiting import LimitedSchema
from api.schema.ready import Ready
from api.schema.ready_stream import ReadyStream
from engine import Engine


class ProductSchema(LimitedSchema):
    """Operations of known documents go the short way (`Ready`, `ReadyStream`), all else Strawberry's."""

    engine: Engine | None = None

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """As Strawberry's, which also says what is wrong with the kind of an operation."""
        ready = self._prepared(query, operation_name, root_value, allowed_operation_types, variable_values)
        if isinstance(ready, Ready) and isinstance(context_value, Context):
            return await ready.execute(variable_values, context_value, operation_extensions)
        return await super().execute(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            allowed_operation_types,
            operation_extensions,
        )

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> StreamResult:
        """As Strawberry's: a subscription's results as they come, of all else the one there is."""
        ready = self._prepared(query, operation_name, root_value, allowed_operation_types, variable_values)
        if ready and isinstance(context_value, Context):
            return ready.results(variable_values, context_value, operation_extensions)
        return await super().stream(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            operation_extensions,
            allowed_operation_types,
        )

    def _prepared(
        self,
        text: str | None,
        name: str | None,
        root_value: Any,
        allowed: Iterable[OperationType] | None,
        variables: dict[str, Any] | None,
    ) -> Ready | ReadyStream | None:
        """What goes the short way."""
        ready = self._ready(text, name) if text and root_value is None else None
        if ready is None or (allowed is not None and ready.kind not in allowed):
            return None
        return ready if ready.takes(variables) else None

    def _ready(self, text: str, name: str | None) -> Ready | ReadyStream | None:
        known = self._known.get(text)
        if known is None or self.engine is None:
            return None
        try:
            found: Ready | ReadyStream | None = known.ready[name]
        except KeyError:
            figures = self.measuring.figures(known.document)
            given = (self.engine, known.document, text, known.digest, name, figures)
            found = Ready.of(*given) or ReadyStream.of(*given)
            if found:
                known.ready[name] = found
        return found
