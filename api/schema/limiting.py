"""Limits, on the one way that every operation takes, over HTTP and WebSocket: size, shape, cost, budget."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import strawberry
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types.execution import ExecutionContext, PreExecutionError

from api.context import Context
from api.errors import Code, coded, throttled
from api.figures import Figures, Measuring, OperationFigures
from api.limits import too_dear, too_long, too_many_variables
from api.schema.documents import KnownDocuments
from api.schema.running import Runner

CHARACTERS_A_UNIT = 20
"""A text that is not known yet has to be parsed and validated: that takes as long as an object for so many."""


class LimitedSchema(strawberry.Schema):
    """Strawberry's schema, which looks at a text before it parses it. No hook of an extension can refuse there: over
    WebSocket an error of `on_parse` is lost."""

    def __init__(self, known: KnownDocuments, **given: Any) -> None:
        super().__init__(**given)
        self._known = known
        self.measuring = Measuring(self._schema)

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> Runner:
        return Runner(execution_context, extensions)

    async def _prepare_operation_async(
        self, context: ExecutionContext, extensions_runner: SchemaExtensionsRunner
    ) -> PreExecutionError | None:
        refusal = await self._refusal(context)
        if refusal is not None:
            context.pre_execution_errors = [refusal]
            return PreExecutionError(data=None, errors=[refusal])
        return await super()._prepare_operation_async(context, extensions_runner)

    async def _refusal(self, execution: ExecutionContext) -> GraphQLError | None:
        context: Context = execution.context
        limits = context.product.limits
        if wrong := too_many_variables(execution.variables, limits):
            return coded(Code.BAD_USER_INPUT, wrong)
        text = execution.query
        if not text or text in self._known:
            return None
        wait = await _charged(context, min(len(text), limits.characters) // CHARACTERS_A_UNIT)
        if wait is not None:
            return throttled(wait)
        if wrong := too_long(text, limits):
            return coded(Code.QUERY_TOO_COMPLEX, wrong)
        return None


def measuring(schema: strawberry.Schema) -> Measuring:
    """What measures the documents of a schema, which must be a limited one."""
    return cast(LimitedSchema, schema).measuring


class Price:
    """What an operation costs, once that is known, and how its answer tells it."""

    __slots__ = ("cost", "told")

    def __init__(self) -> None:
        self.cost: int | None = None
        self.told: dict[str, Any] = {}


async def priced(
    figures: Figures,
    operation: OperationFigures | None,
    variables: Mapping[str, Any] | None,
    context: Context,
    price: Price,
) -> GraphQLError | None:
    """Why an operation is refused by its document's shape, its cost, or its caller's budget, which pays for it."""
    limits = context.product.limits
    if wrong := figures.too_much(limits):
        return coded(Code.QUERY_TOO_COMPLEX, wrong)
    if operation is None:
        return None
    cost = price.cost = operation.cost(variables)
    price.told = {"cost": {"requested": min(cost, 10**9), "limit": limits.cost}}
    if wrong := too_dear(cost, limits):
        return coded(Code.QUERY_TOO_COMPLEX, wrong)
    wait = await _charged(context, cost)
    return None if wait is None else throttled(wait)


class Limited(SchemaExtension):
    """Refuses a document by its shape and cost before it is validated, takes the cost from the caller's budget, and
    tells it in `extensions.cost`, once for an operation. To stand after the extension that knows documents."""

    async def on_validate(self) -> AsyncIterator[None]:
        self._price = Price()
        execution = self.execution_context
        assert execution.graphql_document is not None
        figures = measuring(execution.schema).figures(execution.graphql_document)
        operation = figures.operation(execution.operation_name)
        refusal = await priced(figures, operation, execution.variables, execution.context, self._price)
        if refusal is not None:
            execution.pre_execution_errors = [refusal]
        yield

    _price: Price | None = None

    def get_results(self) -> dict[str, Any]:
        """Not again with each event of a stream."""
        price, self._price = self._price, None
        return price.told if price else {}


async def _charged(context: Context, cost: int) -> int | None:
    viewer = context.caller.viewer
    return await context.product.rates.charge(viewer.user_id if viewer else None, context.address, cost)
