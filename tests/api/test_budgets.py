"""Purses: a process draws from a budget in advance; nobody spends more than there is, or is refused what is there."""

import asyncio
import math
from functools import partial
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from api.budgets import LEAST_PORTION, PORTIONS, SELDOM, Budget, charged
from api.rates import Counters, Rates
from tests.api.test_rates import Hand, a_redis, free_port

BUDGET = 10_000
PORTION = BUDGET // PORTIONS
ADA = UUID(int=1)


class Store(Counters):
    """Counts as Redis does, over a wire that takes a while, and says how often it was asked."""

    def __init__(self, clock: Hand) -> None:
        super().__init__(clock)
        self.asked: list[int] = []
        self.looked = 0

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        self.asked.append(amount)
        await asyncio.sleep(0)
        found = await super().acquire_sliding_window_entry(key, limit, expiry, amount)
        await asyncio.sleep(0)
        return found

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        self.looked += 1
        await asyncio.sleep(0)
        return await super().get_sliding_window(key, expiry)


class Town:
    """Some processes on one store, and a clock to set."""

    def __init__(self, processes: int, budget: int = BUDGET) -> None:
        self.clock = Hand()
        self.store = Store(self.clock)
        self.item = RateLimitItemPerMinute(budget, namespace="viewer")
        self.limiter = SlidingWindowCounterRateLimiter(self.store)
        self.processes = [self._process(budget) for _ in range(processes)]

    def _process(self, budget: int) -> Rates:
        rates = Rates(budget, 0, None)
        rates._viewer = Budget(self.item, self.clock)
        rates._shared = self.limiter
        return rates

    def held(self, process: int, who: UUID = ADA) -> int:
        budget = self.processes[process]._viewer
        assert budget
        purse = budget._purses.get(who)
        return purse.left if purse and self.clock() < purse.until else 0

    async def room(self) -> int:
        before, before_left, now, _ = await self.store.get_sliding_window(self.item.key_for(str(ADA)), 60)
        return self.item.amount - math.floor(before * before_left / 60) - now

    @property
    def window(self) -> int:
        return int(self.clock() // 60)


A_COST = st.one_of(st.integers(1, 60), st.integers(1, 2_500), st.integers(1, BUDGET + 10))
A_STEP = st.tuples(
    st.integers(0, 2), st.lists(A_COST, min_size=1, max_size=8), st.sampled_from([0.0, 0.0, 0.0, 0.4, 7.0, 31.0, 59.9])
)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(A_STEP, min_size=5, max_size=60))
async def test_whatever_processes_ask_no_window_sees_more_than_the_budget_and_nobody_is_refused_what_is_there(
    steps: list[tuple[int, list[int], float]],
) -> None:
    town = Town(3)
    spent: dict[int, int] = {}
    for process, costs, later in steps:
        waits = await asyncio.gather(*(town.processes[process].charge(ADA, "", cost) for cost in costs))
        passed = sum(min(cost, BUDGET) for cost, wait in zip(costs, waits, strict=True) if wait is None)
        spent[town.window] = spent.get(town.window, 0) + passed
        assert spent[town.window] <= BUDGET
        held = [town.held(each) for each in range(3)]
        assert all(0 <= each <= PORTION for each in held)
        if len(costs) == 1 and waits[0] is not None:
            # The store has not even what he lacks; so it is others' purses alone that may keep it from him.
            assert await town.room() < min(costs[0], BUDGET) - held[process]
        town.clock.now += later
    assert sum(amount for _, _, amount in town.store._windows.values()) <= BUDGET


@settings(max_examples=50, deadline=None)
@given(costs=st.lists(st.integers(1, 500), max_size=60))
async def test_a_process_alone_lets_the_whole_budget_through(costs: list[int]) -> None:
    town = Town(1)
    passed = 0
    for cost in [*costs, *[50] * PORTION, *[1] * 50]:
        wait = await town.processes[0].charge(ADA, "", cost)
        assert (wait is None) is (passed + cost <= BUDGET)
        passed += cost if wait is None else 0
    assert passed == BUDGET


