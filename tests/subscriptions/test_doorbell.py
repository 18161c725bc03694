"""The doorbell: rings reach, silence is noticed, and it is built anew until it works again."""

import asyncio
import os
from collections.abc import Callable

import pytest
from broadcaster import Broadcast

from subscriptions import doorbell
from subscriptions.doorbell import Doorbell, DoorbellSilent, check

REDIS = os.environ.get("RESOLUTION_TEST_REDIS_URL")


class Bell:
    """Counts what is heard."""

    def __init__(self) -> None:
        self.rings = 0

    def __call__(self) -> None:
        self.rings += 1


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - whatever is waited for
            await asyncio.sleep(0.01)


async def test_a_ring_is_heard_and_rings_at_once_are_one() -> None:
    heard = Bell()
    bell = Doorbell("memory://", heard)
    async with bell.running():
        await _until(lambda: bell.works)
        before = heard.rings
        for _ in range(100):
            bell.ring()
        await _until(lambda: heard.rings > before)
        assert heard.rings - before < 100


async def test_a_doorbell_that_can_not_connect_is_built_anew_until_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = 2
    connect = Broadcast.connect

    async def failing(self: Broadcast) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionError
        await connect(self)

    monkeypatch.setattr(Broadcast, "connect", failing)
    monkeypatch.setattr(doorbell, "FIRST_PAUSE", 0.01)
    bell = Doorbell("memory://", Bell())
    async with bell.running():
        await _until(lambda: bell.works)
    assert bell.rebuilds == 2


async def test_a_doorbell_that_falls_silent_says_so_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "PROBE_EVERY", 0.05)
    monkeypatch.setattr(doorbell, "PATIENCE", 0.2)
    monkeypatch.setattr(doorbell, "FIRST_PAUSE", 0.01)
    publish = Broadcast.publish
    lost = False

    async def losing(self: Broadcast, channel: str, message: object) -> None:
        if not lost:
            await publish(self, channel, message)

    monkeypatch.setattr(Broadcast, "publish", losing)
    bell = Doorbell("memory://", Bell())
    async with bell.running():
        await _until(lambda: bell.works)
        lost = True
        await _until(lambda: not bell.works)
        lost = False
        await _until(lambda: bell.works)
    assert bell.rebuilds >= 1


async def test_a_check_goes_round_or_says_what_is_wrong() -> None:
    await check("memory://")
    with pytest.raises(DoorbellSilent):
        await check("redis://127.0.0.1:1")


@pytest.mark.skipif(not REDIS, reason="RESOLUTION_TEST_REDIS_URL is not set")
async def test_two_processes_hear_each_other_through_redis() -> None:
    one_heard, other_heard = Bell(), Bell()
    one, other = Doorbell(str(REDIS), one_heard), Doorbell(str(REDIS), other_heard)
    async with one.running(), other.running():
        await _until(lambda: one.works and other.works)
        before = other_heard.rings
        one.ring()
        await _until(lambda: other_heard.rings > before)
    await check(str(REDIS))
