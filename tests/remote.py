"""What the tests' other processes can be told to do: see tests/processes.py."""

import asyncio
import random
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from models.journal import IdempotencyKey, PlaceOrder
from rules import commands as c
from rules.visibility import Viewer
from rules.vocabulary import RefusalCode
from tests.chance import a_move
from tests.database import MARKETPLACE, Outcome, TestJournal, outcome
from tests.gateways import RecordingGateway, note
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


async def _until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.time()))
