"""A loop that does its work again and again: at once while there is more, else after a pause or when it is woken."""

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable
from pathlib import PurePath

import structlog

BREATH = 0.05
"""Seconds between being woken and working: commits that come in a burst wake it once."""

log = structlog.get_logger(__name__)


class Loop:
    """Calls `work` until it is stopped; `work` answers whether there is more to do at once, and looks at `stopping`
    between its steps. What it raises never ends the loop: it is logged when it begins to fail and when it recovers."""

    def __init__(self, name: str, work: Callable[[], Awaitable[bool]], interval: float) -> None:
        self._name = name
        self._work = work
        self._interval = interval
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.stopping = False
        self.failing = False
        """Whether the last call of `work` raised."""

    def start(self) -> None:
        """Once, in a running event loop."""
        assert self._task is None, f"{self._name} has been started already"
        self._task = asyncio.create_task(self._run(), name=self._name)

    def wake(self) -> None:
        """Works soon, without waiting for the interval's end. Never waits, never fails."""
        self._woken.set()

    async def stop(self, patience: float = 5.0) -> None:
        """Ends after the step that is under way, or after so many seconds in the middle of it. May be called again."""
        self.stopping = True
        self._woken.set()
        if self._task is None:
            return
        _, unfinished = await asyncio.wait({self._task}, timeout=patience)
        for task in unfinished:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        while not self.stopping:
            self._woken.clear()
            if not await self._worked():
                await self._pause()

    async def _worked(self) -> bool:
        """Whether there is more to do at once."""
        try:
            more = await self._work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round may do better
            if not self.failing:
                log.error("worker.failing", worker=self._name, **described(error))  # noqa: TRY400 - see `described`
            self.failing = True
            return False
        if self.failing:
            log.info("worker.recovered", worker=self._name)
        self.failing = False
        return more

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval):
                await self._woken.wait()
                if not self.stopping:
                    await asyncio.sleep(BREATH)


def described(error: BaseException) -> dict[str, str]:
    """An exception's kind and place, for the log: its words may quote what a person wrote."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return {"error": type(error).__name__, "place": place}
