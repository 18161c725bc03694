"""The tail: reads the log once for all, tells whom it concerns, and survives whatever happens to the database."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest

from models import reads
from models.event import EventRow
from models.journal import PlaceOrder
from rules import commands as c
from subscriptions.tail import EVERYTHING, Inbox, Interest, Tail
from tests.database import (
    CLIENT,
    FREELANCER,
    MARKETPLACE,
    TestJournal,
    a_burst,
    a_database,
    a_placed_order,
    a_started_order,
)
from tests.sent import noted
from tests.waiting import NEVER, until
from tests.world import ADA, BAZAAR, BELA, FARID, GITA, SOL, an_offer, asked


def _positions(inbox: Inbox) -> list[int]:
    return [row.position for row in inbox.take()]


async def test_a_tail_begins_where_the_log_ends_and_reads_when_it_is_woken(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        tail = Tail(NEVER)
        async with tail.running():
            with tail.inbox(EVERYTHING) as inbox:
                assert (tail.position, inbox.since) == (2, 2)
                await journal.perform(order_id, c.RequestOrderUpdate("How is it?"), CLIENT)
                await asyncio.sleep(0.05)
                assert tail.position == 2
                tail.wake()
                await inbox.wait()
                assert _positions(inbox) == [3]


async def test_a_tail_that_nobody_wakes_polls(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        tail = Tail(0.05)
        async with tail.running():
            await a_placed_order(journal)
            await until(lambda: tail.position == 1)


async def test_an_event_comes_to_its_order_its_people_and_whoever_hears_everything(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        other_id = await a_placed_order(journal, "OTHER")
        tail = Tail(NEVER)
        async with tail.running():
            people = {name: Interest(user_id=name) for name in (ADA, BELA, FARID, GITA, SOL, BAZAAR)}
            with ExitStack() as stack:
                everything = stack.enter_context(tail.inbox(EVERYTHING))
                other = stack.enter_context(tail.inbox(Interest(order_id=other_id)))
                theirs: dict[UUID, Inbox] = {
                    name: stack.enter_context(tail.inbox(interest)) for name, interest in people.items()
                }
                order = PlaceOrder("B-1", "A logo", asked("10.00 USD"), "bela", "gita", 3)
                order_id = (await journal.place(order, MARKETPLACE)).order_id
                own = stack.enter_context(tail.inbox(Interest(order_id=order_id)))
                assert tail.listening == 9
                tail.wake()
                await own.wait()
                assert [_positions(inbox) for inbox in (own, everything, other)] == [[2], [2], []]
                heard = {name for name, inbox in theirs.items() if _positions(inbox) == [2]}
                assert heard == {BELA, GITA, BAZAAR}
            assert tail.listening == 0


async def test_the_log_is_read_once_however_many_listen(tmp_path: Path) -> None:
    read: list[str] = []
    async with a_database(tmp_path) as journal:
        order_id = await a_placed_order(journal)
        tail = Tail(NEVER)
        async with tail.running():
            with ExitStack() as stack:
                inboxes = [stack.enter_context(tail.inbox(Interest(order_id=order_id))) for _ in range(200)]
                await a_burst(order_id, 50)
                with noted(read.append):
                    tail.wake()
                    await inboxes[-1].wait()
                assert all(_positions(inbox) == list(range(2, 52)) for inbox in inboxes)
    assert len([sql for sql in read if '"events"' in sql]) == 1


def _events(*positions: int) -> list[EventRow]:
    """Made up, for nobody in particular."""
    people = {"client_id": ADA, "freelancer_id": FARID}
    return [EventRow(position=position, sequence=position, order_id=BELA, **people) for position in positions]


async def test_the_next_events_are_handed_on_as_they_are_heard(tmp_path: Path) -> None:
    read: list[str] = []
    async with a_database(tmp_path) as journal:
        await a_placed_order(journal)
        tail = Tail(NEVER)
        async with tail.running():
            with tail.inbox(EVERYTHING) as inbox, noted(read.append):
                tail.hear(_events(2, 3))
                tail.hear(_events(4))
                await asyncio.sleep(0.05)
                assert _positions(inbox) == [2, 3, 4]
                assert tail.position == 4
    assert not [sql for sql in read if '"events"' in sql]


async def test_events_behind_a_gap_are_read_from_the_log(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        tail = Tail(NEVER)
        async with tail.running():
            with tail.inbox(EVERYTHING) as inbox:
                await a_burst(order_id, 3)
                tail.hear(_events(5))
                await inbox.wait()
                assert _positions(inbox) == [3, 4, 5]
                # Heard of late, and all read by now.
                tail.hear(_events(4))
                tail.hear([])
                await asyncio.sleep(0.05)
                assert _positions(inbox) == []


async def test_what_is_heard_while_the_log_is_read_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        tail = Tail(NEVER)
        read_already, go_on, events_after = asyncio.Event(), asyncio.Event(), reads.events_after

        async def slowly(position: int, limit: int) -> list[EventRow]:
            rows = await events_after(position, limit)
            read_already.set()
            await go_on.wait()
            return rows

        async with tail.running():
            with tail.inbox(EVERYTHING) as inbox:
                monkeypatch.setattr(reads, "events_after", slowly)
                await a_burst(order_id, 3)
                tail.wake()
                await read_already.wait()
                tail.hear(_events(3))
                tail.hear(_events(4))
                go_on.set()
                await until(lambda: tail.position == 5)
                assert _positions(inbox) == [3, 4, 5]


async def test_a_tail_that_hears_some_and_reads_the_others_misses_none(tmp_path: Path) -> None:
    """Two processes write, of which this one is told of its own, at once and in whatever order they come back."""
    async with a_database(tmp_path) as own:
        other = TestJournal(own.url, own.clock)
        orders = [await a_started_order(own, f"O-{number}") for number in range(8)]
        tail = Tail(NEVER)
        own._ring, other._ring = tail.hear, lambda _: tail.wake()
        begun = (await reads.log_position()) + 1
        async with tail.running():
            with tail.inbox(EVERYTHING) as inbox:

                async def write(journal: TestJournal, order_id: UUID) -> None:
                    for _ in range(3):
                        offered = await journal.perform(order_id, an_offer(), FREELANCER)
                        await journal.perform(None, c.WithdrawRequest(offered.subject_id), FREELANCER)

                await asyncio.gather(
                    *(write(own if number % 2 else other, order_id) for number, order_id in enumerate(orders))
                )
                await until(lambda: tail.position >= begun + 47)
                assert _positions(inbox) == list(range(begun, begun + 48))


async def test_a_tail_that_can_not_read_says_so_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(*_: object) -> list[EventRow]:
        raise ZeroDivisionError

    async with a_database(tmp_path) as journal:
        tail = Tail(0.02)
        async with tail.running():
            with tail.inbox(EVERYTHING) as inbox:
                with monkeypatch.context() as patch:
                    patch.setattr(reads, "events_after", unreadable)
                    await a_placed_order(journal, "A")
                    await until(lambda: not tail.works)
                    await a_placed_order(journal, "B")
                await until(lambda: tail.works)
                await inbox.wait()
                assert _positions(inbox) == [1, 2]


async def test_an_inbox_that_overflowed_takes_nothing_more_until_it_begins_anew() -> None:
    inbox = Inbox(0)
    position = 0
    while not inbox.overflowed:
        position += 1
        inbox.put(EventRow(position=position))
    inbox.put(EventRow(position=position + 1))
    assert _positions(inbox) == []
    inbox.restart(position + 1)
    inbox.put(EventRow(position=position + 2))
    assert (inbox.since, _positions(inbox)) == (position + 1, [position + 2])