async def test_a_busy_viewer_is_asked_about_once_in_a_portion_whether_one_by_one_or_all_at_once() -> None:
    for at_once in (1, 50):
        town = Town(1, 100_000)
        for _ in range(1_000 // at_once):
            waits = await asyncio.gather(*(town.processes[0].charge(ADA, "", 50) for _ in range(at_once)))
            assert waits == [None] * at_once
        # Two alone, then four times what was spent, 400 for the third; the rest in portions.
        assert len(town.store.asked) <= SELDOM + 2 + 50_000 // 2_000
        assert town.store.looked == 1
        assert sum(town.store.asked) == 50_000 + town.held(0)


async def test_a_viewer_who_comes_seldom_is_asked_about_as_without_a_purse() -> None:
    town = Town(1)
    for _ in range(3):
        for _ in range(SELDOM):
            await town.processes[0].charge(ADA, "", 7)
            town.clock.now += 30
    assert (town.store.asked, town.store.looked) == ([7] * 6, 0)


async def test_a_small_budget_is_counted_one_by_one() -> None:
    town = Town(2, PORTIONS * LEAST_PORTION - 1)
    for number in range(20):
        await town.processes[number % 2].charge(ADA, "", 30)
    assert town.store.asked == [30] * 20 and town.store.looked == 0


async def test_a_purse_is_forgotten_before_its_window_ends() -> None:
    town = Town(1)
    town.clock.now += 57 - town.clock.now % 60
    for _ in range(18):
        await town.processes[0].charge(ADA, "", 20)
    assert town.held(0) > 40
    town.clock.now += 2.8
    asked = len(town.store.asked)
    assert await town.processes[0].charge(ADA, "", 20) is None and len(town.store.asked) == asked
    town.clock.now += 0.15
    assert town.held(0) == 0
    assert await town.processes[0].charge(ADA, "", 20) is None and town.store.asked[asked:] == [20]


async def test_what_is_drawn_while_a_window_ends_is_not_spent_in_the_next() -> None:
    town = Town(1)
    for _ in range(20):
        await town.processes[0].charge(ADA, "", 20)
    drawing = asyncio.create_task(town.processes[0].charge(ADA, "", 150))
    await asyncio.sleep(0)
    town.clock.now += 60
    assert await drawing is None
    assert town.held(0) == 0


async def test_who_is_refused_is_told_the_same_wait_as_without_purses() -> None:
    town, plain = Town(1), Town(1)
    for cost in [*[45] * 222, 7, 3, 900, 45, 1]:
        town.clock.now += 0.125
        plain.clock.now = town.clock.now
        wait = await charged(plain.limiter, plain.item, ADA, cost)
        assert await town.processes[0].charge(ADA, "", cost) == wait, cost


async def test_the_wait_is_exact_with_what_the_purse_holds_as_long_as_it_is_good() -> None:
    for cost in (2_000, 9_000):
        town = Town(1)
        ada = partial(town.processes[0].charge, ADA, "")
        for _ in range(190):
            assert await ada(45) is None
        town.clock.now += 65 - town.clock.now % 60
        for _ in range(20):
            assert await ada(45) is None
        assert town.held(0) > 100
        wait = await ada(cost)
        assert wait is not None and (wait > 55) is (cost == 9_000)
        town.clock.now += wait - 1.01
        assert await ada(cost) is not None
        town.clock.now += 1.01
        assert await ada(cost) is None


async def test_a_client_that_leaves_while_it_is_charged_spends_nothing_from_the_purse() -> None:
    town = Town(1)
    for _ in range(20):
        await town.processes[0].charge(ADA, "", 20)
    held = town.held(0)
    drawing = asyncio.create_task(town.processes[0].charge(ADA, "", held + 1))
    await asyncio.sleep(0)
    drawing.cancel()
    await asyncio.wait([drawing])
    assert town.held(0) == held and await town.processes[0].charge(ADA, "", held) is None


async def test_purses_are_bounded() -> None:
    town = Town(0)
    budget = Budget(town.item, town.clock, most=3)
    for number in range(10):
        assert await budget.drawn(town.limiter, UUID(int=number), 5) is None
    assert list(budget._purses) == [UUID(int=number) for number in (7, 8, 9)]


async def test_redis_counts_what_processes_have_spent_and_hold() -> None:
    """On a real one, where windows begin with their first operation."""
    port = free_port()
    town = [Rates(BUDGET, 0, f"redis://127.0.0.1:{port}") for _ in range(3)]
    ada = uuid4()
    async with a_redis(port), town[0].running(), town[1].running(), town[2].running():
        passed = 0
        for number in range(60):
            costs = [(number * 37 + k * 11) % 120 + 1 for k in range(10)]
            waits = await asyncio.gather(*(town[number % 3].charge(ada, "", cost) for cost in costs))
            passed += sum(cost for cost, wait in zip(costs, waits, strict=True) if wait is None)
        held = 0
        for rates in town:
            assert rates._viewer and rates._shared
            purse = rates._viewer._purses[ada]
            assert purse.knows_its_window
            held += purse.left
        assert town[0]._shared and town[0]._viewer
        storage = town[0]._shared.storage
        assert isinstance(storage, RedisStorage)
        _, _, now, _ = await storage.get_sliding_window(town[0]._viewer.item.key_for(str(ada)), 60)
    assert now == passed + held <= BUDGET
    assert passed > BUDGET - 3 * PORTION
