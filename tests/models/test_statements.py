"""Rows are written as the ORM writes them, in few statements."""

import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models import (
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
    statements,
)
from models.database import connection, in_transaction
from models.statements import Values, Writing
from rules import commands as c
from rules.vocabulary import OrderEventKind, RefusalCode, RequestStatus, SupportDecision
from tests.database import (
    CLIENT,
    FREELANCER,
    SUPPORT,
    TestJournal,
    a_decision,
    a_delivered_order,
    a_key,
    a_refund_on_its_way,
    a_started_order,
    assert_sound,
    dump,
    outcome,
)
from tests.sent import noted
from tests.store import ON_POSTGRESQL, postgresql_only
from tests.world import a_call_for_support, a_plea_to_the_client, a_question, an_offer

TABLES: tuple[type[Model], ...] = (
    ConfidenceRow,
    EventRow,
    IdempotencyRow,
    LedgerEntryRow,
    OrderRow,
    RefundRow,
    RequestRow,
    SupportCaseRow,
)


async def inserted(kind: type[Model], *rows: Values) -> None:
    writing = Writing(connection())
    writing.insert(kind, *rows)
    await writing.write()


async def updated(kind: type[Model], row_id: UUID, values: Values) -> None:
    writing = Writing(connection())
    writing.update(kind, row_id, values)
    await writing.write()


async def test_what_is_sent_is_what_the_orm_sends(journal: TestJournal, caplog: pytest.LogCaptureFixture) -> None:
    order_id = await a_refund_on_its_way(journal)
    another = await a_started_order(journal, "B-1003")
    await journal.perform(another, an_offer(note="Between us."), FREELANCER, a_key())
    case = await journal.perform(order_id, a_call_for_support("Ünïcode\n«»"), CLIENT)
    await journal.perform(order_id, a_decision(case.subject_id, SupportDecision.CONTINUE_ORDER), SUPPORT)
    await a_delivered_order(journal, "B-1002")

    async def sent(work: Awaitable[Any]) -> list[Any]:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"), contextlib.suppress(IntegrityError):
            await work
        found: list[Any] = [record.args for record in caplog.records if record.msg == "%s: %s"]
        return [(text, [_as_sent(value) for value in values]) for text, values in found]

    for kind in TABLES:
        rows = await kind.all()
        assert rows, kind
        for row in rows:
            values = {name: getattr(row, name) for name in kind._meta.fields_db_projection}
            key = values.pop(kind._meta.db_pk_column)
            # Each is there already, so that nothing comes of it.
            by_orm = await sent(row.save(force_create=True))
            assert len(by_orm) == 1
            assert await sent(inserted(kind, {kind._meta.db_pk_column: key, **values})) == by_orm
            if kind is EventRow:
                continue
            # The ORM writes NULL into the text, for which each mixture of values would be a text of its own.
            some = {name: value for name, value in values.items() if value is not None}
            by_orm = await sent(kind.filter(pk=key).update(**some))
            assert await sent(updated(kind, key, some)) == by_orm


def _as_sent(value: object) -> tuple[type, object]:
    if ON_POSTGRESQL and isinstance(value, UUID):
        # Its driver takes ids as they are; the ORM writes them as texts.
        value = str(value)
    return type(value), value


