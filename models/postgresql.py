"""PostgreSQL for Tortoise, by asyncpg: a statement costs little more than its session, and sessions change hands at
once."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # an extra, and without types
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionContext, TransactionContextPooled
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError

IDLE = 60.0
"""Seconds after which a session that nobody has wanted goes back to asyncpg's own keeping, which closes it in time."""
_MOST_QUERIES = 50_000
_LIFETIME = 300.0
"""asyncpg's own: of a session in statements, and of one that is not used in seconds."""
_CHANGES = ("UPDATE", "DELETE", "INSERT")

Rows = tuple[int, Sequence[Any]]
"""How many rows were changed or found, and those that were found."""


class Sessions(asyncpg.Pool):  # type: ignore[misc]  # without types
    """asyncpg's pool, which hands on a session as it was given back when there is nothing to be seen to: no transaction
    or cancellation under way, no age. asyncpg's own way, with a future, a timer, a shield and a proxy made anew each
    time, cost a process as much as a small statement itself. Whoever waits longest is served first."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            None,
            init_size=None,
            max_queries=_MOST_QUERIES,
            max_inactive_connection_lifetime=_LIFETIME,
            setup=None,
            init=None,
            record_class=asyncpg.Record,
            **options,
        )
        self._ready: list[Any] = []
        self._least_ready = 0
        """How many were ready all the time since the last look: nobody needed them."""
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._growing: set[asyncio.Task[None]] = set()
        """Each brings a session of asyncpg's, idle or new, to whoever waits longest by then."""
        self._look: asyncio.TimerHandle | None = None
        self._is_ending = False
        """Whether it is being closed: all goes back to asyncpg."""
        self._leaving: set[asyncio.Task[None]] = set()

    def taken(self) -> Any | None:
        """A session that is ready; None when the pool must be asked for one."""
        ready = self._ready
        while ready:
            session = ready.pop()
            if len(ready) < self._least_ready:
                self._least_ready = len(ready)
            if not _is_closed(session):
                return session
        return None

    def put_back(self, session: Any) -> bool:
        """Takes a session back, for who waits or for whoever comes; false when asyncpg must see to it."""
        if self._is_ending or not self._is_whole(session):
            return False
        if not self._handed_over(session):
            self._ready.append(session)
            if self._look is None:
                self._least_ready = 0
                self._look = self._loop.call_later(IDLE, self._part_with_the_idle)
        return True

    def _is_whole(self, session: Any) -> bool:
        connection = session._con
        if connection is None or connection.is_closed() or connection.is_in_transaction():
            return False
        if session._holder._generation != self._generation:
            return False
        protocol = connection._protocol
        return not protocol._is_cancelling() and bool(protocol.queries_count < _MOST_QUERIES)

    def _handed_over(self, session: Any) -> bool:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(session)
                return True
        return False

    def _grow(self) -> None:
        """One session more for those who wait, if asyncpg has any. It is called for each who begins to wait, and for
        each that comes back to asyncpg: so nobody waits while one is to be had. Whoever waits need not wait for this
        one: connecting takes longer than most statements, and another session may come back before."""
        if self._waiting and self._queue.qsize():
            task = self._loop.create_task(self._brought(self._queue.get_nowait()))
            self._growing.add(task)
            task.add_done_callback(self._growing.discard)

    async def _brought(self, holder: Any) -> None:
        try:
            session = await holder.acquire()
        except Exception as error:  # noqa: BLE001 - it is for one who waits
            self._failed(error)
            self._unused(holder)
        except BaseException:
            self._unused(holder)
            raise
        else:
            holder._timeout = None
            if not self.put_back(session):
                await super().release(session)

    def _failed(self, error: Exception) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)
                return

    def _unused(self, holder: Any) -> None:
        self._queue.put_nowait(holder)
        self._schedule_min_size_maintenance()

    def _part_with_the_idle(self) -> None:
        idle, self._ready = self._ready[: self._least_ready], self._ready[self._least_ready :]
        for session in idle:
            task = self._loop.create_task(super().release(session))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
        self._least_ready = len(self._ready)
        self._look = self._loop.call_later(IDLE, self._part_with_the_idle) if self._ready else None

    # ------------------------------------------------------------ as asyncpg has it

    async def _initialize(self) -> None:
        await super()._initialize()
        keep = self._queue.put_nowait

        def kept(holder: Any) -> None:
            keep(holder)
            self._grow()

        # All that comes back to asyncpg comes this way: let go, lost, or connected anew.
        self._queue.put_nowait = kept

    async def _acquire(self, timeout: float | None) -> Any:  # noqa: ASYNC109 - asyncpg's signature
        if self._is_ending or self._queue is None:
            # It says what is wrong.
            return await super()._acquire(timeout)
        session = self.taken()
        if session is not None:
            return session
        waiter = self._loop.create_future()
        self._waiting.append(waiter)
        self._grow()
        try:
            async with asyncio.timeout(timeout):
                return await waiter
        except BaseException:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # It came when it was not wanted any more.
                await self.release(waiter.result())
            raise

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        is_own = connection._holder._pool is self
        if not is_own or not self.put_back(connection):
            await super().release(connection, timeout=timeout)

    async def expire_connections(self) -> None:
        await self._return_the_ready()
        await super().expire_connections()

    async def close(self) -> None:
        self._end()
        await asyncio.gather(*self._growing, return_exceptions=True)
        await self._return_the_ready()
        await super().close()

    def terminate(self) -> None:
        self._end()
        self._forget_the_ready()
        super().terminate()

    def _end(self) -> None:
        self._is_ending = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(asyncpg.InterfaceError("pool is closing"))
        for task in self._growing:
            task.cancel()

    async def _return_the_ready(self) -> None:
        for session in self._forget_the_ready():
            await super().release(session)

    def _forget_the_ready(self) -> list[Any]:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        ready, self._ready = self._ready, []
        return ready


