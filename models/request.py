"""The table of requests, without anything private: reasons that only their author may read are in `confidence`."""

from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.instants import DatetimeField
from rules.vocabulary import OnDeadline, RequestKind, RequestStatus, Role

if TYPE_CHECKING:
    from models.order import OrderRow
    from models.user import UserRow


class RequestRow(Model):
    """What one side asked. Amounts are minor units of `currency`, which is the order's. Partial unique indexes (see
    `constraints`) allow one pending request of a kind and one accepted refund an order. The order's people are
    repeated, so that a list finds and judges requests without it; they never change."""

    id = fields.UUIDField(primary_key=True)
    order: fields.ForeignKeyRelation["OrderRow"] = fields.ForeignKeyField(
        "models.OrderRow", related_name=False, on_delete=fields.RESTRICT, db_index=False
    )
    kind = fields.CharEnumField(RequestKind, max_length=24)
    status = fields.CharEnumField(RequestStatus, max_length=16)
    requested_by: fields.ForeignKeyRelation["UserRow"] = fields.ForeignKeyField(
        "models.UserRow", related_name=False, on_delete=fields.RESTRICT, db_index=False
    )
    requested_by_role = fields.CharEnumField(Role, max_length=12)
    created_at = DatetimeField()
    respond_by = DatetimeField()
    on_deadline = fields.CharEnumField(OnDeadline, max_length=8)
    reminded_seconds = fields.IntField(null=True)
    settled_at = DatetimeField(null=True)
    settled_by_role = fields.CharEnumField(Role, max_length=12, null=True)
    decline_message = fields.TextField(null=True)
    currency = fields.CharField(max_length=3, null=True)
    amount_minor = fields.BigIntField(null=True)
    cap_minor = fields.BigIntField(null=True)
    text = fields.TextField(null=True)
    reason = fields.CharField(max_length=64, null=True)
    answer = fields.TextField(null=True)
    days = fields.IntField(null=True)
    client_id = fields.UUIDField()
    freelancer_id = fields.UUIDField()
    placed_by_id = fields.UUIDField(null=True)

    order_id: UUID
    requested_by_id: UUID

    class Meta:
        app = "models"
        table = "requests"
        constraints = [
            CheckConstraint(
                check="(status = 'PENDING') = (settled_at IS NULL) "
                "AND (status = 'PENDING') = (settled_by_role IS NULL)",
                name="requests_settled_says_when_and_by_whom",
            ),
            CheckConstraint(
                check="status IN ('PENDING', 'ACCEPTED', 'DECLINED', 'WITHDRAWN', 'ANSWERED', 'EXPIRED', "
                "'AUTO_ACCEPTED', 'SUPERSEDED')",
                name="requests_status_is_known",
            ),
            CheckConstraint(
                check="(kind = 'PARTIAL_REFUND') = (amount_minor IS NOT NULL AND cap_minor IS NOT NULL "
                "AND currency IS NOT NULL)",
                name="requests_refund_says_how_much",
            ),
            CheckConstraint(
                check="amount_minor IS NULL OR (amount_minor > 0 AND amount_minor <= cap_minor)",
                name="requests_refund_stays_in_cap",
            ),
            CheckConstraint(
                check="(kind = 'DELIVERY_EXTENSION') = (days IS NOT NULL)", name="requests_extension_says_days"
            ),
            CheckConstraint(check="days IS NULL OR days > 0", name="requests_extension_is_forward"),
            CheckConstraint(check="(status = 'ANSWERED') = (answer IS NOT NULL)", name="requests_answered_has_answer"),
            CheckConstraint(
                check="kind IN ('CANCELLATION') OR (text IS NOT NULL AND reason IS NULL)", name="requests_explain"
            ),
            CheckConstraint(
                check="kind <> 'CANCELLATION' OR (requested_by_role = 'FREELANCER') = (reason IS NOT NULL)",
                name="requests_freelancer_shares_reason",
            ),
            CheckConstraint(check="requested_by_role IN ('CLIENT', 'FREELANCER')", name="requests_are_asked_by_a_side"),
        ]
        indexes = [
            Index(fields=("order_id", "created_at", "id"), name="requests_by_order"),
            Index(fields=("status", "respond_by"), name="requests_by_deadline"),
            Index(fields=("created_at", "id"), name="requests_by_age"),
            Index(fields=("client_id", "created_at", "id"), name="requests_by_client"),
            Index(fields=("freelancer_id", "created_at", "id"), name="requests_by_freelancer"),
            Index(fields=("placed_by_id", "created_at", "id"), name="requests_by_marketplace"),
            Index(fields=("order_id", "status"), name="requests_by_order_status"),
            Index(fields=("status", "created_at", "id"), name="requests_by_status_age"),
            Index(fields=("client_id", "status", "respond_by"), name="requests_by_client_deadline"),
            Index(fields=("freelancer_id", "status", "respond_by"), name="requests_by_freelancer_deadline"),
            Index(fields=("placed_by_id", "status", "respond_by"), name="requests_by_marketplace_deadline"),
        ]
