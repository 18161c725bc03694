"""The sweep: every deadline and every reminder takes effect once, whoever sweeps and however late."""

import asyncio
from datetime import timedelta
from pathlib import Path

from models import EventRow, OrderRow
from models.loading import replayed, whole_case
from rules import commands as c
from rules.vocabulary import OrderEventKind as K
from rules.vocabulary import OrderStatus
from tests.database import CLIENT, FREELANCER, TestJournal, a_database, a_delivered_order, a_started_order
from tests.world import asked
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
