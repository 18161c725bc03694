"""Streams at the joints: where the log ends and the live begins, where a reader falls behind, where rights end."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from uuid import UUID

import pytest

from models import reads
from models.event import EventRow
from rules import commands as c
from subscriptions import stream
from subscriptions import tail as tails
from subscriptions.tail import EVERYTHING, Inbox, Interest, Tail
from tests.database import CLIENT, TestJournal, a_database, a_started_order


async def _asked_and_withdrawn(journal: TestJournal, order_id: UUID, times: int) -> None:
    for _ in range(times):
        asked = await journal.perform(order_id, c.RequestOrderUpdate("How is it?"), CLIENT)
        await journal.perform(order_id, c.WithdrawRequest(asked.subject_id), CLIENT)


async def test_a_reader_that_falls_behind_goes_back_to_the_log_and_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "INBOX", 8)
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        tail = Tail(0.01)
        queries = reads.events_of_order(order_id)
        async with tail.running():
            rows = stream.events(tail, Interest(order_id=order_id), queries, 0, lambda _: True)
            async with aclosing(rows), asyncio.timeout(20):
                seen = [(await anext(rows)).sequence]
                await _asked_and_withdrawn(journal, order_id, 30)
                while tail.position < await reads.log_position():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                while len(seen) < 62:
                    seen.append((await anext(rows)).sequence)
            assert seen == list(range(1, 63))
            assert tail.listening == 0


async def test_an_inbox_never_holds_more_than_its_bound() -> None:
    inbox = Inbox(0)
    for position in range(1, 2_000):
        inbox.put(EventRow(position=position))
    assert inbox.overflowed
    assert inbox.take() == []


async def test_rights_are_judged_again_for_every_event(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        allowed = True
        tail = Tail(0.01)
        async with tail.running():
            rows = stream.events(tail, EVERYTHING, reads.events_of_order(order_id), 0, lambda _: allowed)
            async with aclosing(rows), asyncio.timeout(10):
                assert [(await anext(rows)).sequence for _ in range(2)] == [1, 2]
                waiting = asyncio.ensure_future(anext(rows))
                allowed = False
                await _asked_and_withdrawn(journal, order_id, 1)
                while tail.position < 4:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.05)
                assert not waiting.done()
                allowed = True
                await journal.perform(order_id, c.RequestOrderUpdate("How is it?"), CLIENT)
                assert (await waiting).sequence == 5


async def test_a_ring_that_is_lost_only_makes_a_stream_slower(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        tail = Tail(0.2)
        async with tail.running():
            rows = stream.events(
                tail, Interest(order_id=order_id), reads.events_of_order(order_id), None, lambda _: True
            )
            async with aclosing(rows), asyncio.timeout(5):
                waiting = asyncio.ensure_future(anext(rows))
                await asyncio.sleep(0.05)
                # Nobody calls tail.wake(): the journal of this test rings nothing.
                await journal.perform(order_id, c.RequestOrderUpdate("How is it?"), CLIENT)
                assert (await waiting).sequence == 3
