"""Several processes on one PostgreSQL: each deadline takes effect once and in time, each refund is paid once."""

import asyncio
import contextlib
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.ids import Kind, uuid_of
from tests.database import HandClock, TestJournal
from tests.gateways import Provider, a_provider
from tests.processes import Process, processes
from tests.remote import pay_until_killed, refunds_on_their_way
from tests.servers import (
    POOL,
    Server,
    a_migrated_database,
    asking,
    environ,
    free_port,
    needs_postgres,
    running,
    servers,
    talking_to,
)
from tests.service import Service
from tests.torture.cluster import Cluster
from tests.torture.people import Story, Writer
from workers.refunds import GAVE_UP

pytestmark = [needs_postgres, pytest.mark.slow]

WINDOW, NEAR = 18.0, (12.0, 6.0)
"""Seconds: how long a request may be answered here, and how long before its end both sides are reminded."""
IN_TIME = 5.0
WRITERS, ORDERS_EACH = 6, 10
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

    async def watch(self, session: Any) -> None:
        """Until it is cancelled."""
        position = 0
        while True:
            rows = await session.fetch(_NEW, position)
            for row in rows:
                position = row["position"]
                if row["kind"] in EFFECTS:
                    self.delays.append(float(row["delay"]))
                    self.kinds.setdefault(row["order_id"], Counter())[row["kind"]] += 1
            await asyncio.sleep(0.1)

    def judge(self, orders: list[UUID], moment: float) -> None:
        """Each effect came once; none too early, and none too late. `moment` is how many seconds a mutation takes here
        and now: on a machine with much else to do everything is slower."""
        assert self.kinds == dict.fromkeys(orders, EFFECTS)
        assert min(self.delays) >= 0
        assert max(self.delays) < IN_TIME + 40 * moment, (sorted(self.delays)[-5:], moment)

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
    async with a_migrated_database() as url:
        given = {
            "RESOLUTION_DATABASE_URL": url,
            "RESOLUTION_DATABASE_POOL_SIZE": POOL,
            "RESOLUTION_POLICY_FILE": _policy(tmp_path),
        }
        async with servers(tmp_path, 3, given) as three, _watching(url) as watcher:
            cluster, story = Cluster(three, None, None, url), Story()
            enough = asyncio.Event()
            killing = asyncio.create_task(_kill_until(enough, cluster))
            orders = [order for found in await asyncio.gather(*map(_play, _writers(cluster, story))) for order in found]
            await _until_over(watcher, orders)
            enough.set()
            await killing
        async with asking(url) as session:
            gaps = await session.fetchval("SELECT max(position) - count(*) FROM events")
            overdue = await session.fetchval("SELECT count(*) FROM orders WHERE next_deadline_at IS NOT NULL")
    assert (gaps, overdue) == (0, 0)
    assert cluster.deeds["servers killed"] > 1
    watcher.judge(orders, statistics.median(story.up))


def _writers(cluster: Cluster, story: Story) -> list[Writer]:
    return [Writer(number, cluster, story) for number in range(WRITERS)]


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
    async with a_migrated_database() as url:
        given = {
            "RESOLUTION_DATABASE_URL": url,
            "RESOLUTION_DATABASE_POOL_SIZE": POOL,
            "RESOLUTION_POLICY_FILE": _policy(tmp_path),
        }
        server = Server(free_port(), environ(given), tmp_path, ("-m", "tests.skewed", str(wrong)))
        async with running([server]), _watching(url) as watcher, talking_to(server) as service:
            assert abs(await _ahead(service) - wrong) < 30, "its clock is not wrong, so nothing is tested"
            began = time.monotonic()
            orders = [await _asked(service, number) for number in range(4)]
            moment = (time.monotonic() - began) / 12
            answered = await service.started("answered")
            asked = await service.do("farid", "askClientToCancel", orderId=answered, reason="SCOPE_CHANGED")
            # By a clock that is a minute ahead it would be too late for that.
            await service.do("ada", "declineRequest", requestId=asked["id"], message="No.")
            await _until_over(watcher, orders)
            assert await service.refused("ada", "declineRequest", requestId=asked["id"], message="No.") == [
                "REQUEST_SETTLED"
            ]
    watcher.judge(orders, moment)


async def _ahead(service: Service) -> float:
    """How many seconds the clock of the server's host is ahead of this one's."""
    head = (await service.http.get("/health/live")).headers["date"]
    return (parsedate_to_datetime(head) - datetime.now(UTC)) / timedelta(seconds=1)


# ---------------------------------------------------------------- refunds


LEASE = timedelta(seconds=4)
TRIES = 4
WORKERS = 3


async def test_no_two_calls_for_a_refund_overlap_and_each_ends_paid_or_failed_whoever_is_killed(
    tmp_path: Path,
) -> None:
    fine, refused, broken = (
        [f"{kind}-{number}" for number in range(count)] for kind, count in (("fine", 40), ("refused", 4), ("broken", 4))
    )
    async with a_migrated_database() as url, a_provider() as provider:
        journal = TestJournal(url.replace("postgres://", "asyncpg://", 1), HandClock(datetime.now(UTC)))
        async with processes(journal, WORKERS + 1) as (maker, *workers):
            await maker.call(refunds_on_their_way, fine + refused + broken)
            for worker in workers:
                worker.begin(pay_until_killed, provider.url, LEASE, TRIES)
            async with asking(url) as session:
                await _kill_in_the_midst(provider, workers)
                async with asyncio.timeout(180):
                    while await session.fetchval("SELECT count(*) FROM refunds WHERE status = 'PENDING'"):  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
                rows = await session.fetch(
                    "SELECT r.id, r.status, r.failure, o.reference FROM refunds r JOIN orders o ON o.id = r.order_id"
                )
                events = await session.fetch("SELECT kind FROM events WHERE kind LIKE 'REFUND_%'")
            for worker in workers:
                await worker.kill()
    assert provider.overlapping == []
    found = {row["reference"]: (row["status"], row["failure"]) for row in rows}
    assert found == {
        **dict.fromkeys(fine, ("SUCCEEDED", None)),
        **dict.fromkeys(refused, ("FAILED", "The card is closed.")),
        **dict.fromkeys(broken, ("FAILED", GAVE_UP)),
    }
    # What was paid has succeeded, each once, each under the refund's own key.
    assert provider.paid == {str(row["id"]): 1 for row in rows if row["status"] == "SUCCEEDED"}
    assert Counter(row["kind"] for row in events) == Counter(
        REFUND_SUCCEEDED=len(fine), REFUND_FAILED=len(refused) + len(broken)
    )
    for reference in broken:
        calls = provider.calls[provider.orders[reference]]
        # Whoever was killed between taking a refund and calling has used up a try.
        assert TRIES - 2 <= len(calls) <= TRIES
        # A second, two, four; a little less than that at most, by a clock that is measured anew now and then.
        assert all(late - early > 0.9 * 2**number for number, (early, late) in enumerate(pairwise(calls)))


async def _kill_in_the_midst(provider: Provider, workers: list[Process]) -> None:
    """Kills two of three while calls are under way."""
    for number in range(2):
        async with asyncio.timeout(60):
            while not provider.under_way or len(provider.calls) < 8 * (number + 1):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await workers.pop(0).kill()
