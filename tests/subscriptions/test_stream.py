"""Streams at the joints: where the log ends and the live begins, where a reader falls behind, where rights end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from models import plain, reads
from models.event import EventRow
from models.reads import EventQueries
from rules import commands as c
from subscriptions import stream
from subscriptions import tail as tails
from subscriptions.tail import EVERYTHING, Inbox, Interest, Tail
from tests.database import (
    CLIENT,
    FREELANCER,
    SUPPORT,
    TestJournal,
    a_burst,
    a_database,
    a_placed_order,
    a_started_order,
)
from tests.waiting import NEVER, until
from tests.world import ADA, FARID


async def _caught_up(tail: Tail) -> None:
    head = await reads.log_position()
    tail.wake()
    await until(lambda: tail.position >= head)


@asynccontextmanager
async def _reading(
    tail: Tail, order_id: UUID, after: int, may_see: Callable[[EventRow], bool] = lambda _: True
) -> AsyncIterator[Callable[[int], "asyncio.Future[list[int]]"]]:
    """One order's stream: what it gives takes the next so many events, and says their sequences."""
    rows = stream.events(tail, Interest(order_id=order_id), reads.events_of_order(order_id), after, may_see)

    async def take(number: int) -> list[int]:
        return [(await anext(rows)).sequence for _ in range(number)]

    async with aclosing(rows), asyncio.timeout(20):
        yield lambda number: asyncio.ensure_future(take(number))


async def _asked_and_withdrawn(journal: TestJournal, order_id: UUID, times: int) -> None:
    for _ in range(times):
        asked = await journal.perform(order_id, c.RequestOrderUpdate("How is it?"), CLIENT)
        await journal.perform(order_id, c.WithdrawRequest(asked.subject_id), CLIENT)


# ---------------------------------------------------------------- from the log to the live


READERS: list[tuple[Interest, Callable[[], EventQueries]]] = [
    (EVERYTHING, lambda: reads.events_of_viewer(SUPPORT)),
    (Interest(user_id=ADA), lambda: reads.events_of_viewer(CLIENT)),
    (Interest(user_id=FARID), lambda: reads.events_of_viewer(FREELANCER)),
]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_who_leaves_and_comes_back_at_any_cursor_misses_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # So small that readers fall behind all the time, and that each joint is met many times.
    monkeypatch.setattr(tails, "INBOX", 6)
    monkeypatch.setattr(tails, "BATCH", 4)
    monkeypatch.setattr(stream, "PAGE", 3)
    chance = Random(seed)
    async with a_database(tmp_path) as journal:
        ids = [await a_started_order(journal, f"B-{number}") for number in range(3)]
        tail = Tail(0.02)
        async with tail.running(), asyncio.timeout(30):
            writing = asyncio.gather(*(_written(journal, tail, order_id, Random(seed)) for order_id in ids))
            reading = [
                asyncio.create_task(_read_rudely(tail, chance, writing, *reader))
                for reader in READERS
                for _ in range(2)
            ]
            await writing
            head = await reads.log_position()
            for seen in await asyncio.gather(*reading):
                assert seen == list(range(1, head + 1))
            assert tail.listening == 0


async def _written(journal: TestJournal, tail: Tail, order_id: UUID, chance: Random) -> None:
    for _ in range(25):
        await _asked_and_withdrawn(journal, order_id, 1)
        if chance.random() < 0.5:
            tail.wake()
        if chance.random() < 0.2:
            await asyncio.sleep(chance.random() / 50)


async def _read_rudely(
    tail: Tail,
    chance: Random,
    writing: "asyncio.Future[list[None]]",
    interest: Interest,
    in_log: Callable[[], EventQueries],
) -> list[int]:
    """The positions that a reader got, who drops out again and again and goes on at a place that it had passed."""
    seen: list[int] = []
    while True:
        seen = seen[: len(seen) - chance.randrange(4)] if seen else seen
        rows = stream.events(tail, interest, in_log(), seen[-1] if seen else 0, lambda _: True)
        stays = chance.randrange(1, 40)
        async with aclosing(rows):
            while stays or writing.done():
                if writing.done() and seen and seen[-1] == await reads.log_position():
                    return seen
                seen.append((await anext(rows)).position)
                stays -= 1
                if chance.random() < 0.1:
                    await asyncio.sleep(chance.random() / 50)


async def test_while_nobody_listens_only_the_logs_end_is_asked_for_and_that_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_database(tmp_path) as journal:
        tail = Tail(NEVER)
        order_id = await a_started_order(journal)
        async with tail.running(), asyncio.timeout(30):
            monkeypatch.setattr(plain, "rows", None)
            heads = 0
            log_position = reads.log_position

            async def counted() -> int:
                nonlocal heads
                heads += 1
                return await log_position()

            monkeypatch.setattr(reads, "log_position", counted)
            for _ in range(10):
                await a_burst(order_id, 1)
                tail.wake()
            await until(lambda: tail.position == 12)
            assert heads < 10
            assert tail.works


async def test_whoever_comes_while_the_logs_end_is_asked_for_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_database(tmp_path) as journal, AsyncExitStack() as stack:
        tail = Tail(NEVER)
        order_id = await a_started_order(journal)
        inboxes: list[Inbox] = []
        async with tail.running(), asyncio.timeout(30):
            log_position = reads.log_position

            async def slow() -> int:
                head = await log_position()
                if not inboxes:
                    inboxes.append(stack.enter_context(tail.inbox(EVERYTHING)))
                return head

            monkeypatch.setattr(reads, "log_position", slow)
            await a_burst(order_id, 3)
            tail.wake()
            await until(lambda: tail.position == 5)
            assert inboxes[0].since == 2
            assert [row.position for row in inboxes[0].take()] == [3, 4, 5]


