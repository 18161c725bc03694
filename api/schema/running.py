"""How extensions run around an operation: as in Strawberry, less what it does anew, and in vain, each time."""

import contextlib
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

from strawberry.extensions import SchemaExtension
from strawberry.extensions.context import (
    ExecutingContextManager,
    ExtensionContextManagerBase,
    OperationContextManager,
    ParsingContextManager,
    StreamResultContextManager,
    ValidationContextManager,
    WrappedHook,
)
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types.execution import ExecutionContext, ExecutionResult, StreamExecutionResult
from strawberry.utils.await_maybe import await_maybe

_NOTHING = cast(StreamResultContextManager, contextlib.nullcontext())


class Runner(SchemaExtensionsRunner):
    """Our extensions look at a stream's results for their errors alone, and one of them has something to tell. A fourth
    of what a delivery to a socket took was spent on asking all of them about each event."""

    def __init__(self, execution_context: ExecutionContext, extensions: list[SchemaExtension] | None = None) -> None:
        super().__init__(execution_context, extensions)
        self._telling = [each for each in self.extensions if type(each).get_results is not SchemaExtension.get_results]

    def operation(self) -> OperationContextManager:
        return _Operation(self.extensions)

    def parsing(self) -> ParsingContextManager:
        return _Parsing(self.extensions)

    def validation(self) -> ValidationContextManager:
        return _Validation(self.extensions)

    def executing(self) -> ExecutingContextManager:
        return _Executing(self.extensions)

    def on_stream_result(self, result: StreamExecutionResult) -> StreamResultContextManager:
        went_well = isinstance(result, ExecutionResult) and not result.errors
        return _NOTHING if went_well else super().on_stream_result(result)

    async def get_extensions_results(self, ctx: ExecutionContext) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for extension in self._telling:
            data.update(await await_maybe(extension.get_results()))
        data.update(ctx.extensions_results)
        return data


class _Kept(ExtensionContextManagerBase):
    """Strawberry's makes a context manager of each hook of each extension anew, for each operation."""

    def get_hook(self, extension: SchemaExtension) -> WrappedHook | None:
        key = (type(extension), self.HOOK_NAME)
        if key not in _managers:
            _managers[key] = _manager(*key)
        manager = _managers[key]
        if manager is None:
            return super().get_hook(extension)
        return WrappedHook(extension, partial(manager.function, extension), manager.is_async)


class _Manager(NamedTuple):
    """What makes a context manager of a hook, given the extension."""

    function: Callable[[SchemaExtension], Any]
    is_async: bool


_managers: dict[tuple[type[SchemaExtension], str], _Manager | None] = {}


def _manager(kind: type[SchemaExtension], hook_name: str) -> _Manager | None:
    """None for a kind of hook that none of ours is."""
    hook = getattr(kind, hook_name)
    if hook is getattr(SchemaExtension, hook_name):
        return None
    if inspect.isgeneratorfunction(hook):
        return _Manager(contextlib.contextmanager(hook), is_async=False)
    return _Manager(contextlib.asynccontextmanager(hook), is_async=True) if inspect.isasyncgenfunction(hook) else None


class _Operation(_Kept, OperationContextManager):
    pass


class _Parsing(_Kept, ParsingContextManager):
    pass


class _Validation(_Kept, ValidationContextManager):
    pass


class _Executing(_Kept, ExecutingContextManager):
    pass
