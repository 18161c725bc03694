"""The product's schema: Strawberry's, with limits, and with a short way for what is ready to be executed."""

from collections.abc import Iterable
from typing import Any

from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from api.context import Context
from api.schema.limiting import LimitedSchema
from api.schema.ready import Ready
from engine import Engine


class ProductSchema(LimitedSchema):
    """Queries and mutations of known documents go the short way (`Ready`), all else Strawberry's; over WebSocket and as
    streams everything does."""

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
        ready = self._ready(query, operation_name) if query and root_value is None else None
        allowed = ready is not None and (allowed_operation_types is None or ready.kind in allowed_operation_types)
        if ready and allowed and isinstance(context_value, Context):
            result = await ready.execute(variable_values, context_value, operation_extensions)
            if result is not None:
                return result
        return await super().execute(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            allowed_operation_types,
            operation_extensions,
        )

    def _ready(self, text: str, name: str | None) -> Ready | None:
        known = self._known.get(text)
        if known is None or self.engine is None:
            return None
        try:
            found: Ready | None = known.ready[name]
        except KeyError:
            figures = self.measuring.figures(known.document)
            found = Ready.of(self.engine, known.document, text, known.digest, name, figures)
            if found:
                known.ready[name] = found
        return found
