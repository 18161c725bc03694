"""Refunds: asked of the gateway under one key, paid once, and settled by an ordinary command."""

import asyncio
from datetime import timedelta
from uuid import UUID

from models import EventRow, LedgerEntryRow, RefundRow
from models.loading import replayed, whole_case
from rules.ledger import Account
from rules.vocabulary import OrderEventKind as K
from rules.vocabulary import RefundStatus
from tests.database import TestJournal, a_refund_on_its_way
from tests.gateways import ToldGateway
from workers.refunds import GatewayRefused, LedgerGateway, RefundWorker


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