async def test_columns_that_are_not_named_get_their_defaults(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    order = await OrderRow.get(id=order_id)
    given = {name: getattr(order, name) for name in OrderRow._meta.fields_db_projection}
    for name in ("refunded_minor", "counted", "awaits_client", "frozen_at"):
        del given[name]
    new_id = uuid7()
    await inserted(OrderRow, given | {"id": new_id, "reference": "B-1002"})
    made = await OrderRow.get(id=new_id)
    assert (made.refunded_minor, made.counted, made.awaits_client, made.frozen_at) == (0, True, False, None)


async def test_a_column_that_is_none_is_refused(journal: TestJournal) -> None:
    with pytest.raises(AssertionError, match="UserRow has no such column"):
        await inserted(UserRow, {"id": uuid7(), "surname": "Lovelace"})
    with pytest.raises(KeyError):
        await updated(UserRow, uuid7(), {"surname": "Lovelace"})


async def test_a_row_is_found_by_what_it_holds(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    offered = await journal.perform(order_id, an_offer(), FREELANCER, a_key("O'Key $1 «?»"))
    row = await statements.found(connection(), IdempotencyRow, {"user_id": FREELANCER.user_id, "key": "O'Key $1 «?»"})
    assert row
    assert (UUID(str(row["subject_id"])), row["fingerprint"]) == (offered.subject_id, a_key().fingerprint)
    for values in ({"user_id": CLIENT.user_id, "key": "O'Key $1 «?»"}, {"user_id": FREELANCER.user_id, "key": "O"}):
        assert await statements.found(connection(), IdempotencyRow, values) is None


async def test_several_events_take_the_next_positions_in_their_order(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    await journal.perform(order_id, an_offer(), FREELANCER)
    before = (await LogRow.get(id=1)).position
    await journal.perform(order_id, a_call_for_support(), CLIENT)
    case = await SupportCaseRow.get(order_id=order_id)
    await journal.perform(order_id, a_decision(case.id, SupportDecision.CANCEL_ORDER), SUPPORT)
    events = await EventRow.filter(position__gt=before).order_by("position")
    assert len(events) > 3
    assert [event.position - before for event in events] == list(range(1, len(events) + 1))
    assert [event.sequence for event in events] == list(range(events[0].sequence, events[0].sequence + len(events)))
    assert (await LogRow.get(id=1)).position == events[-1].position


async def test_an_offer_takes_two_statements_and_so_does_whatever_is_done_to_it(journal: TestJournal) -> None:
    # SQLite, where each costs next to nothing, begins, writes piece by piece, and ends.
    order_id = await a_started_order(journal)
    sent: list[str] = []
    with noted(sent.append):
        offered = await journal.perform(order_id, an_offer(), FREELANCER)
    assert len(sent) == (2 if ON_POSTGRESQL else 11), sent
    sent.clear()
    with noted(sent.append):
        await journal.perform(None, c.WithdrawRequest(offered.subject_id), FREELANCER)
    assert len(sent) == (2 if ON_POSTGRESQL else 11), sent


async def test_several_requests_refunds_and_entries_are_written_in_one_statement(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    first = await journal.perform(order_id, an_offer(), FREELANCER, a_key("one"))
    await journal.perform(order_id, c.AcceptRequest(first.subject_id), CLIENT, a_key("two"))
    await journal.perform(order_id, a_question(), CLIENT)
    await journal.perform(order_id, a_plea_to_the_client(), FREELANCER)
    case = await journal.perform(order_id, a_call_for_support(), CLIENT)
    sent: list[str] = []
    with noted(sent.append):
        decision = a_decision(case.subject_id, SupportDecision.CANCEL_ORDER)
        await journal.perform(order_id, decision, SUPPORT, a_key("three"))
    written = re.findall(r'(?:UPDATE|INTO) "(\w+)"', " ".join(sent).replace('FOR NO KEY UPDATE "orders"', ""))
    tables = ["orders", "requests", "requests", "support_cases", "refunds", "ledger_entries", "idempotency_keys"]
    assert written == ([] if ON_POSTGRESQL else ["orders"]) + [*tables, "log", "events"]
    assert len([text for text in sent if "INTO" in text]) == (1 if ON_POSTGRESQL else 4)
    assert await RequestRow.filter(order_id=order_id, status=RequestStatus.SUPERSEDED).count() == 2
    assert await RefundRow.filter(order_id=order_id).count() == 2
    assert await IdempotencyRow.filter(key="three", subject_id=case.subject_id).exists()
    await assert_sound()


async def test_a_change_of_a_row_that_is_not_there_is_refused_whole(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    event = await EventRow.filter(order_id=order_id).order_by("-position").first()
    assert event
    before = await dump()
    for missing in (uuid7(), order_id):
        async with _refused() as db:
            writing = Writing(db)
            writing.update(OrderRow, missing, {"title": "Another logo"})
            if missing == order_id:
                # There, but of another table.
                writing.update(RequestRow, missing, {"text": "Another reason"})
            writing.append(_columns_of(event) | {"sequence": 3})
            await writing.write()
    assert await dump() == before
    await assert_sound()


@postgresql_only
async def test_a_row_that_is_written_twice_is_refused_whole(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    before = await dump()
    event = await EventRow.get(position=2)
    async with _refused() as db:
        writing = Writing(db)
        for title in ("Another logo", "A third one"):
            writing.update(OrderRow, order_id, {"title": title})
        writing.append(_columns_of(event) | {"sequence": 3})
        await writing.write()
    assert await dump() == before


@contextlib.asynccontextmanager
async def _refused() -> AsyncIterator[BaseDBAsyncClient]:
    """A transaction that a table refuses."""
    with pytest.raises(IntegrityError):
        async with in_transaction() as db:
            yield db


def _columns_of(event: EventRow) -> dict[str, Any]:
    return {name: getattr(event, name) for name in EventRow._meta.fields_db_projection}


_SAMPLES: tuple[object, ...] = (
    None,
    True,
    7,
    2**40,
    "",
    "PENDING",
    "x" * 25,
    "x" * 256,
    UUID(int=7),
    str(UUID(int=7)),
    datetime(2026, 11, 24, 8, tzinfo=UTC),
    datetime(2026, 11, 24, 8, tzinfo=timezone(timedelta(hours=1))),
    datetime(2026, 11, 24, 8),  # noqa: DTZ001 - it is to be refused
    Decimal("1.5"),
    {"a": [1]},
    *RequestStatus,
    *OrderEventKind,
)


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
async def test_values_are_written_as_the_fields_write_them(kind: type[Model], dialect: str) -> None:
    columns = statements._columns(dialect, kind)
    for name in columns:

        def written(value: Any, name: str = name) -> Any:
            return statements._in_columns(columns, {name: value})[0]

        for sample in _SAMPLES:
            ours, fields = _came_to(written, sample), _came_to(_writer(kind, name), sample)
            if dialect == "postgres" and isinstance(ours, UUID):
                # Its driver takes ids as they are.
                ours = str(ours)
            assert (type(ours), ours) == (type(fields), fields), f"{name} of {sample!r}"


def _writer(kind: type[Model], name: str) -> Callable[[object], object]:
    return partial(kind._meta.fields_map[name].to_db_value, instance=kind)


def _came_to(write: Callable[[object], object], value: object) -> object:
    try:
        return write(value)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
        return repr(error)


# ---------------------------------------------------------------- support cases


async def test_a_second_case_is_refused_while_the_order_stands_still_and_after_its_end(journal: TestJournal) -> None:
    going_on, ended = await a_started_order(journal), await a_delivered_order(journal, "B-1002")
    await journal.perform(ended, c.AcceptDelivery(), CLIENT)
    for order_id in (going_on, ended):
        await journal.perform(order_id, a_call_for_support(), CLIENT)
        again = await outcome(journal.perform(order_id, a_call_for_support(), FREELANCER))
        assert again == (RefusalCode.SUPPORT_CASE_OPEN,)
