"""Who is blocked: a log of everybody whom the operator blocked or let in again; the newest entry of each counts."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.functions import Max
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

if TYPE_CHECKING:
    from models.user import UserRow

_TRIES = 20


class BlockRow(Model):
    """Somebody was blocked, or let in again. `position` has no gap and stands in the order of commit, so that whoever
    reads on from the last one misses nobody. `reason` is the operator's own note; no client ever sees it."""

    position = fields.BigIntField(primary_key=True, generated=False)
    user: fields.ForeignKeyRelation["UserRow"] = fields.ForeignKeyField(
        "models.UserRow", related_name=False, on_delete=fields.RESTRICT, db_index=False
    )
    blocked = fields.BooleanField()
    reason: str | None = fields.TextField(null=True)
    occurred_at = fields.DatetimeField()

    user_id: UUID

    class Meta:
        app = "models"
        table = "blocks"
        constraints = [
            # The checks stand first: adding one on SQLite makes the table anew and loses its indexes.
            CheckConstraint(check="position >= 1", name="blocks_count_from_one"),
            CheckConstraint(check="blocked OR reason IS NULL", name="blocks_alone_have_reasons"),
        ]
        indexes = [Index(fields=("user_id", "position"), name="blocks_by_user")]


async def blocks_after(position: int) -> Sequence[BlockRow]:
    """What was logged after a position, the oldest first."""
    return await BlockRow.filter(position__gt=position).order_by("position")


async def newest_block(user_id: UUID) -> BlockRow | None:
    """The entry that blocks this person; None for whoever is not blocked."""
    row = await BlockRow.filter(user_id=user_id).order_by("-position").first()
    return row if row and row.blocked else None


async def log_block(user_id: UUID, *, blocked: bool, reason: str | None, now: datetime) -> None:
    """Blocks somebody, or lets them in again. Single statements: whoever takes the position first has it, the other
    takes the next one."""
    for tries_left in reversed(range(_TRIES)):
        [[last]] = await BlockRow.annotate(last=Max("position")).values_list("last")
        row = BlockRow(position=(last or 0) + 1, user_id=user_id, blocked=blocked, reason=reason, occurred_at=now)
        try:
            await row.save(force_create=True)
        except IntegrityError:
            if not tries_left:
                raise
        else:
            return
