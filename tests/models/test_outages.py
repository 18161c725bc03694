"""A database that refuses for now, or goes away in the middle: done once, or not at all, and said in either case."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tortoise.backends.asyncpg.client import TransactionWrapper
from tortoise.backends.base.client import BaseDBAsyncClient

from models import EventRow, IdempotencyRow, LogRow, OrderRow, RequestRow, loading, saving
from models.database import connection, opened
from models.journal import Asked, Done, IdempotencyKey, Journal
from models.loading import whole_case
from models.outages import DatabaseAway, OutcomeUnknown, is_away
from rules import commands as c
from rules.vocabulary import OrderEventKind
from subscriptions.tail import EVERYTHING, Tail
from tests.database import (
    CLIENT,
    FREELANCER,
    MARKETPLACE,
    HandClock,
    TestJournal,
    a_closed_database,
    a_key,
    a_new_order,
    a_placed_order,
    a_started_order,
    assert_sound,
    dump,
    kinds,
)
from tests.outages import lost_at_once
from tests.servers import free_port
from tests.store import STORE, postgresql_only
from tests.waiting import NEVER, until
from tests.world import START, a_question, an_offer

K = OrderEventKind


def _always_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done at once, as it is the second time."""

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(Journal, "_at_once", nothing)


WAYS = pytest.mark.parametrize("way", [lambda _: None, _always_lock], ids=["at once", "with locks"])
"""How a person's command is done."""
OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
"""Ends every session with the database but the one that says so, in whatever it is."""


class Cutting(HandClock):
    """Ends the database's sessions when the rules ask for the time, in the middle of a transaction: so many times."""

    def __init__(self, journal: TestJournal, times: int) -> None:
        super().__init__(journal.clock.now)
        self._url = journal.url
        self.times = times

    def __call__(self) -> Any:
        if self.times:
            self.times -= 1
            assert STORE.query(self._url, OTHERS), "nobody was there to be cut off"
        return super().__call__()


# ---------------------------------------------------------------- what PostgreSQL refuses, and a second try heals


@postgresql_only
async def test_of_two_transactions_that_wait_for_each_other_both_are_done_once(journal: TestJournal) -> None:
    first, second = [await a_started_order(journal, reference) for reference in ("B-1", "B-2")]
    meeting = asyncio.Barrier(2)
    tries = {first: 0, second: 0}

    async def crossing(own: UUID, other: UUID) -> Done:
        async def work(db: BaseDBAsyncClient) -> Any:
            tries[own] += 1
            await OrderRow.filter(id=own).using_db(db).update(title="Locked")
            if tries[own] == 1:
                await meeting.wait()
            return await journal._perform(db, Asked(other, a_question(), CLIENT))

        return await journal._undisturbed(work, None)

    async with asyncio.timeout(30):
        done = await asyncio.gather(crossing(first, second), crossing(second, first))
    assert sorted(tries.values()) == [1, 2]
    assert [each.order_id for each in done] == [second, first]
    for order_id in (first, second):
        assert (await kinds(order_id)).count(K.REQUEST_OPENED) == 1
    assert [row.position for row in await EventRow.all().order_by("position")] == list(range(1, 7))


