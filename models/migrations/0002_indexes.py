"""Indexes for lists of whoever sees all orders, for dashboards and for standings; and what SQLite shall know of them."""

from tortoise import migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state_apps import StateApps

STATISTICS = {
    "confidences": {
        "sqlite_autoindex_confidences_1": "13939 1",
    },
    "events": {
        "events_by_client": "498695 100 1",
        "events_by_freelancer": "498695 250 1",
        "events_by_marketplace": "498695 166232 1",
        "events_count_each_order": "498695 5 1",
        "sqlite_autoindex_events_1": "498695 1",
    },
    "idempotency_keys": {
        "idempotency_keys_by_age": "80200 2",
        "idempotency_keys_once_a_caller": "80200 12 1",
        "sqlite_autoindex_idempotency_keys_1": "80200 1",
    },
    "ledger_entries": {
        "ledger_entries_by_order": "21588 2",
        "ledger_entries_post_once": "21588 2 1",
        "sqlite_autoindex_ledger_entries_1": "21588 1",
    },
    "orders": {
        "orders_by_age": "100000 1 1",
        "orders_by_client": "100000 20 1 1",
        "orders_by_client_due": "100000 20 1 1",
        "orders_by_client_price": "100000 20 1 1",
        "orders_by_deadline": "100000 76 1",
        "orders_by_due": "100000 1 1",
        "orders_by_freelancer": "100000 50 1 1",
        "orders_by_freelancer_due": "100000 50 1 1",
        "orders_by_freelancer_price": "100000 50 1 1",
        "orders_by_marketplace": "100000 33334 1 1",
        "orders_by_marketplace_due": "100000 33334 1 1",
        "orders_by_marketplace_price": "100000 33334 2 1",
        "orders_by_price": "100000 2 1",
        "orders_by_standing": "100000 50 17 1",
        "orders_by_status_age": "100000 16667 1 1",
        "orders_by_status_due": "100000 16667 1 1",
        "orders_by_status_price": "100000 16667 2 1",
        "sqlite_autoindex_orders_1": "100000 1",
        "sqlite_autoindex_orders_2": "100000 1",
    },
    "refunds": {
        "refunds_by_attempt": "10794 5397 3",
        "refunds_by_order": "10794 1 1 1",
        "refunds_by_request": "10794 3",
        "sqlite_autoindex_refunds_1": "10794 1",
    },
    "requests": {
        "requests_by_age": "55969 2 1",
        "requests_by_client": "55969 12 2 1",
        "requests_by_client_deadline": "55969 12 3 1",
        "requests_by_deadline": "55969 6997 1",
        "requests_by_freelancer": "55969 28 2 1",
        "requests_by_freelancer_deadline": "55969 28 5 1",
        "requests_by_marketplace": "55969 18657 2 1",
        "requests_by_marketplace_deadline": "55969 18657 2333 1",
        "requests_by_order": "55969 2 2 1",
        "requests_by_order_status": "55969 2 1",
        "requests_by_status_age": "55969 6997 1 1",
        "requests_one_accepted_refund": "4717 1",
        "requests_one_pending_of_a_kind": "1253 2 1",
        "sqlite_autoindex_requests_1": "55969 1",
    },
    "support_cases": {
        "sqlite_autoindex_support_cases_1": "2010 1",
        "support_cases_by_age": "2010 1 1",
        "support_cases_by_client": "2010 2 1 1",
        "support_cases_by_freelancer": "2010 2 1 1",
        "support_cases_by_marketplace": "2010 670 1 1",
        "support_cases_by_order": "2010 1 1 1",
        "support_cases_by_order_status": "2010 1 1",
        "support_cases_by_status": "2010 1005 1 1",
        "support_cases_one_open_an_order": "91 1",
    },
    "users": {
        "sqlite_autoindex_users_1": "7003 1",
        "sqlite_autoindex_users_2": "7003 1",
    },
}
"""What SQLite finds when it analyses 100,000 orders of the bench's crowd: by table and index, how many rows there are, and
how many share the first column, the first two, and so on. Nobody analyses an embedded database, and without such
numbers SQLite takes a status for as rare as a person: a page of somebody's few orders would look at all that are
completed. An operator's own ANALYZE replaces them."""


async def tell_sqlite(apps: StateApps, editor: BaseSchemaEditor) -> None:  # noqa: ARG001 - Tortoise gives both
    """Writes the numbers down, where SQLite looks for them when it opens the file. PostgreSQL finds its own."""
    if editor.client.capabilities.dialect != "sqlite":
        return
    await editor.client.execute_query("ANALYZE log")  # makes the table that only SQLite can make
    await editor.client.execute_query("DELETE FROM sqlite_stat1")
    for table, indexes in STATISTICS.items():
        for index, numbers in indexes.items():
            await editor.client.execute_query("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", [table, index, numbers])


async def keep_the_numbers(apps: StateApps, editor: BaseSchemaEditor) -> None:
    """The way back: numbers of an index that is gone do no harm."""


class Migration(migrations.Migration):
    dependencies = [("models", "0001_initial")]

    operations = [
        # By when delivery is due nobody ever asks, but by `due_sort`.
        ops.RemoveIndex("OrderRow", name="orders_by_status"),
        ops.AddIndex("OrderRow", Index(fields=("status", "created_at", "id"), name="orders_by_status_age")),
        ops.AddIndex("OrderRow", Index(fields=("status", "due_sort", "id"), name="orders_by_status_due")),
        ops.AddIndex("OrderRow", Index(fields=("status", "price_sort", "id"), name="orders_by_status_price")),
        ops.AddIndex("OrderRow", Index(fields=("placed_by_id", "due_sort", "id"), name="orders_by_marketplace_due")),
        ops.AddIndex(
            "OrderRow", Index(fields=("placed_by_id", "price_sort", "id"), name="orders_by_marketplace_price")
        ),
        ops.AddIndex("OrderRow", Index(fields=("freelancer_id", "status", "completed_at"), name="orders_by_standing")),
        ops.AddIndex("RequestRow", Index(fields=("order_id", "status"), name="requests_by_order_status")),
        ops.AddIndex("RequestRow", Index(fields=("status", "created_at", "id"), name="requests_by_status_age")),
        ops.AddIndex(
            "RequestRow", Index(fields=("client_id", "status", "respond_by"), name="requests_by_client_deadline")
        ),
        ops.AddIndex(
            "RequestRow",
            Index(fields=("freelancer_id", "status", "respond_by"), name="requests_by_freelancer_deadline"),
        ),
        ops.AddIndex(
            "RequestRow",
            Index(fields=("placed_by_id", "status", "respond_by"), name="requests_by_marketplace_deadline"),
        ),
        ops.AddIndex("SupportCaseRow", Index(fields=("order_id", "status"), name="support_cases_by_order_status")),
        ops.RunPython(tell_sqlite, keep_the_numbers),
    ]
