"""Orders whose time has come: found by index, soonest first; what happens to them is the rules' business."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tortoise.expressions import F, Q

from models.order import OrderRow


@dataclass(frozen=True, slots=True)
class DueOrder:
    """An order with a deadline or reminder that was due at `due_at`, as far as its row says."""

    id: UUID
    due_at: datetime


async def due_orders(now: datetime, limit: int, after: DueOrder | None = None) -> list[DueOrder]:
    """The next `limit` orders that are due, after that one: who pages on gets past orders that stay due."""
    wanted = Q(next_deadline_at__lte=now)
    if after:
        # The first half alone would be right; with the second, the index leads straight to the place.
        wanted &= Q(next_deadline_at__gt=after.due_at) | Q(next_deadline_at=after.due_at, id__gt=after.id)
        wanted &= Q(next_deadline_at__gte=after.due_at)
    rows = (
        await OrderRow.filter(wanted).order_by("next_deadline_at", "id").limit(limit).values("id", "next_deadline_at")
    )
    return [DueOrder(row["id"], row["next_deadline_at"]) for row in rows]


async def is_still_due(order_id: UUID, now: datetime) -> bool:
    """Whether the order is due and its row can be written. Raises when the database can't write it, which is no fault
    of the order."""
    changed: int = await OrderRow.filter(id=order_id, next_deadline_at__lte=now).update(version=F("version"))
    return bool(changed)
