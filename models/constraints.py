"""The rules that the database repeats: the names of all constraints, so that `doctor` can say which one is missing."""

from tortoise.indexes import Index

from models import (
    BlockRow,
    ConfidenceRow,
    EventRow,
    IdempotencyRow,
    LedgerEntryRow,
    LogRow,
    OrderRow,
    RefundRow,
    RequestRow,
    SupportCaseRow,
    UserRow,
)

ROWS = (
    UserRow,
    OrderRow,
    RequestRow,
    ConfidenceRow,
    SupportCaseRow,
    RefundRow,
    LedgerEntryRow,
    EventRow,
    LogRow,
    IdempotencyRow,
    BlockRow,
)
"""Every table."""

PARTIAL_UNIQUE_INDEXES = (
    "requests_one_pending_of_a_kind",
    "requests_one_accepted_refund",
    "support_cases_one_open_an_order",
)
"""Made by plain SQL in the first migration: Tortoise can't make them on SQLite."""


def constraint_names() -> dict[str, list[str]]:
    """Every constraint and index that must be there, by table."""
    names: dict[str, list[str]] = {}
    for row in ROWS:
        meta = row._meta
        table = meta.db_table
        names[table] = [constraint.name for constraint in meta.constraints or ()]
        names[table] += [str(index.name) for index in meta.indexes or () if isinstance(index, Index)]
        names[table] += [name for name in PARTIAL_UNIQUE_INDEXES if name.startswith(f"{table}_")]
    return names
