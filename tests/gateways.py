"""Gateways for the tests: one does what it is told, one leaves a record that several processes share."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from models.journal import Journal
from workers.refunds import LedgerGateway, Payout

Behaviour = Exception | Callable[[Payout], Awaitable[None]]
"""What a call comes to: an exception, or whatever this does before it pays."""


class ToldGateway:
    """Behaves as it was told, call by call; then it pays from the ledger. Remembers every call."""

    def __init__(self, journal: Journal, *behaviours: Behaviour) -> None:
        self._ledger = LedgerGateway(journal.clock, journal.new_id)
        self._behaviours = list(behaviours)
        self.calls: list[Payout] = []

    async def refund(self, payout: Payout) -> None:
        self.calls.append(payout)
        behaviour = self._behaviours.pop(0) if self._behaviours else None
        if isinstance(behaviour, Exception):
            raise behaviour
        if behaviour:
            await behaviour(payout)
        await self._ledger.refund(payout)


class RecordingGateway:
    """Pays from the ledger, slowly, and notes the beginning and the end of every call."""

    def __init__(self, journal: Journal, record: Path) -> None:
        self._ledger = LedgerGateway(journal.clock, journal.new_id)
        self._record = record

    async def refund(self, payout: Payout) -> None:
        note(self._record, f"begin {payout.refund_id}")
        await asyncio.sleep(0.01)
        await self._ledger.refund(payout)
        note(self._record, f"end {payout.refund_id}")


def note(record: Path, line: str) -> None:
    """Appends a line in one write, so that lines of two processes never mix."""
    descriptor = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
