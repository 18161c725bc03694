"""The one write path: what it does, what it refuses, and that it does either in full."""

import asyncio
import contextlib
import logging
import re
import sqlite3
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.exceptions import IntegrityError, OperationalError

from models import (
    ConfidenceRow,
    EventRow,
    IdempotencyRow,
    LogRow,
    OrderRow,
    RequestRow,
    SupportCaseRow,
    UserRow,
    loading,
    reads,
    saving,
)
from models.codec import request_row
from models.journal import Done, PlaceOrder
from models.loading import whole_case
from rules import commands as c
from rules.money import AskedAmount
from rules.policy import DEFAULT
from rules.refusals import Refused
from rules.visibility import Viewer
from rules.vocabulary import OrderEventKind, OrderStatus, RefusalCode, RequestStatus, Role, SupportDecision
from tests.chance import a_move
from tests.database import (
    CLIENT,
    FREELANCER,
    MARKETPLACE,
    OTHER_CLIENT,
    SUPPORT,
    HandClock,
    TestJournal,
    a_decision,
    a_delivered_order,
    a_key,
    a_new_order,
    a_placed_order,
    a_refund_on_its_way,
    a_started_order,
    assert_sound,
    balances,
    dump,
    kinds,
    outcome,
)
from tests.store import ON_POSTGRESQL, sqlite_only
from tests.world import (
    ADA,
    FARID,
    START,
    a_call_for_support,
    a_plea_to_the_client,
    a_plea_to_the_freelancer,
    a_question,
    an_offer,
    hour,
)

K = OrderEventKind


# ---------------------------------------------------------------- placing


async def test_a_placed_order_is_a_row_an_event_a_ledger_posting_and_a_ring(journal: TestJournal) -> None:
    done = await journal.place(a_new_order(), MARKETPLACE)
    order = await OrderRow.get(id=done.order_id)
    assert done.subject_id == done.order_id
    assert (order.reference, order.client_id, order.freelancer_id) == ("B-1001", ADA, FARID)
    assert (order.status, order.version, order.price_minor) == (OrderStatus.AWAITING_REQUIREMENTS, 1, 10_000)
    assert order.placed_by_id == MARKETPLACE.user_id
    event = await EventRow.get(order_id=order.id)
    assert (event.position, event.sequence, event.kind) == (1, 1, K.ORDER_PLACED)
    assert (event.client_id, event.freelancer_id, event.placed_by_id) == (ADA, FARID, MARKETPLACE.user_id)
    assert await balances(order.id) == {"CLIENT": -10_000, "HELD": 10_000}
    assert journal.rings == 1
    await assert_sound()


async def test_placing_makes_people_who_are_named_for_the_first_time(journal: TestJournal) -> None:
    order = replace(a_new_order(), client_subject=" hana ", freelancer_subject="ivo")
    done = await journal.place(order, MARKETPLACE)
    row = await OrderRow.get(id=done.order_id)
    assert (await UserRow.get(subject="hana")).id == row.client_id
    assert (await UserRow.get(subject="ivo")).id == row.freelancer_id


@pytest.mark.parametrize("viewer", [CLIENT, FREELANCER, SUPPORT, Viewer(MARKETPLACE.user_id)])
async def test_only_a_marketplace_places_orders(journal: TestJournal, viewer: Viewer) -> None:
    before = await dump()
    assert await outcome(journal.place(a_new_order(), viewer)) == (RefusalCode.FORBIDDEN,)
    assert await dump() == before


async def test_a_reference_is_taken_once(journal: TestJournal) -> None:
    await journal.place(a_new_order(), MARKETPLACE)
    before = await dump()
    again = replace(a_new_order(), client_subject="hana")
    with pytest.raises(Refused) as refused:
        await journal.place(again, MARKETPLACE)
    (refusal,) = refused.value.refusals
    assert (refusal.code, refusal.path) == (RefusalCode.REFERENCE_TAKEN, ("reference",))
    assert await dump() == before


BAD_ORDERS = {
    "an empty reference": (replace(a_new_order(), reference=" "), "reference"),
    "a control character in the title": (replace(a_new_order(), title="a\x00b"), "title"),
    "half a surrogate in the title": (replace(a_new_order(), title="a\ud800b"), "title"),
    "an empty subject": (replace(a_new_order(), client_subject=""), "clientSubject"),
    "a subject that is too long": (replace(a_new_order(), freelancer_subject="x" * 256), "freelancerSubject"),
    "one person on both sides": (replace(a_new_order(), freelancer_subject="ada"), "freelancerSubject"),
    "one person on both sides, with blanks": (replace(a_new_order(), freelancer_subject=" ada "), "freelancerSubject"),
    "a price of nothing": (a_new_order(price="0 USD"), "price"),
    "a price that is no number": (
        replace(a_new_order(), price=AskedAmount(a_new_order().price.amount, "XXX")),
        "price",
    ),
    "no days": (a_new_order(days=0), "deliveryDays"),
}


