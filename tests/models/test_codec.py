"""From the rules to columns and JSON and back: nothing is lost, whatever the values are."""

from dataclasses import fields
from datetime import UTC, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import codec
from models.event import EventRow
from rules.case import Actor, Order, Refund, Request, SupportCase
from rules.events import Change, Event, Thing
from rules.money import Money
from rules.vocabulary import OrderEventKind, OrderStatus, RequestStatus, Role
from tests.database import TestJournal, a_refund_on_its_way
from tests.world import IN_STATUS, START, an_order

st.register_type_strategy(Money, st.builds(Money, st.integers(0, 10**15), st.just("KWD")))
INSTANTS = st.datetimes(timezones=st.just(UTC))
# Reminders are whole seconds: so are the policy's.
LEADS = st.integers(1, 10**6).map(lambda seconds: timedelta(seconds=seconds))
# As large as a column is, and as JSON goes.
NUMBERS: st.SearchStrategy[int] = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


def _things(kind: type, **known: Any) -> st.SearchStrategy[Any]:
    """Things of a kind with any values; amounts are there or not, but of one currency."""
    st.register_type_strategy(timedelta, LEADS)
    named: dict[str, st.SearchStrategy[Any]] = {
        field.name: TEXTS for field in fields(kind) if field.type in ("str", str)
    }
    named |= {field.name: NUMBERS for field in fields(kind) if field.type in ("int", int)}
    named |= {field.name: st.none() | NUMBERS for field in fields(kind) if field.type in ("int | None", int | None)}
    instants = {field.name: INSTANTS for field in fields(kind) if field.name.endswith(("_at", "_by", "_due_at"))}
    return st.builds(kind, **(named | instants | known))


ORDERS = _things(Order, started_at=st.none() | INSTANTS, reminded=st.none() | LEADS)
REQUESTS = _things(
    Request,
    amount=st.builds(Money, st.integers(1, 10**15), st.just("KWD")),
    reminded=st.none() | LEADS,
    cap=st.just(Money(10**15, "KWD")),
)
CASES, REFUNDS = _things(SupportCase), _things(Refund)


@given(ORDERS | REQUESTS | CASES | REFUNDS)
def test_a_thing_comes_back_from_its_columns(thing: Any) -> None:
    values = {field.name: getattr(thing, field.name) for field in fields(thing)}
    assert codec.thing(type(thing), SimpleNamespace(**codec.columns(values))) == thing


@given(ORDERS | REQUESTS | CASES | REFUNDS)
def test_a_change_comes_back_from_json(thing: Any) -> None:
    kind = next(kind for kind, made in codec.THINGS.items() if isinstance(thing, made))
    values = {field.name: getattr(thing, field.name) for field in fields(thing) if field.name not in ("id", "version")}
    (change,) = _through_json((Change(kind, thing.id, values),))
    assert (change.thing, change.id, dict(change.values)) == (kind, thing.id, values)
    assert {name: type(value) for name, value in change.values.items()} == {
        name: type(value) for name, value in values.items()
    }


def _through_json(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    row = SimpleNamespace(
        order_id=UUID(int=1),
        sequence=1,
        kind=OrderEventKind.ORDER_PLACED,
        occurred_at=START,
        actor_role=Role.SYSTEM,
        actor_id=None,
        order_status=OrderStatus.IN_PROGRESS,
        request_id=None,
        request_status=None,
        message=None,
        changes=orjson.loads(orjson.dumps(codec.changes_json(changes))),
    )
    return codec.event(cast(EventRow, row)).changes


@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_of_every_status_comes_back_event_by_event(status: OrderStatus) -> None:
    for event in IN_STATUS[status]().events:
        assert _through_json(event.changes) == event.changes


async def test_an_event_comes_back_from_its_row_whole(journal: TestJournal) -> None:
    order_id = await a_refund_on_its_way(journal)
    accepted = codec.event(await EventRow.filter(order_id=order_id).order_by("-sequence").first() or EventRow())
    (refund,) = [change for change in accepted.changes if change.thing is Thing.REFUND]
    assert refund.values["amount"] == Money(2_000, "USD")
    assert accepted == Event(
        order_id=order_id,
        sequence=4,
        kind=OrderEventKind.REQUEST_ACCEPTED,
        occurred_at=START,
        actor=Actor(Role.CLIENT, an_order().client_id),
        order_status=OrderStatus.IN_PROGRESS,
        request_id=accepted.request_id,
        request_status=RequestStatus.ACCEPTED,
        message=None,
        changes=accepted.changes,
    )