def _is_closed(session: Any) -> bool:
    """Whether its connection is lost. The pool gets its place back, where asyncpg has not seen to that yet."""
    connection = session._con
    if connection is None:
        return True
    if connection.is_closed():
        connection.terminate()
        return True
    return False


class PostgreSQL(AsyncpgDBClient):
    """Tortoise's client, whose statements go to a session without the detours: of what a small statement cost a
    process, half went to wrappers, and to the pool's bookkeeping."""

    _pool: Any

    async def create_pool(self, **options: Any) -> Any:
        return await Sessions(**options)

    def _in_transaction(self) -> TransactionContext:
        return TransactionContextPooled(Transaction(self), self._pool_init_lock)

    async def execute_query(self, query: str, values: list[Any] | None = None) -> Rows:  # type: ignore[override]
        if self._pool is None:
            async with self._pool_init_lock:
                if self._pool is None:
                    await self.create_connection(with_db=True)
        pool: Sessions = self._pool
        session = pool.taken()
        if session is None:
            session = await pool.acquire()
        try:
            return await _executed(session, query, values, self.log)
        finally:
            if not pool.put_back(session):
                await pool.release(session)


class Transaction(TransactionWrapper):
    """A transaction on one session, whose statements go one after the other."""

    async def execute_query(self, query: str, values: list[Any] | None = None) -> Rows:  # type: ignore[override]
        async with self._lock:
            return await _executed(self._connection, query, values, self.log)


async def _executed(session: Any, query: str, values: Sequence[Any] | None, log: logging.Logger) -> Rows:
    """What a statement came to. Logs what Tortoise logs, and raises what it raises for asyncpg's errors."""
    log.debug("%s: %s", query, values)
    try:
        if query.lstrip()[:6].upper() in _CHANGES:
            status = await session.execute(query, *(values or ()))
            return _number_of_rows(status), []
        rows = await session.fetch(query, *(values or ()))
    except (asyncpg.SyntaxOrAccessError, asyncpg.exceptions.DataError) as error:
        raise OperationalError(error) from error
    except asyncpg.IntegrityConstraintViolationError as error:
        raise IntegrityError(error) from error
    except asyncpg.InvalidTransactionStateError as error:
        raise TransactionManagementError(error) from error
    return len(rows), rows


def _number_of_rows(status: str) -> int:
    """Of a command's status: `UPDATE 3`; of an insert the number that Tortoise takes for it, which is always 0."""
    words = status.split(" ")
    return int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0


client_class = PostgreSQL
"""Where Tortoise looks for it."""
