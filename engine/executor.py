"""The engine as graphql-core's executor: queries, mutations and events by plans, whatever else as it was."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar

from graphql import ExecutionResult, default_field_resolver, default_type_resolver
from graphql.execution import Executor

from engine.engine import Engine
from engine.run import Run


class EngineExecutor(Executor[Any]):
    """To be passed as `executor_class` to `graphql.execute` and `graphql.subscribe`, after it was given its engine; or
    mixed into another executor, before it. What the engine has no plan for, and what it knows nothing of (middleware,
    an abort signal, hooks, other default resolvers, errors that are not to be propagated), is executed as without it.
    `subscribe` makes one executor a subscription and asks it once for each event."""

    engine: ClassVar[Engine | None] = None

    def execute_operation(self, serially: bool | None = None) -> Any:
        answer = self._by_plan(serially)
        return super().execute_operation(serially) if answer is None else answer

    def _by_plan(self, serially: bool | None) -> ExecutionResult | Awaitable[ExecutionResult] | None:
        engine = self.engine
        if engine is None or engine.schema is not self.schema or not self._is_plain():
            return None
        plan = engine.plan(self.operation, self.fragment_definitions)
        if plan is None:
            return None
        run = Run(
            self.operation,
            self.root_value,
            self.context_value,
            self.variable_values,
            extras=getattr(self, "operation_extensions", None),
            hide_suggestions=self.hide_suggestions,
        )
        return engine.begin(plan, run, serially=serially)

    def _is_plain(self) -> bool:
        middleware = self.middleware_manager
        return (
            self.abort_signal is None
            and self.hooks is None
            and self.error_propagation
            and self.field_resolver is default_field_resolver
            and self.type_resolver is default_type_resolver
            and (middleware is None or not middleware.middlewares)
        )
