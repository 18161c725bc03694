"""The table of refunds: what goes back to clients, and how far the payment gateway is with it."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.instants import DatetimeField
from rules.vocabulary import RefundStatus

if TYPE_CHECKING:
    from models.order import OrderRow


class RefundRow(Model):
    """Money on its way back. The last three fields are the worker's own: no part of the case, in no event."""

    id = fields.UUIDField(primary_key=True)
    order: fields.ForeignKeyRelation["OrderRow"] = fields.ForeignKeyField(
        "models.OrderRow", related_name=False, on_delete=fields.RESTRICT, db_index=False
    )
    request_id: UUID | None = fields.UUIDField(null=True)
    case_id: UUID | None = fields.UUIDField(null=True)
    currency = fields.CharField(max_length=3)
    amount_minor = fields.BigIntField()
    status = fields.CharEnumField(RefundStatus, max_length=12)
    created_at = DatetimeField()
    settled_at = DatetimeField(null=True)
    failure = fields.TextField(null=True)
    attempts = fields.IntField(default=0)
    next_attempt_at: datetime = DatetimeField()
    claimed_by: UUID | None = fields.UUIDField(null=True)

    order_id: UUID

    class Meta:
        app = "models"
        table = "refunds"
        constraints = [
            CheckConstraint(check="amount_minor > 0", name="refunds_are_positive"),
            CheckConstraint(check="(status = 'PENDING') = (settled_at IS NULL)", name="refunds_settled_says_when"),
            CheckConstraint(check="(status = 'FAILED') = (failure IS NOT NULL)", name="refunds_failed_says_why"),
        ]
        indexes = [
            Index(fields=("order_id", "created_at", "id"), name="refunds_by_order"),
            Index(fields=("request_id",), name="refunds_by_request"),
            Index(fields=("status", "next_attempt_at"), name="refunds_by_attempt"),
        ]
