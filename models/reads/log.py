"""The event log: where it stands, and the events of it that a viewer or an order has."""

from collections.abc import Sequence
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from models import plain
from models.event import ACTOR, EventRow, LogRow
from models.reads.sources import sources
from rules.visibility import Viewer

EventQueries = Sequence[QuerySet[EventRow]]
"""Disjoint parts of the event log."""


async def log_position() -> int:
    """Where the event log stands."""
    [row] = await plain.asked(log_position, _the_log)
    position: int = row.position
    return position


def _the_log() -> QuerySet[LogRow]:
    return LogRow.filter(id=1)


async def events_after(position: int, limit: int) -> list[EventRow]:
    """At most `limit` of the events after a position of the log, the oldest first, with who did them."""
    rows = await plain.asked((events_after, limit), lambda since: _after(since, limit), position, joined=ACTOR)
    return sorted(rows, key=lambda row: row.position)


def _after(position: int, limit: int) -> QuerySet[EventRow]:
    return EventRow.filter(position__gt=position).order_by("position").limit(limit)


async def log_secret() -> bytes:
    """What this log's cursors are made with."""
    return bytes((await LogRow.get(id=1).only("secret")).secret)


def events_of_viewer(viewer: Viewer) -> EventQueries:
    """The disjoint parts of all events that the viewer may see."""
    return [EventRow.filter(part.where) for part in sources(viewer)]


def events_of_order(order_id: UUID) -> EventQueries:
    """One order's events. The caller has seen that the viewer may see the order."""
    return [EventRow.filter(order_id=order_id)]


async def events_between(
    queries: EventQueries, after: int, before: int | None, limit: int, *, backward: bool = False
) -> list[EventRow]:
    """At most `limit` events after one position of the log and before another, the oldest first; when `backward` the
    newest of them."""
    bounds = Q(position__gt=after) if before is None else Q(position__gt=after, position__lt=before)
    rows: list[EventRow] = []
    for query in queries:
        rows += await plain.rows(query.filter(bounds).order_by("-position" if backward else "position").limit(limit))
    rows.sort(key=lambda row: row.position, reverse=backward)
    rows = rows[:limit]
    return rows[::-1] if backward else rows
