"""One event, one answer: what many streams ask alike about an event is executed once, and encoded once."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from graphql import (
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    Node,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)

from rules.visibility import Viewer

MOST = 512
"""Answers that are kept. Each is wanted by many at nearly the same time, or never again."""
FRESH = 1.0
"""Seconds: what an event leads to (its order, its request) is shown as it is now. A slow reader's answer is its own."""
MOST_OPERATIONS = 1_000

K = TypeVar("K")
V = TypeVar("V")


class SharedData(dict[str, Any]):
    """The data of an answer that several streams get: the same object for all of them."""

    _encoded: str | None = None
    _extensions: Mapping[str, Any] | None = None

    def encoded(self, extensions: Mapping[str, Any] | None, encode: Callable[[object], str]) -> str:
        """The payload with it, in JSON; encoded once for all whose answers have the same extensions."""
        if self._encoded is None or self._extensions != extensions:
            self._extensions = extensions
            self._encoded = encode({"data": self, "extensions": extensions} if extensions else {"data": self})
        return self._encoded


@dataclass(frozen=True, slots=True)
class Question:
    """What a stream asks about each event: an operation, with the variables that its answers depend on."""

    operation: OperationDefinitionNode
    """By its identity: a document that was parsed once is the same for all who send it."""
    variables: tuple[tuple[str, object], ...]


class _Answer:
    """One answer, perhaps not there yet. Its result is None when it can't be shared."""

    __slots__ = ("began", "operation", "result", "there")

    def __init__(self, operation: OperationDefinitionNode, began: float) -> None:
        # Held, so that no other operation gets its id meanwhile.
        self.operation = operation
        self.began = began
        self.result: ExecutionResult | None = None
        self.there: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def come(self, result: ExecutionResult | None) -> None:
        self.result = result
        if not self.there.done():
            self.there.set_result(None)


class SharedAnswers:
    """The answers of a process's event streams. Whether somebody may see an event at all is judged by each stream, for
    each event, before it asks here. An answer that was found without asking who the viewer is, is good for every
    viewer; any other for the same viewer with the same scopes alone. Measured: a delivery to one of many watchers of an
    order takes a tenth of the time that executing it anew takes."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[object, ...], _Answer] = OrderedDict()
        self._personal: OrderedDict[int, OperationDefinitionNode] = OrderedDict()
        """Operations whose answers have depended on the viewer."""
        self._names: OrderedDict[int, tuple[OperationDefinitionNode, frozenset[str]]] = OrderedDict()

    def question(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, object],
    ) -> Question | None:
        """What a stream asks; None when its variables are such that nobody can tell whether another asks the same."""
        kept = self._names.get(id(operation))
        if kept is None or kept[0] is not operation:
            kept = (operation, _names_below_the_root(operation, fragments.values()))
            _keep(self._names, id(operation), kept, MOST_OPERATIONS)
        used = tuple((name, variables[name]) for name in sorted(kept[1]) if name in variables)
        plain = all(value is None or type(value) in (str, int, float, bool) for _, value in used)
        return Question(operation, tuple((name, (type(value), value)) for name, value in used)) if plain else None

    def answer(
        self,
        question: Question,
        position: int,
        viewer: Viewer | None,
        execute: Callable[[], ExecutionResult | Awaitable[ExecutionResult]],
        depended: Callable[[], bool],
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        """The answer about the event at that position. `execute` finds one, if nobody has; `depended` then says whether
        it asked who the viewer is."""
        found = self._answers.get(self._key(question, position, viewer))
        if found and found.result is not None and self._is_fresh(found):
            return found.result
        return self._later(question, position, viewer, execute, depended)

    async def _later(
        self,
        question: Question,
        position: int,
        viewer: Viewer | None,
        execute: Callable[[], ExecutionResult | Awaitable[ExecutionResult]],
        depended: Callable[[], bool],
    ) -> ExecutionResult:
        key = self._key(question, position, viewer)
        found = self._answers.get(key)
        if found and self._is_fresh(found):
            await found.there
            if found.result is not None:
                return found.result
            if self._key(question, position, viewer) != key:
                # It turned out to depend on the viewer: somebody else may have found this viewer's.
                return await self._later(question, position, viewer, execute, depended)
            return await _awaited(execute())
        return await self._executed(question, position, viewer, execute, depended)

    async def _executed(
        self,
        question: Question,
        position: int,
        viewer: Viewer | None,
        execute: Callable[[], ExecutionResult | Awaitable[ExecutionResult]],
        depended: Callable[[], bool],
    ) -> ExecutionResult:
        operation = question.operation
        key = self._key(question, position, viewer)
        answer = _Answer(operation, asyncio.get_running_loop().time())
        _keep(self._answers, key, answer, MOST)
        try:
            result = await _awaited(execute())
            if result.errors or result.data is None:
                return result
            result = ExecutionResult(SharedData(result.data), None)
            if depended() and id(operation) not in self._personal:
                _keep(self._personal, id(operation), operation, MOST_OPERATIONS)
                mine = _Answer(operation, answer.began)
                mine.come(result)
                _keep(self._answers, self._key(question, position, viewer), mine, MOST)
            else:
                answer.come(result)
            return result
        finally:
            # Whoever waits goes on by itself: after an error, and when this stream was ended in the midst of it.
            answer.come(answer.result)

    def _key(self, question: Question, position: int, viewer: Viewer | None) -> tuple[object, ...]:
        operation = id(question.operation)
        whose = viewer if self._personal.get(operation) is question.operation else None
        return (operation, question.variables, position, whose)

    def _is_fresh(self, answer: _Answer) -> bool:
        return asyncio.get_running_loop().time() - answer.began < FRESH


async def _awaited(result: ExecutionResult | Awaitable[ExecutionResult]) -> ExecutionResult:
    return result if isinstance(result, ExecutionResult) else await result


def _keep(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)


def _names_below_the_root(
    operation: OperationDefinitionNode, fragments: Iterable[FragmentDefinitionNode]
) -> frozenset[str]:
    """The variables that answers depend on: all but those that only say which stream it is, as the arguments of the
    root field do."""
    finder = _Variables()
    for selection in operation.selection_set.selections:
        if isinstance(selection, FieldNode):
            below = [selection.selection_set] if selection.selection_set else []
            parts: list[Node] = [*(selection.directives or ()), *below]
        else:
            parts = [selection]
        for part in parts:
            visit(part, finder)
    for fragment in fragments:
        visit(fragment, finder)
    return frozenset(finder.names)


class _Variables(Visitor):
    """Collects the names of variables."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.names.add(node.name.value)
