"""The order's own steps: placed, started, delivered, revised, completed, cancelled by the client alone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from rules import commands as c
from rules.case import Actor, Ground
from rules.money import Money
from rules.orders import place
from rules.policy import DEFAULT
from rules.refusals import Refused
from rules.vocabulary import CancellationCause, OrderEventKind, OrderStatus, RefusalCode, ResolutionAction, Role
from tests.world import (
    ADA,
    BAZAAR,
    DAY,
    FARID,
    IN_STATUS,
    SECOND,
    START,
    Story,
    a_completed_order,
    a_delivered_order,
    a_place_order,
    a_placed_order,
    a_plea_to_the_client,
    a_question,
    a_revised_order,
    a_started_order,
    an_extension,
    an_offer,
    an_order,
    hour,
    money,
)

K, S = OrderEventKind, OrderStatus


def codes_of_placing(command: c.PlaceOrder) -> list[tuple[RefusalCode, tuple[str, ...]]]:
    story = a_placed_order()
    with pytest.raises(Refused) as refused:
        place(command, Actor(Role.MARKETPLACE, BAZAAR), story.ground)
    return [(refusal.code, refusal.path) for refusal in refused.value.refusals]


def test_a_placed_order_waits_for_requirements_with_its_price_held() -> None:
    story = a_placed_order("12.50 EUR", days=7)
    order = story.order
    assert (order.status, order.version, order.price) == (S.AWAITING_REQUIREMENTS, 1, money("12.50 EUR"))
    assert (order.client_id, order.freelancer_id, order.placed_by_id) == (ADA, FARID, BAZAAR)
    assert (order.created_at, order.delivery_due_at, order.refunded) == (START, None, money("0 EUR"))
    assert story.kinds == [K.ORDER_PLACED]
    assert [(e.account, e.amount.minor) for e in story.entries] == [("CLIENT", -1250), ("HELD", 1250)]


def test_reference_and_title_are_trimmed() -> None:
    story = a_placed_order()
    placed = place(a_place_order(reference=" B-7 ", title=" A poster "), Actor(Role.MARKETPLACE, BAZAAR), story.ground)
    assert (placed.case.order.reference, placed.case.order.title) == ("B-7", "A poster")


@pytest.mark.parametrize(
    ("command", "code", "path"),
    [
        (a_place_order(reference=" "), RefusalCode.TEXT_REQUIRED, ("reference",)),
        (a_place_order(reference="x" * 101), RefusalCode.TEXT_TOO_LONG, ("reference",)),
        (a_place_order(reference="a\nb"), RefusalCode.VALUE_INVALID, ("reference",)),
        (a_place_order(title=""), RefusalCode.TEXT_REQUIRED, ("title",)),
        (a_place_order(title="x" * 201), RefusalCode.TEXT_TOO_LONG, ("title",)),
        (a_place_order("0 USD"), RefusalCode.AMOUNT_TOO_SMALL, ("price", "amount")),
        (a_place_order("-1 USD"), RefusalCode.AMOUNT_TOO_SMALL, ("price", "amount")),
        (a_place_order("1.001 USD"), RefusalCode.AMOUNT_PRECISION, ("price", "amount")),
        (a_place_order("NaN USD"), RefusalCode.VALUE_INVALID, ("price", "amount")),
        (a_place_order("1 ABC"), RefusalCode.VALUE_INVALID, ("price", "currencyCode")),
        (a_place_order(freelancer=ADA), RefusalCode.VALUE_INVALID, ("freelancerSubject",)),
        (a_place_order(days=0), RefusalCode.VALUE_INVALID, ("deliveryDays",)),
        (a_place_order(days=366), RefusalCode.VALUE_INVALID, ("deliveryDays",)),
    ],
)
def test_an_order_that_can_not_be_is_refused(command: c.PlaceOrder, code: RefusalCode, path: tuple[str, ...]) -> None:
    assert codes_of_placing(command) == [(code, path)]


def test_all_that_is_wrong_with_an_order_is_said_at_once() -> None:
    command = a_place_order("0 USD", reference="", title="", freelancer=ADA, days=-1)
    assert [path for _, path in codes_of_placing(command)] == [
        ("reference",),
        ("title",),
        ("price", "amount"),
        ("freelancerSubject",),
        ("deliveryDays",),
    ]


def test_requirements_start_the_work_and_the_agreed_days() -> None:
    story = a_placed_order(days=7)
    story.ada(c.SubmitRequirements(), at=5)
    order = story.order
    assert (order.status, order.started_at, order.delivery_due_at) == (S.IN_PROGRESS, hour(5), hour(5) + 7 * DAY)
    assert story.kinds[-1] is K.REQUIREMENTS_SUBMITTED


def test_a_delivery_gives_the_client_three_days() -> None:
    story = a_started_order()
    story.farid(c.DeliverOrder(" Here it is. "), at=30)
    order, event = story.order, story.events[-1]
    assert (order.status, order.delivered_at, order.auto_completes_at) == (S.DELIVERED, hour(30), hour(30) + 3 * DAY)
    assert (event.kind, event.message, event.actor.role) == (K.ORDER_DELIVERED, "Here it is.", Role.FREELANCER)


def test_a_revision_stops_the_three_days_and_a_new_delivery_starts_them_anew() -> None:
    story = a_delivered_order()
    story.ada(c.RequestRevision("Warmer, please."), at=81)
    assert (story.order.status, story.order.auto_completes_at) == (S.IN_REVISION, None)
    assert story.events[-1].message == "Warmer, please."
    story.farid(c.DeliverOrder("Warmer."), at=90)
    assert story.order.auto_completes_at == hour(90 + 72)
    assert [e.kind for e in story.wait(90 + 72 - 0.001)] == [K.DEADLINE_NEAR, K.DEADLINE_NEAR]
    assert [e.kind for e in story.wait(90 + 72)] == [K.ORDER_COMPLETED]


def test_a_client_who_is_content_completes_the_order_and_the_freelancer_is_paid() -> None:
    story = a_delivered_order()
    story.ada(c.AcceptDelivery(), at=20)
    order = story.order
    assert (order.status, order.completed_at, order.auto_completes_at) == (S.COMPLETED, hour(20), None)
    assert (order.counted, order.refunded) == (True, money("0 USD"))
    assert [(e.account, e.amount.minor) for e in story.entries[2:]] == [("HELD", -10_000), ("FREELANCER", 10_000)]


def test_silence_after_a_delivery_completes_the_order_at_its_own_instant() -> None:
    story = a_delivered_order()
    assert story.wait(hour(82) - SECOND)[-1].kind is K.DEADLINE_NEAR
    (completed,) = story.wait(500)
    assert (completed.kind, completed.occurred_at) == (K.ORDER_COMPLETED, hour(82))
    assert (completed.actor.role, completed.actor.user_id) == (Role.SYSTEM, None)
    assert (story.order.status, story.order.completed_at) == (S.COMPLETED, hour(82))


def test_what_was_refunded_is_not_paid_to_the_freelancer() -> None:
    story = a_delivered_order()
    story.farid(an_offer("30.00 USD"))
    story.ada(c.AcceptRequest(story.request.id))
    story.ada(c.AcceptDelivery())
    assert [(e.account, e.amount.minor) for e in story.entries[-2:]] == [("HELD", -7_000), ("FREELANCER", 7_000)]


@pytest.mark.parametrize(
    "command", [c.DeliverOrder(""), c.DeliverOrder("x" * 2_501), c.DeliverOrder("\x00"), c.DeliverOrder("a\x07b")]
)
def test_a_delivery_without_a_possible_message_is_refused(command: c.DeliverOrder) -> None:
    story = a_started_order()
    refusal = story.refusal(Role.FREELANCER, command)
    assert refusal.path == ("message",)
    assert story.order.status is S.IN_PROGRESS


def test_a_revision_without_a_message_is_refused() -> None:
    story = a_delivered_order()
    assert story.code(Role.CLIENT, c.RequestRevision(" ")) is RefusalCode.TEXT_REQUIRED


STEPS = [
    (Role.CLIENT, c.SubmitRequirements(), {S.AWAITING_REQUIREMENTS}),
    (Role.FREELANCER, c.DeliverOrder("Here."), {S.IN_PROGRESS, S.IN_REVISION}),
    (Role.CLIENT, c.RequestRevision("Warmer."), {S.DELIVERED}),
    (Role.CLIENT, c.AcceptDelivery(), {S.DELIVERED}),
    (Role.CLIENT, c.CancelOrder(), {S.AWAITING_REQUIREMENTS}),
]


@pytest.mark.parametrize("status", S)
@pytest.mark.parametrize(("role", "command", "sources"), STEPS)
def test_a_step_is_taken_from_its_statuses_alone(
    role: Role, command: c.PartyCommand, sources: set[OrderStatus], status: OrderStatus
) -> None:
    story = IN_STATUS[status]()
    if status in sources:
        story.ada(command) if role is Role.CLIENT else story.farid(command)
        assert story.order.status is not status
        return
    expected = RefusalCode.ORDER_CLOSED if status.is_closed else RefusalCode.ORDER_STATUS
    assert story.code(role, command) is expected
    assert story.order.status is status


@pytest.mark.parametrize(("role", "command", "sources"), STEPS)
def test_a_step_is_taken_by_its_role_alone(role: Role, command: c.PartyCommand, sources: set[OrderStatus]) -> None:
    story = IN_STATUS[next(iter(sources))]()
    for other in set(Role) - {role}:
        assert story.code(other, command) is RefusalCode.FORBIDDEN


def test_a_client_who_cancels_before_the_requirements_gets_all_back_and_no_rate_counts_it() -> None:
    story = a_placed_order()
    story.ada(c.CancelOrder(), at=500)
    order = story.order
    assert (order.status, order.cancelled_at, order.refunded) == (S.CANCELLED, hour(500), order.price)
    assert (order.cancellation_cause, order.counted) == (CancellationCause.CLIENT_ALONE_UNSTARTED, False)
    (refund,) = story.case.refunds
    assert (refund.amount, refund.request_id, refund.case_id) == (order.price, None, None)
    assert [(e.account, e.amount.minor) for e in story.entries[2:]] == [("HELD", -10_000), ("REFUND_DUE", 10_000)]


def test_a_client_cancels_alone_exactly_24_hours_past_due_and_not_a_second_before() -> None:
    story = a_started_order(days=3)
    refusal = story.refusal(Role.CLIENT, c.CancelOrder(), at=hour(72 + 24) - SECOND)
    assert refusal.code is RefusalCode.ORDER_STATUS
    assert "24 hours overdue" in refusal.message
    story.ada(c.CancelOrder(), at=72 + 24)
    order = story.order
    assert (order.status, order.cancellation_cause, order.counted) == (
        S.CANCELLED,
        CancellationCause.CLIENT_ALONE_OVERDUE,
        True,
    )


@pytest.mark.parametrize("story_of", [a_delivered_order, a_revised_order])
def test_a_client_never_cancels_alone_after_a_delivery(story_of: Callable[[], Story]) -> None:
    story = story_of()
    assert story.code(Role.CLIENT, c.CancelOrder()) is RefusalCode.ORDER_STATUS
    if story.order.status is S.IN_REVISION:
        assert story.code(Role.CLIENT, c.CancelOrder(), at=1_000) is RefusalCode.ORDER_STATUS


def test_an_agreed_extension_puts_off_the_day_on_which_a_client_may_cancel_alone() -> None:
    story = a_started_order(days=3)
    story.farid(an_extension(2), at=1)
    story.ada(c.AcceptRequest(story.request.id), at=2)
    assert story.code(Role.CLIENT, c.CancelOrder(), at=72 + 24) is RefusalCode.ORDER_STATUS
    story.ada(c.CancelOrder(), at=72 + 48 + 24)


def test_an_order_is_late_from_its_due_instant_until_it_is_delivered() -> None:
    story = a_started_order(days=3)
    assert not story.order.is_late(hour(72) - SECOND)
    assert story.order.is_late(hour(72))
    story.farid(c.DeliverOrder("Sorry!"), at=80)
    assert not story.order.is_late(hour(81))
    story.ada(c.RequestRevision("Warmer."), at=82)
    assert not story.order.is_late(hour(500))


def test_an_order_that_waits_for_requirements_or_is_closed_is_never_late() -> None:
    assert not a_placed_order().order.is_late(hour(10_000))
    assert not replace(an_order(), status=S.CANCELLED).is_late(hour(10_000))


def test_a_closed_order_supersedes_all_that_was_pending_in_the_same_decision() -> None:
    story = a_delivered_order()
    story.farid(an_offer())
    story.farid(a_plea_to_the_client())
    decision = story.ada(c.AcceptDelivery())
    assert [e.kind for e in decision.events] == [K.ORDER_COMPLETED, K.REQUEST_SUPERSEDED, K.REQUEST_SUPERSEDED]
    assert [(r.status, r.settled_at, r.settled_by_role) for r in story.case.requests] == [
        ("SUPERSEDED", story.now, Role.CLIENT)
    ] * 2
    assert story.case.pending() == ()


def test_closed_orders_take_nothing_but_a_call_for_support() -> None:
    story = a_completed_order()
    refused: list[c.CaseCommand] = [an_offer(), a_plea_to_the_client(), c.DeliverOrder("Again."), an_extension()]
    assert {story.code(Role.FREELANCER, command) for command in refused} == {RefusalCode.ORDER_CLOSED}
    assert story.code(Role.CLIENT, a_question()) is RefusalCode.ORDER_CLOSED
    assert story.action(Role.CLIENT, ResolutionAction.CONTACT_SUPPORT).refusal is None


def test_the_price_of_an_order_in_any_currency_moves_whole() -> None:
    for price in ("1 JPY", "0.001 KWD", "0.01 USD", "999999999999.99 USD"):
        story = a_delivered_order(price)
        story.ada(c.AcceptDelivery())
        paid = sum(e.amount.minor for e in story.entries if e.account == "FREELANCER")
        assert Money(paid, story.order.price.currency) == story.order.price


def test_the_instant_and_the_policy_come_from_outside() -> None:
    story = a_placed_order()
    ground = Ground(hour(7), replace(DEFAULT, longest_delivery_days=1), story.ground.new_id)
    with pytest.raises(Refused):
        place(a_place_order(days=2), Actor(Role.MARKETPLACE, BAZAAR), ground)
    placed = place(a_place_order(days=1), Actor(Role.MARKETPLACE, BAZAAR), ground)
    assert placed.case.order.created_at == placed.events[0].occurred_at == hour(7)
