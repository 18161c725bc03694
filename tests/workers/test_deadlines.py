"""The sweep: every deadline and every reminder takes effect once, whoever sweeps and however late."""

import asyncio
import logging
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from tortoise.exceptions import BaseORMException

from models import EventRow, OrderRow
from models.database import connection
from models.due import due_orders
from models.journal import Done
from models.loading import replayed, whole_case
from rules import commands as c
from rules.vocabulary import OrderEventKind as K
from rules.vocabulary import OrderStatus
from tests.database import (
    CLIENT,
    FREELANCER,
    TestJournal,
    a_database,
    a_delivered_order,
    a_started_order,
    assert_sound,
    kinds,
)
from tests.processes import processes
from tests.remote import sweep_all
from tests.store import ON_POSTGRESQL, STORE, sqlite_only
from tests.world import START, asked, hour
from workers.deadlines import DeadlineWorker, sweep

OFFER = c.OfferPartialRefund(asked("20.00 USD"), "The second draft came late.", "DELIVERY_DELAYED")
WISH = c.AskClientToCancel("SCOPE_CHANGED")


async def test_reminders_and_deadlines_take_effect_once_with_three_sweeps_at_once(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    await journal.perform(order_id, WISH, FREELANCER)
    for hours, news in ((23.9, []), (24, [K.DEADLINE_NEAR]), (44, [K.DEADLINE_NEAR]), (47.9, []), (50, None)):
        before = await EventRow.all().count()
        journal.clock.at(hours)
        await asyncio.gather(*(sweep(journal) for _ in range(3)))
        rows = await EventRow.all().order_by("position").offset(before)
        assert [row.kind for row in rows] == ([K.REQUEST_AUTO_ACCEPTED, K.ORDER_CANCELLED] if news is None else news)
    assert (await OrderRow.get(id=order_id)).status is OrderStatus.CANCELLED
    assert await whole_case(order_id) == await replayed(order_id)


async def test_a_sweep_after_a_long_pause_writes_the_log_of_one_in_time(tmp_path: Path) -> None:
    logs = []
    for name, hours in (("in time", range(200)), ("late", [199])):
        (tmp_path / name).mkdir()
        async with a_database(tmp_path / name) as journal:
            order_id = await a_started_order(journal)
            await journal.perform(order_id, OFFER, FREELANCER)
            await journal.perform(await a_delivered_order(journal, "B-2"), WISH, FREELANCER)
            for hour in hours:
                journal.clock.at(hour)
                await sweep(journal)
            rows = await EventRow.all().order_by("order_id", "sequence")
            by_order: dict[object, list[object]] = {}
            for row in rows:
                by_order.setdefault(row.order_id, []).append((row.sequence, row.kind, row.occurred_at, row.actor_role))
            logs.append(sorted(map(str, by_order.values())))
    assert logs[0] == logs[1]


async def test_nothing_is_swept_while_support_has_the_order(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    await journal.perform(order_id, WISH, FREELANCER)
    await journal.perform(order_id, c.ContactSupport("We can't agree."), CLIENT)
    journal.clock.at(1_000)
    assert await sweep(journal) == 0
    assert (await OrderRow.get(id=order_id)).status is OrderStatus.IN_PROGRESS


async def test_many_due_orders_are_swept_to_the_end(journal: TestJournal) -> None:
    for number in range(7):
        await journal.perform(await a_started_order(journal, f"B-{number}"), WISH, FREELANCER)
    journal.clock.at(48)
    swept = 0
    while batch := await sweep(journal, 3):
        swept += batch
    assert swept == 7
    assert await OrderRow.filter(status=OrderStatus.CANCELLED).count() == 7


async def test_the_worker_sweeps_by_itself_until_it_is_stopped(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    await journal.perform(order_id, WISH, FREELANCER)
    worker = DeadlineWorker(journal, interval=0.01)
    worker.start()
    journal.clock.later(timedelta(hours=48))
    async with asyncio.timeout(5):
        while (await OrderRow.get(id=order_id)).status is not OrderStatus.CANCELLED:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await worker.stop()
    assert not worker.failing


async def test_nothing_is_swept_before_its_time(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    await journal.perform(order_id, WISH, FREELANCER)
    journal.clock.now = hour(24) - timedelta(microseconds=1)
    assert await sweep(journal) == 0
    journal.clock.later(timedelta(microseconds=1))
    assert await sweep(journal) == 1
    assert await sweep(journal) == 0


async def test_the_soonest_is_swept_first(journal: TestJournal) -> None:
    orders = []
    for number in range(5):
        # Whole seconds and fractions of one, which SQLite keeps as texts of different lengths.
        journal.clock.now = START + timedelta(seconds=1 + number // 2, microseconds=500_000 * (number % 2))
        order_id = await a_started_order(journal, f"B-{number}")
        await journal.perform(order_id, WISH, FREELANCER)
        orders.append(order_id)
    due = await due_orders(hour(100), 10)
    assert [order.id for order in due] == orders
    assert [order.id for order in await due_orders(hour(100), 2, after=due[1])] == orders[2:4]
    assert await due_orders(hour(100), 10, after=due[-1]) == []


async def test_two_processes_that_sweep_at_once_pass_every_deadline_once(journal: TestJournal) -> None:
    orders = [await a_started_order(journal, f"B-{number}") for number in range(25)]
    for order_id in orders:
        await journal.perform(order_id, WISH, FREELANCER)
    journal.clock.at(48)
    async with processes(journal, 2) as pair:
        at = time.time() + 0.02
        for process in pair:
            process.begin(sweep_all, at)
        for process in pair:
            await process.answer()
    for order_id in orders:
        assert (await kinds(order_id))[-4:] == [
            K.DEADLINE_NEAR,
            K.DEADLINE_NEAR,
            K.REQUEST_AUTO_ACCEPTED,
            K.ORDER_CANCELLED,
        ]
    await assert_sound()


async def test_an_order_that_another_policy_reckoned_due_is_found_once_and_not_for_ever(journal: TestJournal) -> None:
    order_id = await a_delivered_order(journal)
    await OrderRow.filter(id=order_id).update(next_deadline_at=START)
    assert await sweep(journal) == 1
    assert await sweep(journal) == 0
    await assert_sound()


# ---------------------------------------------------------------- orders that fail


async def _poison(order_id: UUID, position: int = 1_000_000) -> None:
    """An event that should not be there stands where the order's next one must."""
    last = await EventRow.filter(order_id=order_id).order_by("-sequence").first()
    assert last
    values = {name: getattr(last, name) for name in EventRow._meta.db_fields}
    evil = EventRow(**(values | {"position": position, "sequence": last.sequence + 1}))
    await evil.save(force_create=True)


async def _cure() -> None:
    await EventRow.filter(position__gte=1_000_000).delete()


async def _due(journal: TestJournal, reference: str) -> UUID:
    order_id = await a_started_order(journal, reference)
    await journal.perform(order_id, WISH, FREELANCER)
    return order_id


async def test_orders_that_fail_at_the_head_hold_up_nobody(journal: TestJournal) -> None:
    for number in range(5):
        await _poison(await _due(journal, f"bad-{number}"), 1_000_000 + number)
    journal.clock.later(timedelta(seconds=1))
    good = [await _due(journal, f"good-{number}") for number in range(4)]
    journal.clock.at(50)
    with capture_logs() as logs:
        assert await sweep(journal, 3) == 3
        assert await sweep(journal, 3) == 1
        assert await sweep(journal, 3) == 0
    assert await OrderRow.filter(id__in=good, status=OrderStatus.CANCELLED).count() == 4
    assert {entry["event"] for entry in logs} == {"deadlines.order_fails"}
    # No text: neither what people wrote nor what the exception says.
    assert {key for entry in logs for key in entry} == {"event", "log_level", "order_id", "error", "place"}
    assert {entry["error"] for entry in logs} == {"IntegrityError"}


async def test_an_order_that_fails_is_left_alone_for_longer_and_longer_and_said_once(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await _due(journal, "bad")
    await _poison(order_id)
    journal.clock.at(50)
    worker = DeadlineWorker(journal)
    tries: list[UUID] = []
    perform = journal.perform

    async def counted(order_id: UUID, command: c.CaseCommand, by: None) -> Done:
        tries.append(order_id)
        return await perform(order_id, command, by)

    monkeypatch.setattr(journal, "perform", counted)
    pauses = []
    with capture_logs() as logs:
        for _ in range(9):
            before = len(tries)
            waited = 0
            while len(tries) == before:
                await worker.sweep()
                journal.clock.later(timedelta(seconds=1))
                waited += 1
            pauses.append(waited)
        assert worker.stuck_orders == 1
        await _cure()
        journal.clock.later(timedelta(minutes=1))
        assert await worker.sweep() == 1
    assert pauses == [1, 1, 2, 4, 8, 16, 32, 60, 60]
    assert [entry["event"] for entry in logs] == ["deadlines.order_fails", "deadlines.order_recovered"]
    assert worker.stuck_orders == 0
    await assert_sound()


async def test_an_order_that_another_process_mended_is_forgotten(journal: TestJournal) -> None:
    order_id = await _due(journal, "bad")
    await _poison(order_id)
    journal.clock.at(50)
    worker = DeadlineWorker(journal)
    await worker.sweep()
    await _cure()
    assert await sweep(journal) == 1
    assert await worker.sweep() == 0
    assert worker.stuck_orders == 0


async def test_a_database_that_can_not_be_written_is_no_orders_fault(journal: TestJournal) -> None:
    for number in range(3):
        await _due(journal, f"B-{number}")
    journal.clock.at(50)
    worker = DeadlineWorker(journal)
    await _read_only(journal.url)
    with pytest.raises(BaseORMException):
        await worker.sweep()
    assert worker.stuck_orders == 0
    await _writable(journal.url)
    assert await worker.sweep() == 3


async def _read_only(url: str) -> None:
    if ON_POSTGRESQL:
        # Sessions that are there already keep what they began with.
        STORE.query(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on")
        await connection().close()
    else:
        await connection().execute_query("PRAGMA query_only = ON")


async def _writable(url: str) -> None:
    if ON_POSTGRESQL:
        reset = f"ALTER DATABASE {url.rpartition('/')[2]} RESET default_transaction_read_only"
        STORE.query(url, "SET TRANSACTION READ WRITE", reset)
        await connection().close()
    else:
        await connection().execute_query("PRAGMA query_only = OFF")


# ---------------------------------------------------------------- the loop


async def test_the_worker_outlives_a_database_that_goes_away_and_says_so_once(journal: TestJournal) -> None:
    order_id = await _due(journal, "B-1001")
    journal.clock.at(50)
    worker = DeadlineWorker(journal, interval=0.005)
    with capture_logs() as logs:
        await connection().execute_query("ALTER TABLE orders RENAME TO elsewhere")
        worker.start()
        await asyncio.sleep(0.1)
        failed = worker.failing
        await connection().execute_query("ALTER TABLE elsewhere RENAME TO orders")
        async with asyncio.timeout(5):
            while worker.failing:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await worker.stop()
    assert failed
    assert [entry["event"] for entry in logs] == ["worker.failing", "worker.recovered"]
    assert (await OrderRow.get(id=order_id)).status is OrderStatus.CANCELLED


async def test_a_full_batch_is_followed_by_the_next_at_once(journal: TestJournal) -> None:
    for number in range(9):
        await _due(journal, f"B-{number}")
    journal.clock.at(50)
    worker = DeadlineWorker(journal, interval=3_600, batch=2)
    worker.start()
    async with asyncio.timeout(10):
        while await OrderRow.filter(status=OrderStatus.CANCELLED).count() < 9:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await worker.stop()
    await assert_sound()


async def test_when_stopping_has_ended_nothing_is_under_way(journal: TestJournal) -> None:
    for number in range(30):
        await _due(journal, f"B-{number}")
    journal.clock.at(50)
    worker = DeadlineWorker(journal, interval=0.01)
    worker.start()
    await asyncio.sleep(0.02)
    await worker.stop()
    assert not journal._under_way
    passed = await OrderRow.filter(status=OrderStatus.CANCELLED).count()
    await asyncio.sleep(0.05)
    assert await OrderRow.filter(status=OrderStatus.CANCELLED).count() == passed < 30
    await assert_sound()


@sqlite_only
async def test_the_sweep_finds_by_index(journal: TestJournal, caplog: pytest.LogCaptureFixture) -> None:
    await _due(journal, "B-1001")
    (first,) = await due_orders(hour(100), 10)
    with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
        await due_orders(hour(100), 10)
        await due_orders(hour(100), 10, after=first)
    statements = [record.args for record in caplog.records if "SELECT" in str(record.args)]
    assert len(statements) == 2
    for statement, values in statements:  # type: ignore[misc] # (query, values), as Tortoise logs them
        plan = await connection().execute_query_dict(f"EXPLAIN QUERY PLAN {statement}", list(values))  # type: ignore[arg-type]
        assert [str(row["detail"]) for row in plan if "orders_by_deadline" not in str(row["detail"])] == []
