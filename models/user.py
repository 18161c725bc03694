"""The table of people: one row for each subject of the identity provider that was ever seen or named."""

from typing import ClassVar

from tortoise import fields
from tortoise.models import Model

from models.instants import DatetimeField


class UserRow(Model):
    """Somebody. `name` is what the newest token, or else the order that named them first, called them."""

    id = fields.UUIDField(primary_key=True)
    subject = fields.CharField(max_length=255, unique=True)
    name = fields.CharField(max_length=255)
    created_at = DatetimeField()

    UNTOLD: ClassVar = frozenset({"created_at"})

    class Meta:
        app = "models"
        table = "users"
