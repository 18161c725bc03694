"""The table of orders: each row equals the replay of its log."""

from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.instants import DatetimeField
from rules.vocabulary import CancellationCause, OrderStatus

if TYPE_CHECKING:
    from models.request import RequestRow
    from models.user import UserRow


class OrderRow(Model):
    """One order. Amounts are minor units of `currency`; instants are UTC."""

    id = fields.UUIDField(primary_key=True)
    reference = fields.CharField(max_length=100, unique=True)
    title = fields.CharField(max_length=200)
    status = fields.CharEnumField(OrderStatus, max_length=24)
    version = fields.IntField()
    client: fields.ForeignKeyRelation["UserRow"] = fields.ForeignKeyField(
        "models.UserRow", related_name=False, on_delete=fields.RESTRICT, db_index=False
    )
    freelancer: fields.ForeignKeyRelation["UserRow"] = fields.ForeignKeyField(
        "models.UserRow", related_name=False, on_delete=fields.RESTRICT, db_index=False
    )
    placed_by: fields.ForeignKeyNullableRelation["UserRow"] = fields.ForeignKeyField(
        "models.UserRow", related_name=False, on_delete=fields.RESTRICT, null=True, db_index=False
    )
    currency = fields.CharField(max_length=3)
    price_minor = fields.BigIntField()
    refunded_minor = fields.BigIntField(default=0)
    delivery_days = fields.IntField()
    created_at = DatetimeField()
    started_at = DatetimeField(null=True)
    delivery_due_at = DatetimeField(null=True)
    delivered_at = DatetimeField(null=True)
    auto_completes_at = DatetimeField(null=True)
    reminded_seconds = fields.IntField(null=True)
    completed_at = DatetimeField(null=True)
    cancelled_at = DatetimeField(null=True)
    cancellation_cause = fields.CharEnumField(CancellationCause, max_length=24, null=True)
    counted = fields.BooleanField(default=True)
    frozen_at = DatetimeField(null=True)
    next_deadline_at = DatetimeField(null=True)
    """When the next deadline or reminder takes effect: what the sweep looks for."""
    awaits_client = fields.BooleanField(default=False)
    awaits_freelancer = fields.BooleanField(default=False)
    """Whether a pending request waits for that side's answer."""
    due_sort = DatetimeField()
    """`delivery_due_at`, or the end of time while there is none: databases disagree where nothing is sorted."""
    price_sort = fields.BigIntField()
    """The price in ten-thousandths of its unit."""
    search_text = fields.TextField()
    """Reference and title in folded case."""

    client_id: UUID
    freelancer_id: UUID
    placed_by_id: UUID | None

    UNTOLD: ClassVar = frozenset(
        {"next_deadline_at", "awaits_client", "awaits_freelancer", "due_sort", "price_sort", "search_text"}
    )
    """What orders are found by, and nobody is told."""

    people: "tuple[UserRow, UserRow] | None" = None
    """The client and the freelancer, where they were read with the order."""

    pending: "tuple[RequestRow, ...] | None" = None
    """Its pending requests, in no order, where they were read with the order."""

    class Meta:
        app = "models"
        table = "orders"
        constraints = [
            CheckConstraint(check="price_minor > 0", name="orders_price_is_positive"),
            CheckConstraint(
                check="refunded_minor >= 0 AND refunded_minor <= price_minor", name="orders_refunds_stay_in_price"
            ),
            CheckConstraint(check="version >= 1", name="orders_version_counts_events"),
            CheckConstraint(check="client_id <> freelancer_id", name="orders_have_two_sides"),
            CheckConstraint(
                check="status IN ('AWAITING_REQUIREMENTS', 'IN_PROGRESS', 'DELIVERED', 'IN_REVISION', "
                "'COMPLETED', 'CANCELLED')",
                name="orders_status_is_known",
            ),
            CheckConstraint(
                check="(status = 'COMPLETED') = (completed_at IS NOT NULL)", name="orders_completed_says_when"
            ),
            CheckConstraint(
                check="(status = 'CANCELLED') = (cancelled_at IS NOT NULL) "
                "AND (status = 'CANCELLED') = (cancellation_cause IS NOT NULL)",
                name="orders_cancelled_says_when_and_why",
            ),
            CheckConstraint(
                check="status <> 'CANCELLED' OR refunded_minor = price_minor", name="orders_cancelled_pays_all_back"
            ),
            CheckConstraint(
                check="(status = 'DELIVERED') = (auto_completes_at IS NOT NULL)", name="orders_delivered_waits"
            ),
            CheckConstraint(
                check="status NOT IN ('COMPLETED', 'CANCELLED') OR (next_deadline_at IS NULL AND frozen_at IS NULL)",
                name="orders_closed_waits_for_nothing",
            ),
        ]
        indexes = [
            Index(fields=("client_id", "created_at", "id"), name="orders_by_client"),
            Index(fields=("freelancer_id", "created_at", "id"), name="orders_by_freelancer"),
            Index(fields=("placed_by_id", "created_at", "id"), name="orders_by_marketplace"),
            Index(fields=("created_at", "id"), name="orders_by_age"),
            Index(fields=("client_id", "due_sort", "id"), name="orders_by_client_due"),
            Index(fields=("freelancer_id", "due_sort", "id"), name="orders_by_freelancer_due"),
            Index(fields=("due_sort", "id"), name="orders_by_due"),
            Index(fields=("client_id", "price_sort", "id"), name="orders_by_client_price"),
            Index(fields=("freelancer_id", "price_sort", "id"), name="orders_by_freelancer_price"),
            Index(fields=("price_sort", "id"), name="orders_by_price"),
            Index(fields=("next_deadline_at", "id"), name="orders_by_deadline"),
            Index(fields=("status", "created_at", "id"), name="orders_by_status_age"),
            Index(fields=("status", "due_sort", "id"), name="orders_by_status_due"),
            Index(fields=("status", "price_sort", "id"), name="orders_by_status_price"),
            Index(fields=("placed_by_id", "due_sort", "id"), name="orders_by_marketplace_due"),
            Index(fields=("placed_by_id", "price_sort", "id"), name="orders_by_marketplace_price"),
            Index(fields=("freelancer_id", "status", "completed_at"), name="orders_by_standing"),
        ]
