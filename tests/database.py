"""A real database of a test's own with the named people in it, and a journal with a set clock."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from tortoise.expressions import F
from uuid_utils.compat import uuid7

from models import EventRow, LedgerEntryRow, LogRow, OrderRow, UserRow
from models.constraints import ROWS
from models.database import connection, in_transaction, migrate, opened
from models.journal import Done, IdempotencyKey, Journal, PlaceOrder
from models.loading import replayed, whole_case
from models.saving import END_OF_TIME
from rules import commands as c
from rules.case import Case
from rules.deadlines import next_instant
from rules.policy import DEFAULT, Policy
from rules.refusals import Refused
from rules.visibility import Viewer
from rules.vocabulary import OrderEventKind, RefusalCode, Role, SupportDecision
from tests.store import STORE, Template
from tests.world import ADA, BAZAAR, BELA, FARID, GITA, SOL, START, asked

PEOPLE = {"ada": ADA, "bela": BELA, "farid": FARID, "gita": GITA, "sol": SOL, "bazaar": BAZAAR}
"""The ids of the named people, by their subjects."""

CLIENT, OTHER_CLIENT, FREELANCER, OTHER_FREELANCER = Viewer(ADA), Viewer(BELA), Viewer(FARID), Viewer(GITA)
SUPPORT = Viewer(SOL, frozenset({Role.SUPPORT}))
MARKETPLACE = Viewer(BAZAAR, frozenset({Role.MARKETPLACE}))


class HandClock:
    """Stands still until it is set."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def at(self, hours: float) -> datetime:
        """Sets it to so many hours after START."""
        self.now = START + timedelta(hours=hours)
        return self.now

    def later(self, step: timedelta) -> datetime:
        self.now += step
        return self.now


class TestJournal(Journal):
    """The product's journal, with a clock to set, and a count of its rings and of what moved money."""

    __test__ = False
    clock: HandClock

    def __init__(self, url: str, clock: HandClock, policy: Policy = DEFAULT) -> None:
        super().__init__(policy, clock, uuid7, self._count, self._count_money)
        self.url = url
        self.rings = 0
        self.told: list[EventRow] = []
        """The events that rings were told of."""
        self.money_moved = 0

    def _count(self, events: Sequence[EventRow]) -> None:
        self.rings += 1
        self.told += events

    def _count_money(self) -> None:
        self.money_moved += 1


_template: list[Template] = []
"""A migrated database, made once a process: copying it is far faster than migrating."""


@asynccontextmanager
async def a_database(
    folder: Path, *, policy: Policy = DEFAULT, clock: HandClock | None = None
) -> AsyncIterator[TestJournal]:
    """A new database for the folder, open; other processes may open it by the journal's `url`."""
    async with a_closed_database(folder) as url, opened(url):
        journal = TestJournal(url, clock or HandClock(), policy)
        try:
            yield journal
        finally:
            await journal.drain()


@asynccontextmanager
async def a_closed_database(folder: Path) -> AsyncIterator[str]:
    """The URL of a new database for the folder, with the named people in it."""
    url = STORE.copy(await with_people(), folder)
    try:
        yield url
    finally:
        STORE.drop(url)


async def with_people() -> Template:
    """A migrated database with the named people in it, to be copied."""
    if not _template:
        with TemporaryDirectory() as made:
            _template.append(await _made_with_people(Path(made)))
    return _template[0]


async def _made_with_people(folder: Path) -> Template:
    url = STORE.new(folder)
    await migrate(url)
    async with opened(url), in_transaction() as db:
        for subject, user_id in PEOPLE.items():
            user = UserRow(id=user_id, subject=subject, name=subject.title(), created_at=START)
            await user.save(using_db=db, force_create=True)
    return STORE.keep(folder)


# ---------------------------------------------------------------- orders that have come somewhere


def a_new_order(reference: str = "B-1001", price: str = "100.00 USD", *, days: int = 3) -> PlaceOrder:
    """Ada's order of Farid, as Bazaar asks for it."""
    return PlaceOrder(reference, "A logo for a bakery", asked(price), "ada", "farid", days)


async def a_placed_order(
    journal: Journal, reference: str = "B-1001", price: str = "100.00 USD", *, days: int = 3
) -> UUID:
    """Awaiting Ada's requirements."""
    return (await journal.place(a_new_order(reference, price, days=days), MARKETPLACE)).order_id


async def a_started_order(
    journal: Journal, reference: str = "B-1001", price: str = "100.00 USD", *, days: int = 3
) -> UUID:
    """Farid is at work."""
    order_id = await a_placed_order(journal, reference, price, days=days)
    await journal.perform(order_id, c.SubmitRequirements(), CLIENT)
    return order_id


