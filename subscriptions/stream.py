"""Streams for one client each: the log after a cursor, then live, without gap or repeat; and the live dashboard."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime

from models import reads
from models.event import EventRow
from models.reads import EventQueries, Figures
from subscriptions.tail import Interest, Tail

PAGE = 100
"""Events that a stream reads from the log at a time while it catches up."""
DASHBOARD_PACE = 1.0
"""Seconds at least between two snapshots of a dashboard."""


async def events(
    tail: Tail,
    interest: Interest,
    in_log: EventQueries,
    after: int,
    may_see: Callable[[EventRow], bool],
) -> AsyncGenerator[EventRow, None]:
    """The events that concern the interest: those in the log after a position, then live. `may_see` is asked again for
    every event. A reader that can't keep up costs the others nothing: it goes back to reading the log, at its own
    pace."""
    with tail.inbox(interest) as inbox:
        position = after
        while True:
            async for row in _from_log(in_log, position, inbox.since):
                position = row.position
                if may_see(row):
                    yield row
            position = max(position, inbox.since)
            while not inbox.overflowed:
                await inbox.wait()
                for row in inbox.take():
                    if row.position > position:
                        position = row.position
                        if may_see(row):
                            yield row
            inbox.restart(tail.position)


async def _from_log(in_log: EventQueries, after: int, until: int) -> AsyncGenerator[EventRow, None]:
    """The log after one position, up to and with another."""
    while after < until:
        rows = await reads.events_between(in_log, after, until + 1, PAGE)
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        after = rows[-1].position


async def dashboard(
    tail: Tail, interest: Interest, figures: Callable[[], Awaitable[Figures]], clock: Callable[[], datetime]
) -> AsyncGenerator[Figures, None]:
    """A snapshot at once, then one whenever a figure changes: because something happened, or because time alone made
    an order late or brought a deadline near. At most one a second."""
    with tail.inbox(interest) as inbox:
        shown: Figures | None = None
        while True:
            inbox.restart(tail.position)
            new = await figures()
            if shown is None or _shown(new) != _shown(shown):
                yield new
            shown = new
            earliest = asyncio.get_running_loop().time() + DASHBOARD_PACE
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_until(new.changes_at, clock())):
                    await inbox.wait()
            await asyncio.sleep(earliest - asyncio.get_running_loop().time())


def _shown(figures: Figures) -> tuple[object, ...]:
    """The figures that a person sees."""
    return (
        figures.orders_by_status,
        figures.pending_by_kind,
        figures.awaiting_me,
        figures.deadlines_near,
        figures.late_orders,
        figures.open_support_cases,
    )


def _until(instant: datetime | None, now: datetime) -> float | None:
    return None if instant is None else max(0.0, (instant - now).total_seconds())
