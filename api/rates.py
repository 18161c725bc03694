"""How much one viewer or one address may ask for in a minute, and how many sockets it may have open."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage, SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from api.budgets import Budget, charged
from api.errors import throttled

log = structlog.get_logger(__name__)

MOST_COUNTED = 100_000
"""Viewers and addresses that one process counts for; the ones that were quiet longest are forgotten first."""
PATIENCE = 0.25
"""Seconds that Redis has to count."""
REST = 5.0
"""Seconds for which a Redis that did not answer is left alone."""
NOWHERE = "unknown"


def address_of(scope: Scope) -> str:
    """Where a request comes from: the proxy's word where it is believed, else the other end of the connection. An
    IPv6 host has 2^64 addresses of its own, so that all of those count as one."""
    client = scope.get("client")
    return _address(client[0]) if client else NOWHERE


@lru_cache(maxsize=1_000)
def _address(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return NOWHERE
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class Counters(Storage, SlidingWindowCounterSupport):
    """Counts in memory, for this process. The library's own looks through all of its keys at each hit: 1.3 ms with
    10,000 of them, which anybody with an IPv6 network can make."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float] = time.time, most: int = MOST_COUNTED) -> None:
        super().__init__()
        self._clock = clock
        self._most = most
        self._windows: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        window, before, now, left = self._window(key, expiry)
        if math.floor(before * left / expiry) + now + amount > limit:
            return False
        self._windows[key] = (window, before, now + amount)
        self._windows.move_to_end(key)
        if len(self._windows) > self._most:
            self._windows.popitem(last=False)
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        _, before, now, left = self._window(key, expiry)
        return before, left if before else 0.0, now, left + expiry

    def _window(self, key: str, expiry: int) -> tuple[int, int, int, float]:
        """The number of this window, what was counted in the last one and in this one, and the seconds left."""
        at = self._clock()
        window = int(at // expiry)
        left = (window + 1) * expiry - at
        then, before, now = self._windows.get(key, (window, 0, 0))
        if then == window:
            return window, before, now, left
        return window, now if then == window - 1 else 0, 0, left

    async def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002 - the library's signature
        await self.clear(key)

    async def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    async def reset(self) -> int | None:
        number = len(self._windows)
        self._windows.clear()
        return number

    async def check(self) -> bool:
        return True

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    # What follows belongs to fixed windows, which nobody counts in here.

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError

    async def get(self, key: str) -> int:
        raise NotImplementedError

    async def get_expiry(self, key: str) -> float:
        raise NotImplementedError


class Rates:
    """Budgets a minute, in the cost units of `api.limits`. A budget of 0 is none. All processes share one count in
    Redis where `url` names one, and draw from it in portions; while it is away each counts alone, which lets more
    through, never less."""

    def __init__(self, viewer: int, address: int, url: str | None) -> None:
        self._viewer = Budget(RateLimitItemPerMinute(viewer, namespace="viewer")) if viewer else None
        self._address = Budget(RateLimitItemPerMinute(address, namespace="address")) if address else None
        self._url = url
        self._local = SlidingWindowCounterRateLimiter(Counters())
        self._shared: SlidingWindowCounterRateLimiter | None = None
        self._away_until: float | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Holds the connections to Redis for as long as the block runs."""
        if self._url is None or not (self._viewer or self._address):
            yield
            return
        from redis.asyncio import BlockingConnectionPool

        pool = BlockingConnectionPool.from_url(
            self._url, max_connections=16, timeout=PATIENCE, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        )
        options: dict[str, Any] = {"connection_pool": pool}  # its page knows this option, its types do not
        storage = RedisStorage(self._url, implementation="redispy", key_prefix="resolution:rates", **options)
        self._shared = SlidingWindowCounterRateLimiter(storage)
        try:
            yield
        finally:
            self._shared = None
            await pool.aclose()

    async def charge(self, viewer_id: UUID | None, address: str, cost: int) -> int | None:
        """Takes the cost from the viewer's budget, or from the address's when nobody is known. None when it is there;
        else nothing is taken, and in so many seconds it would be."""
        budget = self._viewer if viewer_id else self._address
        if budget is None or not cost:
            return None
        who = viewer_id or address
        # More than a whole budget would never be taken.
        cost = min(cost, budget.item.amount)
        if self._shared is None:
            return await charged(self._local, budget.item, who, cost)
        if budget.pays(who, cost):
            return None
        async with budget.turn(who):
            # Whoever had the turn before may have drawn enough, or found Redis away.
            return None if budget.pays(who, cost) else await self._counted(budget, who, cost)

    async def _counted(self, budget: Budget, who: UUID | str, cost: int) -> int | None:
        shared = self._shared if self._is_there() else None
        if shared is not None:
            try:
                wait = await budget.drawn(shared, who, cost)
            except Exception as error:  # noqa: BLE001 - whatever it is, Redis does not count
                self._rest(error)
            else:
                self._works()
                return wait
        return await charged(self._local, budget.item, who, cost)

    def _is_there(self) -> bool:
        return self._away_until is None or time.monotonic() >= self._away_until

    def _rest(self, error: Exception) -> None:
        if self._away_until is None:
            log.warning("rates are counted by this process alone", error=type(error).__name__)
        self._away_until = time.monotonic() + REST

    def _works(self) -> None:
        if self._away_until is not None:
            self._away_until = None
            log.info("rates are counted together again")


class OpenSockets:
    """How many sockets are open: those of a viewer, and those of an address that have not said whose they are. So a
    proxy that is not believed, and looks like one address, holds nobody up who has a token. A limit of 0 is none."""

    def __init__(self, by_viewer: int, by_address: int) -> None:
        self._most_of_viewer = by_viewer
        self._most_of_address = by_address
        self._numbers: dict[UUID | str, int] = {}

    def taken(self, address: str) -> "Seat | None":
        """A seat for a new socket; None when the address has too many that nobody has named."""
        if self._is_full(address, self._most_of_address):
            return None
        return Seat(self, address)

    def _is_full(self, key: UUID | str, most: int) -> bool:
        return bool(most) and self._numbers.get(key, 0) >= most

    def _sit(self, key: UUID | str) -> None:
        self._numbers[key] = self._numbers.get(key, 0) + 1

    def _rise(self, key: UUID | str) -> None:
        left = self._numbers[key] - 1
        if left:
            self._numbers[key] = left
        else:
            del self._numbers[key]


class Seat:
    """One socket's place among those that are counted."""

    def __init__(self, sockets: OpenSockets, address: str) -> None:
        self._sockets = sockets
        self.address = address
        self._key: UUID | str | None = address
        sockets._sit(address)

    def belongs_to(self, viewer_id: UUID) -> bool:
        """From now on it is the viewer's. False when the viewer has too many; nothing has changed then."""
        if self._sockets._is_full(viewer_id, self._sockets._most_of_viewer):
            return False
        self.leave()
        self._key = viewer_id
        self._sockets._sit(viewer_id)
        return True

    def leave(self) -> None:
        """The socket is closed."""
        if self._key is not None:
            self._sockets._rise(self._key)
            self._key = None


SEAT = "resolution.seat"
"""Where a socket's scope has its seat."""
RETRY_AFTER = 10
"""Seconds that a refused socket shall wait: as long as one may be open without saying whose it is."""


class Seated:
    """Lets a socket in when there is a seat for it. It is refused before it is one, by 429, which costs least; browsers
    are told 1006, which graphql-ws answers by trying again, later each time."""

    def __init__(self, app: ASGIApp, sockets: OpenSockets) -> None:
        self._app = app
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        seat = self._sockets.taken(address_of(scope))
        if seat is None:
            await WebSocket(scope, receive, send).send_denial_response(_too_many())
            return
        try:
            # In the connection's own scope, which forgets the handshake's heads: a copy would keep them.
            scope[SEAT] = seat
            await self._app(scope, receive, send)
        finally:
            seat.leave()


def _too_many() -> JSONResponse:
    message = "Too many sockets are open from this address; close some, or say in time whose they are."
    body = {"errors": [throttled(RETRY_AFTER, message).formatted]}
    return JSONResponse(body, 429, {"retry-after": str(RETRY_AFTER)})
