"""Operations that are ready to be executed: those of known documents, with all that need not be found out anew."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from graphql import DocumentNode, FragmentDefinitionNode, GraphQLError, OperationDefinitionNode
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
class Prepared:
    """An operation of a valid document, with all of it that is the same whoever asks."""

    KINDS: ClassVar[tuple[OperationType, ...]] = ()

    kind: OperationType
    _document: DocumentNode
    _name: str | None
    _node: OperationDefinitionNode
    _fragments: Mapping[str, FragmentDefinitionNode]
    _plan: Plan
    _engine: Engine
    _figures: Figures
    _operation: OperationFigures
    _digest: str
    _reads_cursor: bool

    @classmethod
    def of(
        cls, engine: Engine, document: DocumentNode, text: str, digest: str, name: str | None, figures: Figures
    ) -> Self | None:
        """The operation of that name; None when Strawberry has to look at it: when it is not clear which one it is,
        when it is of another kind, or asks for the schema, or when there is no plan for it."""
        found = definitions_of(document, name)
        if found is None or INTROSPECTION.search(text):
            return None
        node, fragments = found
        kind = OperationType(node.operation.value)
        plan = engine.plan(*found)
        operation = figures.operation(node.name.value if node.name else None)
        if plan is None or operation is None or kind not in cls.KINDS:
            return None
        reads_cursor = EVENT_CURSOR in text
        return cls(kind, document, name, node, fragments, plan, engine, figures, operation, digest, reads_cursor)

    def takes(self, given: dict[str, Any] | None) -> bool:
        """Whether the variables are such that graphql-core need not do it."""
        variables = given or {}
        return all(isinstance(variables.get(name, True), bool) for name in self._plan.operation.conditions)

    async def _refusal(self, variables: dict[str, Any], context: Context, price: Price) -> GraphQLError | None:
        if wrong := too_many_variables(variables, context.product.limits):
            return coded(Code.BAD_USER_INPUT, wrong)
        return await priced(self._figures, self._operation, variables, context, price)

    async def _begin(self, context: Context) -> None:
        """What is done once the operation is paid for, before its variables are looked at and any field is read."""
        context.refuse_the_blocked()
        if self._reads_cursor:
            await read_cursor(context)


@dataclass(frozen=True, slots=True)
class Ready(Prepared):
    """A query or a mutation.

    What the extensions do around an operation is done here in a row, by the same functions, and graphql-core need not
    make an executor. Strawberry's hooks and that took a fifth of the server's CPU for one order."""

    KINDS = (OperationType.QUERY, OperationType.MUTATION)

    async def execute(
        self, given: dict[str, Any] | None, context: Context, extensions: dict[str, Any] | None
    ) -> ExecutionResult:
        """The answer to variables that it takes, its errors as a client may see them."""
        variables = given or {}
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
                result = PreExecutionError(None, [as_error(error)])
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

    async def _executed(
        self, variables: dict[str, Any], context: Context, extensions: dict[str, Any] | None
    ) -> ExecutionResult:
        await self._begin(context)
        # Not before it is paid for: there may be a thousand of them.
        coerced = self._engine.coerced(self._node, variables)
        if isinstance(coerced, list):
            return ExecutionResult(None, coerced)
        answer = self._engine.begin(self._plan, Run(self._node, None, context, coerced, extras=extensions))
        assert answer is not None, "there is a selection for these variables"
        found = answer if isinstance(answer, GraphQLResult) else await answer
        return ExecutionResult(found.data, found.errors)

    async def results(
        self, given: dict[str, Any] | None, context: Context, extensions: dict[str, Any] | None
    ) -> AsyncGenerator[ExecutionResult, None]:
        """The answer as a stream of one result."""
        yield await self.execute(given, context, extensions)


def as_error(error: Exception) -> GraphQLError:
    """An error of whatever kind, which is masked before anybody sees it."""
    return error if isinstance(error, GraphQLError) else GraphQLError("", original_error=error)
