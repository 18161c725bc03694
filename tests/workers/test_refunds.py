"""Refunds: asked of the gateway under one key, paid once, and settled by an ordinary command."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from models import EventRow, LedgerEntryRow, RefundRow
from models.database import connection
from models.journal import Done, Journal
from models.loading import replayed, whole_case
from models.payouts import claim_refunds
from rules import commands as c
from rules.ledger import Account
from rules.vocabulary import OrderEventKind as K
from rules.vocabulary import RefundStatus
from tests.database import CLIENT, TestJournal, a_placed_order, a_refund_on_its_way, assert_sound, balances, kinds
from tests.gateways import ToldGateway
from tests.processes import processes
from tests.remote import pay_all, pay_and_hang
from tests.store import sqlite_only
from tests.world import money
from workers.refunds import LEASE, WAS_REFUSED, GatewayRefused, LedgerGateway, Payout, RefundWorker


async def _paid(order_id: UUID) -> list[int]:
    return [e.amount_minor for e in await LedgerEntryRow.filter(order_id=order_id, account=Account.CLIENT)]


async def _settled(order_id: UUID) -> tuple[RefundStatus, K]:
    refund = await RefundRow.get(order_id=order_id)
    last = await EventRow.filter(order_id=order_id).order_by("-sequence").first()
    assert last
    assert await whole_case(order_id) == await replayed(order_id)
    assert sum(entry.amount_minor for entry in await LedgerEntryRow.filter(order_id=order_id)) == 0
    return refund.status, last.kind


async def test_a_refund_is_paid_and_succeeds(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    assert await RefundWorker(journal, LedgerGateway(journal.clock, journal.new_id)).pay_due() == 1
    assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)
    assert sorted(await _paid(order_id)) == [-10_000, 2_000]


async def test_two_workers_at_once_call_the_gateway_once(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    gateway = ToldGateway(journal)
    await asyncio.gather(*(RefundWorker(journal, gateway).pay_due() for _ in range(3)))
    assert len(gateway.calls) == 1
    assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)


async def test_a_crash_between_payment_and_settlement_pays_nothing_twice(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    ledger = LedgerGateway(journal.clock, journal.new_id)

    class Crashing(ToldGateway):
        async def refund(self, payout: object) -> None:
            await ledger.refund(payout)  # type: ignore[arg-type]  # as the worker gives it
            raise asyncio.CancelledError

    await asyncio.gather(RefundWorker(journal, Crashing(journal)).pay_due(), return_exceptions=True)
    assert (await RefundRow.get(order_id=order_id)).status is RefundStatus.PENDING
    journal.clock.later(timedelta(minutes=10))
    gateway = ToldGateway(journal)
    await RefundWorker(journal, gateway).pay_due()
    assert len(gateway.calls) == 1
    assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)
    assert sorted(await _paid(order_id)) == [-10_000, 2_000]


async def test_a_gateway_that_refuses_fails_the_refund_with_its_reason(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    await RefundWorker(journal, ToldGateway(journal, GatewayRefused("The card is closed."))).pay_due()
    assert await _settled(order_id) == (RefundStatus.FAILED, K.REFUND_FAILED)
    assert "The card is closed" in str((await RefundRow.get(order_id=order_id)).failure)


async def test_a_gateway_that_is_away_is_asked_again_under_the_same_key(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    gateway = ToldGateway(journal, OSError("secret words"), OSError("secret words"))
    worker = RefundWorker(journal, gateway)
    for tries in (1, 2, 3):
        assert await worker.pay_due() == 1
        assert len(gateway.calls) == tries
        assert await worker.pay_due() == 0
        journal.clock.later(timedelta(minutes=10))
    assert len({payout.refund_id for payout in gateway.calls}) == 1
    assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)


async def test_after_the_last_try_it_fails_in_words_fit_for_both_sides(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    gateway = ToldGateway(journal, *[OSError("secret words")] * 3)
    worker = RefundWorker(journal, gateway, most_tries=3)
    for _ in range(3):
        await worker.pay_due()
        journal.clock.later(timedelta(minutes=10))
    assert await _settled(order_id) == (RefundStatus.FAILED, K.REFUND_FAILED)
    assert "secret" not in str((await RefundRow.get(order_id=order_id)).failure)


async def test_the_gateway_is_told_whose_order_it_is_and_exactly_how_much(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal, amount="19.99 USD")
    gateway = ToldGateway(journal)
    await RefundWorker(journal, gateway).pay_due()
    refund = await RefundRow.get(order_id=order_id)
    assert gateway.calls == [Payout(refund.id, "B-1001", money("19.99 USD"))]
    assert refund.settled_at == journal.clock.now
    assert await balances(order_id) == {"CLIENT": -8_001, "HELD": 8_001}


async def test_a_cancelled_order_pays_the_whole_price_back(journal: TestJournal) -> None:
    order_id = await a_placed_order(journal)
    await journal.perform(order_id, c.CancelOrder(), CLIENT)
    await RefundWorker(journal, ToldGateway(journal)).pay_due()
    assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)
    assert await balances(order_id) == {}


async def test_the_ledger_pays_one_key_once_however_often_and_at_once(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    refund = await RefundRow.get(order_id=order_id)
    ledger = LedgerGateway(journal.clock, journal.new_id)
    payout = Payout(refund.id, "B-1001", money("20.00 USD"))
    await asyncio.gather(*(ledger.refund(payout) for _ in range(5)))
    await ledger.refund(payout)
    entries = await LedgerEntryRow.filter(cause=f"paid:{refund.id}").order_by("account")
    assert [(entry.account, entry.amount_minor) for entry in entries] == [
        (Account.CLIENT, 2_000),
        (Account.REFUND_DUE, -2_000),
    ]


async def test_a_ledger_payment_whose_caller_goes_away_is_whole_or_not_there(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    payout = Payout((await RefundRow.get(order_id=order_id)).id, "B-1001", money("20.00 USD"))
    ledger = LedgerGateway(journal.clock, journal.new_id)
    for step in range(20):
        task = asyncio.create_task(ledger.refund(payout))
        await asyncio.sleep(step * 0.0002)
        task.cancel()
        await asyncio.wait({task})
    async with asyncio.timeout(5):
        await ledger.refund(payout)
        await assert_sound()
    assert sorted(await _paid(order_id)) == [-10_000, 2_000]


# ---------------------------------------------------------------- several processes


async def test_two_processes_call_the_gateway_once_for_every_refund(journal: TestJournal, tmp_path: Path) -> None:
    orders = [await a_refund_on_its_way(journal, f"B-{number}") for number in range(20)]
    record = tmp_path / "calls.txt"
    async with processes(journal, 2) as pair:
        at = time.time() + 0.02
        for process in pair:
            process.begin(pay_all, at, record)
        tried = [await process.answer() for process in pair]
    assert sum(tried) == 20
    calls = record.read_text().splitlines()
    assert len(calls) == len(set(calls)) == 40
    for order_id in orders:
        assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)
    await assert_sound()


async def test_a_process_that_is_killed_after_it_paid_leaves_the_rest_to_another_after_its_lease(
    journal: TestJournal, tmp_path: Path
) -> None:
    order_id = await a_refund_on_its_way(journal)
    record = tmp_path / "calls.txt"
    async with processes(journal, 1) as (process,):
        process.begin(pay_and_hang, record)
        async with asyncio.timeout(10):
            while not record.exists() or "end" not in record.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await process.kill()
    gateway = ToldGateway(journal)
    worker = RefundWorker(journal, gateway)
    journal.clock.later(LEASE - timedelta(microseconds=1))
    assert await worker.pay_due() == 0
    journal.clock.later(timedelta(microseconds=1))
    assert await worker.pay_due() == 1
    assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)
    assert sorted(await _paid(order_id)) == [-10_000, 2_000]
    await assert_sound()


async def test_while_a_call_is_under_way_nobody_else_makes_one(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    go_on = asyncio.Event()

    async def slowly(_: Payout) -> None:
        await go_on.wait()

    slow, other = ToldGateway(journal, slowly), ToldGateway(journal)
    paying = asyncio.create_task(RefundWorker(journal, slow).pay_due())
    await _until(lambda: len(slow.calls) == 1)
    journal.clock.later(timedelta(seconds=59))
    assert await RefundWorker(journal, other).pay_due() == 0
    go_on.set()
    assert await paying == 1
    assert other.calls == []
    assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)


async def test_who_stood_still_past_the_lease_and_failed_does_not_undo_what_another_paid(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    go_on = asyncio.Event()

    async def stand_still(_: Payout) -> None:
        await go_on.wait()
        raise GatewayRefused("Too late.")

    slow = ToldGateway(journal, stand_still)
    paying = asyncio.create_task(RefundWorker(journal, slow).pay_due())
    await _until(lambda: len(slow.calls) == 1)
    journal.clock.later(LEASE)
    # The other one has claimed it and is about to pay, when the first one wakes.
    (claim,) = await claim_refunds(journal.new_id(), journal.clock(), LEASE, 1)
    go_on.set()
    await paying
    refund = await RefundRow.get(order_id=order_id)
    assert (refund.status, refund.claimed_by) == (RefundStatus.PENDING, claim.worker)
    journal.clock.later(LEASE)
    assert await RefundWorker(journal, ToldGateway(journal)).pay_due() == 1
    assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)


async def test_two_that_paid_the_same_key_settle_once(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    go_on = asyncio.Event()

    async def stand_still(_: Payout) -> None:
        await go_on.wait()

    slow = ToldGateway(journal, stand_still)
    paying = asyncio.create_task(RefundWorker(journal, slow).pay_due())
    await _until(lambda: len(slow.calls) == 1)
    journal.clock.later(LEASE)
    await RefundWorker(journal, ToldGateway(journal)).pay_due()
    go_on.set()
    with capture_logs() as logs:
        await paying
    assert logs == []
    assert (await kinds(order_id)).count(K.REFUND_SUCCEEDED) == 1
    assert sorted(await _paid(order_id)) == [-10_000, 2_000]


async def test_money_that_arrives_after_the_refund_was_given_up_is_said_aloud(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    go_on = asyncio.Event()

    async def stand_still(_: Payout) -> None:
        await go_on.wait()

    slow = ToldGateway(journal, stand_still)
    paying = asyncio.create_task(RefundWorker(journal, slow).pay_due())
    await _until(lambda: len(slow.calls) == 1)
    journal.clock.later(LEASE)
    await RefundWorker(journal, ToldGateway(journal, GatewayRefused("No."))).pay_due()
    go_on.set()
    with capture_logs() as logs:
        await paying
    assert [entry["event"] for entry in logs] == ["refunds.paid_after_failure"]
    assert (await RefundRow.get(order_id=order_id)).status is RefundStatus.FAILED


# ---------------------------------------------------------------- gateways that do not answer


async def test_a_gateway_that_hangs_is_left_and_asked_again(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)

    async def hang(_: Payout) -> None:
        await asyncio.Event().wait()

    gateway = ToldGateway(journal, hang)
    worker = RefundWorker(journal, gateway, call_patience=timedelta(milliseconds=20))
    assert await worker.pay_due() == 1
    assert (await RefundRow.get(order_id=order_id)).status is RefundStatus.PENDING
    journal.clock.later(timedelta(seconds=1))
    # Patient this time: a real payment takes as long as the database does.
    assert await RefundWorker(journal, gateway).pay_due() == 1
    assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)


async def test_a_call_that_hangs_does_not_hold_up_the_other_refunds(journal: TestJournal) -> None:
    await a_refund_on_its_way(journal, "hangs")
    journal.clock.later(timedelta(seconds=1))
    others = [await a_refund_on_its_way(journal, f"B-{number}") for number in range(5)]

    async def hang(_: Payout) -> None:
        await asyncio.Event().wait()

    worker = RefundWorker(journal, ToldGateway(journal, hang), at_once=2, interval=0.01)
    worker.start()
    await _until_rows(lambda: RefundRow.filter(order_id__in=others, status=RefundStatus.SUCCEEDED).count(), 5)
    await worker.stop(patience=0.01)
    assert await RefundRow.filter(status=RefundStatus.PENDING).count() == 1


async def test_the_pauses_double_up_to_five_minutes_and_the_twelfth_try_is_the_last(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    gateway = ToldGateway(journal, *[OSError("secret words")] * 12)
    worker = RefundWorker(journal, gateway)
    pauses = []
    with capture_logs() as logs:
        for _ in range(11):
            await worker.pay_due()
            again_at = (await RefundRow.get(order_id=order_id)).next_attempt_at
            pauses.append((again_at - journal.clock.now).total_seconds())
            journal.clock.now = again_at - timedelta(microseconds=1)
            assert await worker.pay_due() == 0
            journal.clock.now = again_at
        await worker.pay_due()
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert len(gateway.calls) == 12
    assert await _settled(order_id) == (RefundStatus.FAILED, K.REFUND_FAILED)
    assert [entry["event"] for entry in logs] == ["refunds.put_off", "refunds.failed"]
    assert "secret" not in str(logs)
    journal.clock.later(timedelta(days=1))
    assert await worker.pay_due() == 0


@pytest.mark.parametrize("reason", ["", " ", "a\x00b", "x" * 2_501])
async def test_a_reason_that_can_not_be_shown_is_replaced(journal: TestJournal, reason: str) -> None:
    order_id = await a_refund_on_its_way(journal)
    await RefundWorker(journal, ToldGateway(journal, GatewayRefused(reason))).pay_due()
    assert (await RefundRow.get(order_id=order_id)).failure == WAS_REFUSED


async def test_what_can_not_be_settled_is_tried_again_under_the_same_key_after_the_lease(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await a_refund_on_its_way(journal)
    gateway = ToldGateway(journal)

    async def away(*args: object, **kwargs: object) -> Done:
        raise OSError("secret words")

    worker = RefundWorker(journal, gateway, most_tries=1)
    with capture_logs() as logs, monkeypatch.context() as patched:
        patched.setattr(Journal, "perform", away)
        await worker.pay_due()
    assert [(entry["event"], entry["error"]) for entry in logs] == [("refunds.not_settled", "OSError")]
    assert await worker.pay_due() == 0
    journal.clock.later(LEASE)
    # Beyond the last try too: it may have been paid, so only the gateway's own answer settles it.
    assert await worker.pay_due() == 1
    assert len({payout.refund_id for payout in gateway.calls}) == 1
    assert await _settled(order_id) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)


# ---------------------------------------------------------------- the loop


async def test_a_wake_pays_without_waiting_for_the_interval(journal: TestJournal) -> None:
    worker = RefundWorker(journal, ToldGateway(journal), interval=3_600)
    journal._money_moved = worker.wake
    worker.start()
    await asyncio.sleep(0.01)
    order_id = await a_refund_on_its_way(journal)
    await _until_rows(lambda: RefundRow.filter(order_id=order_id, status=RefundStatus.SUCCEEDED).count(), 1)
    await worker.stop()


async def test_many_refunds_are_paid_without_waiting_for_the_interval_between_them(journal: TestJournal) -> None:
    for number in range(9):
        await a_refund_on_its_way(journal, f"B-{number}")
    worker = RefundWorker(journal, ToldGateway(journal), interval=3_600, at_once=2)
    worker.start()
    await _until_rows(lambda: RefundRow.filter(status=RefundStatus.SUCCEEDED).count(), 9)
    await worker.stop()
    assert not worker.failing
    await assert_sound()


async def test_stopping_waits_for_a_call_and_takes_nothing_new(journal: TestJournal) -> None:
    first = await a_refund_on_its_way(journal)

    async def slowly(_: Payout) -> None:
        await asyncio.sleep(0.05)

    gateway = ToldGateway(journal, slowly)
    worker = RefundWorker(journal, gateway, interval=0.001)
    worker.start()
    await _until(lambda: len(gateway.calls) == 1)
    second = await a_refund_on_its_way(journal, "B-1002")
    # The second is due while the worker is stopping: whether it was taken before is chance, half done it is never.
    await worker.stop()
    assert await _settled(first) == (RefundStatus.SUCCEEDED, K.REFUND_SUCCEEDED)
    calls = len(gateway.calls)
    await asyncio.sleep(0.02)
    assert len(gateway.calls) == calls
    assert (await RefundRow.get(order_id=second)).status is (
        RefundStatus.SUCCEEDED if calls == 2 else RefundStatus.PENDING
    )
    await worker.stop()


@sqlite_only
async def test_due_refunds_are_found_by_index(journal: TestJournal, caplog: pytest.LogCaptureFixture) -> None:
    await a_refund_on_its_way(journal)
    with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
        assert len(await claim_refunds(journal.new_id(), journal.clock(), LEASE, 8)) == 1
    logged = [record.args for record in caplog.records if isinstance(record.args, tuple)]
    plans = [
        str(step["detail"])
        for statement, values in logged
        if isinstance(statement, str) and isinstance(values, list)
        for step in await connection().execute_query_dict(f"EXPLAIN QUERY PLAN {statement}", values)
    ]
    assert len(plans) >= 3
    assert [plan for plan in plans if not plan.startswith("SEARCH")] == []
    assert any("refunds_by_attempt" in plan for plan in plans)


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def _until_rows(count: Callable[[], Awaitable[int]], wanted: int) -> None:
    async with asyncio.timeout(10):
        while await count() < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
