"""The tail: reads each new event of the log once for the whole process and hands it to whoever it concerns."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

import structlog

from models import reads
from models.event import EventRow

BATCH = 100
"""Events that the tail reads at a time: fewer than an inbox holds, so that a burst throws nobody back to the log who
keeps up."""
NAP = 0.25
"""Seconds between two looks at the log while nobody listens: then only its end is asked for. To read back each event
that nobody wanted took 8 % of a process that does nothing but changes."""
INBOX = 256
"""Events that wait for one reader in memory; a reader that is further behind reads them from the log instead."""

log = structlog.get_logger(__name__)


class Interest(NamedTuple):
    """What a reader wants to hear of: one order, one user's orders, or everything (neither)."""

    order_id: UUID | None = None
    user_id: UUID | None = None


EVERYTHING = Interest()


class Inbox:
    """What waits for one reader: bounded, whatever the reader does."""

    def __init__(self, since: int) -> None:
        self.since = since
        """Every event after this position that concerns the reader comes in here, unless it overflowed."""
        self.overflowed = False
        self._rows: deque[EventRow] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, row: EventRow) -> None:
        if len(self._rows) >= INBOX:
            self._rows.clear()
            self.overflowed = True
        elif not self.overflowed:
            self._rows.append(row)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Until there is something to take, or it has overflowed. There is one reader, and so one who waits."""
        if self._rows or self.overflowed:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def take(self) -> list[EventRow]:
        """All that waits, the oldest first."""
        rows = list(self._rows)
        self._rows.clear()
        return rows

    def restart(self, since: int) -> None:
        """Begins anew after an overflow: the reader takes what lies before `since` from the log."""
        self._rows.clear()
        self.overflowed, self.since = False, since


class Tail:
    """One reader of the log a process. `position` is the last event that it has handed on."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._inboxes: dict[tuple[UUID | None, UUID | None], set[Inbox]] = {}
        """By what they want to hear of."""
        self._nap: asyncio.TimerHandle | None = None
        self.position = 0
        self.works = False

    def wake(self) -> None:
        """The log has grown, as far as anybody knows. Read at once when somebody listens, else soon."""
        if self._inboxes:
            self._woken.set()
        elif self._nap is None:
            self._nap = asyncio.get_running_loop().call_later(NAP, self._end_nap)

    def hear(self, rows: Sequence[EventRow]) -> None:
        """The log has grown, by these events as far as this process knows. Where they are the log's next ones, they are
        handed on as they are; else it is read. To read back what was just written cost a process a twentieth of what it
        does for a change that somebody watches."""
        if not rows or rows[0].position != self.position + 1:
            self.wake()
            return
        for row in rows:
            self._hand_on(row)

    def _end_nap(self) -> None:
        if self._nap is not None:
            self._nap.cancel()
            self._nap = None
            self._woken.set()

    @contextlib.contextmanager
    def inbox(self, interest: Interest) -> Iterator[Inbox]:
        """Hears of all new events that concern the interest, for as long as the block runs."""
        inbox = Inbox(self.position)
        self._inboxes.setdefault(interest, set()).add(inbox)
        self._end_nap()
        try:
            yield inbox
        finally:
            listening = self._inboxes[interest]
            listening.discard(inbox)
            if not listening:
                del self._inboxes[interest]

    @property
    def listening(self) -> int:
        """How many readers there are now."""
        return sum(len(inboxes) for inboxes in self._inboxes.values())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reads for as long as the block runs, from the log's end on."""
        self.position = await reads.log_position()
        self.works = True
        task = asyncio.create_task(self._run(), name="tail")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._end_nap()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self._read_on()
            except Exception as error:  # noqa: BLE001 - the log is read again at the next poll, whatever it was
                if self.works:
                    log.warning("tail can't read the log", error=type(error).__name__)
                self.works = False
            else:
                if not self.works:
                    log.info("tail reads the log again")
                self.works = True

    async def _read_on(self) -> None:
        if not self._inboxes:
            head = await reads.log_position()
            if not self._inboxes:
                self.position = max(self.position, head)
                return
            # Somebody has come meanwhile, and is to hear of all that came after the position.
        while True:
            rows = await reads.events_after(self.position, BATCH)
            for row in rows:
                # Some were heard of while these were read.
                if row.position > self.position:
                    self._hand_on(row)
            if len(rows) < BATCH:
                return

    def _hand_on(self, row: EventRow) -> None:
        self.position = row.position
        for interest in _concerned(row):
            for inbox in self._inboxes.get(interest, ()):
                inbox.put(row)


def _concerned(row: EventRow) -> list[tuple[UUID | None, UUID | None]]:
    """Whom an event may concern, as their interests; whether they may see it is judged by the stream, for each event.
    Plain tuples, which equal them: four or five are made for each event of the log, whoever listens."""
    found = [(row.order_id, None), (None, row.client_id), (None, row.freelancer_id), EVERYTHING]
    if row.placed_by_id and row.placed_by_id not in (row.client_id, row.freelancer_id):
        found.append((None, row.placed_by_id))
    return found