@pytest.mark.parametrize(("order", "path"), BAD_ORDERS.values(), ids=BAD_ORDERS)
async def test_an_order_that_cannot_be_is_refused_and_leaves_nothing(
    journal: TestJournal, order: PlaceOrder, path: str
) -> None:
    before = await dump()
    with pytest.raises(Refused) as refused:
        await journal.place(order, MARKETPLACE, a_key())
    assert [refusal.path[0] for refusal in refused.value.refusals] == [path]
    assert await dump() == before
    assert journal.rings == 0


# ---------------------------------------------------------------- performing


async def test_a_command_answers_the_case_that_its_rows_and_its_log_tell(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    done = await journal.perform(order_id, an_offer("60.00 USD"), FREELANCER)
    assert done.case == await whole_case(order_id)
    assert done.case.requests[0].id == done.subject_id
    await assert_sound()


async def test_a_private_reason_stands_in_its_own_table_and_nowhere_else(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    secret = "between me and support"
    offer = c.OfferPartialRefund(an_offer().amount, "It came late.", "OTHER", secret)
    done = await journal.perform(order_id, offer, FREELANCER)
    private = await ConfidenceRow.get(request_id=done.subject_id)
    assert (private.reason, private.note) == ("OTHER", secret)
    holding = {table for table, rows in (await dump()).items() if secret in str(rows)}
    assert holding == {"confidences"}


async def test_an_order_of_others_is_not_found_and_not_changed_even_when_a_deadline_is_due(
    journal: TestJournal,
) -> None:
    order_id = await a_delivered_order(journal)
    journal.clock.at(72)
    before = await dump()
    for viewer in (OTHER_CLIENT, Viewer(OTHER_CLIENT.user_id, frozenset({Role.MARKETPLACE}))):
        assert await outcome(journal.perform(order_id, a_question(), viewer)) == (RefusalCode.NOT_FOUND,)
    assert await outcome(journal.perform(UUID(int=9), a_question(), CLIENT)) == (RefusalCode.NOT_FOUND,)
    assert await dump() == before
    assert journal.rings == 3


async def test_a_request_of_another_order_is_not_found(journal: TestJournal) -> None:
    mine, other = await a_started_order(journal), await a_started_order(journal, "B-1002")
    offer = await journal.perform(other, an_offer(), FREELANCER)
    before = await dump()
    assert await outcome(journal.perform(mine, c.AcceptRequest(offer.subject_id), CLIENT)) == (RefusalCode.NOT_FOUND,)
    assert await dump() == before


async def test_a_refusal_changes_nothing(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    offer = await journal.perform(order_id, an_offer(), FREELANCER)
    tries: list[tuple[c.CaseCommand, Viewer | None, RefusalCode]] = [
        (an_offer(), FREELANCER, RefusalCode.REQUEST_PENDING),
        (an_offer(), CLIENT, RefusalCode.FORBIDDEN),
        (c.AcceptRequest(offer.subject_id), FREELANCER, RefusalCode.FORBIDDEN),
        (c.AcceptRequest(UUID(int=9)), CLIENT, RefusalCode.NOT_FOUND),
        (c.AcceptRequest(order_id), CLIENT, RefusalCode.NOT_FOUND),
        (c.CancelOrder(), CLIENT, RefusalCode.ORDER_STATUS),
        (a_question(" "), CLIENT, RefusalCode.TEXT_REQUIRED),
        (a_plea_to_the_client("NOBODY_KNOWS"), FREELANCER, RefusalCode.REASON_UNKNOWN),
        (c.SettleRefund(UUID(int=9)), None, RefusalCode.NOT_FOUND),
        (a_decision(UUID(int=9), SupportDecision.CONTINUE_ORDER), SUPPORT, RefusalCode.NOT_FOUND),
        (c.PassDeadlines(), OTHER_CLIENT, RefusalCode.NOT_FOUND),
    ]
    before, rings = await dump(), journal.rings
    for command, by, code in tries:
        assert await outcome(journal.perform(order_id, command, by, a_key())) == (code,)
    assert await dump() == before
    assert journal.rings == rings


async def test_what_moves_money_says_so_and_nothing_else_does(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    moved, rings = journal.money_moved, journal.rings
    offered = await journal.perform(order_id, an_offer(), FREELANCER)
    await journal.perform(order_id, a_question(), CLIENT)
    assert journal.money_moved == moved
    await journal.perform(order_id, c.AcceptRequest(offered.subject_id), CLIENT)
    assert journal.money_moved == moved + 1
    await journal.perform(order_id, a_plea_to_the_freelancer(), CLIENT)
    # Silence cancels the order: the deadline's doing, whoever comes by to be refused.
    journal.clock.later(timedelta(days=3))
    await outcome(journal.perform(order_id, an_offer(), FREELANCER))
    assert journal.money_moved == moved + 2
    assert journal.rings == rings + 5


async def test_a_refusal_leaves_what_the_deadlines_did_and_rings_for_it(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    offer = await journal.perform(order_id, an_offer(), FREELANCER)
    rings = journal.rings
    journal.clock.at(48)
    refused = await outcome(journal.perform(order_id, c.AcceptRequest(offer.subject_id), CLIENT, a_key()))
    assert refused == (RefusalCode.DEADLINE_PASSED,)
    assert (await kinds(order_id))[-3:] == [K.DEADLINE_NEAR, K.DEADLINE_NEAR, K.REQUEST_EXPIRED]
    assert journal.rings == rings + 1
    assert await IdempotencyRow.all().count() == 0
    await assert_sound()
    after = await dump()
    refused = await outcome(journal.perform(order_id, c.AcceptRequest(offer.subject_id), CLIENT, a_key()))
    assert refused == (RefusalCode.DEADLINE_PASSED,)
    assert await dump() == after


async def test_passing_deadlines_of_an_order_that_has_none_changes_nothing(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    before, rings = await dump(), journal.rings
    done = await journal.perform(order_id, c.PassDeadlines(), None)
    assert done.order_id == order_id
    assert await dump() == before
    assert journal.rings == rings


async def test_a_ring_comes_after_the_commit(journal: TestJournal) -> None:
    seen: list[int] = []
    order_id = await a_placed_order(journal)

    async def look() -> None:
        seen.append((await LogRow.get(id=1)).position)

    looks: list[asyncio.Task[None]] = []
    journal._ring = lambda _: looks.append(asyncio.create_task(look()))
    await journal.perform(order_id, c.SubmitRequirements(), CLIENT)
    await asyncio.gather(*looks)
    assert seen == [2]


async def test_what_a_ring_tells_is_what_the_log_says(journal: TestJournal) -> None:
    """Of changes without a lock and with one, of several events at once, and of nobody's."""
    order_id = await a_started_order(journal)
    await journal.perform(order_id, an_offer(), FREELANCER, a_key())
    journal.clock.later(timedelta(days=3))
    await journal.perform(order_id, c.RequestOrderUpdate("How is it?"), CLIENT)
    journal.clock.later(timedelta(days=30))
    await journal.perform(order_id, c.PassDeadlines(), None)
    logged = await reads.events_after(0, 100)
    assert len({row.kind for row in logged}) >= 5
    assert any(row.actor_id is None for row in logged)
    # SQLite tells nothing, and each reader reads the log.
    assert journal.told == ([] if journal.url.startswith("sqlite") else logged)
    assert [vars(row) | {"people": _people(row)} for row in journal.told] == [
        vars(row) | {"people": _people(row)} for row in logged[: len(journal.told)]
    ]


def _people(event: EventRow) -> list[dict[str, object] | None]:
    assert event.people is not None
    return [None if row is None else vars(row) for row in event.people]


# ---------------------------------------------------------------- idempotency keys


async def test_a_key_answers_the_same_again_and_does_nothing_again(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    first = await journal.perform(order_id, an_offer(), FREELANCER, a_key())
    before, rings = await dump(), journal.rings
    again = await journal.perform(order_id, an_offer(), FREELANCER, a_key())
    assert (again.order_id, again.subject_id, again.case) == (first.order_id, first.subject_id, None)
    assert await dump() == before
    assert journal.rings == rings


async def test_a_key_of_placing_answers_the_same_order_again(journal: TestJournal) -> None:
    first = await journal.place(a_new_order(), MARKETPLACE, a_key())
    before = await dump()
    again = await journal.place(a_new_order(), MARKETPLACE, a_key())
    assert (again.order_id, again.subject_id) == (first.order_id, first.subject_id)
    assert await dump() == before


async def test_a_key_that_was_used_for_something_else_is_refused(journal: TestJournal) -> None:
    order_id, other = await a_started_order(journal), await a_started_order(journal, "B-1002")
    await journal.perform(order_id, an_offer(), FREELANCER, a_key())
    await journal.place(a_new_order("B-1003"), MARKETPLACE, a_key())
    before = await dump()
    another = a_key(fingerprint="0" * 64)
    reused = (RefusalCode.IDEMPOTENCY_KEY_REUSED,)
    assert await outcome(journal.perform(order_id, an_offer("1.00 USD"), FREELANCER, another)) == reused
    assert await outcome(journal.perform(other, an_offer(), FREELANCER, another)) == reused
    assert await outcome(journal.place(a_new_order("B-1004"), MARKETPLACE, another)) == reused
    assert await dump() == before


async def test_a_key_is_each_callers_own(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    await journal.perform(order_id, an_offer(), FREELANCER, a_key())
    asked = await journal.perform(order_id, a_question(), CLIENT, a_key(fingerprint="0" * 64))
    assert asked.case is not None


async def test_a_key_of_a_refused_command_may_be_used_again(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    refused = await outcome(journal.perform(order_id, an_offer("99.00 USD"), FREELANCER, a_key()))
    assert refused == (RefusalCode.AMOUNT_TOO_LARGE,)
    done = await journal.perform(order_id, an_offer(), FREELANCER, a_key(fingerprint="0" * 64))
    assert done.case is not None


# ---------------------------------------------------------------- other writers


async def test_the_first_statement_of_a_transaction_locks_and_what_is_done_at_once_locks_nothing_that_it_reads(
    journal: TestJournal, caplog: pytest.LogCaptureFixture
) -> None:
    # By writing on SQLite: else two processes read first and then refuse each other's writes. On PostgreSQL the order
    # of locks would be lost.
    order_id = await a_started_order(journal)

    async def sent(work: Awaitable[Done]) -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
            await work
        return [str(record.args[0]) for record in caplog.records if isinstance(record.args, tuple)]

    placing = await sent(journal.place(a_new_order("B-1002"), MARKETPLACE, a_key("one")))
    offering = await sent(journal.perform(order_id, an_offer(), FREELANCER, a_key("two")))
    calling = await sent(journal.perform(order_id, a_call_for_support(), FREELANCER, a_key("three")))
    case = await SupportCaseRow.get(order_id=order_id)
    deciding = await sent(
        journal.perform(order_id, a_decision(case.id, SupportDecision.CONTINUE_ORDER), SUPPORT, a_key("four"))
    )
    assert placing[0].startswith('INSERT INTO "users"')
    if ON_POSTGRESQL:
        assert deciding[0].endswith("FOR NO KEY UPDATE")
        for statements in (offering, calling):
            assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT", "WITH"]
            assert not any("FOR" in statement for statement in statements[:2])
            assert re.search(r'UPDATE "orders" SET .* WHERE "id"=\$\d+ AND "version"=\$\d+ RETURNING', statements[2])
    else:
        for statements in (offering, calling, deciding):
            assert statements[0].startswith('UPDATE "orders"')
    # The log is the last lock: whatever is taken after it is held while all others wait. PostgreSQL takes it in the
    # statement that writes all; tests/models/test_at_once.py sees that nothing of it waits for anybody after that.
    for statements in (placing, offering, calling, deciding):
        counter = next(n for n, statement in enumerate(statements) if 'UPDATE "log"' in statement)
        assert counter == len(statements) - (1 if ON_POSTGRESQL else 2)
        tables = re.findall(r'(?:UPDATE|INTO) "(\w+)"', " ".join(statements[counter:]))
        assert tables[-2:] == ["log", "events"]
        assert all(statement.startswith(("SELECT", "UPDATE", "INSERT", "WITH")) for statement in statements)


@pytest.mark.parametrize("reading", ["seen", "of_request"] if ON_POSTGRESQL else ["of_request"])
async def test_a_command_on_a_request_finds_its_order_again_when_it_could_not_be_read(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    """Else it would be refused, as if there were no such request."""
    order_id = await a_started_order(journal)
    offered = await journal.perform(order_id, an_offer(), FREELANCER)
    real, failures = getattr(loading, reading), 2

    async def failing(*given: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionResetError
        return await real(*given)

    monkeypatch.setattr(loading, reading, failing)
    if ON_POSTGRESQL and reading == "of_request":
        monkeypatch.setattr(loading, "seen", failing)
    done = await journal.perform(None, c.WithdrawRequest(offered.subject_id), FREELANCER)
    assert (done.order_id, done.subject_id) == (order_id, offered.subject_id)
    assert (await kinds(order_id))[-1] is K.REQUEST_WITHDRAWN
    await assert_sound()


@sqlite_only
async def test_a_command_on_a_request_waits_for_whoever_writes(journal: TestJournal) -> None:
    """A transaction that has read may not wait for SQLite's lock, and would fail at once."""
    order_id = await a_started_order(journal)
    offered = await journal.perform(order_id, an_offer(), FREELANCER)
    path = journal.url.partition("://")[2].partition("?")[0]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(journal.perform(None, c.WithdrawRequest(offered.subject_id), FREELANCER))
        await asyncio.sleep(0.7)
        assert not waiting.done()
        other.execute("COMMIT")
        done = await waiting
    assert (done.order_id, done.subject_id) == (order_id, offered.subject_id)
    await assert_sound()


@pytest.mark.parametrize(
    "collision", [IntegrityError("a key that is there by now"), OperationalError("database is locked")]
)
async def test_a_collision_with_another_writer_is_tried_again(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, collision: Exception
) -> None:
    order_id = await a_placed_order(journal)
    rings, calls = journal.rings, _colliding(monkeypatch, collision, times=2)
    done = await journal.perform(order_id, c.SubmitRequirements(), CLIENT)
    assert (len(calls), journal.rings) == (3, rings + 1)
    assert done.case == await whole_case(order_id)
    await assert_sound()


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (IntegrityError("for ever"), 4),
        (OperationalError("database is locked"), 4),
        (OperationalError("no such table"), 1),
        (ValueError("a slip"), 1),
    ],
)
async def test_what_can_not_be_saved_is_raised_and_leaves_nothing(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, failure: Exception, tries: int
) -> None:
    order_id = await a_placed_order(journal)
    before, rings = await dump(), journal.rings
    with monkeypatch.context() as patched:
        calls = _colliding(patched, failure, times=9)
        with pytest.raises(type(failure)):
            await journal.perform(order_id, c.SubmitRequirements(), CLIENT, a_key())
    assert len(calls) == tries
    assert (await dump(), journal.rings) == (before, rings)
    assert isinstance(await outcome(journal.perform(order_id, c.SubmitRequirements(), CLIENT, a_key())), Done)


def _colliding(monkeypatch: pytest.MonkeyPatch, failure: Exception, *, times: int) -> list[int]:
    """Makes saving fail, the first so many times; the calls are counted in the answer. In a transaction it fails after
    it has saved, and a statement that is one by itself fails before."""
    calls: list[int] = []
    save = saving.save

    async def save_and_fail(db: BaseDBAsyncClient, *args: Any) -> Sequence[EventRow]:
        fails, events = len(calls) < times, []
        if isinstance(db, TransactionalDBClient) or not fails:
            events = await save(db, *args)
        calls.append(len(calls))
        if fails:
            raise failure
        return events

    monkeypatch.setattr(saving, "save", save_and_fail)
    return calls


# ---------------------------------------------------------------- callers that go away


async def test_a_caller_that_hangs_up_leaves_no_half_work_and_no_lock(journal: TestJournal) -> None:
    chance = Random(7)
    orders = [await a_started_order(journal, f"B-{number}") for number in range(5)]
    for _ in range(200):
        order_id = chance.choice(orders)
        journal.clock.later(timedelta(minutes=chance.randrange(90)))
        task = asyncio.create_task(journal.perform(order_id, *await a_move(chance, order_id)))
        await asyncio.sleep(chance.random() * 0.004)
        task.cancel()
        await asyncio.wait({task})
    async with asyncio.timeout(10):
        await journal.drain()
        await assert_sound()
        assert isinstance(await journal.place(a_new_order(), MARKETPLACE), Done)


async def test_a_command_whose_caller_hung_up_takes_effect(journal: TestJournal) -> None:
    order_id = await a_placed_order(journal)
    task = asyncio.create_task(journal.perform(order_id, c.SubmitRequirements(), CLIENT))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await journal.drain()
    assert await kinds(order_id) == [K.ORDER_PLACED, K.REQUIREMENTS_SUBMITTED]


# ---------------------------------------------------------------- whole plays


@pytest.mark.parametrize("seed", range(12))
async def test_rows_and_log_and_ledger_agree_after_a_play_by_chance(journal: TestJournal, seed: int) -> None:
    chance = Random(seed)
    order_id, orders, done, shown = await a_placed_order(journal), 1, 0, 0
    for _ in range(60):
        journal.clock.later(timedelta(hours=chance.choice((0, 0, 1, 5, 30))))
        came = await outcome(journal.perform(order_id, *await a_move(chance, order_id)))
        if isinstance(came, Done):
            done += 1
            shown += await _is_told_as_it_is(came)
        if (await OrderRow.get(id=order_id)).status.is_closed and chance.random() < 0.2:
            orders += 1
            order_id = await a_started_order(journal, f"B-{orders}")
    assert done > 10, "a play in which nothing happens tests nothing"
    assert shown > 4, "nor one in which nobody asks for anything"
    await assert_sound()


async def _is_told_as_it_is(done: Done) -> bool:
    """Whether what was done is a request's, whose row is told without being read."""
    assert done.case
    told, read = request_row(done.case, done.subject_id), await RequestRow.get_or_none(id=done.subject_id)
    assert (told and vars(told)) == (read and vars(read))
    return told is not None


async def test_money_that_was_held_is_with_the_freelancer_or_on_its_way_back(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal, amount="20.00 USD")
    assert await balances(order_id) == {"CLIENT": -10_000, "HELD": 8_000, "REFUND_DUE": 2_000}
    await journal.perform(order_id, c.DeliverOrder("Here it is."), FREELANCER)
    await journal.perform(order_id, c.AcceptDelivery(), CLIENT)
    assert await balances(order_id) == {"CLIENT": -10_000, "FREELANCER": 8_000, "REFUND_DUE": 2_000}
    case = await journal.perform(order_id, a_call_for_support(), CLIENT)
    await journal.perform(order_id, a_decision(case.subject_id, SupportDecision.REFUND_PARTIALLY, "5.00 USD"), SUPPORT)
    assert await balances(order_id) == {"CLIENT": -10_000, "FREELANCER": 7_500, "REFUND_DUE": 2_500}
    await assert_sound()


async def test_the_next_deadline_follows_requests_deliveries_and_support(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)

    async def next_deadline() -> object:
        return (await OrderRow.get(id=order_id)).next_deadline_at

    assert await next_deadline() is None
    plea = await journal.perform(order_id, a_plea_to_the_freelancer(), CLIENT)
    assert await next_deadline() == hour(24)
    journal.clock.at(30)
    await journal.perform(order_id, c.PassDeadlines(), None)
    assert await next_deadline() == hour(44)
    case = await journal.perform(order_id, a_call_for_support(), CLIENT)
    assert await next_deadline() is None
    journal.clock.at(40)
    await journal.perform(order_id, a_decision(case.subject_id, SupportDecision.CONTINUE_ORDER), SUPPORT)
    assert await next_deadline() == hour(54)
    await journal.perform(order_id, c.WithdrawRequest(plea.subject_id), CLIENT)
    assert await next_deadline() is None
    await journal.perform(order_id, c.DeliverOrder("Here it is."), FREELANCER)
    assert await next_deadline() == hour(40 + 48)
    await journal.perform(order_id, c.AcceptDelivery(), CLIENT)
    assert await next_deadline() is None
    await assert_sound()


async def test_a_next_deadline_of_another_policy_is_put_right_when_nothing_is_due(journal: TestJournal) -> None:
    order_id = await a_delivered_order(journal)
    await OrderRow.filter(id=order_id).update(next_deadline_at=START)
    await journal.perform(order_id, c.PassDeadlines(), None)
    assert (await OrderRow.get(id=order_id)).next_deadline_at == hour(48)
    await assert_sound(DEFAULT)


async def test_a_request_and_its_history_survive_the_journey_through_the_tables(journal: TestJournal) -> None:
    clock: HandClock = journal.clock
    order_id = await a_started_order(journal)
    offer = await journal.perform(order_id, an_offer("0.01 USD"), FREELANCER)
    clock.now = hour(1) + timedelta(microseconds=1)
    await journal.perform(order_id, c.DeclineRequest(offer.subject_id, "Keep it. 🎈"), CLIENT)
    request = (await whole_case(order_id)).requests[0]
    assert (request.status, request.settled_at, request.decline_message) == (
        RequestStatus.DECLINED,
        hour(1) + timedelta(microseconds=1),
        "Keep it. 🎈",
    )
    await assert_sound()
