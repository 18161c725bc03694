"""Waiting with an end: as by `asyncio.timeout`, with no clock where there is nothing to wait for."""

import asyncio
from collections.abc import Awaitable

import pytest

from api.patience import within
from tests.service import PATIENCE


class Work:
    """Waits so many times, and is then done, or broken. `ended` says how it came to its end."""

    def __init__(self, *waits: float, error: Exception | None = None) -> None:
        self._waits = waits
        self._error = error
        self.ended: type[BaseException] | None = None

    async def done(self) -> str:
        try:
            for seconds in self._waits:
                await asyncio.sleep(seconds)
            self._break_if_so()
        except BaseException as error:
            self.ended = type(error)
            raise
        return "done"

    def _break_if_so(self) -> None:
        if self._error:
            raise self._error


async def test_what_is_there_already_costs_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "timeout", None)
    assert await within(PATIENCE, Work().done()) == "done"
    with pytest.raises(LookupError):
        await within(PATIENCE, Work(error=LookupError()).done())


@pytest.mark.parametrize("waits", [(0.0,), (0.01,), (0.0, 0.01, 0.0)])
async def test_what_comes_in_time_is_awaited(waits: tuple[float, ...]) -> None:
    assert await within(PATIENCE, Work(*waits).done()) == "done"
    with pytest.raises(LookupError):
        await within(PATIENCE, Work(*waits, error=LookupError()).done())


@pytest.mark.parametrize("waits", [(PATIENCE,), (0.0, PATIENCE), (0.01, 0.01, PATIENCE)])
async def test_what_does_not_come_is_ended(waits: tuple[float, ...]) -> None:
    work = Work(*waits)
    with pytest.raises(TimeoutError):
        await within(0.05, work.done())
    assert work.ended in (GeneratorExit, asyncio.CancelledError)


@pytest.mark.parametrize("waits", [(PATIENCE,), (0.0, PATIENCE)])
async def test_whoever_waits_may_be_cancelled(waits: tuple[float, ...]) -> None:
    work = Work(*waits)
    task = asyncio.create_task(within(PATIENCE, work.done()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.ended in (GeneratorExit, asyncio.CancelledError)


async def test_a_future_is_awaited_like_a_coroutine() -> None:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, future.set_result, "done")
    waiting: Awaitable[str] = within(PATIENCE, future)
    assert await waiting == "done"
    assert await within(PATIENCE, future) == "done"
