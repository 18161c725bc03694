"""The table of double entries: the embedded ledger's pages."""

from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.instants import DatetimeField
from rules.ledger import Account

if TYPE_CHECKING:
    from models.order import OrderRow


class LedgerEntryRow(Model):
    """One side of a posting, in signed minor units. An account can't be posted to twice for one cause."""

    id = fields.UUIDField(primary_key=True)
    order: fields.ForeignKeyRelation["OrderRow"] = fields.ForeignKeyField(
        "models.OrderRow", related_name=False, on_delete=fields.RESTRICT, db_index=False
    )
    cause = fields.CharField(max_length=64)
    account = fields.CharEnumField(Account, max_length=12)
    currency = fields.CharField(max_length=3)
    amount_minor = fields.BigIntField()
    posted_at = DatetimeField()

    order_id: UUID

    class Meta:
        app = "models"
        table = "ledger_entries"
        constraints = [
            UniqueConstraint(fields=("cause", "account"), name="ledger_entries_post_once"),
        ]
        indexes = [Index(fields=("order_id",), name="ledger_entries_by_order")]
