"""The table of support cases."""

from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.instants import DatetimeField
from rules.vocabulary import Role, SupportCaseStatus, SupportDecision

if TYPE_CHECKING:
    from models.order import OrderRow
    from models.user import UserRow


class SupportCaseRow(Model):
    """A case at support, open or decided. A partial unique index (see `constraints`) allows one open case an order."""

    id = fields.UUIDField(primary_key=True)
    order: fields.ForeignKeyRelation["OrderRow"] = fields.ForeignKeyField(
        "models.OrderRow", related_name=False, on_delete=fields.RESTRICT, db_index=False
    )
    opened_by: fields.ForeignKeyRelation["UserRow"] = fields.ForeignKeyField(
        "models.UserRow", related_name=False, on_delete=fields.RESTRICT, db_index=False
    )
    opened_by_role = fields.CharEnumField(Role, max_length=12)
    message = fields.TextField()
    status = fields.CharEnumField(SupportCaseStatus, max_length=8)
    opened_at = DatetimeField()
    decision = fields.CharEnumField(SupportDecision, max_length=16, null=True)
    decision_message = fields.TextField(null=True)
    resolved_at = DatetimeField(null=True)
    client_id = fields.UUIDField()
    freelancer_id = fields.UUIDField()
    placed_by_id = fields.UUIDField(null=True)

    order_id: UUID
    opened_by_id: UUID

    class Meta:
        app = "models"
        table = "support_cases"
        constraints = [
            CheckConstraint(
                check="(status = 'OPEN' AND resolved_at IS NULL AND decision IS NULL AND decision_message IS NULL) OR "
                "(status = 'RESOLVED' AND resolved_at IS NOT NULL AND decision IS NOT NULL "
                "AND decision_message IS NOT NULL)",
                name="support_cases_resolved_says_what_and_why",
            ),
        ]
        indexes = [
            Index(fields=("order_id", "opened_at", "id"), name="support_cases_by_order"),
            Index(fields=("status", "opened_at", "id"), name="support_cases_by_status"),
            Index(fields=("opened_at", "id"), name="support_cases_by_age"),
            Index(fields=("client_id", "opened_at", "id"), name="support_cases_by_client"),
            Index(fields=("freelancer_id", "opened_at", "id"), name="support_cases_by_freelancer"),
            Index(fields=("placed_by_id", "opened_at", "id"), name="support_cases_by_marketplace"),
            Index(fields=("order_id", "status"), name="support_cases_by_order_status"),
        ]
