"""The database repeats the rules: a row that they forbid can't be written, whoever writes it; and the migrations make
what the models say."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tortoise import Tortoise
from tortoise.exceptions import IntegrityError
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.migrations.operations import AlterModelOptions

from api.commands import doctoring
from models.block import log_block
from models.constraints import PARTIAL_UNIQUE_INDEXES, ROWS, constraint_names
from models.database import connection, opened
from rules import commands as c
from rules.vocabulary import SupportDecision
from tests.database import (
    CLIENT,
    FREELANCER,
    SUPPORT,
    HandClock,
    TestJournal,
    a_decision,
    a_key,
    a_placed_order,
    a_started_order,
    dump,
    with_people,
)
from tests.store import ON_POSTGRESQL, STORE, Template
from tests.world import GITA, START, a_call_for_support, a_plea_to_the_client, a_question, an_extension, an_offer

NOBODY = "'00000000-0000-0000-0000-000000000099'"
NAMED = {
    "b": "reference = 'B-1001'",
    "refund": "kind = 'PARTIAL_REFUND' AND status = 'ACCEPTED'",
    "plea": "kind = 'CANCELLATION'",
    "question": "kind = 'ORDER_UPDATE'",
    "extension": "kind = 'DELIVERY_EXTENSION'",
}
"""Rows that `everything` makes, by what the statements below call them."""

FORBIDDEN: dict[str, list[str]] = {
    "blocks_count_from_one": ["UPDATE blocks SET position = 0"],
    "blocks_alone_have_reasons": ["UPDATE blocks SET blocked = FALSE"],
    "orders_price_is_positive": ["UPDATE orders SET price_minor = 0, refunded_minor = 0 WHERE {b}"],
    "orders_refunds_stay_in_price": [
        "UPDATE orders SET refunded_minor = price_minor + 1 WHERE {b}",
        "UPDATE orders SET refunded_minor = -1 WHERE {b}",
    ],
    "orders_version_counts_events": ["UPDATE orders SET version = 0 WHERE {b}"],
    "orders_have_two_sides": ["UPDATE orders SET freelancer_id = client_id WHERE {b}"],
    "orders_status_is_known": ["UPDATE orders SET status = 'LOST' WHERE {b}"],
    "orders_completed_says_when": [
        "UPDATE orders SET status = 'COMPLETED', next_deadline_at = NULL, frozen_at = NULL WHERE {b}",
        "UPDATE orders SET completed_at = created_at WHERE {b}",
    ],
    "orders_cancelled_says_when_and_why": [
        (
            "UPDATE orders SET status = 'CANCELLED', refunded_minor = price_minor, cancelled_at = created_at, "
            "frozen_at = NULL WHERE {b}"
        ),
        (
            "UPDATE orders SET status = 'CANCELLED', refunded_minor = price_minor, "
            "cancellation_cause = 'CLIENT_ASKED', frozen_at = NULL WHERE {b}"
        ),
        "UPDATE orders SET cancelled_at = created_at WHERE {b}",
        "UPDATE orders SET cancellation_cause = 'CLIENT_ASKED' WHERE {b}",
    ],
    "orders_cancelled_pays_all_back": [
        (
            "UPDATE orders SET status = 'CANCELLED', cancelled_at = created_at, cancellation_cause = 'CLIENT_ASKED', "
            "frozen_at = NULL WHERE {b}"
        ),
    ],
    "orders_delivered_waits": [
        "UPDATE orders SET status = 'DELIVERED' WHERE {b}",
        "UPDATE orders SET auto_completes_at = created_at WHERE {b}",
    ],
    "orders_closed_waits_for_nothing": [
        "UPDATE orders SET status = 'COMPLETED', completed_at = created_at WHERE {b}",
        (
            "UPDATE orders SET status = 'COMPLETED', completed_at = created_at, frozen_at = NULL, "
            "next_deadline_at = created_at WHERE {b}"
        ),
    ],
    "orders.reference": ["UPDATE orders SET reference = 'B-1002'"],
    "requests_settled_says_when_and_by_whom": [
        "UPDATE requests SET status = 'PENDING' WHERE {refund}",
        "UPDATE requests SET settled_at = NULL WHERE {refund}",
        "UPDATE requests SET settled_by_role = NULL WHERE {refund}",
        "UPDATE requests SET settled_at = created_at WHERE {question}",
    ],
    "requests_status_is_known": ["UPDATE requests SET status = 'LOST' WHERE {refund}"],
    "requests_refund_says_how_much": [
        "UPDATE requests SET amount_minor = NULL WHERE {refund}",
        "UPDATE requests SET cap_minor = NULL WHERE {refund}",
        "UPDATE requests SET currency = NULL WHERE {refund}",
        "UPDATE requests SET amount_minor = 1, cap_minor = 1, currency = 'USD' WHERE {question}",
    ],
    "requests_refund_stays_in_cap": [
        "UPDATE requests SET amount_minor = cap_minor + 1 WHERE {refund}",
        "UPDATE requests SET amount_minor = 0 WHERE {refund}",
    ],
    "requests_extension_says_days": [
        "UPDATE requests SET days = NULL WHERE {extension}",
        "UPDATE requests SET days = 3 WHERE {refund}",
    ],
    "requests_extension_is_forward": ["UPDATE requests SET days = 0 WHERE {extension}"],
    "requests_answered_has_answer": [
        "UPDATE requests SET answer = 'Fine.' WHERE {refund}",
        (
            "UPDATE requests SET status = 'ANSWERED', settled_at = created_at, settled_by_role = 'FREELANCER' "
            "WHERE {question}"
        ),
    ],
    "requests_explain": [
        "UPDATE requests SET text = NULL WHERE {refund}",
        "UPDATE requests SET reason = 'GOODWILL' WHERE {refund}",
    ],
    "requests_freelancer_shares_reason": [
        "UPDATE requests SET reason = NULL WHERE {plea}",
        "UPDATE requests SET requested_by_role = 'CLIENT' WHERE {plea}",
    ],
    "requests_are_asked_by_a_side": ["UPDATE requests SET requested_by_role = 'SUPPORT' WHERE {question}"],
    "requests_one_pending_of_a_kind": [
        "UPDATE requests SET kind = 'ORDER_UPDATE', days = NULL WHERE {extension}",
    ],
    "requests_one_accepted_refund": [
        "UPDATE requests SET status = 'ACCEPTED' WHERE status = 'DECLINED'",
        "UPDATE requests SET status = 'AUTO_ACCEPTED' WHERE status = 'DECLINED'",
    ],
    "support_cases_resolved_says_what_and_why": [
        "UPDATE support_cases SET status = 'RESOLVED' WHERE status = 'OPEN'",
        "UPDATE support_cases SET decision = NULL WHERE status = 'RESOLVED'",
        "UPDATE support_cases SET decision_message = NULL WHERE status = 'RESOLVED'",
        "UPDATE support_cases SET resolved_at = NULL WHERE status = 'RESOLVED'",
        "UPDATE support_cases SET resolved_at = opened_at WHERE status = 'OPEN'",
        "UPDATE support_cases SET status = 'LOST'",
    ],
    "support_cases_one_open_an_order": [
        "UPDATE support_cases SET status = 'OPEN', decision = NULL, decision_message = NULL, resolved_at = NULL",
    ],
    "refunds_are_positive": ["UPDATE refunds SET amount_minor = 0"],
    "refunds_settled_says_when": [
        "UPDATE refunds SET status = 'SUCCEEDED'",
        "UPDATE refunds SET settled_at = created_at",
    ],
    "refunds_failed_says_why": [
        "UPDATE refunds SET status = 'FAILED', settled_at = created_at",
        "UPDATE refunds SET failure = 'No.'",
    ],
    "ledger_entries_post_once": ["UPDATE ledger_entries SET cause = 'the same'"],
    "events_count_from_one": [
        "UPDATE events SET sequence = 0 WHERE position = 1",
        "UPDATE events SET position = 0 WHERE position = 1",
    ],
    "events_count_each_order": ["UPDATE events SET sequence = 1"],
    "events.position": ["UPDATE events SET position = 2 WHERE position = 1"],
    "log_is_one": [
        "UPDATE log SET position = -1",
        "UPDATE log SET id = 2",
        "INSERT INTO log (id, position, secret) SELECT 2, position, secret FROM log",
    ],
    "idempotency_keys_once_a_caller": ["UPDATE idempotency_keys SET key = 'the same'"],
    "users.subject": ["UPDATE users SET subject = 'ada'"],
}
"""What nobody may write, by the constraint that refuses it; a column that is unique stands for its own."""

FOREIGN_KEYS = [
    (row._meta.db_table, row._meta.db_pk_column, row._meta.fields_map[name].source_field or f"{name}_id")
    for row in ROWS
    for name in sorted(row._meta.fk_fields)
]

_made: list[Template] = []


@pytest.fixture
async def everything(tmp_path: Path) -> AsyncIterator[None]:
    """An open database with a row of every sort, at which every statement above finds what it needs."""
    if not _made:
        with TemporaryDirectory() as folder:
            _made.append(await _a_row_of_every_sort(Path(folder)))
    async with opened(STORE.copy(_made[0], tmp_path)):
        yield


async def _a_row_of_every_sort(folder: Path) -> Template:
    url = STORE.copy(await with_people(), folder)
    async with opened(url):
        journal = TestJournal(url, HandClock())
        await a_placed_order(journal, "B-1002")
        order_id = await a_started_order(journal)
        declined = (await journal.perform(order_id, an_offer(), FREELANCER, a_key("one"))).subject_id
        await journal.perform(order_id, c.DeclineRequest(declined), CLIENT)
        accepted = (await journal.perform(order_id, an_offer(), FREELANCER, a_key("two"))).subject_id
        await journal.perform(order_id, c.AcceptRequest(accepted), CLIENT)
        await journal.perform(order_id, a_plea_to_the_client(), FREELANCER)
        await journal.perform(order_id, a_question(), CLIENT)
        await journal.perform(order_id, an_extension(), FREELANCER)
        case = (await journal.perform(order_id, a_call_for_support(), CLIENT)).subject_id
        await journal.perform(order_id, a_decision(case, SupportDecision.CONTINUE_ORDER), SUPPORT)
        await journal.perform(order_id, a_call_for_support(), CLIENT)
        await log_block(GITA, blocked=True, reason="Ticket 4711", now=START)
    return STORE.keep(folder)


def _refused_by(error: IntegrityError, constraint: str) -> bool:
    """Whether it was this constraint. PostgreSQL tells its name; SQLite that of a check, and the columns of what is
    unique."""
    if ON_POSTGRESQL:
        name: str = error.args[0].constraint_name
        if constraint == "events.position":
            return name == "events_pkey"
        return name == (f"{constraint.replace('.', '_')}_key" if "." in constraint else constraint)
    return str(error) == _said(constraint)


def _said(constraint: str) -> str:
    """How SQLite names it: a check by its name, what is unique by its columns."""
    if "." in constraint:
        return f"UNIQUE constraint failed: {constraint}"
    unique = {
        "requests_one_pending_of_a_kind": ("requests", ("order_id", "kind")),
        "requests_one_accepted_refund": ("requests", ("order_id",)),
        "support_cases_one_open_an_order": ("support_cases", ("order_id",)),
    }
    for row in ROWS:
        for declared in row._meta.constraints or ():
            if isinstance(declared, UniqueConstraint) and declared.name:
                unique[declared.name] = (row._meta.db_table, tuple(declared.fields))
    if constraint in unique:
        table, columns = unique[constraint]
        return "UNIQUE constraint failed: " + ", ".join(f"{table}.{column}" for column in columns)
    return f"CHECK constraint failed: {constraint}"


@pytest.mark.parametrize(
    ("constraint", "statement"),
    [
        pytest.param(constraint, statement, id=f"{constraint}-{number}")
        for constraint, statements in FORBIDDEN.items()
        for number, statement in enumerate(statements, start=1)
    ],
)
async def test_a_forbidden_row_is_refused_by_name(everything: None, constraint: str, statement: str) -> None:
    before = await dump()
    with pytest.raises(IntegrityError) as refused:
        await connection().execute_query(statement.format(**NAMED))
    assert _refused_by(refused.value, constraint), refused.value
    assert await dump() == before


NOT_THERE = "(?i)foreign key constraint"


@pytest.mark.parametrize(("table", "key", "column"), FOREIGN_KEYS)
async def test_nothing_belongs_to_what_is_not_there(everything: None, table: str, key: str, column: str) -> None:
    one = f"{key} = (SELECT {key} FROM {table} LIMIT 1)"  # noqa: S608 - our own names
    with pytest.raises(IntegrityError, match=NOT_THERE):
        await connection().execute_query(f"UPDATE {table} SET {column} = {NOBODY} WHERE {one}")  # noqa: S608


@pytest.mark.parametrize("table", ["orders", "users"])
async def test_what_others_belong_to_can_not_go(everything: None, table: str) -> None:
    with pytest.raises(IntegrityError, match=NOT_THERE):
        await connection().execute_query(f"DELETE FROM {table}")  # noqa: S608 - our own names


def test_every_constraint_is_tried() -> None:
    declared = {constraint.name for row in ROWS for constraint in row._meta.constraints or ()}
    unique = {
        f"{row._meta.db_table}.{name}"
        for row in ROWS
        for name, field in row._meta.fields_map.items()
        if field.unique and not field.pk
    }
    assert set(FORBIDDEN) - {"events.position"} == declared | set(PARTIAL_UNIQUE_INDEXES) | unique


async def test_every_constraint_and_index_is_there(everything: None) -> None:
    there = await (doctoring._names_in_postgres() if ON_POSTGRESQL else doctoring._names_in_sqlite())
    assert [name for names in constraint_names().values() for name in names if name not in there] == []


async def test_the_migrations_make_what_the_models_say(everything: None) -> None:
    assert Tortoise.apps is not None
    apps = {"models": {"models": ["models"], "migrations": "models.migrations", "default_connection": "default"}}
    changes = await MigrationAutodetector(Tortoise.apps, apps).changes()
    # A table's description is the model's docstring; the migrations leave it out, and it moves nothing.
    moving = [o for change in changes for o in change.operations if not isinstance(o, AlterModelOptions)]
    assert [vars(operation) for operation in moving] == []
