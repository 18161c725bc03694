"""The doorbell: rings reach, silence is noticed, and it is built anew until it works again."""

import asyncio
import os
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from broadcaster import Broadcast
from broadcaster._backends.memory import MemoryBackend

from subscriptions import doorbell
from subscriptions.doorbell import CHANNEL, RING, Doorbell, DoorbellSilent, check, ring_once
from tests.listening import the_broadcast, the_log
from tests.postgres import a_postgres_database
from tests.servers import Redis, a_redis, asking, free_port, needs_postgres
from tests.waiting import until

A_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
REDIS = os.environ.get("RESOLUTION_TEST_REDIS_URL")
HURRIED = {"PROBE_EVERY": 0.05, "PATIENCE": 0.3, "FIRST_PAUSE": 0.01, "LONGEST_PAUSE": 0.1}

needs_redis = pytest.mark.skipif(not REDIS, reason="needs Redis: RESOLUTION_TEST_REDIS_URL is not set")
needs_own_redis = pytest.mark.skipif(
    not (REDIS and shutil.which("redis-server")),
    reason="needs redis-server to start and stop, and RESOLUTION_TEST_REDIS_URL to be set",
)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A doorbell that notices and tries again within parts of a second."""
    for name, seconds in HURRIED.items():
        monkeypatch.setattr(doorbell, name, seconds)


class Bell:
    """Counts what is heard."""

    def __init__(self) -> None:
        self.rings = 0

    def __call__(self) -> None:
        self.rings += 1


class EveryRing(Doorbell):
    """Hears its own rings too, as another process does: memory has no other."""

    def _is_own(self, ring: str) -> bool:
        assert super()._is_own(ring)
        return False


async def test_a_ring_is_heard_and_rings_at_once_are_one() -> None:
    heard = Bell()
    bell = EveryRing("memory://", heard)
    async with bell.running():
        await until(lambda: bell.works)
        before = heard.rings
        for _ in range(100):
            bell.ring()
        await until(lambda: heard.rings > before)
        assert heard.rings - before < 100


@pytest.mark.usefixtures("hurried")
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
    bell = Doorbell("memory://", Bell())
    async with bell.running():
        await until(lambda: bell.works)
    assert bell.rebuilds == 2


@pytest.mark.usefixtures("hurried")
async def test_a_doorbell_that_falls_silent_says_so_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    publish = Broadcast.publish
    lost = False

    async def losing(self: Broadcast, channel: str, message: object) -> None:
        if not lost:
            await publish(self, channel, message)

    monkeypatch.setattr(Broadcast, "publish", losing)
    heard = Bell()
    bell = Doorbell("memory://", heard)
    with the_log() as log:
        async with bell.running():
            await until(lambda: bell.works)
            lost = True
            bell.ring()
            await until(lambda: not bell.works)
            await until(lambda: bell.rebuilds >= 3)
            before, lost = heard.rings, False
            await until(lambda: bell.works)
            # What rang meanwhile is made good: whoever listens looks once more.
            assert heard.rings > before
    # Each change is logged once, however often it was tried.
    changes = [line for line in log.getvalue().splitlines() if "doorbell" in line]
    assert ["silent" in line for line in changes] == [False, True, False]


async def test_a_ring_and_a_probe_say_nothing_of_what_happened() -> None:
    with the_broadcast() as carried:
        bell = Doorbell("memory://", Bell())
        async with bell.running():
            await until(lambda: bell.works)
            bell.ring()
            await until(lambda: len(carried) == 2)
            bell.ring()
            await until(lambda: len(carried) == 3)
    probe, ring, again = carried
    assert re.fullmatch(f"{CHANNEL} probe:{A_UUID}", probe)
    assert re.fullmatch(f"{CHANNEL} {RING}:{A_UUID}", ring)
    assert again == ring


async def test_a_process_does_not_hear_its_own_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own readers know already: each would make it read the log once more."""
    heard = Bell()
    bell = Doorbell("memory://", heard)
    with the_broadcast() as carried:
        async with bell.running():
            await until(lambda: bell.works)
            before = heard.rings
            bell.ring()
            await until(lambda: len(carried) == 2)
            await asyncio.sleep(0.05)
            monkeypatch.setattr(bell, "_is_own", lambda _: False)
            bell.ring()
            await until(lambda: heard.rings > before)
            assert heard.rings == before + 1


