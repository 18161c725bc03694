"""Rows are written as the ORM writes them, in few statements."""

import contextlib
import logging
from collections.abc import Awaitable
from typing import Any

import pytest
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
from models.database import connection
from rules import commands as c
from rules.vocabulary import RefusalCode, SupportDecision
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
    outcome,
)
from tests.sent import noted
from tests.store import ON_POSTGRESQL
from tests.world import a_call_for_support, an_offer

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
        return [(text, [(type(value), value) for value in values]) for text, values in found]

    for kind in TABLES:
        rows = await kind.all()
        assert rows, kind
        for row in rows:
            values = {name: getattr(row, name) for name in kind._meta.fields_db_projection}
            key = values.pop(kind._meta.db_pk_column)
            # Each is there already, so that nothing comes of it.
            by_orm = await sent(row.save(force_create=True))
            assert len(by_orm) == 1
            assert await sent(statements.insert(connection(), kind, {kind._meta.db_pk_column: key, **values})) == by_orm
            if kind is EventRow:
                continue
            # The ORM writes NULL into the text, for which each mixture of values would be a text of its own.
            some = {name: value for name, value in values.items() if value is not None}
            by_orm = await sent(kind.filter(pk=key).update(**some))
            assert await sent(statements.update(connection(), kind, key, some)) == by_orm


async def test_columns_that_are_not_named_get_their_defaults(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    order = await OrderRow.get(id=order_id)
    given = {name: getattr(order, name) for name in OrderRow._meta.fields_db_projection}
    for name in ("refunded_minor", "counted", "awaits_client", "frozen_at"):
        del given[name]
    new_id = uuid7()
    await statements.insert(connection(), OrderRow, given | {"id": new_id, "reference": "B-1002"})
    made = await OrderRow.get(id=new_id)
    assert (made.refunded_minor, made.counted, made.awaits_client, made.frozen_at) == (0, True, False, None)


async def test_a_column_that_is_none_is_refused(journal: TestJournal) -> None:
    with pytest.raises(AssertionError, match="UserRow has no such column"):
        await statements.insert(connection(), UserRow, {"id": uuid7(), "surname": "Lovelace"})
    with pytest.raises(KeyError):
        await statements.update(connection(), UserRow, uuid7(), {"surname": "Lovelace"})


async def test_an_update_says_whether_there_is_such_a_row(journal: TestJournal) -> None:
    order_id = await a_started_order(journal)
    assert await statements.update(connection(), OrderRow, order_id, {"title": "Another logo"})
    assert (await OrderRow.get(id=order_id)).title == "Another logo"
    assert not await statements.update(connection(), OrderRow, uuid7(), {"title": "A third one"})


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


async def test_an_offer_takes_eight_statements(journal: TestJournal) -> None:
    # Beginning and end included; SQLite, where each costs next to nothing, takes two locks by statements of their own.
    order_id = await a_started_order(journal)
    sent: list[str] = []
    with noted(sent.append):
        await journal.perform(order_id, an_offer(), FREELANCER)
    assert len(sent) == (8 if ON_POSTGRESQL else 11), sent


# ---------------------------------------------------------------- support cases


async def test_a_second_case_is_refused_while_the_order_stands_still_and_after_its_end(journal: TestJournal) -> None:
    going_on, ended = await a_started_order(journal), await a_delivered_order(journal, "B-1002")
    await journal.perform(ended, c.AcceptDelivery(), CLIENT)
    for order_id in (going_on, ended):
        await journal.perform(order_id, a_call_for_support(), CLIENT)
        again = await outcome(journal.perform(order_id, a_call_for_support(), FREELANCER))
        assert again == (RefusalCode.SUPPORT_CASE_OPEN,)
