"""The log of who was blocked and let in again."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint


class Migration(migrations.Migration):
    dependencies = [("models", "0002_indexes")]

    operations = [
        ops.CreateModel(
            name="BlockRow",
            fields=[
                ("position", fields.BigIntField(primary_key=True, generated=False)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.UserRow", source_field="user_id", related_name=False, on_delete=OnDelete.RESTRICT
                    ),
                ),
                ("blocked", fields.BooleanField()),
                ("reason", fields.TextField(null=True)),
                ("occurred_at", fields.DatetimeField()),
            ],
            options={"table": "blocks", "app": "models", "pk_attr": "position"},
            bases=["Model"],
        ),
        # The checks stand first: adding one on SQLite makes the table anew and loses its indexes.
        ops.AddConstraint("BlockRow", CheckConstraint(check="position >= 1", name="blocks_count_from_one")),
        ops.AddConstraint(
            "BlockRow", CheckConstraint(check="blocked OR reason IS NULL", name="blocks_alone_have_reasons")
        ),
        ops.AddIndex("BlockRow", Index(fields=("user_id", "position"), name="blocks_by_user")),
    ]
