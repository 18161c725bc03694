"""One execution of a plan: level by level, each field for all objects of a level at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from graphql import OperationDefinitionNode
from graphql.execution.values import VariableValues

from engine.awaiting import all_of, is_awaitable
from engine.failures import Failure
from engine.frames import Frame, Items
from engine.plan import Field
from engine.reading import read_fields


class Work:
    """What is to be done next: frames whose fields are to be read, and what has to be awaited before there are more."""

    __slots__ = ("frames", "waits")

    def __init__(self, *frames: Frame) -> None:
        self.frames: deque[Frame] = deque(frames)
        self.waits: list[Wait] = []

    def wait(self, awaitables: Sequence[Awaitable[Any]], resume: Resume) -> None:
        self.waits.append((awaitables, resume))


Resume: TypeAlias = Callable[[list[Any], Work], None]
"""Goes on with the results of what was awaited, an error in the place of what failed."""
Wait: TypeAlias = tuple[Sequence[Awaitable[Any]], Resume]


class Run:
    """What is known while a plan is executed."""

    __slots__ = (
        "_background",
        "context",
        "extras",
        "failures",
        "hide_suggestions",
        "operation",
        "root_value",
        "variables",
    )

    def __init__(
        self,
        operation: OperationDefinitionNode,
        root_value: Any,
        context: Any,
        variables: VariableValues,
        *,
        extras: Any = None,
        hide_suggestions: bool = False,
    ) -> None:
        self.operation = operation
        self.root_value = root_value
        self.context = context
        self.variables = variables
        self.extras = extras
        self.hide_suggestions = hide_suggestions
        self.failures: list[Failure] = []
        self._background: set[asyncio.Future[Any]] = set()

    def fail(self, frame: Frame, field: Field, index: int, items: Items, error: Exception) -> None:
        self.failures.append(Failure(frame, field, index, items, error))

    def read_all(self, work: Work) -> None:
        """Reads everything that can be read without waiting; what has to be awaited is noted in the work."""
        frames = work.frames
        while frames:
            read_fields(self, frames.popleft(), work)

    async def finish(self, work: Work) -> None:
        """Reads what is left once `read_all` has been here. What waits for different things goes on in branches, so
        that nothing slow holds up what is ready; a single wait goes on in this task."""
        while len(work.waits) == 1:
            [(awaitables, resume)] = work.waits
            work = Work()
            resume(await all_of(awaitables), work)
            self.read_all(work)
        if work.waits:
            await self._branches(work.waits)

    async def _branches(self, waits: Sequence[Wait]) -> None:
        """The last goes on in this task, the others in their own: a task for each and a future for all would take three
        times as long. The others stand first in the loop's queue, so that what all of them ask of a loader is asked
        once. What is no field's error, as a resolver's own cancellation, is raised when the last has been read."""
        *others, last = waits
        tasks = [asyncio.create_task(self._branch(*wait)) for wait in others]
        try:
            await self._branch(*last)
            for task in tasks:
                await task
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _branch(self, awaitables: Sequence[Awaitable[Any]], resume: Resume) -> None:
        work = Work()
        resume(await all_of(awaitables), work)
        self.read_all(work)
        await self.finish(work)

    def settle_in_background(self, values: Sequence[Any]) -> None:
        """Sees to it that what somebody no longer waits for is awaited all the same."""
        awaitables = [value for value in values if is_awaitable(value)]
        if awaitables:
            future = asyncio.gather(*awaitables, return_exceptions=True)
            self._background.add(future)
            future.add_done_callback(self._background.discard)