@pytest.mark.usefixtures("hurried")
async def test_a_listener_that_dies_unnoticed_is_noticed_and_its_backend_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = 0

    async def dying(_: MemoryBackend) -> None:
        raise ConnectionResetError

    async def disconnect(_: MemoryBackend) -> None:
        nonlocal closed
        closed += 1

    monkeypatch.setattr(MemoryBackend, "disconnect", disconnect)
    with monkeypatch.context() as patch:
        patch.setattr(MemoryBackend, "next_published", dying)
        bell = Doorbell("memory://", Bell())
        async with bell.running():
            await until(lambda: bell.rebuilds == 1)
            assert closed == 1
            patch.undo()
            await until(lambda: bell.works)


async def _hanging(*_: Any) -> None:
    await asyncio.get_running_loop().create_future()


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("step", ["connect", "subscribe", "publish"])
async def test_a_backend_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MemoryBackend, step, _hanging)
        bell = Doorbell("memory://", Bell())
        async with bell.running():
            await until(lambda: bell.rebuilds >= 2)
            assert not bell.works
            patch.undo()
            await until(lambda: bell.works)


@pytest.mark.parametrize("step", ["connect", "subscribe", "publish", "unsubscribe", "disconnect"])
async def test_a_doorbell_can_be_stopped_whatever_it_waits_for(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """On its way out too: what waits there must not swallow that it is to stop."""
    for name, seconds in (HURRIED | {"PATIENCE": 0.5}).items():
        monkeypatch.setattr(doorbell, name, seconds)
    hangs = asyncio.Event()

    async def hanging(*_: Any) -> None:
        hangs.set()
        await _hanging()

    async def losing(*_: Any) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(MemoryBackend, step, hanging)
    if step in ("unsubscribe", "disconnect"):
        monkeypatch.setattr(MemoryBackend, "publish", losing)
    before = asyncio.all_tasks()
    async with asyncio.timeout(5):
        async with Doorbell("memory://", Bell()).running():
            await hangs.wait()
    assert asyncio.all_tasks() == before


async def test_a_check_goes_round_or_says_what_is_wrong() -> None:
    await check("memory://")
    with pytest.raises(DoorbellSilent):
        await check("redis://127.0.0.1:1")


# ---------------------------------------------------------------- who rings once, and goes


async def test_who_rings_once_is_heard_or_goes_on_without_a_word() -> None:
    began = time.monotonic()
    with the_broadcast() as carried, the_log() as log:
        await ring_once("memory://")
        for scheme in ("redis", "postgres"):
            await ring_once(f"{scheme}://127.0.0.1:{free_port()}/nowhere")
    assert carried == [], "in its own memory nobody can hear it"
    assert log.getvalue() == ""
    assert time.monotonic() - began < 10


@pytest.mark.usefixtures("hurried")
async def test_who_rings_once_at_something_that_hangs_is_not_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        # Its machine takes the connection, and nobody ever reads what comes.
        for scheme in ("redis", "postgres"):
            async with asyncio.timeout(5):
                await ring_once(f"{scheme}://127.0.0.1:{mute.getsockname()[1]}/nowhere")


@needs_redis
async def test_who_rings_once_is_heard_through_redis() -> None:
    await _rings_once(str(REDIS))


@needs_postgres
async def test_who_rings_once_is_heard_through_postgresql() -> None:
    async with a_postgres_database() as url:
        await _rings_once(url)


async def _rings_once(url: str) -> None:
    heard = Bell()
    bell = Doorbell(url, heard)
    async with bell.running():
        await until(lambda: bell.works)
        before = heard.rings
        await ring_once(url)
        await until(lambda: heard.rings > before)


# ---------------------------------------------------------------- through PostgreSQL


@needs_postgres
async def test_rings_and_probes_at_once_go_through_the_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses a second statement while one is under way: then it would be built anew again and again."""
    monkeypatch.setattr(doorbell, "PROBE_EVERY", 0.0)
    async with a_postgres_database() as url:
        heard = Bell()
        bell = EveryRing(url, heard)
        async with bell.running():
            await until(lambda: bell.works)
            for number in range(300):
                bell.ring()
                await until(lambda number=number: heard.rings > number)  # type: ignore[misc]  # a default is no argument
            assert (bell.works, bell.rebuilds) == (True, 0)


@needs_postgres
@pytest.mark.usefixtures("hurried")
async def test_a_connection_to_postgresql_that_is_killed_is_built_anew() -> None:
    async with a_postgres_database() as url, asking(url) as admin:
        one_heard, other_heard = Bell(), Bell()
        one, other = Doorbell(url, one_heard), Doorbell(url, other_heard)
        before = asyncio.all_tasks()
        async with one.running(), other.running():
            for _ in range(3):
                await until(lambda: one.works and other.works)
                rebuilds = one.rebuilds, other.rebuilds
                killed = await admin.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                assert len(killed) >= 2
                await until(lambda: one.rebuilds > rebuilds[0] and other.rebuilds > rebuilds[1])  # noqa: B023
                await until(lambda: one.works and other.works)
                other_heard.rings = 0
                one.ring()
                await until(lambda: other_heard.rings > 0)
        assert asyncio.all_tasks() == before
        assert await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == 1


# ---------------------------------------------------------------- through Redis


@needs_redis
async def test_two_processes_hear_each_other_through_redis() -> None:
    one_heard, other_heard = Bell(), Bell()
    one, other = Doorbell(str(REDIS), one_heard), Doorbell(str(REDIS), other_heard)
    async with one.running(), other.running():
        await until(lambda: one.works and other.works)
        before = other_heard.rings
        one.ring()
        await until(lambda: other_heard.rings > before)
    await check(str(REDIS))


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Redis]:
    async with a_redis(tmp_path) as server:
        yield server


@needs_own_redis
@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("away", ["killed", "frozen"])
async def test_both_recover_when_redis_was_away(redis: Redis, away: str) -> None:
    one_heard, other_heard = Bell(), Bell()
    one, other = Doorbell(redis.url, one_heard), Doorbell(redis.url, other_heard)
    before = asyncio.all_tasks()
    async with one.running(), other.running():
        for _ in range(2):
            await until(lambda: one.works and other.works)
            if away == "killed":
                await redis.kill()
            else:
                redis.freeze()
            await until(lambda: not one.works and not other.works)
            with pytest.raises(DoorbellSilent):
                await check(redis.url)
            # Whoever rings meanwhile is not kept waiting, and is not heard.
            one.ring()
            if away == "killed":
                await redis.start()
            else:
                redis.thaw()
            await until(lambda: one.works and other.works)
            other_heard.rings = 0
            one.ring()
            await until(lambda: other_heard.rings > 0)
            await check(redis.url)
    # What was built and thrown away meanwhile has left nothing behind.
    assert asyncio.all_tasks() == before


@needs_own_redis
@pytest.mark.usefixtures("hurried")
async def test_a_doorbell_that_starts_before_redis_does_waits_for_it(redis: Redis) -> None:
    await redis.kill()
    bell = Doorbell(redis.url, Bell())
    async with bell.running():
        await until(lambda: bell.rebuilds >= 2)
        await redis.start()
        await until(lambda: bell.works)