@postgresql_only
async def test_a_transaction_that_can_not_be_put_in_an_order_is_done_again(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    perform, tries = journal._perform, 0

    async def work(db: BaseDBAsyncClient) -> Any:
        nonlocal tries
        tries += 1
        await db.execute_query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        await db.execute_query("SELECT * FROM orders")
        if tries == 1:
            STORE.query(journal.url, "UPDATE orders SET version = version")
        return await perform(db, Asked(order_id, a_question(), CLIENT))

    await journal._undisturbed(work, None)
    assert tries == 2
    assert (await kinds(order_id)).count(K.REQUEST_OPENED) == 1
    await assert_sound()


# ---------------------------------------------------------------- a connection that is lost


@postgresql_only
@WAYS
async def test_a_connection_that_is_lost_before_the_commit_is_replaced_and_the_work_done_once(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, way: Any
) -> None:
    way(monkeypatch)
    order_id = await a_started_order(journal)
    journal.clock = clock = Cutting(journal, times=1)
    done = await journal.perform(order_id, an_offer(), FREELANCER)
    assert clock.times == 0
    assert done.case
    assert (await kinds(order_id)).count(K.REQUEST_OPENED) == 1
    await assert_sound()


@postgresql_only
async def test_a_connection_that_is_lost_again_and_again_is_told_and_nothing_is_changed(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    before, rings = await dump(), journal.rings
    journal.clock = Cutting(journal, times=100)
    with pytest.raises(DatabaseAway):
        await journal.perform(order_id, c.PassDeadlines(), None)
    assert await dump() == before
    assert journal.rings == rings
    # A statement that is a transaction by itself may have come there, for all that anybody knows.
    with pytest.raises(OutcomeUnknown):
        await journal.perform(order_id, an_offer(), FREELANCER, a_key())
    assert await dump() == before


@postgresql_only
async def test_a_pool_of_one_survives_connections_that_died_while_they_were_idle(tmp_path: Path) -> None:
    async with a_closed_database(tmp_path) as url, opened(url, pool_size=1):
        journal = TestJournal(url, HandClock())
        for number in range(3):
            # The loop stands still meanwhile, so nobody notices before the transaction begins.
            assert STORE.query(url, OTHERS) or not number
            async with asyncio.timeout(10):
                await a_placed_order(journal, f"B-{number}")
        assert await OrderRow.all().count() == 3


def _lost_after(done: Callable[[TransactionWrapper], Any], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first commit of a transaction of several statements loses its connection, after this was done of it."""
    _always_lock(monkeypatch)
    lost = False

    async def commit(transaction: TransactionWrapper) -> None:
        nonlocal lost
        if lost:
            await real(transaction)
            return
        lost = True
        await done(transaction)
        STORE.query(url, OTHERS)
        await transaction._connection.execute("SELECT 1")

    real = TransactionWrapper.commit
    monkeypatch.setattr(TransactionWrapper, "commit", commit)


async def _nothing(_: TransactionWrapper) -> None:
    """As if the server died before it heard of the commit."""


LOST = pytest.mark.parametrize(
    ("sent", "opened_by_then"), [(TransactionWrapper.commit, 1), (_nothing, 0)], ids=["done", "not done"]
)


@postgresql_only
@LOST
async def test_whether_a_commit_that_got_no_answer_was_done_is_not_known_and_nobody_does_it_again(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, sent: Any, opened_by_then: int
) -> None:
    order_id = await a_started_order(journal)
    _lost_after(sent, journal.url, monkeypatch)
    with pytest.raises(OutcomeUnknown):
        await journal.perform(order_id, an_offer(), FREELANCER)
    assert (await kinds(order_id)).count(K.REQUEST_OPENED) == opened_by_then
    await assert_sound()


@postgresql_only
@LOST
async def test_with_a_key_it_is_done_once_whatever_became_of_the_commit(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, sent: Any, opened_by_then: int
) -> None:
    order_id = await a_started_order(journal)
    _lost_after(sent, journal.url, monkeypatch)
    done = await journal.perform(order_id, an_offer(), FREELANCER, a_key())
    [opened_event] = await EventRow.filter(order_id=order_id, kind=K.REQUEST_OPENED)
    assert done.subject_id == opened_event.request_id
    assert (await journal.perform(order_id, an_offer(), FREELANCER, a_key())).subject_id == done.subject_id
    placed = await journal.place(a_new_order("B-2"), MARKETPLACE, a_key("two"))
    assert (await OrderRow.get(reference="B-2")).id == placed.order_id
    assert await IdempotencyRow.all().count() == 2
    await assert_sound()


@postgresql_only
@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("key", [None, a_key()], ids=["without a key", "with a key"])
async def test_what_was_sent_at_once_and_got_no_answer_is_done_once_and_told(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, is_done: bool, key: IdempotencyKey | None
) -> None:
    order_id = await a_started_order(journal)
    lost_at_once(monkeypatch, lambda: STORE.query(journal.url, OTHERS), is_done=is_done)
    done = await journal.perform(order_id, an_offer(), FREELANCER, key)
    [opened_event] = await EventRow.filter(order_id=order_id, kind=K.REQUEST_OPENED)
    assert done.subject_id == opened_event.request_id
    assert done.case == await whole_case(order_id)
    withdrawn = await journal.perform(None, c.WithdrawRequest(done.subject_id), FREELANCER)
    assert (withdrawn.order_id, withdrawn.subject_id) == (order_id, done.subject_id)
    await assert_sound()


@postgresql_only
@pytest.mark.parametrize("is_done", [True, False])
async def test_what_got_no_answer_is_told_from_what_another_did_meanwhile(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    order_id = await a_started_order(journal)
    lost_at_once(
        monkeypatch,
        lambda: STORE.query(journal.url, OTHERS),
        is_done=is_done,
        then=lambda: Journal.perform(journal, order_id, a_question("Which font?"), CLIENT),
    )
    done = await journal.perform(order_id, an_offer(), FREELANCER)
    opened_events = await EventRow.filter(order_id=order_id, kind=K.REQUEST_OPENED).order_by("sequence")
    assert len(opened_events) == 2
    assert [event.request_id for event in opened_events].index(done.subject_id) == (0 if is_done else 1)
    await assert_sound()


@postgresql_only
@pytest.mark.parametrize("is_done", [True, False])
async def test_a_deadline_that_another_passed_meanwhile_is_not_taken_for_what_got_no_answer(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    """Its effect is the same event, whoever writes it."""
    order_id = await a_started_order(journal)
    await journal.perform(order_id, a_question(), CLIENT)
    journal.clock = HandClock(START + timedelta(hours=25))
    lost_at_once(
        monkeypatch,
        lambda: STORE.query(journal.url, OTHERS),
        is_done=is_done,
        then=lambda: Journal.perform(journal, order_id, c.PassDeadlines(), None),
    )
    done = await journal.perform(order_id, an_offer(), FREELANCER)
    assert done.case == await whole_case(order_id)
    assert await RequestRow.filter(id=done.subject_id).count() == 1
    assert (await kinds(order_id))[-3:] == [K.REQUEST_OPENED, K.DEADLINE_NEAR, K.REQUEST_OPENED]
    await assert_sound()


@postgresql_only
async def test_what_could_not_be_sent_is_surely_not_done(journal: TestJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id = await a_started_order(journal)
    before = await dump()

    async def nobody(*_: object) -> None:
        raise DatabaseAway

    monkeypatch.setattr(saving, "save", nobody)
    with pytest.raises(DatabaseAway):
        await journal.perform(order_id, an_offer(), FREELANCER)
    assert await dump() == before


@postgresql_only
async def test_what_got_no_answer_and_is_refused_by_now_is_not_known(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since the order has not changed, what was sent may be done yet."""
    order_id = await a_started_order(journal)
    before = await dump()

    async def forbidden() -> None:
        journal.policy = replace(journal.policy, minimum_refund={"USD": 10**9})

    lost_at_once(monkeypatch, lambda: STORE.query(journal.url, OTHERS), is_done=False, then=forbidden)
    with pytest.raises(OutcomeUnknown):
        await journal.perform(order_id, an_offer(), FREELANCER)
    assert await dump() == before


@postgresql_only
async def test_what_got_no_answer_where_nobody_can_be_reached_after_that_is_not_known(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await a_started_order(journal)

    async def away() -> None:
        async def nobody(*_: object) -> None:
            raise DatabaseAway

        monkeypatch.setattr(loading, "locked", nobody)

    lost_at_once(monkeypatch, lambda: STORE.query(journal.url, OTHERS), is_done=True, then=away)
    with pytest.raises(OutcomeUnknown):
        await journal.perform(order_id, an_offer(), FREELANCER)


@postgresql_only
@WAYS
async def test_a_session_that_dies_within_its_commit_has_done_nothing_and_says_that_it_does_not_know(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, way: Any
) -> None:
    way(monkeypatch)
    order_id = await a_started_order(journal)
    STORE.query(
        journal.url,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(9); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION die()",
    )
    before = await dump()
    with pytest.raises(OutcomeUnknown):
        await journal.perform(order_id, an_offer(), FREELANCER)
    assert await dump() == before
    monkeypatch.undo()
    STORE.query(journal.url, "DROP TRIGGER dies ON events", "DROP FUNCTION die()")


@postgresql_only
async def test_a_server_that_is_not_there_is_told_as_away() -> None:
    url = f"asyncpg://postgres@127.0.0.1:{free_port()}/nothing"
    async with opened(url):
        with pytest.raises(DatabaseAway):
            await Journal.place(TestJournal(url, HandClock()), a_new_order(), MARKETPLACE)
        with pytest.raises(DatabaseAway) as away:
            assert await LogRow.exists()
    assert is_away(away.value)


def test_what_is_wrong_with_the_work_is_no_outage() -> None:
    class InterfaceError(Exception):
        """Named like the driver's."""

    assert not is_away(InterfaceError("another operation is in progress"))
    assert not any(
        is_away(error) for error in (OSError("full"), RuntimeError("closed"), TimeoutError(), KeyError("08"))
    )


# ---------------------------------------------------------------- transactions that end in another order


@postgresql_only
async def test_of_two_open_transactions_that_commit_in_reverse_order_the_tail_loses_neither(
    journal: TestJournal,
) -> None:
    older, younger = [await a_started_order(journal, reference) for reference in ("B-1", "B-2")]
    begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def late(db: BaseDBAsyncClient) -> Any:
        await OrderRow.filter(id=older).using_db(db).update(version=2)
        begun.set()
        await may_go_on.wait()
        return await journal._perform(db, Asked(older, a_question(), CLIENT))

    tail = Tail(NEVER)
    async with tail.running(), asyncio.timeout(30):
        with tail.inbox(EVERYTHING) as inbox:
            writing = asyncio.create_task(journal._undisturbed(late, None))
            await begun.wait()
            await journal.perform(younger, a_question(), CLIENT)
            tail.wake()
            await until(lambda: tail.position == 5)
            may_go_on.set()
            await writing
            tail.wake()
            await until(lambda: tail.position == 6)
            assert [(row.position, row.order_id) for row in inbox.take()] == [(5, younger), (6, older)]


async def test_whoever_has_a_position_commits_before_the_next_one_is_given(journal: TestJournal) -> None:
    first, second = [await a_started_order(journal, reference) for reference in ("B-1", "B-2")]
    placed, may_commit = asyncio.Event(), asyncio.Event()

    async def holding(db: BaseDBAsyncClient) -> Any:
        outcome = await journal._perform(db, Asked(first, a_question(), CLIENT))
        placed.set()
        await may_commit.wait()
        return outcome

    tail = Tail(NEVER)
    async with tail.running(), asyncio.timeout(30):
        with tail.inbox(EVERYTHING) as inbox:
            one = asyncio.create_task(journal._undisturbed(holding, None))
            await placed.wait()
            other = asyncio.create_task(journal.perform(second, a_question(), CLIENT))
            assert not (await asyncio.wait([other], timeout=0.3))[0]
            may_commit.set()
            await asyncio.gather(one, other)
            tail.wake()
            await until(lambda: tail.position == 6)
            assert [(row.position, row.order_id) for row in inbox.take()] == [(5, first), (6, second)]


# ---------------------------------------------------------------- instants


@postgresql_only
async def test_instants_that_a_session_in_another_zone_wrote_come_back_equal_and_aware(tmp_path: Path) -> None:
    async with a_closed_database(tmp_path) as url:
        assert STORE.query(url, "SHOW timezone") == [("Asia/Kathmandu",)]
        async with opened(url, pool_size=1):
            journal = TestJournal(url, HandClock(START + timedelta(microseconds=123_456)))
            assert (await connection().execute_query_dict("SHOW timezone"))[0]["TimeZone"] == "UTC"
            order_id = await _started_in(journal, "America/New_York")
            row = await OrderRow.get(id=order_id)
            assert row.created_at == journal.clock.now
            assert row.created_at.utcoffset() == timedelta(0)
            assert await OrderRow.filter(created_at=journal.clock.now).count() == 1
            await assert_sound()
        [(created_at,)] = STORE.query(url, "SELECT created_at FROM orders")
        assert created_at == journal.clock.now


async def _started_in(journal: TestJournal, zone: str) -> UUID:
    """An order that a session wrote which is in that zone."""

    async def work(db: BaseDBAsyncClient) -> Any:
        await db.execute_query(f"SET LOCAL TIME ZONE '{zone}'")
        return await journal._place(db, a_new_order(), MARKETPLACE, None)

    return (await journal._undisturbed(work, None)).order_id