async def a_delivered_order(journal: Journal, reference: str = "B-1001", price: str = "100.00 USD") -> UUID:
    """Farid has delivered; three days of silence complete it."""
    order_id = await a_started_order(journal, reference, price)
    await journal.perform(order_id, c.DeliverOrder("Here it is."), FREELANCER)
    return order_id


async def a_refund_on_its_way(journal: Journal, reference: str = "B-1001", amount: str = "20.00 USD") -> UUID:
    """Farid offered, Ada accepted: a refund is PENDING. The order's id."""
    order_id = await a_started_order(journal, reference)
    offer = c.OfferPartialRefund(asked(amount), "The second draft came late.", "DELIVERY_DELAYED")
    request_id = (await journal.perform(order_id, offer, FREELANCER)).subject_id
    await journal.perform(order_id, c.AcceptRequest(request_id), CLIENT)
    return order_id


async def a_burst(order_id: UUID, number: int, message: str | None = None) -> None:
    """So many more events of an order in one transaction, which change nothing but its version."""
    async with in_transaction() as db:
        await OrderRow.filter(id=order_id).using_db(db).update(version=F("version") + number)
        await LogRow.filter(id=1).using_db(db).update(position=F("position") + number)
        head = (await LogRow.get(id=1, using_db=db)).position
        order = await OrderRow.get(id=order_id, using_db=db)
        rows = [
            EventRow(
                position=head - number + place,
                order_id=order_id,
                sequence=order.version - number + place,
                kind=OrderEventKind.DEADLINE_NEAR,
                occurred_at=order.created_at,
                actor_role=Role.SYSTEM,
                order_status=order.status,
                message=message,
                changes=[],
                client_id=order.client_id,
                freelancer_id=order.freelancer_id,
                placed_by_id=order.placed_by_id,
            )
            for place in range(1, number + 1)
        ]
        await EventRow.bulk_create(rows, using_db=db)


Outcome = Done | tuple[RefusalCode, ...]


async def outcome(doing: Awaitable[Done]) -> Outcome:
    """What was done, or the codes of the refusals."""
    try:
        return await doing
    except Refused as refused:
        return tuple(refusal.code for refusal in refused.refusals)


def a_key(key: str = "key-1", fingerprint: str = "f" * 64) -> IdempotencyKey:
    return IdempotencyKey(key, fingerprint)


def a_decision(case_id: UUID, decision: SupportDecision, refund: str | None = None) -> c.DecideSupportCase:
    return c.DecideSupportCase(case_id, decision, "We read both sides.", asked(refund) if refund else None)


# ---------------------------------------------------------------- what is in it


async def dump() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    return {
        row._meta.db_table: await connection().execute_query_dict(f"SELECT * FROM {row._meta.db_table} ORDER BY 1, 2")  # noqa: S608
        for row in ROWS
    }


async def kinds(order_id: UUID) -> list[OrderEventKind]:
    """What happened to an order, oldest first."""
    return [row.kind for row in await EventRow.filter(order_id=order_id).order_by("sequence")]


async def balances(order_id: UUID) -> dict[str, int]:
    """What stands on each account of an order, in minor units; accounts at zero are left out."""
    sums: dict[str, int] = {}
    for entry in await LedgerEntryRow.filter(order_id=order_id):
        sums[entry.account.value] = sums.get(entry.account.value, 0) + entry.amount_minor
    return {account: minor for account, minor in sums.items() if minor}


async def assert_sound(policy: Policy = DEFAULT) -> None:
    """What must hold of every database at every moment: the log has no gap and tells every row, the ledger of each
    order sums to zero, and what lists and the sweep look for says what the case says."""
    positions = [row.position for row in await EventRow.all().order_by("position")]
    assert positions == list(range(1, len(positions) + 1))
    assert (await LogRow.get(id=1)).position == len(positions)
    for order in await OrderRow.all():
        rows, log = sorted_case(await whole_case(order.id)), sorted_case(await replayed(order.id))
        assert rows == log
        assert order.version == await EventRow.filter(order_id=order.id).count()
        assert sum((await balances(order.id)).values()) == 0
        assert order.next_deadline_at == next_instant(rows, policy)
        asking = {request.requested_by_role for request in rows.pending()}
        assert (order.awaits_client, order.awaits_freelancer) == (Role.FREELANCER in asking, Role.CLIENT in asking)
        assert order.due_sort == (rows.order.delivery_due_at or END_OF_TIME)


def sorted_case(case: Case) -> Case:
    """With each list in the order of its ids, which is no matter of the rules."""
    return Case(
        case.order,
        tuple(sorted(case.requests, key=lambda request: request.id)),
        tuple(sorted(case.support_cases, key=lambda support_case: support_case.id)),
        tuple(sorted(case.refunds, key=lambda refund: refund.id)),
    )
