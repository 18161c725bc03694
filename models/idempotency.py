"""The table of idempotency keys: which request of a client has taken effect, so that it never does so twice."""

from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.instants import DatetimeField


class IdempotencyRow(Model):
    """One key of one caller. `fingerprint` is a digest of the mutation and its input; `subject_id` what it answered."""

    id = fields.UUIDField(primary_key=True)
    user_id: UUID = fields.UUIDField()
    key = fields.CharField(max_length=255)
    fingerprint = fields.CharField(max_length=64)
    subject_id: UUID = fields.UUIDField()
    created_at = DatetimeField()

    class Meta:
        app = "models"
        table = "idempotency_keys"
        constraints = [UniqueConstraint(fields=("user_id", "key"), name="idempotency_keys_once_a_caller")]
        indexes = [Index(fields=("created_at",), name="idempotency_keys_by_age")]
