"""The first tables, their constraints and indexes, and the beginning of the event log."""

import secrets

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state_apps import StateApps

from rules.ledger import Account
from rules.vocabulary import (
    CancellationCause,
    OnDeadline,
    OrderEventKind,
    OrderStatus,
    RefundStatus,
    RequestKind,
    RequestStatus,
    Role,
    SupportCaseStatus,
    SupportDecision,
)


async def begin_the_log(apps: StateApps, editor: BaseSchemaEditor) -> None:
    """The log starts at 0, with the secret that makes this database's cursors its own."""
    log = apps.get_model("models.LogRow")(id=1, position=0, secret=secrets.token_bytes(16))
    await log.save(using_db=editor.client, force_create=True)


async def forget_the_log(apps: StateApps, editor: BaseSchemaEditor) -> None:
    """The way back."""
    await apps.get_model("models.LogRow").all().using_db(editor.client).delete()


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="ConfidenceRow",
            fields=[
                ("request_id", fields.UUIDField(primary_key=True)),
                ("reason", fields.CharField(max_length=64)),
                ("note", fields.TextField(null=True)),
            ],
            options={"table": "confidences", "app": "models", "pk_attr": "request_id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="IdempotencyRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("user_id", fields.UUIDField()),
                ("key", fields.CharField(max_length=255)),
                ("fingerprint", fields.CharField(max_length=64)),
                ("subject_id", fields.UUIDField()),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "idempotency_keys", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddConstraint(
            "IdempotencyRow",
            UniqueConstraint(fields=("user_id", "key"), name="idempotency_keys_once_a_caller", condition=None),
        ),
        ops.AddIndex("IdempotencyRow", Index(fields=("created_at",), name="idempotency_keys_by_age")),
        ops.CreateModel(
            name="LogRow",
            fields=[
                ("id", fields.IntField(primary_key=True, generated=False)),
                ("position", fields.BigIntField()),
                ("secret", fields.BinaryField()),
            ],
            options={"table": "log", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddConstraint("LogRow", CheckConstraint(check="id = 1 AND position >= 0", name="log_is_one")),
        ops.CreateModel(
            name="UserRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("subject", fields.CharField(unique=True, max_length=255)),
                ("name", fields.CharField(max_length=255)),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "users", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OrderRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                ("reference", fields.CharField(unique=True, max_length=100)),
                ("title", fields.CharField(max_length=200)),
                ("status", fields.CharEnumField(enum_type=OrderStatus, max_length=24)),
                ("version", fields.IntField()),
                (
                    "client",
                    fields.ForeignKeyField(
                        "models.UserRow", source_field="client_id", related_name=False, on_delete=OnDelete.RESTRICT
                    ),
                ),
                (
                    "freelancer",
                    fields.ForeignKeyField(
                        "models.UserRow", source_field="freelancer_id", related_name=False, on_delete=OnDelete.RESTRICT
                    ),
                ),
                (
                    "placed_by",
                    fields.ForeignKeyField(
                        "models.UserRow",
                        source_field="placed_by_id",
                        null=True,
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("currency", fields.CharField(max_length=3)),
                ("price_minor", fields.BigIntField()),
                ("refunded_minor", fields.BigIntField(default=0)),
                ("delivery_days", fields.IntField()),
                ("created_at", fields.DatetimeField()),
                ("started_at", fields.DatetimeField(null=True)),
                ("delivery_due_at", fields.DatetimeField(null=True)),
                ("delivered_at", fields.DatetimeField(null=True)),
                ("auto_completes_at", fields.DatetimeField(null=True)),
                ("reminded_seconds", fields.IntField(null=True)),
                ("completed_at", fields.DatetimeField(null=True)),
                ("cancelled_at", fields.DatetimeField(null=True)),
                ("cancellation_cause", fields.CharEnumField(null=True, enum_type=CancellationCause, max_length=24)),
                ("counted", fields.BooleanField(default=True)),
                ("frozen_at", fields.DatetimeField(null=True)),
                ("next_deadline_at", fields.DatetimeField(null=True)),
                ("awaits_client", fields.BooleanField(default=False)),
                ("awaits_freelancer", fields.BooleanField(default=False)),
                ("due_sort", fields.DatetimeField()),
                ("price_sort", fields.BigIntField()),
                ("search_text", fields.TextField()),
            ],
            options={"table": "orders", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddConstraint("OrderRow", CheckConstraint(check="price_minor > 0", name="orders_price_is_positive")),
        ops.AddConstraint(
            "OrderRow",
            CheckConstraint(
                check="refunded_minor >= 0 AND refunded_minor <= price_minor", name="orders_refunds_stay_in_price"
            ),
        ),
        ops.AddConstraint("OrderRow", CheckConstraint(check="version >= 1", name="orders_version_counts_events")),
        ops.AddConstraint(
            "OrderRow", CheckConstraint(check="client_id <> freelancer_id", name="orders_have_two_sides")
        ),
        ops.AddConstraint(
            "OrderRow",
            CheckConstraint(
                check="status IN ('AWAITING_REQUIREMENTS', 'IN_PROGRESS', 'DELIVERED', 'IN_REVISION', 'COMPLETED', 'CANCELLED')",
                name="orders_status_is_known",
            ),
        ),
        ops.AddConstraint(
            "OrderRow",
            CheckConstraint(
                check="(status = 'COMPLETED') = (completed_at IS NOT NULL)", name="orders_completed_says_when"
            ),
        ),
        ops.AddConstraint(
            "OrderRow",
            CheckConstraint(
                check="(status = 'CANCELLED') = (cancelled_at IS NOT NULL) AND (status = 'CANCELLED') = (cancellation_cause IS NOT NULL)",
                name="orders_cancelled_says_when_and_why",
            ),
        ),
        ops.AddConstraint(
            "OrderRow",
            CheckConstraint(
                check="status <> 'CANCELLED' OR refunded_minor = price_minor", name="orders_cancelled_pays_all_back"
            ),
        ),
        ops.AddConstraint(
            "OrderRow",
            CheckConstraint(
                check="(status = 'DELIVERED') = (auto_completes_at IS NOT NULL)", name="orders_delivered_waits"
            ),
        ),
        ops.AddConstraint(
            "OrderRow",
            CheckConstraint(
                check="status NOT IN ('COMPLETED', 'CANCELLED') OR (next_deadline_at IS NULL AND frozen_at IS NULL)",
                name="orders_closed_waits_for_nothing",
            ),
        ),
        ops.AddIndex("OrderRow", Index(fields=("client_id", "created_at", "id"), name="orders_by_client")),
        ops.AddIndex("OrderRow", Index(fields=("freelancer_id", "created_at", "id"), name="orders_by_freelancer")),
        ops.AddIndex("OrderRow", Index(fields=("placed_by_id", "created_at", "id"), name="orders_by_marketplace")),
        ops.AddIndex("OrderRow", Index(fields=("created_at", "id"), name="orders_by_age")),
        ops.AddIndex("OrderRow", Index(fields=("client_id", "due_sort", "id"), name="orders_by_client_due")),
        ops.AddIndex("OrderRow", Index(fields=("freelancer_id", "due_sort", "id"), name="orders_by_freelancer_due")),
        ops.AddIndex("OrderRow", Index(fields=("due_sort", "id"), name="orders_by_due")),
        ops.AddIndex("OrderRow", Index(fields=("client_id", "price_sort", "id"), name="orders_by_client_price")),
        ops.AddIndex(
            "OrderRow", Index(fields=("freelancer_id", "price_sort", "id"), name="orders_by_freelancer_price")
        ),
        ops.AddIndex("OrderRow", Index(fields=("price_sort", "id"), name="orders_by_price")),
        ops.AddIndex("OrderRow", Index(fields=("next_deadline_at", "id"), name="orders_by_deadline")),
        ops.AddIndex("OrderRow", Index(fields=("status", "delivery_due_at"), name="orders_by_status")),
        ops.CreateModel(
            name="EventRow",
            fields=[
                ("position", fields.BigIntField(primary_key=True, generated=False)),
                (
                    "order",
                    fields.ForeignKeyField(
                        "models.OrderRow", source_field="order_id", related_name=False, on_delete=OnDelete.RESTRICT
                    ),
                ),
                ("sequence", fields.IntField()),
                ("kind", fields.CharEnumField(enum_type=OrderEventKind, max_length=24)),
                ("occurred_at", fields.DatetimeField()),
                (
                    "actor",
                    fields.ForeignKeyField(
                        "models.UserRow",
                        source_field="actor_id",
                        null=True,
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("actor_role", fields.CharEnumField(enum_type=Role, max_length=12)),
                ("order_status", fields.CharEnumField(enum_type=OrderStatus, max_length=24)),
                ("request_id", fields.UUIDField(null=True)),
                ("request_status", fields.CharEnumField(null=True, enum_type=RequestStatus, max_length=16)),
                ("message", fields.TextField(null=True)),
                ("changes", fields.JSONField()),
                ("client_id", fields.UUIDField()),
                ("freelancer_id", fields.UUIDField()),
                ("placed_by_id", fields.UUIDField(null=True)),
            ],
            options={"table": "events", "app": "models", "pk_attr": "position"},
            bases=["Model"],
        ),
        # The check stands first: adding one on SQLite makes the table anew and loses its indexes.
        ops.AddConstraint(
            "EventRow", CheckConstraint(check="sequence >= 1 AND position >= 1", name="events_count_from_one")
        ),
        ops.AddConstraint(
            "EventRow",
            UniqueConstraint(fields=("order_id", "sequence"), name="events_count_each_order", condition=None),
        ),
        ops.AddIndex("EventRow", Index(fields=("client_id", "position"), name="events_by_client")),
        ops.AddIndex("EventRow", Index(fields=("freelancer_id", "position"), name="events_by_freelancer")),
        ops.AddIndex("EventRow", Index(fields=("placed_by_id", "position"), name="events_by_marketplace")),
        ops.CreateModel(
            name="LedgerEntryRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "order",
                    fields.ForeignKeyField(
                        "models.OrderRow", source_field="order_id", related_name=False, on_delete=OnDelete.RESTRICT
                    ),
                ),
                ("cause", fields.CharField(max_length=64)),
                ("account", fields.CharEnumField(enum_type=Account, max_length=12)),
                ("currency", fields.CharField(max_length=3)),
                ("amount_minor", fields.BigIntField()),
                ("posted_at", fields.DatetimeField()),
            ],
            options={"table": "ledger_entries", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddConstraint(
            "LedgerEntryRow",
            UniqueConstraint(fields=("cause", "account"), name="ledger_entries_post_once", condition=None),
        ),
        ops.AddIndex("LedgerEntryRow", Index(fields=("order_id",), name="ledger_entries_by_order")),
        ops.CreateModel(
            name="RefundRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "order",
                    fields.ForeignKeyField(
                        "models.OrderRow", source_field="order_id", related_name=False, on_delete=OnDelete.RESTRICT
                    ),
                ),
                ("request_id", fields.UUIDField(null=True)),
                ("case_id", fields.UUIDField(null=True)),
                ("currency", fields.CharField(max_length=3)),
                ("amount_minor", fields.BigIntField()),
                ("status", fields.CharEnumField(enum_type=RefundStatus, max_length=12)),
                ("created_at", fields.DatetimeField()),
                ("settled_at", fields.DatetimeField(null=True)),
                ("failure", fields.TextField(null=True)),
                ("attempts", fields.IntField(default=0)),
                ("next_attempt_at", fields.DatetimeField()),
                ("claimed_by", fields.UUIDField(null=True)),
            ],
            options={"table": "refunds", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddConstraint("RefundRow", CheckConstraint(check="amount_minor > 0", name="refunds_are_positive")),
        ops.AddConstraint(
            "RefundRow",
            CheckConstraint(check="(status = 'PENDING') = (settled_at IS NULL)", name="refunds_settled_says_when"),
        ),
        ops.AddConstraint(
            "RefundRow",
            CheckConstraint(check="(status = 'FAILED') = (failure IS NOT NULL)", name="refunds_failed_says_why"),
        ),
        ops.AddIndex("RefundRow", Index(fields=("order_id", "created_at", "id"), name="refunds_by_order")),
        ops.AddIndex("RefundRow", Index(fields=("request_id",), name="refunds_by_request")),
        ops.AddIndex("RefundRow", Index(fields=("status", "next_attempt_at"), name="refunds_by_attempt")),
        ops.CreateModel(
            name="RequestRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "order",
                    fields.ForeignKeyField(
                        "models.OrderRow", source_field="order_id", related_name=False, on_delete=OnDelete.RESTRICT
                    ),
                ),
                ("kind", fields.CharEnumField(enum_type=RequestKind, max_length=24)),
                ("status", fields.CharEnumField(enum_type=RequestStatus, max_length=16)),
                (
                    "requested_by",
                    fields.ForeignKeyField(
                        "models.UserRow",
                        source_field="requested_by_id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("requested_by_role", fields.CharEnumField(enum_type=Role, max_length=12)),
                ("created_at", fields.DatetimeField()),
                ("respond_by", fields.DatetimeField()),
                ("on_deadline", fields.CharEnumField(enum_type=OnDeadline, max_length=8)),
                ("reminded_seconds", fields.IntField(null=True)),
                ("settled_at", fields.DatetimeField(null=True)),
                ("settled_by_role", fields.CharEnumField(null=True, enum_type=Role, max_length=12)),
                ("decline_message", fields.TextField(null=True)),
                ("currency", fields.CharField(null=True, max_length=3)),
                ("amount_minor", fields.BigIntField(null=True)),
                ("cap_minor", fields.BigIntField(null=True)),
                ("text", fields.TextField(null=True)),
                ("reason", fields.CharField(null=True, max_length=64)),
                ("answer", fields.TextField(null=True)),
                ("days", fields.IntField(null=True)),
                ("client_id", fields.UUIDField()),
                ("freelancer_id", fields.UUIDField()),
                ("placed_by_id", fields.UUIDField(null=True)),
            ],
            options={"table": "requests", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddConstraint(
            "RequestRow",
            CheckConstraint(
                check="(status = 'PENDING') = (settled_at IS NULL) AND (status = 'PENDING') = (settled_by_role IS NULL)",
                name="requests_settled_says_when_and_by_whom",
            ),
        ),
        ops.AddConstraint(
            "RequestRow",
            CheckConstraint(
                check="status IN ('PENDING', 'ACCEPTED', 'DECLINED', 'WITHDRAWN', 'ANSWERED', 'EXPIRED', 'AUTO_ACCEPTED', 'SUPERSEDED')",
                name="requests_status_is_known",
            ),
        ),
        ops.AddConstraint(
            "RequestRow",
            CheckConstraint(
                check="(kind = 'PARTIAL_REFUND') = (amount_minor IS NOT NULL AND cap_minor IS NOT NULL AND currency IS NOT NULL)",
                name="requests_refund_says_how_much",
            ),
        ),
        ops.AddConstraint(
            "RequestRow",
            CheckConstraint(
                check="amount_minor IS NULL OR (amount_minor > 0 AND amount_minor <= cap_minor)",
                name="requests_refund_stays_in_cap",
            ),
        ),
        ops.AddConstraint(
            "RequestRow",
            CheckConstraint(
                check="(kind = 'DELIVERY_EXTENSION') = (days IS NOT NULL)", name="requests_extension_says_days"
            ),
        ),
        ops.AddConstraint(
            "RequestRow", CheckConstraint(check="days IS NULL OR days > 0", name="requests_extension_is_forward")
        ),
        ops.AddConstraint(
            "RequestRow",
            CheckConstraint(check="(status = 'ANSWERED') = (answer IS NOT NULL)", name="requests_answered_has_answer"),
        ),
        ops.AddConstraint(
            "RequestRow",
            CheckConstraint(
                check="kind IN ('CANCELLATION') OR (text IS NOT NULL AND reason IS NULL)", name="requests_explain"
            ),
        ),
        ops.AddConstraint(
            "RequestRow",
            CheckConstraint(
                check="kind <> 'CANCELLATION' OR (requested_by_role = 'FREELANCER') = (reason IS NOT NULL)",
                name="requests_freelancer_shares_reason",
            ),
        ),
        ops.AddConstraint(
            "RequestRow",
            CheckConstraint(check="requested_by_role IN ('CLIENT', 'FREELANCER')", name="requests_are_asked_by_a_side"),
        ),
        ops.AddIndex("RequestRow", Index(fields=("order_id", "created_at", "id"), name="requests_by_order")),
        ops.AddIndex("RequestRow", Index(fields=("status", "respond_by"), name="requests_by_deadline")),
        ops.AddIndex("RequestRow", Index(fields=("created_at", "id"), name="requests_by_age")),
        ops.AddIndex("RequestRow", Index(fields=("client_id", "created_at", "id"), name="requests_by_client")),
        ops.AddIndex("RequestRow", Index(fields=("freelancer_id", "created_at", "id"), name="requests_by_freelancer")),
        ops.AddIndex("RequestRow", Index(fields=("placed_by_id", "created_at", "id"), name="requests_by_marketplace")),
        ops.CreateModel(
            name="SupportCaseRow",
            fields=[
                ("id", fields.UUIDField(primary_key=True)),
                (
                    "order",
                    fields.ForeignKeyField(
                        "models.OrderRow", source_field="order_id", related_name=False, on_delete=OnDelete.RESTRICT
                    ),
                ),
                (
                    "opened_by",
                    fields.ForeignKeyField(
                        "models.UserRow", source_field="opened_by_id", related_name=False, on_delete=OnDelete.RESTRICT
                    ),
                ),
                ("opened_by_role", fields.CharEnumField(enum_type=Role, max_length=12)),
                ("message", fields.TextField(unique=False)),
                ("status", fields.CharEnumField(enum_type=SupportCaseStatus, max_length=8)),
                ("opened_at", fields.DatetimeField()),
                ("decision", fields.CharEnumField(null=True, enum_type=SupportDecision, max_length=16)),
                ("decision_message", fields.TextField(null=True)),
                ("resolved_at", fields.DatetimeField(null=True)),
                ("client_id", fields.UUIDField()),
                ("freelancer_id", fields.UUIDField()),
                ("placed_by_id", fields.UUIDField(null=True)),
            ],
            options={"table": "support_cases", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddConstraint(
            "SupportCaseRow",
            CheckConstraint(
                check="(status = 'OPEN' AND resolved_at IS NULL AND decision IS NULL AND decision_message IS NULL) OR (status = 'RESOLVED' AND resolved_at IS NOT NULL AND decision IS NOT NULL AND decision_message IS NOT NULL)",
                name="support_cases_resolved_says_what_and_why",
            ),
        ),
        ops.AddIndex("SupportCaseRow", Index(fields=("order_id", "opened_at", "id"), name="support_cases_by_order")),
        ops.AddIndex("SupportCaseRow", Index(fields=("status", "opened_at", "id"), name="support_cases_by_status")),
        ops.AddIndex("SupportCaseRow", Index(fields=("opened_at", "id"), name="support_cases_by_age")),
        ops.AddIndex("SupportCaseRow", Index(fields=("client_id", "opened_at", "id"), name="support_cases_by_client")),
        ops.AddIndex(
            "SupportCaseRow", Index(fields=("freelancer_id", "opened_at", "id"), name="support_cases_by_freelancer")
        ),
        ops.AddIndex(
            "SupportCaseRow", Index(fields=("placed_by_id", "opened_at", "id"), name="support_cases_by_marketplace")
        ),
        # Tortoise can't make partial unique indexes on SQLite; this text is good on both databases.
        ops.RunSQL(
            "CREATE UNIQUE INDEX requests_one_pending_of_a_kind ON requests (order_id, kind) WHERE status = 'PENDING'",
            "DROP INDEX requests_one_pending_of_a_kind",
        ),
        ops.RunSQL(
            "CREATE UNIQUE INDEX requests_one_accepted_refund ON requests (order_id) "
            "WHERE kind = 'PARTIAL_REFUND' AND status IN ('ACCEPTED', 'AUTO_ACCEPTED')",
            "DROP INDEX requests_one_accepted_refund",
        ),
        ops.RunSQL(
            "CREATE UNIQUE INDEX support_cases_one_open_an_order ON support_cases (order_id) WHERE status = 'OPEN'",
            "DROP INDEX support_cases_one_open_an_order",
        ),
        ops.RunPython(begin_the_log, forget_the_log),
    ]
