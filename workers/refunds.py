"""Refunds: paid through a gateway, by one worker at a time, again with the same key until the gateway has answered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from models.journal import Journal
from models.payouts import Claim, claim_refunds, hold, pay_from_ledger, put_off, status_of
from rules import texts
from rules.commands import SettleRefund
from rules.money import Money
from rules.refusals import Refused
from rules.vocabulary import RefundStatus
from workers.loop import Loop, described

LEASE = timedelta(seconds=60)
"""How long a claim keeps others away, unless it is set: what a crash leaves behind is taken up after it."""
CALL_PATIENCE = timedelta(seconds=30)
"""How long one call to the gateway may take at most, and never longer than half the lease: so no second one is under
way."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=5)
"""Between two tries: twice as long each time."""
MOST_TRIES = 12

GAVE_UP = "The payment provider did not confirm the refund after several tries. Support will look into it."
WAS_REFUSED = "The payment provider refused the refund. Support will look into it."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Payout:
    """Money to send back to the client. `refund_id` is the idempotency key: the gateway may see it again, and must pay
    it once."""

    refund_id: UUID
    order_reference: str
    amount: Money


class GatewayRefused(Exception):
    """The gateway's final no. `reason` is a sentence that both sides of the order may read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RefundGateway(Protocol):
    """Where money is sent back."""

    async def refund(self, payout: Payout) -> None:
        """Returns when it is paid, now or under this key before. Raises GatewayRefused for a final no; all else that
        it raises is tried again. It must end when it is cancelled."""


class LedgerGateway:
    """The embedded default, for a marketplace that pays out of its own ledger: REFUND_DUE to CLIENT, once a refund."""

    def __init__(self, clock: Callable[[], datetime], new_id: Callable[[], UUID]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._under_way: set[asyncio.Task[None]] = set()

    async def refund(self, payout: Payout) -> None:
        # In a task of its own, as the journal does it: a transaction that is cancelled may never end.
        posting = pay_from_ledger(payout.refund_id, payout.amount, self._clock(), self._new_id)
        task = asyncio.create_task(posting)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.shield(task)


class RefundWorker:
    """Takes refunds that are due to the gateway, and what it says to the journal. Any number of workers may run."""

    def __init__(
        self,
        journal: Journal,
        gateway: RefundGateway,
        *,
        interval: float = 1.0,
        at_once: int = 8,
        lease: timedelta = LEASE,
        call_patience: timedelta = CALL_PATIENCE,
        most_tries: int = MOST_TRIES,
    ) -> None:
        self.id = journal.new_id()
        self._journal = journal
        self._gateway = gateway
        self._at_once = at_once
        self._lease = lease
        self._call_patience = min(call_patience, lease / 2)
        self._most_tries = most_tries
        self._calls: set[asyncio.Task[None]] = set()
        self._loop = Loop("refunds", self._work, interval)

    @property
    def failing(self) -> bool:
        """Whether the last look for refunds could not reach the database."""
        return self._loop.failing

    def start(self) -> None:
        self._loop.start()

    def wake(self) -> None:
        """There may be a new refund: looks soon."""
        self._loop.wake()

    async def stop(self, patience: float = 5.0) -> None:
        """Takes nothing new, and waits so many seconds for the calls that are under way. What is not over by then is
        left to another worker, under the same key, when the lease is over."""
        await self._loop.stop(patience)
        if not self._calls:
            return
        _, unfinished = await asyncio.wait(self._calls, timeout=patience)
        for call in unfinished:
            call.cancel()
        if unfinished:
            await asyncio.wait(unfinished)

    async def pay_due(self) -> int:
        """Tries every refund that is due now, and says how many there were."""
        tried = 0
        while calls := await self._take_due():
            tried += len(calls)
            await asyncio.wait(calls)
        return tried

    async def _work(self) -> bool:
        await self._take_due()
        return False  # each call that ends wakes the loop

    async def _take_due(self) -> list[asyncio.Task[None]]:
        """Claims as many as there are hands free, and begins to pay them."""
        free = self._at_once - len(self._calls)
        if free <= 0 or self._loop.stopping:
            return []
        claims = await claim_refunds(self.id, self._journal.clock(), self._lease, free)
        calls = [asyncio.create_task(self._attend(claim), name=f"refund {claim.refund_id}") for claim in claims]
        for call in calls:
            self._calls.add(call)
            call.add_done_callback(self._ended)
        return calls

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._loop.wake()

    async def _attend(self, claim: Claim) -> None:
        """One try. What fails beyond the gateway is left as it is: after the lease, the same key is used again."""
        try:
            await self._pay(claim)
        except Exception as error:  # noqa: BLE001 - nobody waits for this task
            log.error(  # noqa: TRY400 - see `described`
                "refunds.not_settled", refund_id=str(claim.refund_id), **described(error)
            )

    async def _pay(self, claim: Claim) -> None:
        payout = Payout(claim.refund_id, claim.order_reference, claim.amount)
        try:
            async with asyncio.timeout(self._call_patience.total_seconds()):
                await self._gateway.refund(payout)
        except GatewayRefused as refused:
            await self._fail(claim, _sentence(refused, self._journal.policy.longest_text))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            await self._try_again(claim, error)
        else:
            await self._succeed(claim)

    async def _succeed(self, claim: Claim) -> None:
        if not await self._settle(claim, None) and await status_of(claim.refund_id) is RefundStatus.FAILED:
            # Only when this process stood still for longer than its lease, and another gave up meanwhile.
            log.error("refunds.paid_after_failure", refund_id=str(claim.refund_id))
        elif claim.attempts > 1:
            log.info("refunds.recovered", refund_id=str(claim.refund_id), attempts=claim.attempts)

    async def _try_again(self, claim: Claim, error: Exception) -> None:
        if claim.attempts >= self._most_tries:
            await self._fail(claim, GAVE_UP)
            return
        if claim.attempts == 1:
            log.warning("refunds.put_off", refund_id=str(claim.refund_id), **described(error))
        # The exponent is bounded first: a refund that can't be settled may be tried for ever.
        pause = min(FIRST_PAUSE * 2 ** min(claim.attempts - 1, 10), LONGEST_PAUSE)
        await put_off(claim, self._journal.clock() + pause)

    async def _fail(self, claim: Claim, failure: str) -> None:
        # Only who still holds the claim: else another worker may just now be paying it.
        if await hold(claim, self._journal.clock() + self._lease) and await self._settle(claim, failure):
            log.error("refunds.failed", refund_id=str(claim.refund_id), attempts=claim.attempts)

    async def _settle(self, claim: Claim, failure: str | None) -> bool:
        """False when it had been settled before."""
        try:
            await self._journal.perform(claim.order_id, SettleRefund(claim.refund_id, failure), by=None)
        except Refused:
            return False
        return True


def _sentence(refused: GatewayRefused, most: int) -> str:
    """The gateway's reason, if it is fit to be shown."""
    try:
        return texts.text(refused.reason, most=most)
    except Refused:
        return WAS_REFUSED
