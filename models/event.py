"""The event log: what happened to all orders, in the order of commit, without a gap."""

from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.instants import DatetimeField
from models.making import Joined
from models.user import UserRow
from rules.vocabulary import OrderEventKind, OrderStatus, RequestStatus, Role

if TYPE_CHECKING:
    from models.order import OrderRow


class EventRow(Model):
    """One event. `position` counts all events, `sequence` those of the order. The people of the order are repeated so
    that a stream can judge and find events without it; they never change."""

    position = fields.BigIntField(primary_key=True, generated=False)
    order: fields.ForeignKeyRelation["OrderRow"] = fields.ForeignKeyField(
        "models.OrderRow", related_name=False, on_delete=fields.RESTRICT, db_index=False
    )
    sequence = fields.IntField()
    kind = fields.CharEnumField(OrderEventKind, max_length=24)
    occurred_at = DatetimeField()
    actor: fields.ForeignKeyNullableRelation["UserRow"] = fields.ForeignKeyField(
        "models.UserRow", related_name=False, on_delete=fields.RESTRICT, null=True, db_index=False
    )
    actor_role = fields.CharEnumField(Role, max_length=12)
    order_status = fields.CharEnumField(OrderStatus, max_length=24)
    request_id: UUID | None = fields.UUIDField(null=True)
    request_status = fields.CharEnumField(RequestStatus, max_length=16, null=True)
    message = fields.TextField(null=True)
    changes: list[dict[str, Any]] = fields.JSONField()
    client_id: UUID = fields.UUIDField()
    freelancer_id: UUID = fields.UUIDField()
    placed_by_id: UUID | None = fields.UUIDField(null=True)

    order_id: UUID
    actor_id: UUID | None

    UNTOLD: ClassVar = frozenset({"changes"})
    """What replays the order."""

    people: tuple[UserRow | None] | None = None
    """Who did it, where that was read with the event."""

    class Meta:
        app = "models"
        table = "events"
        constraints = [
            # The check stands first: adding one on SQLite makes the table anew and loses its indexes.
            CheckConstraint(check="sequence >= 1 AND position >= 1", name="events_count_from_one"),
            UniqueConstraint(fields=("order_id", "sequence"), name="events_count_each_order"),
        ]
        indexes = [
            Index(fields=("client_id", "position"), name="events_by_client"),
            Index(fields=("freelancer_id", "position"), name="events_by_freelancer"),
            Index(fields=("placed_by_id", "position"), name="events_by_marketplace"),
        ]


ACTOR = Joined("people", UserRow, ("actor_id",))
"""Who did what an event tells, if it was somebody: `EventRow.people`."""


class LogRow(Model):
    """The one row that says how far the log is. Whoever commits takes the next positions from it last, so that
    positions have no gap and stand in the order of commit. `secret` makes and reads cursors."""

    id = fields.IntField(primary_key=True, generated=False)
    position = fields.BigIntField()
    secret = fields.BinaryField()

    UNTOLD: ClassVar = frozenset({"secret"})

    class Meta:
        app = "models"
        table = "log"
        constraints = [CheckConstraint(check="id = 1 AND position >= 0", name="log_is_one")]
