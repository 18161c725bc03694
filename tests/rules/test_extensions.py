"""Delivery extensions: either side asks for days, the other agrees within 96 hours."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rules import commands as c
from rules.policy import DEFAULT
from rules.vocabulary import OnDeadline, OrderEventKind, OrderStatus, RefusalCode, RequestKind, Role
from tests.world import (
    DAY,
    HOUR,
    IN_STATUS,
    START,
    a_placed_order,
    a_revised_order,
    a_started_order,
    an_extension,
    hour,
)

K, R = OrderEventKind, RefusalCode


@pytest.mark.parametrize("asks", [Role.FREELANCER, Role.CLIENT])
def test_either_side_asks_and_the_other_s_consent_moves_the_due_date(asks: Role) -> None:
    story = a_started_order(days=3)
    story.play(story.actor(asks), an_extension(5, " Ill. "))
    request = story.request
    assert (request.kind, request.status, request.days, request.text) == ("DELIVERY_EXTENSION", "PENDING", 5, "Ill.")
    assert (request.respond_by, request.on_deadline) == (hour(96), OnDeadline.EXPIRE)
    assert request.requested_by_role is asks
    assert story.order.delivery_due_at == START + 3 * DAY
    decision = story.play(story.actor(asks.other_side), c.AcceptRequest(request.id)).decision
    assert decision is not None
    assert [e.kind for e in decision.events] == [K.REQUEST_ACCEPTED]
    assert decision.entries == ()
    assert story.order.delivery_due_at == START + 8 * DAY


def test_who_is_late_already_gets_the_days_from_today() -> None:
    story = a_started_order(days=1)
    story.farid(an_extension(2), at=30)
    story.ada(c.AcceptRequest(story.request.id), at=40)
    assert story.order.delivery_due_at == hour(40) + 2 * DAY
    assert not story.order.is_late(hour(41))


def test_silence_for_96_hours_expires_it_and_the_due_date_stands() -> None:
    story = a_started_order(days=30)
    story.farid(an_extension())
    events = story.wait(96)
    assert [e.kind for e in events] == [K.DEADLINE_NEAR, K.DEADLINE_NEAR, K.REQUEST_EXPIRED]
    assert [e.occurred_at for e in events] == [hour(72), hour(92), hour(96)]
    assert story.order.delivery_due_at == START + 30 * DAY


@pytest.mark.parametrize("days", [0, -1, 31, 10**9])
def test_days_out_of_one_to_thirty_are_refused(days: int) -> None:
    refusal = a_started_order().refusal(Role.FREELANCER, an_extension(days))
    assert (refusal.code, refusal.path) == (R.VALUE_INVALID, ("days",))
    assert refusal.message == "The extension must be 1 to 30 days."


@pytest.mark.parametrize("days", [1, 30])
def test_one_and_thirty_days_are_taken(days: int) -> None:
    a_started_order().farid(an_extension(days))


def test_all_that_is_wrong_is_said_at_once() -> None:
    refusals = a_started_order().refusals(Role.CLIENT, an_extension(0, ""))
    assert [(r.code, r.path) for r in refusals] == [
        (R.VALUE_INVALID, ("days",)),
        (R.TEXT_REQUIRED, ("explanation",)),
    ]


def test_one_at_a_time_whoever_asked() -> None:
    story = a_started_order()
    story.farid(an_extension())
    assert story.code(Role.FREELANCER, an_extension()) is R.REQUEST_PENDING
    assert story.code(Role.CLIENT, an_extension()) is R.REQUEST_PENDING
    story.ada(c.DeclineRequest(story.request.id, "No."))
    story.ada(an_extension())


def test_extensions_add_up() -> None:
    story = a_started_order(days=3)
    for _ in range(3):
        story.farid(an_extension(10))
        story.ada(c.AcceptRequest(story.request.id))
    assert story.order.delivery_due_at == START + 33 * DAY


@pytest.mark.parametrize("status", OrderStatus)
def test_more_time_is_asked_for_while_the_freelancer_works(status: OrderStatus) -> None:
    for role in (Role.CLIENT, Role.FREELANCER):
        story = IN_STATUS[status]()
        if status in (OrderStatus.IN_PROGRESS, OrderStatus.IN_REVISION):
            assert story.play(story.actor(role), an_extension()).decision is not None
        else:
            expected = R.ORDER_CLOSED if status.is_closed else R.ORDER_STATUS
            assert story.code(role, an_extension()) is expected


def test_the_due_date_of_a_revised_order_moves_too() -> None:
    story = a_revised_order()
    due = story.order.delivery_due_at
    assert due is not None
    story.farid(an_extension(2))
    story.ada(c.AcceptRequest(story.request.id))
    assert story.order.delivery_due_at == due + 2 * DAY


def test_before_anything_is_due_there_is_nothing_to_extend_whatever_the_policy_opens() -> None:
    kinds = dict(DEFAULT.kinds)
    kind = kinds[RequestKind.DELIVERY_EXTENSION]
    kinds[RequestKind.DELIVERY_EXTENSION] = replace(kind, open_in=frozenset({OrderStatus.AWAITING_REQUIREMENTS}))
    story = a_placed_order(policy=replace(DEFAULT, kinds=kinds))
    refusal = story.refusal(Role.FREELANCER, an_extension())
    assert (refusal.code, refusal.message) == (
        R.ORDER_STATUS,
        "No delivery is due yet, so there is nothing to extend.",
    )


def test_an_operator_may_take_silence_for_consent_and_choose_the_window() -> None:
    kinds = dict(DEFAULT.kinds)
    kind = kinds[RequestKind.DELIVERY_EXTENSION]
    kinds[RequestKind.DELIVERY_EXTENSION] = replace(kind, silence=OnDeadline.ACCEPT, window=timedelta(hours=10))
    story = a_started_order(days=3, policy=replace(DEFAULT, kinds=kinds))
    story.farid(an_extension(1), at=1)
    assert story.wait(11)[-1].kind is K.REQUEST_AUTO_ACCEPTED
    assert story.order.delivery_due_at == START + 4 * DAY
    assert story.request.respond_by == hour(1) + 10 * HOUR
