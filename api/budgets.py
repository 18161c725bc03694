"""A budget a minute, counted in a store, and what a process has drawn of it in advance: its purses."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from uuid import UUID

from limits import RateLimitItem
from limits.aio.storage import SlidingWindowCounterSupport
from limits.aio.strategies import SlidingWindowCounterRateLimiter

PORTIONS = 50
"""The part of a budget that one process may hold of it is one in so many."""
LEAST_PORTION = 100
"""A smaller portion is not worth drawing: such a budget is asked for each cost, one by one."""
SELDOM = 2
"""Operations of a minute that are asked for one by one, before a process draws more than they cost."""
GROWTH = 4
"""How much more a purse may hold than was spent already: a viewer of whom little is seen holds little."""
MARGIN = 0.1
"""Seconds by which a purse is forgotten before its window ends, since clocks differ a little."""
MOST_PURSES = 10_000
"""Purses that one process holds of a budget; the ones that were quiet longest are forgotten first."""

Who = UUID | str


@dataclass(eq=False, slots=True)
class _Purse:
    """What a process holds for one viewer or address until the store's window ends, and what it has spent since the
    purse was opened. Whoever asks the store has the lock."""

    until: float
    left: int = 0
    spent: int = 0
    times: int = 0
    knows_its_window: bool = False
    is_exact: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def pay(self, cost: int) -> None:
        self.left -= cost
        self.spent += cost


class Budget:
    """Cost units a minute for each viewer, or for each address. To ask Redis about each operation took 10 % of a small
    one; a busy viewer is asked about once in 1/50 of the budget, and pays from a purse between.

    No window of the store sees more spent than the budget: what is drawn is counted when it is drawn, and what is left
    of it is forgotten before that window ends. A shorter life would only lose more: what is forgotten was counted.
    Nor is anybody refused while the store has room for what he lacks: it is asked for just that before it is said. So
    all that can refuse too early is what other processes hold: each 1/50 of the budget at most, and no more than four
    times what it has spent for the same viewer within the minute. A process alone lets the whole budget through."""

    def __init__(
        self, item: RateLimitItem, clock: Callable[[], float] = time.monotonic, most: int = MOST_PURSES
    ) -> None:
        self.item = item
        self._clock = clock
        self._most = most
        portion = item.amount // PORTIONS
        self._portion = portion if portion >= LEAST_PORTION else 0
        self._purses: OrderedDict[Who, _Purse] = OrderedDict()

    def pays(self, who: Who, cost: int) -> bool:
        """Takes the cost from the purse, if it holds that much."""
        purse = self._purses.get(who)
        if purse is None or purse.left < cost or self._clock() >= purse.until:
            return False
        purse.pay(cost)
        self._purses.move_to_end(who)
        return True

    def turn(self, who: Who) -> AbstractAsyncContextManager[None]:
        """Those who find too little in one purse ask the store one after another, so that it is filled once."""
        return self._purse(who).lock if self._portion else nullcontext()

    async def drawn(self, limiter: SlidingWindowCounterRateLimiter, who: Who, cost: int) -> int | None:
        """Takes the cost from the store, with some more for the purse. None when it is there; else nothing is taken,
        and in so many seconds it would be."""
        if not self._portion:
            return await charged(limiter, self.item, who, cost)
        purse = self._purse(who)
        purse.times += 1
        if purse.times > SELDOM and not purse.knows_its_window:
            await self._look_at_the_window(limiter, purse, who)
        # Out of the purse while the store is asked, so that it can't be spent twice.
        held, purse.left = purse.left, 0
        given = 0
        try:
            given = await self._given(limiter, purse, who, cost - held)
        finally:
            purse.left = held + given
        if purse.left >= cost:
            purse.pay(cost)
            return None
        return await self._wait(limiter, purse, who, cost)

    async def _given(self, limiter: SlidingWindowCounterRateLimiter, purse: _Purse, who: Who, lack: int) -> int:
        """What is lacking and some more, or that alone, or nothing. Once it was refused more, the window nears its end,
        and exact costs are asked for till then."""
        more = self._more(purse)
        if more and lack + more <= self.item.amount:
            if await limiter.hit(self.item, str(who), cost=lack + more):
                return lack + more
            purse.is_exact = True
        return lack if await limiter.hit(self.item, str(who), cost=lack) else 0

    def _more(self, purse: _Purse) -> int:
        if purse.is_exact or not purse.knows_its_window or self._clock() >= purse.until:
            return 0
        return min(self._portion, purse.spent * GROWTH)

    async def _look_at_the_window(self, limiter: SlidingWindowCounterRateLimiter, purse: _Purse, who: Who) -> None:
        """The purse is good till the end of the store's window. The time is read before it is asked: what it says is
        left was left then or later. A draw that falls into the next window finds its purse forgotten."""
        before = self._clock()
        window = await _window(limiter, self.item, who)
        purse.until = before + window[3] - self.item.get_expiry() - MARGIN
        purse.knows_its_window = True

    async def _wait(self, limiter: SlidingWindowCounterRateLimiter, purse: _Purse, who: Who, cost: int) -> int:
        """What the purse holds helps as long as it is good."""
        window = await _window(limiter, self.item, who)
        wait = _seconds(self.item, window, cost - purse.left)
        if purse.left and self._clock() + wait >= purse.until:
            return _seconds(self.item, window, cost)
        return wait

    def _purse(self, who: Who) -> _Purse:
        purse = self._purses.get(who)
        now = self._clock()
        if purse is None or now >= purse.until:
            purse = self._purses[who] = _Purse(now + self.item.get_expiry())
            if len(self._purses) > self._most:
                self._purses.popitem(last=False)
        self._purses.move_to_end(who)
        return purse


async def charged(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, who: Who, cost: int) -> int | None:
    """Takes exactly the cost from a store. None when it was there; else the seconds after which it would be."""
    if await limiter.hit(item, str(who), cost=cost):
        return None
    return _seconds(item, await _window(limiter, item, who), cost)


Window = tuple[int, float, int, float]
"""What the store counted in the last minute and the seconds in which that is forgotten; the same of this one."""


async def _window(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, who: Who) -> Window:
    storage = limiter.storage
    assert isinstance(storage, SlidingWindowCounterSupport)
    return await storage.get_sliding_window(item.key_for(str(who)), item.get_expiry())


def _seconds(item: RateLimitItem, window: Window, cost: int) -> int:
    return seconds_until(window, item.amount, cost, item.get_expiry())


def seconds_until(window: Window, limit: int, cost: int, period: int) -> int:
    """When a refused cost would be taken, if nothing else came: the last minute's share melts as this one goes by, and
    this one's when it is over."""
    before, before_left, now, now_left = window
    room = limit - cost - now
    # What weighs less than one more is taken: the library rounds down.
    if room >= 0:
        wait = before_left - (room + 1) * period / before if before else 0.0
    else:
        wait = max(0.0, now_left - period) + period - (limit - cost + 1) * period / now
    return max(1, math.floor(wait) + 1)
