"""Operations that are ready to be executed: those of known documents, with all that need not be found out anew."""

from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode
from graphql import ExecutionResult as GraphQLResult
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from api.context import Context
from api.errors import Code, coded
from api.figures import Figures, OperationFigures
from api.limits import too_many_variables
from api.schema.extensions import EVENT_CURSOR, INTROSPECTION, Line, presented, read_cursor
from api.schema.limiting import Price, priced
from engine import Engine, Plan, Run, definitions_of


@dataclass(frozen=True, slots=True)
class Ready:
    """A query or a mutation of a valid document that may be the same for whoever asks.

    What the extensions do around an operation is done here in a row, by the same functions, and graphql-core need not
    make an executor. Strawberry's hooks and that took a fifth of the server's CPU for one order."""

    kind: OperationType
    _node: OperationDefinitionNode
    _plan: Plan
    _engine: Engine
    _figures: Figures
    _operation: OperationFigures
    _digest: str
    _reads_cursor: bool

    @classmethod
    def of(
        cls, engine: Engine, document: DocumentNode, text: str, digest: str, name: str | None, figures: Figures
    ) -> "Ready | None":
        """The operation of that name; None when Strawberry has to look at it: when it is not clear which one it is,
        when it is a subscription, or asks for the schema, or when there is no plan for it."""
        found = definitions_of(document, name)
        if found is None or INTROSPECTION.search(text):
            return None
        node = found[0]
        kind = OperationType(node.operation.value)
        plan = engine.plan(*found)
        operation = figures.operation(node.name.value if node.name else None)
        if plan is None or operation is None or kind is OperationType.SUBSCRIPTION:
            return None
        return cls(kind, node, plan, engine, figures, operation, digest, EVENT_CURSOR in text)

    async def execute(
        self, given: dict[str, Any] | None, context: Context, extensions: dict[str, Any] | None
    ) -> ExecutionResult | None:
        """The answer, its errors as a client may see them. None, with nothing done, when the variables are such that
        graphql-core has to do it."""
        variables = given or {}
        if any(not isinstance(variables.get(name, True), bool) for name in self._plan.operation.conditions):
            return None
        line = Line()
        price = Price()
        result: ExecutionResult | None = None
        try:
            try:
                refusal = await self._refusal(variables, context, price)
                if refusal is not None:
                    result = PreExecutionError(None, [refusal])
                else:
                    result = await self._executed(variables, context, extensions)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is masked and logged
                known = error if isinstance(error, GraphQLError) else GraphQLError("", original_error=error)
                result = PreExecutionError(None, [known])
            if result.errors:
                result.errors = [presented(error) for error in result.errors]
            result.extensions = price.told
            return result
        except BaseException as error:
            line.note_error(error)
            raise
        finally:
            line.note(result)
            line.tell(context, self._operation, self._digest, variables, price)

    async def _refusal(self, variables: dict[str, Any], context: Context, price: Price) -> GraphQLError | None:
        if wrong := too_many_variables(variables, context.product.limits):
            return coded(Code.BAD_USER_INPUT, wrong)
        return await priced(self._figures, self._operation, variables, context, price)

    async def _executed(
        self, variables: dict[str, Any], context: Context, extensions: dict[str, Any] | None
    ) -> ExecutionResult:
        context.refuse_the_blocked()
        if self._reads_cursor:
            await read_cursor(context)
        # Not before it is paid for: there may be a thousand of them.
        coerced = self._engine.coerced(self._node, variables)
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        answer = self._engine.begin(self._plan, Run(self._node, None, context, coerced, extras=extensions))
        assert answer is not None, "there is a selection for these variables"
        found = answer if isinstance(answer, GraphQLResult) else await answer
        return ExecutionResult(found.data, found.errors)
