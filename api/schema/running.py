"""How extensions run around an operation: as in Strawberry, less what it does in vain for each event of a stream."""

from contextlib import nullcontext
from typing import Any, cast

from strawberry.extensions import SchemaExtension
from strawberry.extensions.context import StreamResultContextManager
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types.execution import ExecutionContext, ExecutionResult, StreamExecutionResult
from strawberry.utils.await_maybe import await_maybe

_NOTHING = cast(StreamResultContextManager, nullcontext())


class Runner(SchemaExtensionsRunner):
    """Our extensions look at a stream's results for their errors alone, and one of them has something to tell. A fourth
    of what a delivery to a socket took was spent on asking all of them about each event."""

    def __init__(self, execution_context: ExecutionContext, extensions: list[SchemaExtension] | None = None) -> None:
        super().__init__(execution_context, extensions)
        self._telling = [each for each in self.extensions if type(each).get_results is not SchemaExtension.get_results]

    def on_stream_result(self, result: StreamExecutionResult) -> StreamResultContextManager:
        went_well = isinstance(result, ExecutionResult) and not result.errors
        return _NOTHING if went_well else super().on_stream_result(result)

    async def get_extensions_results(self, ctx: ExecutionContext) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for extension in self._telling:
            data.update(await await_maybe(extension.get_results()))
        data.update(ctx.extensions_results)
        return data
