"""Commands at the same moment, in one process and in two: one wins, and the other is told what fits."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models import EventRow, IdempotencyRow, LogRow, OrderRow, UserRow, loading
from models.database import in_transaction
from models.journal import Done, IdempotencyKey, Journal
from models.loading import whole_case
from models.outages import heals
from models.statements import Values, Writing
from rules import commands as c
from rules.visibility import Viewer
from rules.vocabulary import OrderEventKind, RefusalCode
from tests.chance import a_move
from tests.database import (
    CLIENT,
    FREELANCER,
    MARKETPLACE,
    TestJournal,
    a_delivered_order,
    a_key,
    a_new_order,
    a_placed_order,
    a_started_order,
    assert_sound,
    kinds,
    outcome,
)
from tests.processes import Process, processes
from tests.remote import DONE, burst, perform, place, word
from tests.store import STORE, postgresql_only
from tests.waiting import until
from tests.world import START, a_call_for_support, a_plea_to_the_client, a_plea_to_the_freelancer, a_question, an_offer

K, R = OrderEventKind, RefusalCode
ROUNDS = 6
"""How often each race is run between two processes."""


# ---------------------------------------------------------------- the races


Move = tuple[c.CaseCommand, Viewer | None, OrderEventKind]
"""A command, by whom, and the event that it leaves when it wins."""


@dataclass(frozen=True)
class Race:
    """Two moves on one order, and what the loser may be told."""

    moves: tuple[Move, Move]
    refusals: set[RefusalCode]


async def _with_an_offer(journal: Journal, reference: str) -> tuple[UUID, UUID]:
    order_id = await a_started_order(journal, reference)
    return order_id, (await journal.perform(order_id, an_offer(), FREELANCER)).subject_id


async def accept_and_withdraw(journal: Journal, reference: str) -> tuple[UUID, Race]:
    order_id, offer = await _with_an_offer(journal, reference)
    accept: Move = (c.AcceptRequest(offer), CLIENT, K.REQUEST_ACCEPTED)
    return order_id, Race((accept, (c.WithdrawRequest(offer), FREELANCER, K.REQUEST_WITHDRAWN)), {R.REQUEST_SETTLED})


async def accept_and_decline(journal: Journal, reference: str) -> tuple[UUID, Race]:
    order_id, offer = await _with_an_offer(journal, reference)
    accept: Move = (c.AcceptRequest(offer), CLIENT, K.REQUEST_ACCEPTED)
    return order_id, Race((accept, (c.DeclineRequest(offer), CLIENT, K.REQUEST_DECLINED)), {R.REQUEST_SETTLED})


async def two_accepts(journal: Journal, reference: str) -> tuple[UUID, Race]:
    order_id, offer = await _with_an_offer(journal, reference)
    accept: Move = (c.AcceptRequest(offer), CLIENT, K.REQUEST_ACCEPTED)
    return order_id, Race((accept, accept), {R.REQUEST_SETTLED})


async def two_offers(journal: Journal, reference: str) -> tuple[UUID, Race]:
    order_id = await a_started_order(journal, reference)
    moves = tuple((an_offer(amount), FREELANCER, K.REQUEST_OPENED) for amount in ("20.00 USD", "30.00 USD"))
    return order_id, Race((moves[0], moves[1]), {R.REQUEST_PENDING})


async def two_pleas_to_cancel(journal: Journal, reference: str) -> tuple[UUID, Race]:
    order_id = await a_started_order(journal, reference)
    pleas: tuple[Move, Move] = (
        (a_plea_to_the_client(), FREELANCER, K.REQUEST_OPENED),
        (a_plea_to_the_freelancer(), CLIENT, K.REQUEST_OPENED),
    )
    return order_id, Race(pleas, {R.REQUEST_PENDING})


async def accept_delivery_and_revise(journal: Journal, reference: str) -> tuple[UUID, Race]:
    order_id = await a_delivered_order(journal, reference)
    accept: Move = (c.AcceptDelivery(), CLIENT, K.ORDER_COMPLETED)
    revise: Move = (c.RequestRevision("Warmer, please."), CLIENT, K.REVISION_REQUESTED)
    return order_id, Race((accept, revise), {R.ORDER_CLOSED, R.ORDER_STATUS})


async def accept_two_things_that_exclude_each_other(journal: Journal, reference: str) -> tuple[UUID, Race]:
    order_id, offer = await _with_an_offer(journal, reference)
    plea = await journal.perform(order_id, a_plea_to_the_freelancer(), CLIENT)
    decline: Move = (c.DeclineRequest(offer), CLIENT, K.REQUEST_DECLINED)
    cancel: Move = (c.AcceptRequest(plea.subject_id), FREELANCER, K.REQUEST_ACCEPTED)
    # The decline may come first and both be done; the other way round the offer is superseded.
    return order_id, Race((decline, cancel), {R.REQUEST_SETTLED})


async def two_calls_for_support(journal: Journal, reference: str) -> tuple[UUID, Race]:
    order_id = await a_started_order(journal, reference)
    calls: tuple[Move, Move] = (
        (a_call_for_support(), CLIENT, K.SUPPORT_CONTACTED),
        (a_call_for_support(), FREELANCER, K.SUPPORT_CONTACTED),
    )
    return order_id, Race(calls, {R.SUPPORT_CASE_OPEN})


Setting = Callable[[Journal, str], Awaitable[tuple[UUID, Race]]]
RACES: list[Setting] = [
    accept_and_withdraw,
    accept_and_decline,
    two_accepts,
    two_offers,
    two_pleas_to_cancel,
    accept_delivery_and_revise,
    two_calls_for_support,
]


async def assert_one_won(
    order_id: UUID, race: Race, before: list[OrderEventKind], words: list[str | tuple[RefusalCode, ...]]
) -> None:
    """One is done and stands in the log; the other was refused with what fits, and left no trace."""
    assert words.count(DONE) == 1, words
    (refused,) = (told for told in words if told != DONE)
    assert set(refused) <= race.refusals, refused
    winner = race.moves[words.index(DONE)]
    after = (await kinds(order_id))[len(before) :]
    assert after[0] is winner[2]
    assert len([kind for kind in after if kind in {move[2] for move in race.moves}]) == 1


@pytest.mark.parametrize("setting", RACES)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
async def test_of_two_tasks_one_wins(journal: TestJournal, setting: Setting, turned: bool) -> None:
    order_id, race = await setting(journal, "B-1001")
    if turned:
        race = replace(race, moves=(race.moves[1], race.moves[0]))
    before = await kinds(order_id)
    outcomes = await asyncio.gather(*(outcome(journal.perform(order_id, move[0], move[1])) for move in race.moves))
    await assert_one_won(order_id, race, before, [word(result) for result in outcomes])
    await assert_sound()


@pytest.fixture
async def pair(journal: TestJournal) -> AsyncIterator[list[Process]]:
    async with processes(journal, 2) as two:
        yield two


async def both(pair: list[Process], first: tuple[object, ...], second: tuple[object, ...]) -> list[Any]:
    """What two processes answer to one function each, at the same instant: (function, argument, …)."""
    at = time.time() + 0.02
    for process, (function, *arguments) in zip(pair, (first, second), strict=True):
        process.begin(function, at, *arguments)  # type: ignore[arg-type]
    return [await process.answer() for process in pair]


async def test_of_two_processes_one_wins(journal: TestJournal, pair: list[Process]) -> None:
    chance = Random(3)
    for setting in RACES:
        for number in range(ROUNDS):
            order_id, race = await setting(journal, f"{setting.__name__}-{number}")
            if chance.random() < 0.5:
                race = replace(race, moves=(race.moves[1], race.moves[0]))
            before = await kinds(order_id)
            first, second = race.moves
            words = await both(pair, (perform, order_id, *first[:2]), (perform, order_id, *second[:2]))
            await assert_one_won(order_id, race, before, words)
    await assert_sound()


async def test_declining_and_cancelling_at_once_never_leave_an_offer_pending(
    journal: TestJournal, pair: list[Process]
) -> None:
    for number in range(ROUNDS):
        order_id, race = await accept_two_things_that_exclude_each_other(journal, f"B-{number}")
        first, second = race.moves
        declined, cancelled = await both(pair, (perform, order_id, *first[:2]), (perform, order_id, *second[:2]))
        assert cancelled == DONE
        settled = K.REQUEST_DECLINED if declined == DONE else K.REQUEST_SUPERSEDED
        assert declined in (DONE, (R.REQUEST_SETTLED,))
        assert (await kinds(order_id)).count(settled) == 1
    await assert_sound()


# ---------------------------------------------------------------- a change between reading and writing


def _then(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Awaitable[Any]]) -> None:
    """Whoever reads an order to change it at once is overtaken by this, once."""
    seen, is_first = loading.seen, True

    async def overtaken(*given: Any) -> Any:
        nonlocal is_first
        found, was_first, is_first = await seen(*given), is_first, False
        if was_first:
            await work()
        return found

    monkeypatch.setattr(loading, "seen", overtaken)


@postgresql_only
async def test_whoever_is_overtaken_by_another_change_comes_after_it(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await a_started_order(journal)
    _then(monkeypatch, lambda: journal.perform(order_id, a_question(), CLIENT, a_key("theirs")))
    done = await journal.perform(order_id, an_offer(), FREELANCER, a_key("mine"))
    assert done.case == await whole_case(order_id)
    assert (await kinds(order_id))[-2:] == [K.REQUEST_OPENED, K.REQUEST_OPENED]
    assert await IdempotencyRow.all().count() == 2
    await assert_sound()


@postgresql_only
@pytest.mark.parametrize(
    ("theirs", "by"), [(c.AcceptRequest, CLIENT), (c.WithdrawRequest, FREELANCER)], ids=["accepted", "the same"]
)
async def test_whoever_is_overtaken_by_what_settles_the_request_is_refused(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch, theirs: Callable[[UUID], c.CaseCommand], by: Viewer
) -> None:
    order_id, offer = await _with_an_offer(journal, "B-1")
    _then(monkeypatch, lambda: journal.perform(None, theirs(offer), by))
    assert await outcome(journal.perform(None, c.WithdrawRequest(offer), FREELANCER)) == (R.REQUEST_SETTLED,)
    assert (await kinds(order_id)).count(K.REQUEST_WITHDRAWN) == (1 if by is FREELANCER else 0)
    await assert_sound()


@postgresql_only
async def test_whoever_is_overtaken_by_himself_has_done_it_once_under_his_key(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await a_started_order(journal)
    _then(monkeypatch, lambda: journal.perform(order_id, an_offer(), FREELANCER, a_key()))
    await journal.perform(order_id, an_offer(), FREELANCER, a_key())
    assert (await kinds(order_id)).count(K.REQUEST_OPENED) == 1
    await assert_sound()


# ---------------------------------------------------------------- against the clock


async def test_at_the_instant_of_the_deadline_silence_wins(journal: TestJournal) -> None:
    order_id, offer = await _with_an_offer(journal, "B-1001")
    journal.clock.at(48)
    accepted, swept = await asyncio.gather(
        outcome(journal.perform(order_id, c.AcceptRequest(offer), CLIENT)),
        outcome(journal.perform(order_id, c.PassDeadlines(), None)),
    )
    assert accepted == (R.DEADLINE_PASSED,)
    assert isinstance(swept, Done)
    assert (await kinds(order_id)).count(K.REQUEST_EXPIRED) == 1
    await assert_sound()


async def test_at_the_instant_of_the_deadline_silence_wins_in_any_process(journal: TestJournal) -> None:
    orders = [await _with_an_offer(journal, f"B-{number}") for number in range(ROUNDS)]
    journal.clock.at(48)
    async with processes(journal, 2) as pair:
        for order_id, offer in orders:
            accept, sweep = (
                (perform, order_id, c.AcceptRequest(offer), CLIENT),
                (perform, order_id, c.PassDeadlines(), None),
            )
            assert await both(pair, accept, sweep) == [(R.DEADLINE_PASSED,), DONE]
            assert (await kinds(order_id)).count(K.REQUEST_EXPIRED) == 1
    await assert_sound()


# ---------------------------------------------------------------- placing, and keys


async def test_of_two_orders_with_one_reference_one_is_placed(journal: TestJournal, pair: list[Process]) -> None:
    tasks = [outcome(journal.place(a_new_order("in tasks"), MARKETPLACE)) for _ in range(3)]
    assert sorted(map(str, map(word, await asyncio.gather(*tasks)))) == sorted(
        map(str, [DONE, (R.REFERENCE_TAKEN,), (R.REFERENCE_TAKEN,)])
    )
    for number in range(ROUNDS):
        # New people too: both make them, and one of each is there afterwards.
        order = replace(a_new_order(f"B-{number}"), client_subject=f"client {number}", freelancer_subject=f"f {number}")
        words = [told for told, _ in await both(pair, (place, order), (place, order))]
        assert sorted(map(str, words)) == sorted(map(str, [DONE, (R.REFERENCE_TAKEN,)]))
        assert await UserRow.filter(subject=f"client {number}").count() == 1
    assert await OrderRow.all().count() == ROUNDS + 1
    await assert_sound()


async def test_a_key_twice_at_once_does_it_once(journal: TestJournal, pair: list[Process]) -> None:
    order_id = await a_started_order(journal)
    first, second = await asyncio.gather(
        *(journal.perform(order_id, an_offer(), FREELANCER, a_key()) for _ in range(2)),
    )
    assert first.subject_id == second.subject_id
    placed = await asyncio.gather(*(journal.place(a_new_order("B-2"), MARKETPLACE, a_key("two")) for _ in range(3)))
    assert len({done.order_id for done in placed}) == 1
    for number in range(ROUNDS):
        order_id = await a_started_order(journal, f"A-{number}")
        command = (perform, order_id, an_offer(), FREELANCER, a_key(f"offer {number}"))
        assert await both(pair, command, command) == [DONE, DONE]
        assert (await kinds(order_id)).count(K.REQUEST_OPENED) == 1
        order = (place, a_new_order(f"C-{number}"), a_key(f"place {number}"))
        one, other = await both(pair, order, order)
        assert one == other
        assert one[0] == DONE
    assert await IdempotencyRow.all().count() == 2 + 2 * ROUNDS
    await assert_sound()


async def test_a_key_for_two_things_at_once_is_good_for_one_of_them(journal: TestJournal, pair: list[Process]) -> None:
    for number in range(ROUNDS):
        # On two orders, so that no lock of an order keeps them apart.
        orders = [await a_started_order(journal, f"{side}-{number}") for side in ("A", "B")]
        keys = [IdempotencyKey(f"key {number}", digit * 64) for digit in "01"]
        first, second = ((perform, orders[side], an_offer(), FREELANCER, keys[side]) for side in (0, 1))
        words = await both(pair, first, second)
        assert sorted(map(str, words)) == sorted(map(str, [DONE, (R.IDEMPOTENCY_KEY_REUSED,)]))
        opened = [(await kinds(order_id)).count(K.REQUEST_OPENED) for order_id in orders]
        assert sorted(opened) == [0, 1]
    await assert_sound()


# ---------------------------------------------------------------- who waits for whom


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
"""How many sessions wait for another."""


@asynccontextmanager
async def _written_by_another(kind: type[Model], row: Values) -> AsyncIterator[None]:
    """A transaction has written this row, and ends when the block does."""
    written, may_end = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with in_transaction() as db:
            writing = Writing(db)
            writing.insert(kind, row)
            await writing.write()
            written.set()
            await may_end.wait()

    holding = asyncio.create_task(hold())
    await written.wait()
    try:
        yield
    finally:
        may_end.set()
        await holding


def _a_used_key(by: Viewer) -> Values:
    given = {"id": uuid7(), "user_id": by.user_id, "key": a_key().key, "subject_id": uuid7()}
    return given | {"fingerprint": "0" * 64, "created_at": START}


def _an_offer_with_a_key(journal: Journal, order_id: UUID) -> Awaitable[Done]:
    return journal.perform(order_id, an_offer(note="Between us."), FREELANCER, a_key())


def _an_order_with_a_key(journal: Journal, _: UUID) -> Awaitable[Done]:
    return journal.place(a_new_order("B-3"), MARKETPLACE, a_key())


@postgresql_only
@pytest.mark.parametrize(
    ("doing", "written", "told"),
    [
        (_an_offer_with_a_key, "a key", R.IDEMPOTENCY_KEY_REUSED),
        (_an_order_with_a_key, "a key", R.IDEMPOTENCY_KEY_REUSED),
        (_an_order_with_a_key, "an order", R.REFERENCE_TAKEN),
    ],
)
async def test_a_change_that_waits_for_what_another_writes_lets_all_others_write(
    journal: TestJournal, doing: Callable[[Journal, UUID], Awaitable[Done]], written: str, told: RefusalCode
) -> None:
    own, other = [await a_started_order(journal, reference) for reference in ("B-1", "B-2")]
    kind: type[Model] = IdempotencyRow
    row = _a_used_key(FREELANCER if doing is _an_offer_with_a_key else MARKETPLACE)
    if written == "an order":
        order = await OrderRow.get(id=other)
        like_it = {name: getattr(order, name) for name in OrderRow._meta.fields_db_projection}
        kind, row = OrderRow, like_it | {"id": uuid7(), "reference": "B-3"}
    async with asyncio.timeout(30):
        async with _written_by_another(kind, row):
            waiting = asyncio.create_task(outcome(doing(journal, own)))
            await until(lambda: STORE.query(journal.url, WAITING) == [(1,)])
            # Whoever had the log's row by now would make these wait.
            for command in (a_question(), a_plea_to_the_freelancer()):
                await journal.perform(other, command, CLIENT)
            assert not waiting.done()
        assert await waiting == (told,)
    assert [event.position for event in await EventRow.all().order_by("position")] == list(range(1, 7))


@postgresql_only
async def test_a_key_for_two_orders_at_once_never_makes_each_wait_for_the_other(
    journal: TestJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    healed: list[BaseException] = []

    def noted(error: BaseException) -> bool:
        if heals(error):
            healed.append(error)
        return heals(error)

    monkeypatch.setattr("models.journal.heals", noted)
    for number in range(20):
        orders = [await a_started_order(journal, f"{side}-{number}") for side in ("A", "B", "C")]
        keys = [IdempotencyKey(f"key {number}", digit * 64) for digit in "012"]
        doing = [
            outcome(journal.perform(order_id, an_offer(note="Between us."), FREELANCER, key))
            for order_id, key in zip(orders, keys, strict=True)
        ]
        words = [word(told) for told in await asyncio.gather(*doing)]
        assert words.count(DONE) == 1
        assert words.count((R.IDEMPOTENCY_KEY_REUSED,)) == 2
    assert not healed
    await assert_sound()


async def test_changes_of_many_orders_at_once_take_positions_without_a_gap(journal: TestJournal) -> None:
    orders = [await a_started_order(journal, f"B-{number}") for number in range(12)]
    for command, by in ((an_offer(note="Between us."), FREELANCER), (a_question(), CLIENT)):
        # On PostgreSQL each waits for the log's row within the statement that writes all.
        await asyncio.gather(
            *(journal.perform(order_id, command, by, a_key(str(order_id) + by.user_id.hex)) for order_id in orders)
        )
    assert await EventRow.all().count() == 12 * 4
    assert (await LogRow.get(id=1)).position == 12 * 4
    await assert_sound()


# ---------------------------------------------------------------- the log under load


async def test_who_reads_on_from_the_last_position_misses_nothing_while_four_write(journal: TestJournal) -> None:
    orders = [await a_started_order(journal, f"B-{number}") for number in range(4)]
    writing = asyncio.gather(*(_write(journal, order_id, seed) for seed, order_id in enumerate(orders)))
    read: list[int] = []
    while True:
        over = writing.done()
        last = read[-1] if read else 0
        read += [row.position for row in await EventRow.filter(position__gt=last).order_by("position")]
        if over:
            break
        await asyncio.sleep(0)
    await writing
    assert read == list(range(1, len(read) + 1))
    assert len(read) == await EventRow.all().count() > 50


async def _write(journal: TestJournal, order_id: UUID, seed: int) -> None:
    chance = Random(seed)
    for _ in range(30):
        await outcome(journal.perform(order_id, *await a_move(chance, order_id)))
    await a_placed_order(journal, f"W-{seed}")


@pytest.mark.slow
async def test_processes_that_are_killed_leave_a_sound_database_and_lose_nothing_that_they_were_told(
    journal: TestJournal, tmp_path: Path
) -> None:
    orders = [await a_started_order(journal, f"B-{number}") for number in range(40)]
    record = tmp_path / "done.txt"
    read: list[int] = []
    for life in range(2):
        async with processes(journal, 2) as pair:
            for number, process in enumerate(pair):
                process.begin(burst, orders, 10 * life + number, record)
            async with asyncio.timeout(60):
                while not record.exists() or len(record.read_text().splitlines()) < 15 * (life + 1):
                    last = read[-1] if read else 0
                    read += [row.position for row in await EventRow.filter(position__gt=last).order_by("position")]
                    await asyncio.sleep(0.01 + life / 1_000)
            for process in pair:
                await process.kill()
        await assert_sound()
        assert read == list(range(1, len(read) + 1))
    done = [line.split() for line in record.read_text().splitlines()]
    assert len(done) > 20
    for order_id, version in done:
        assert (await OrderRow.get(id=UUID(order_id))).version >= int(version)
    # Whoever comes after them finds nothing locked.
    assert word(await outcome(journal.place(a_new_order(), MARKETPLACE))) == DONE
    assert word(await outcome(journal.perform(await a_started_order(journal, "last"), a_question(), CLIENT))) == DONE
