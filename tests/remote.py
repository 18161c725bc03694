"""What the tests' other processes can be told to do: see tests/processes.py."""

import asyncio
import random
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from models import UserRow
from models.block import log_block
from models.clock import DatabaseClock
from models.journal import IdempotencyKey, Journal, PlaceOrder
from rules import commands as c
from rules.visibility import Viewer
from rules.vocabulary import RefusalCode
from tests.chance import a_move
from tests.database import MARKETPLACE, PEOPLE, Outcome, TestJournal, a_refund_on_its_way, outcome
from tests.gateways import HttpGateway, RecordingGateway, note
from workers.deadlines import sweep
from workers.refunds import Payout, RefundWorker

DONE = "done"


def word(result: Outcome) -> str | tuple[RefusalCode, ...]:
    """DONE, or the codes of the refusals."""
    return result if isinstance(result, tuple) else DONE


async def perform(
    journal: TestJournal,
    at: float,
    order_id: UUID,
    command: c.CaseCommand,
    by: Viewer | None,
    key: IdempotencyKey | None = None,
) -> str | tuple[RefusalCode, ...]:
    """One command, at that instant of the machine's clock."""
    await _until(at)
    return word(await outcome(journal.perform(order_id, command, by, key)))


async def place(
    journal: TestJournal, at: float, order: PlaceOrder, key: IdempotencyKey | None = None
) -> tuple[str | tuple[RefusalCode, ...], UUID | None]:
    """One order by Bazaar, at that instant of the machine's clock; and its id."""
    await _until(at)
    placed = await outcome(journal.place(order, MARKETPLACE, key))
    return word(placed), None if isinstance(placed, tuple) else placed.order_id


async def sweep_all(journal: TestJournal, at: float) -> int:
    """Sweeps until nothing is due, from that instant of the machine's clock on."""
    await _until(at)
    swept = 0
    while batch := await sweep(journal, 10):
        swept += batch
    return swept


async def pay_all(journal: TestJournal, at: float, record: Path) -> int:
    """Pays what is due, from that instant of the machine's clock on; each call leaves its beginning and end in the
    record."""
    await _until(at)
    worker = RefundWorker(journal, RecordingGateway(journal, record))
    return await worker.pay_due()


async def pay_and_hang(journal: TestJournal, record: Path) -> None:
    """Pays what is due, and then never comes back from the gateway."""

    class HangingGateway(RecordingGateway):
        async def refund(self, payout: Payout) -> None:
            await super().refund(payout)
            await asyncio.Event().wait()

    await RefundWorker(journal, HangingGateway(journal, record)).pay_due()


async def refunds_on_their_way(journal: TestJournal, references: list[str]) -> None:
    """The named people, and an order of Ada's with each of these references, whose refund is to be paid."""
    for subject, user_id in PEOPLE.items():
        row = UserRow(id=user_id, subject=subject, name=subject.title(), created_at=journal.clock())
        await row.save(force_create=True)
    for reference in references:
        await a_refund_on_its_way(journal, reference)


async def pay_until_killed(journal: TestJournal, provider: str, lease: timedelta, most_tries: int) -> None:
    """Pays over HTTP what is due by the database's clock, as a server does."""
    clock = DatabaseClock()
    async with clock.running():
        own = Journal(journal.policy, clock, journal.new_id)
        RefundWorker(own, HttpGateway(provider), interval=0.1, lease=lease, most_tries=most_tries).start()
        await asyncio.Event().wait()


async def burst(journal: TestJournal, order_ids: list[UUID], seed: int, record: Path) -> None:
    """Commands without end, until it is killed. Whatever was done is noted: the order, and the version that it had
    afterwards."""
    chance = random.Random(seed)
    while True:
        journal.clock.later(timedelta(minutes=chance.randrange(60)))
        order_id = chance.choice(order_ids)
        done = await outcome(journal.perform(order_id, *await a_move(chance, order_id)))
        if not isinstance(done, tuple) and done.case:
            note(record, f"{order_id} {done.case.order.version}")


async def log_blocks(journal: TestJournal, user_id: UUID, number: int) -> None:
    """Blocks somebody so many times, as fast as it goes."""
    for _ in range(number):
        await log_block(user_id, blocked=True, reason=None, now=journal.clock.now)


async def _until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.time()))
