"""Where private reasons live, and nothing else: read by `reads.confidences` alone, which is told who asks."""

from tortoise import fields
from tortoise.models import Model


class ConfidenceRow(Model):
    """The reason of a request that only its author and support may read, with its note."""

    request_id = fields.UUIDField(primary_key=True)
    reason = fields.CharField(max_length=64)
    note = fields.TextField(null=True)

    class Meta:
        app = "models"
        table = "confidences"
