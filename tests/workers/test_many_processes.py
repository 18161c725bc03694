"""Several servers on one PostgreSQL: each deadline takes effect once and in time, whoever dies, whatever clocks say."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.ids import Kind, uuid_of
from tests.postgresql import POOL, a_postgres_database, asking, needs_postgres
from tests.servers import Server, environ, free_port, running, servers, talking_to
from tests.service import Service
from tests.torture.cluster import Cluster
from tests.torture.people import Story, Writer

pytestmark = [needs_postgres, pytest.mark.slow]

WINDOW, NEAR = 18.0, (12.0, 6.0)
"""Seconds: how long a request may be answered here, and how long before its end both sides are reminded."""
IN_TIME = 5.0
WRITERS, ORDERS_EACH = 6, 15
EFFECTS = Counter(DEADLINE_NEAR=2, REQUEST_AUTO_ACCEPTED=1, ORDER_CANCELLED=1)
"""What silence does to a request to cancel, event by event."""


def _policy(folder: Path) -> str:
    path = folder / "policy.toml"
    hours = ", ".join(str(seconds / 3_600) for seconds in NEAR)
    path.write_text(f"reminders.hours = [{hours}]\n[requests.CANCELLATION]\nwindow_hours = {WINDOW / 3_600}\n")
    return str(path)


_NEW = """SELECT position, order_id, kind, extract(epoch FROM clock_timestamp() - occurred_at) AS delay
    FROM events WHERE position > $1 ORDER BY position"""


@dataclass
class Watcher:
    """Sees what is committed, straight in the database and by its clock."""

    delays: list[float] = field(default_factory=list)
    """Seconds from the instant of a deadline or a reminder to when its effect was there."""
    kinds: dict[UUID, Counter[str]] = field(default_factory=dict)
    held_up: float = 0.0
    """The longest that this machine, with much else to do, let a moment's work take."""

    async def watch(self, session: Any) -> None:
        """Until it is cancelled."""
        loop, position = asyncio.get_running_loop(), 0
        before = loop.time()
        while True:
            rows = await session.fetch(_NEW, position)
            now = loop.time()
            self.held_up, before = max(self.held_up, now - before), now
            for row in rows:
                position = row["position"]
                if row["kind"] in EFFECTS:
                    self.delays.append(float(row["delay"]))
                    self.kinds.setdefault(row["order_id"], Counter())[row["kind"]] += 1
            await asyncio.sleep(0.1)

    def judge(self, orders: list[UUID]) -> None:
        """Each effect came once; none too early, and none later than a moment."""
        assert self.kinds == dict.fromkeys(orders, EFFECTS)
        assert min(self.delays) >= 0
        assert max(self.delays) < IN_TIME + 3 * self.held_up, (sorted(self.delays)[-5:], self.held_up)

    def is_over(self, orders: list[UUID]) -> bool:
        """Whether all that silence does has been done to them."""
        return all(self.kinds.get(order, Counter())["ORDER_CANCELLED"] for order in orders)


@contextlib.asynccontextmanager
async def _watching(url: str) -> AsyncIterator[Watcher]:
    watcher = Watcher()
    async with asking(url) as session:
        task = asyncio.create_task(watcher.watch(session))
        try:
            yield watcher
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _asked(service: Service, number: int) -> UUID:
    """An order that Farid asks to cancel."""
    order_id = await service.started(f"B-{number}")
    await service.do("farid", "askClientToCancel", orderId=order_id, reason="SCOPE_CHANGED")
    found = uuid_of(Kind.ORDER, order_id)
    assert found
    return found


async def _until_over(watcher: Watcher, orders: list[UUID]) -> None:
    async with asyncio.timeout(4 * WINDOW):
        while not watcher.is_over(orders):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_each_deadline_takes_effect_once_and_in_time_while_processes_come_and_go(tmp_path: Path) -> None:
    async with a_postgres_database() as url:
        given = {
            "RESOLUTION_DATABASE_URL": url,
            "RESOLUTION_DATABASE_POOL_SIZE": POOL,
            "RESOLUTION_POLICY_FILE": _policy(tmp_path),
        }
        async with servers(tmp_path, 3, given) as three, _watching(url) as watcher:
            cluster = Cluster(three, None, None, url)
            enough = asyncio.Event()
            killing = asyncio.create_task(_kill_until(enough, cluster))
            orders = [order for found in await asyncio.gather(*map(_play, _writers(cluster))) for order in found]
            await _until_over(watcher, orders)
            enough.set()
            await killing
        async with asking(url) as session:
            gaps = await session.fetchval("SELECT max(position) - count(*) FROM events")
            overdue = await session.fetchval("SELECT count(*) FROM orders WHERE next_deadline_at IS NOT NULL")
    assert (gaps, overdue) == (0, 0)
    assert cluster.deeds["servers killed"] > 1
    watcher.judge(orders)


def _writers(cluster: Cluster) -> list[Writer]:
    return [Writer(number, cluster, Story()) for number in range(WRITERS)]


async def _play(writer: Writer) -> list[UUID]:
    """Orders whose freelancer asks to cancel, and nobody answers."""
    async with contextlib.aclosing(writer):
        orders = [await writer.place() for _ in range(ORDERS_EACH)]
        for order in orders:
            await writer.do(
                writer.freelancer, "askClientToCancel", "request", order, orderId=order, reason="SCOPE_CHANGED"
            )
    return [found for order in orders if (found := uuid_of(Kind.ORDER, order))]


async def _kill_until(enough: asyncio.Event, cluster: Cluster) -> None:
    """One after the other, at any moment; two are always there."""
    while not enough.is_set():
        await asyncio.sleep(random.uniform(0, 0.5))
        await cluster.kill_server()


@pytest.mark.parametrize("wrong", [60, -60], ids=["a minute ahead", "a minute behind"])
async def test_the_clock_of_a_host_that_is_wrong_does_no_harm(tmp_path: Path, wrong: int) -> None:
    """It is the only process: nobody else makes good what it does too early or too late."""
    async with a_postgres_database() as url:
        given = {
            "RESOLUTION_DATABASE_URL": url,
            "RESOLUTION_DATABASE_POOL_SIZE": POOL,
            "RESOLUTION_POLICY_FILE": _policy(tmp_path),
        }
        server = Server(free_port(), environ(given), tmp_path, ("-m", "tests.skewed", str(wrong)))
        async with running([server]), _watching(url) as watcher, talking_to(server) as service:
            assert abs(await _ahead(service) - wrong) < 30, "its clock is not wrong, so nothing is tested"
            orders = [await _asked(service, number) for number in range(4)]
            answered = await service.started("answered")
            asked = await service.do("farid", "askClientToCancel", orderId=answered, reason="SCOPE_CHANGED")
            # By a clock that is a minute ahead it would be too late for that.
            await service.do("ada", "declineRequest", requestId=asked["id"], message="No.")
            await _until_over(watcher, orders)
            assert await service.refused("ada", "declineRequest", requestId=asked["id"], message="No.") == [
                "REQUEST_SETTLED"
            ]
    watcher.judge(orders)


async def _ahead(service: Service) -> float:
    """How many seconds the clock of the server's host is ahead of this one's."""
    head = (await service.http.get("/health/live")).headers["date"]
    return (parsedate_to_datetime(head) - datetime.now(UTC)) / timedelta(seconds=1)
