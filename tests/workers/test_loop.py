"""The loop under the workers: it never dies, says once what changed, and stops when it is told."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from workers.loop import Loop

SECRET = "words of a person"


def _working(steps: list[Exception | bool], done: asyncio.Event) -> Callable[[], Awaitable[bool]]:
    """Work that comes to one thing after the other, and then to nothing more."""

    async def work() -> bool:
        if not steps:
            done.set()
            return False
        step = steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    return work


async def test_it_survives_every_exception_and_says_once_that_it_fails_and_once_that_it_recovered() -> None:
    done = asyncio.Event()
    steps: list[Exception | bool] = [
        ValueError(SECRET),
        OSError(SECRET),
        KeyError(SECRET),
        False,
        False,
        OSError(SECRET),
        False,
    ]
    loop = Loop("deadlines", _working(steps, done), 0.001)
    with capture_logs() as logs:
        loop.start()
        await asyncio.wait_for(done.wait(), 5)
        await loop.stop()
    told = [(entry["event"], entry["worker"], entry.get("error")) for entry in logs]
    assert told == [
        ("worker.failing", "deadlines", "ValueError"),
        ("worker.recovered", "deadlines", None),
        ("worker.failing", "deadlines", "OSError"),
        ("worker.recovered", "deadlines", None),
    ]
    assert SECRET not in str(logs)
    assert not loop.failing


async def test_while_there_is_more_it_does_not_pause() -> None:
    done = asyncio.Event()
    loop = Loop("deadlines", _working([True] * 50, done), 60)
    loop.start()
    await asyncio.wait_for(done.wait(), 5)
    await loop.stop()


async def test_a_wake_cuts_the_pause_short_and_a_burst_of_them_is_one() -> None:
    calls = 0

    async def work() -> bool:
        nonlocal calls
        calls += 1
        return False

    loop = Loop("refunds", work, 60)
    loop.start()
    await asyncio.sleep(0.01)
    assert calls == 1
    for _ in range(20):
        loop.wake()
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.15)
    await loop.stop()
    assert 2 <= calls <= 3


async def test_stopping_waits_for_the_step_that_is_under_way() -> None:
    finished = asyncio.Event()

    async def work() -> bool:
        await asyncio.sleep(0.05)
        finished.set()
        return True

    loop = Loop("deadlines", work, 60)
    loop.start()
    await asyncio.sleep(0.01)
    await loop.stop()
    assert finished.is_set()
    await loop.stop()


async def test_stopping_does_not_wait_for_ever() -> None:
    async def work() -> bool:
        await asyncio.Event().wait()
        return False

    loop = Loop("deadlines", work, 60)
    loop.start()
    await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        await loop.stop(patience=0.02)


async def test_a_loop_that_was_never_started_stops_too() -> None:
    await Loop("deadlines", _working([], asyncio.Event()), 60).stop()


async def test_it_is_started_once() -> None:
    loop = Loop("deadlines", _working([], asyncio.Event()), 60)
    loop.start()
    with pytest.raises(AssertionError):
        loop.start()
    await loop.stop()
