"""Tables, and the one way to write them; this package is Tortoise's app «models»."""

from models.block import BlockRow
from models.confidence import ConfidenceRow
from models.event import EventRow, LogRow
from models.idempotency import IdempotencyRow
from models.ledger import LedgerEntryRow
from models.order import OrderRow
from models.refund import RefundRow
from models.request import RequestRow
from models.support_case import SupportCaseRow
from models.user import UserRow

__all__ = [
    "BlockRow",
    "ConfidenceRow",
    "EventRow",
    "IdempotencyRow",
    "LedgerEntryRow",
    "LogRow",
    "OrderRow",
    "RefundRow",
    "RequestRow",
    "SupportCaseRow",
    "UserRow",
]