async def test_whoever_comes_wakes_a_tail_that_naps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "NAP", NEVER)
    async with a_database(tmp_path) as journal:
        tail = Tail(NEVER)
        order_id = await a_started_order(journal)
        async with tail.running(), asyncio.timeout(30):
            await a_burst(order_id, 2)
            tail.wake()
            with tail.inbox(EVERYTHING) as inbox:
                await inbox.wait()
                await until(lambda: tail.position == 4)
                assert [row.position for row in inbox.take()] == [3, 4]


async def test_what_the_tail_has_yet_to_read_is_not_repeated_to_whoever_knows_it(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        tail = Tail(NEVER)
        async with tail.running():
            order_id = await a_started_order(journal)
            await _asked_and_withdrawn(journal, order_id, 2)
            head = await reads.log_position()
            assert tail.position == 0
            async with _reading(tail, order_id, head) as take:
                waiting = take(1)
                await until(lambda: tail.listening == 1)
                await asyncio.sleep(0.05)
                await _caught_up(tail)
                await asyncio.sleep(0.05)
                assert not waiting.done()
                await _asked_and_withdrawn(journal, order_id, 1)
                await _caught_up(tail)
                assert await waiting == [7]


async def test_what_the_tail_reads_while_a_reader_reads_the_log_comes_once(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        tail = Tail(NEVER)
        async with tail.running(), _reading(tail, order_id, 0) as take:
            assert await take(1) == [1]
            await _asked_and_withdrawn(journal, order_id, 2)
            await _caught_up(tail)
            assert await take(5) == [2, 3, 4, 5, 6]


# ---------------------------------------------------------------- who can't keep up


async def test_a_reader_that_falls_behind_goes_back_to_the_log_and_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "INBOX", 8)
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        tail = Tail(NEVER)
        async with tail.running():
            async with _reading(tail, order_id, 0) as take:
                seen = await take(2)
                # It has taken some, and holds them, while its inbox overflows, again and again.
                for written in (4, 40, 4, 40):
                    await a_burst(order_id, written)
                    await _caught_up(tail)
                    seen += await take(3)
                await a_burst(order_id, 3)
                await _caught_up(tail)
                seen += await take(2 + 91 - len(seen))
            assert seen == list(range(1, 94))
            assert tail.listening == 0


async def test_a_burst_throws_nobody_back_to_the_log_who_keeps_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = reads.events_between
    pages = 0

    async def counting(*given: object, **named: object) -> list[EventRow]:
        nonlocal pages
        pages += 1
        return await read(*given, **named)  # type: ignore[arg-type]  # whatever it is

    monkeypatch.setattr(reads, "events_between", counting)
    async with a_database(tmp_path) as journal:
        order_id = await a_placed_order(journal)
        tail = Tail(NEVER)
        async with tail.running(), _reading(tail, order_id, await reads.log_position()) as take:
            waiting = take(1_000)
            await until(lambda: tail.listening == 1)
            await asyncio.sleep(0.05)
            await a_burst(order_id, 1_000)
            tail.wake()
            assert await waiting == list(range(2, 1_002))
    assert pages == 0


async def test_an_inbox_never_holds_more_than_its_bound() -> None:
    inbox = Inbox(0)
    for position in range(1, 2_000):
        inbox.put(EventRow(position=position))
    assert inbox.overflowed
    assert inbox.take() == []


# ---------------------------------------------------------------- rights, and rings


async def test_rights_are_judged_again_for_every_event(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        allowed = True
        tail = Tail(NEVER)
        async with tail.running(), _reading(tail, order_id, 0, lambda _: allowed) as take:
            assert await take(2) == [1, 2]
            waiting = take(1)
            allowed = False
            await _asked_and_withdrawn(journal, order_id, 1)
            await _caught_up(tail)
            await asyncio.sleep(0.05)
            assert not waiting.done()
            allowed = True
            await _asked_and_withdrawn(journal, order_id, 1)
            await _caught_up(tail)
            assert await waiting == [5]


async def test_rights_are_judged_in_the_log_too(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        await _asked_and_withdrawn(journal, order_id, 2)
        tail = Tail(NEVER)
        async with tail.running(), _reading(tail, order_id, 0, lambda row: row.sequence % 2 == 0) as take:
            assert await take(3) == [2, 4, 6]


async def test_a_judgement_that_raises_ends_the_stream_and_frees_its_inbox(tmp_path: Path) -> None:
    def expired(_: EventRow) -> bool:
        raise PermissionError

    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        tail = Tail(NEVER)
        async with tail.running(), _reading(tail, order_id, 0, expired) as take:
            with pytest.raises(PermissionError):
                await take(1)
            assert tail.listening == 0


async def test_a_ring_that_is_lost_only_makes_a_stream_slower(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        tail = Tail(0.2)
        async with tail.running(), _reading(tail, order_id, await reads.log_position()) as take:
            waiting = take(1)
            await asyncio.sleep(0.05)
            # Nobody calls tail.wake(): the journal of this test rings nothing.
            await journal.perform(order_id, c.RequestOrderUpdate("How is it?"), CLIENT)
            assert await waiting == [3]
