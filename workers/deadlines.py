"""The sweep: finds orders whose time has come and lets the rules pass their deadlines; every process runs one."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from models.due import DueOrder, due_orders, is_still_due
from models.journal import Journal
from rules.commands import PassDeadlines
from workers.loop import Loop, described

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
"""How long an order that fails is left alone: twice as long each time."""

log = structlog.get_logger(__name__)


async def sweep(journal: Journal, limit: int = 100) -> int:
    """Passes the deadlines of at most `limit` orders that are due, soonest first, and says of how many: fewer than
    `limit` when no more are due. An order that fails is logged and held against nobody else."""
    return await DeadlineWorker(journal, batch=limit).sweep()


@dataclass(frozen=True, slots=True)
class _Setback:
    """An order that failed, so many times in a row, and when it is tried again."""

    failures: int
    again_at: datetime


class DeadlineWorker:
    """Sweeps again and again. It only finds: the rules look again, so that of any number of processes that find the
    same order one is told by its version that nothing is due any more."""

    def __init__(self, journal: Journal, *, interval: float = 1.0, batch: int = 100) -> None:
        self._journal = journal
        self._batch = batch
        self._setbacks: dict[UUID, _Setback] = {}
        self._loop = Loop("deadlines", self._work, interval)

    @property
    def failing(self) -> bool:
        """Whether the last sweep could not reach or write the database."""
        return self._loop.failing

    @property
    def stuck_orders(self) -> int:
        """How many orders failed the last time that they were tried."""
        return len(self._setbacks)

    def start(self) -> None:
        self._loop.start()

    async def stop(self) -> None:
        """Ends after the order that is under way."""
        await self._loop.stop()

    async def sweep(self) -> int:
        """As the function of this name; orders that failed lately are passed over."""
        now = self._journal.clock()
        passed, found, last = 0, set[UUID](), None
        while passed < self._batch:
            page = await due_orders(now, self._batch - passed, after=last)
            if not page:
                self._forget_all_but(found)
                break
            for order in _mixed(page):
                if self._loop.stopping:
                    return passed
                found.add(order.id)
                passed += await self._pass(order, now)
            last = page[-1]
        return passed

    async def _work(self) -> bool:
        return await self.sweep() == self._batch

    async def _pass(self, order: DueOrder, now: datetime) -> bool:
        """Whether its deadlines were passed, by this call or, a moment before, by somebody else."""
        setback = self._setbacks.get(order.id)
        if setback and now < setback.again_at:
            return False
        try:
            await self._journal.perform(order.id, PassDeadlines(), by=None)
        except Exception as error:  # noqa: BLE001 - one order's trouble must not hold up the others
            # Raises when it is the database's trouble: then no order is to blame and the sweep ends here.
            if await is_still_due(order.id, now):
                self._blame(order, setback, now, error)
                return False
        if self._setbacks.pop(order.id, None):
            log.info("deadlines.order_recovered", order_id=str(order.id))
        return True

    def _blame(self, order: DueOrder, setback: _Setback | None, now: datetime, error: Exception) -> None:
        failures = setback.failures + 1 if setback else 1
        # The exponent is bounded first: an order may fail for years.
        pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
        self._setbacks[order.id] = _Setback(failures, now + pause)
        if not setback:
            log.error("deadlines.order_fails", order_id=str(order.id), **described(error))

    def _forget_all_but(self, found: Iterable[UUID]) -> None:
        """What is no longer due, somebody else has passed."""
        self._setbacks = {order_id: self._setbacks[order_id] for order_id in found if order_id in self._setbacks}


def _mixed(page: list[DueOrder]) -> list[DueOrder]:
    """In an order of this process's own: side by side, processes would each wait for the others at every order, and
    together be no faster than one."""
    return random.sample(page, len(page))
