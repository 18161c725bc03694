"""The database repeats the rules: a row that they forbid can't be written, whoever writes it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tortoise.exceptions import IntegrityError
from uuid_utils.compat import uuid7

from models import EventRow, LedgerEntryRow, OrderRow, RefundRow, RequestRow, SupportCaseRow
from models.constraints import constraint_names
from models.database import connection
from rules import commands as c
from rules.vocabulary import RequestStatus, Role
from tests.database import CLIENT, FREELANCER, TestJournal, a_database, a_refund_on_its_way, a_started_order
from tests.world import START, asked

Writing = Callable[[UUID], Awaitable[Any]]


async def test_every_constraint_and_index_is_there(tmp_path: Path) -> None:
    async with a_database(tmp_path):
        rows = await connection().execute_query_dict("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    text = "\n".join(row["sql"] for row in rows)
    missing = [name for names in constraint_names().values() for name in names if name not in text]
    assert missing == []


def _order(**values: Any) -> Writing:
    return lambda order_id: OrderRow.filter(id=order_id).update(**values)


def _request(**values: Any) -> Writing:
    return lambda order_id: RequestRow.filter(order_id=order_id).update(**values)


def _support_case(**values: Any) -> Writing:
    return lambda order_id: SupportCaseRow.filter(order_id=order_id).update(**values)


def _refund(**values: Any) -> Writing:
    return lambda order_id: RefundRow.filter(order_id=order_id).update(**values)


async def _again(row: Any, **changes: Any) -> None:
    """A copy of a row with another key."""
    values = {name: getattr(row, name) for name in row._meta.db_fields}
    await type(row)(**(values | changes)).save(force_create=True)


async def _second_request(order_id: UUID) -> None:
    await _again(await RequestRow.get(order_id=order_id), id=uuid7())


async def _second_pending(order_id: UUID) -> None:
    await _request(status=RequestStatus.PENDING, settled_at=None, settled_by_role=None)(order_id)
    await _second_request(order_id)


async def _second_case(order_id: UUID) -> None:
    await _again(await SupportCaseRow.get(order_id=order_id), id=uuid7())


async def _second_event(order_id: UUID) -> None:
    await _again(await EventRow.get(order_id=order_id, sequence=1), position=9_999)


async def _second_posting(order_id: UUID) -> None:
    entry = await LedgerEntryRow.filter(order_id=order_id).first()
    await _again(entry, id=uuid7())


async def _nobodys_order(order_id: UUID) -> None:
    await _again(await OrderRow.get(id=order_id), id=uuid7(), reference="B-2", client_id=uuid7())


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(_order(price_minor=0), id="a price of nothing"),
        pytest.param(_order(refunded_minor=10_001), id="more refunded than the price"),
        pytest.param(_order(refunded_minor=-1), id="less than nothing refunded"),
        pytest.param(_order(version=0), id="an order without an event"),
        pytest.param(_order(freelancer_id=CLIENT.user_id), id="one person on both sides"),
        pytest.param(_order(status="COMPLETED", next_deadline_at=None), id="completed without its date"),
        pytest.param(_order(status="CANCELLED", next_deadline_at=None), id="cancelled without its date"),
        pytest.param(_order(completed_at=START), id="a date of completion without completion"),
        pytest.param(_order(status="DELIVERED"), id="delivered without a deadline"),
        pytest.param(_order(auto_completes_at=START), id="a deadline of delivery without a delivery"),
        pytest.param(_request(status="PENDING"), id="pending and settled"),
        pytest.param(_request(settled_at=None), id="settled without its date"),
        pytest.param(_request(settled_by_role=None), id="settled by nobody"),
        pytest.param(_request(amount_minor=6_001), id="an offer over its cap"),
        pytest.param(_request(amount_minor=0), id="an offer of nothing"),
        pytest.param(_request(amount_minor=None), id="an offer without an amount"),
        pytest.param(_request(days=3), id="an offer with days"),
        pytest.param(_request(text=None), id="an offer without an explanation"),
        pytest.param(_request(answer="Fine."), id="an answer to what is no question"),
        pytest.param(_request(requested_by_role=Role.SUPPORT), id="support asks"),
        pytest.param(_second_request, id="two accepted refunds of one order"),
        pytest.param(_second_pending, id="two pending requests of a kind"),
        pytest.param(_support_case(status="RESOLVED"), id="resolved without a decision"),
        pytest.param(_support_case(resolved_at=START), id="open with a date of decision"),
        pytest.param(_second_case, id="two open cases of one order"),
        pytest.param(_refund(amount_minor=0), id="a refund of nothing"),
        pytest.param(_refund(status="SUCCEEDED"), id="paid without its date"),
        pytest.param(_refund(failure="No."), id="a failure that did not fail"),
        pytest.param(_second_event, id="two events at one place of an order"),
        pytest.param(_second_posting, id="one cause posted twice"),
        pytest.param(_nobodys_order, id="an order of nobody"),
    ],
)
async def test_a_forbidden_row_is_refused(tmp_path: Path, write: Writing) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await _an_order_with_everything(journal)
        with pytest.raises(IntegrityError):
            await write(order_id)


async def _an_order_with_everything(journal: TestJournal) -> UUID:
    """In progress, with an accepted offer, its refund on its way, and an open support case."""
    order_id = await a_refund_on_its_way(journal)
    await journal.perform(order_id, c.ContactSupport("We can't agree."), CLIENT)
    return order_id


async def test_an_order_can_not_go_while_its_log_is_there(tmp_path: Path) -> None:
    async with a_database(tmp_path) as journal:
        order_id = await a_started_order(journal)
        offer = c.OfferPartialRefund(asked("20.00 USD"), "Late.", "GOODWILL")
        await journal.perform(order_id, offer, FREELANCER)
        with pytest.raises(IntegrityError):
            await OrderRow.filter(id=order_id).delete()
