"""Refunds on their way to the gateway: claimed by one worker at a time, and the embedded ledger's payment."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tortoise.queryset import QuerySet

from models.database import in_transaction
from models.ledger import LedgerEntryRow
from models.refund import RefundRow
from rules.ledger import Account, posting
from rules.money import Money
from rules.vocabulary import RefundStatus


@dataclass(frozen=True, slots=True)
class Claim:
    """A refund that one worker may pay until its lease ends. `attempts` counts this try, and tells it from a later
    claim of the same worker."""

    worker: UUID
    refund_id: UUID
    order_id: UUID
    order_reference: str
    amount: Money
    attempts: int


async def claim_refunds(worker: UUID, now: datetime, lease: timedelta, limit: int) -> list[Claim]:
    """At most `limit` refunds that are due, longest due first. Each is claimed by one conditional update: of any number
    of workers that see it due, one changes the row."""
    rows = (
        await RefundRow.filter(status=RefundStatus.PENDING, next_attempt_at__lte=now)
        .order_by("next_attempt_at")
        .limit(limit)
        .values("id", "order_id", "order__reference", "amount_minor", "currency", "attempts")
    )
    claims = [
        Claim(
            worker=worker,
            refund_id=row["id"],
            order_id=row["order_id"],
            order_reference=row["order__reference"],
            amount=Money(row["amount_minor"], row["currency"]),
            attempts=row["attempts"] + 1,
        )
        for row in rows
    ]
    return [claim for claim in claims if await _claim(claim, now, lease)]


async def _claim(claim: Claim, now: datetime, lease: timedelta) -> bool:
    seen = RefundRow.filter(
        id=claim.refund_id, status=RefundStatus.PENDING, attempts=claim.attempts - 1, next_attempt_at__lte=now
    )
    changed: int = await seen.update(claimed_by=claim.worker, attempts=claim.attempts, next_attempt_at=now + lease)
    return bool(changed)


async def hold(claim: Claim, until: datetime) -> bool:
    """Makes a claim last until then; false when it is another's by now, or settled."""
    changed: int = await _held(claim).update(next_attempt_at=until)
    return bool(changed)


async def put_off(claim: Claim, until: datetime) -> bool:
    """Gives a claim back, for anybody to try from then on; false when it is another's by now, or settled."""
    changed: int = await _held(claim).update(claimed_by=None, next_attempt_at=until)
    return bool(changed)


def _held(claim: Claim) -> QuerySet[RefundRow]:
    return RefundRow.filter(
        id=claim.refund_id, status=RefundStatus.PENDING, claimed_by=claim.worker, attempts=claim.attempts
    )


async def status_of(refund_id: UUID) -> RefundStatus:
    """How far a refund is."""
    return (await RefundRow.get(id=refund_id)).status


async def pay_from_ledger(refund_id: UUID, amount: Money, now: datetime, new_id: Callable[[], UUID]) -> None:
    """Posts what is due to the client, once: what this refund posted before stays as it is. Not to be cancelled (see
    `Journal`): who calls it, shields it."""
    order_id = (await RefundRow.get(id=refund_id)).order_id
    entries = posting(f"paid:{refund_id}", Account.REFUND_DUE, Account.CLIENT, amount)
    rows = [
        LedgerEntryRow(
            id=new_id(),
            order_id=order_id,
            cause=entry.cause,
            account=entry.account,
            currency=entry.amount.currency,
            amount_minor=entry.amount.minor,
            posted_at=now,
        )
        for entry in entries
    ]
    async with in_transaction() as db:
        await LedgerEntryRow.bulk_create(rows, using_db=db, ignore_conflicts=True)
