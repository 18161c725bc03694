"""Partial refunds: at most 60 % of the price, one accepted an order, for a reason that the client never sees."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import commands as c
from rules.actions import maximum_refund
from rules.money import LARGEST_MINOR, Money
from rules.policy import DEFAULT, REFUND_REASONS, Reason
from rules.vocabulary import (
    OnDeadline,
    OrderEventKind,
    OrderStatus,
    RefundStatus,
    RefusalCode,
    RequestKind,
    ResolutionAction,
    Role,
)
from tests.world import (
    FARID,
    HOUR,
    IN_STATUS,
    a_delivered_order,
    a_plea_to_the_freelancer,
    a_started_order,
    an_offer,
    an_order,
    hour,
    money,
)

K, R = OrderEventKind, RefusalCode


def test_an_offer_is_pending_for_48_hours_and_money_has_not_moved() -> None:
    story = a_started_order()
    story.farid(an_offer("20.00 USD", explanation=" Late. "), at=3)
    request = story.request
    assert (request.kind, request.status, request.amount) == (RequestKind.PARTIAL_REFUND, "PENDING", money("20 USD"))
    assert (request.cap, request.text) == (money("60 USD"), "Late.")
    assert (request.requested_by_id, request.requested_by_role) == (FARID, Role.FREELANCER)
    assert (request.created_at, request.respond_by) == (hour(3), hour(3) + 48 * HOUR)
    assert request.on_deadline is OnDeadline.EXPIRE
    assert story.order.refunded == money("0 USD")
    assert story.events[-1].kind is K.REQUEST_OPENED
    assert len(story.entries) == 2


def test_an_accepted_offer_owes_the_money_and_the_order_goes_on_untouched() -> None:
    story = a_started_order()
    story.farid(an_offer("20.00 USD"))
    decision = story.ada(c.AcceptRequest(story.request.id), at=5)
    assert [e.kind for e in decision.events] == [K.REQUEST_ACCEPTED]
    assert (story.request.status, story.request.settled_by_role, story.request.settled_at) == (
        "ACCEPTED",
        Role.CLIENT,
        hour(5),
    )
    order = story.order
    assert (order.status, order.refunded, order.remaining) == ("IN_PROGRESS", money("20 USD"), money("80 USD"))
    assert (order.counted, order.cancellation_cause) == (True, None)
    (refund,) = story.case.refunds
    assert (refund.amount, refund.status, refund.request_id) == (money("20 USD"), "PENDING", story.request.id)
    assert [(e.account, e.amount.minor) for e in decision.entries] == [("HELD", -2_000), ("REFUND_DUE", 2_000)]


@pytest.mark.parametrize(
    ("price", "cap", "over"),
    [
        ("100.00 USD", "60.00 USD", "60.01 USD"),
        ("0.99 USD", "0.59 USD", "0.60 USD"),
        ("33.33 USD", "19.99 USD", "20.00 USD"),
        ("1999 JPY", "1199 JPY", "1200 JPY"),
        ("0.005 KWD", "0.003 KWD", "0.004 KWD"),
        ("999999999999.99 USD", "599999999999.99 USD", "600000000000.00 USD"),
    ],
)
def test_sixty_per_cent_may_be_offered_and_not_one_minor_unit_more(price: str, cap: str, over: str) -> None:
    story = a_started_order(price)
    refusal = story.refusal(Role.FREELANCER, an_offer(over))
    assert (refusal.code, refusal.path) == (R.AMOUNT_TOO_LARGE, ("amount", "amount"))
    assert refusal.message == f"At most {cap} may be offered on this order."
    story.farid(an_offer(cap))
    assert story.request.amount == story.request.cap == money(cap)


@pytest.mark.parametrize(
    ("amount", "code", "path"),
    [
        ("0 USD", R.AMOUNT_TOO_SMALL, ("amount", "amount")),
        ("-5 USD", R.AMOUNT_TOO_SMALL, ("amount", "amount")),
        ("0.001 USD", R.AMOUNT_PRECISION, ("amount", "amount")),
        ("59.999 USD", R.AMOUNT_PRECISION, ("amount", "amount")),
        ("NaN USD", R.VALUE_INVALID, ("amount", "amount")),
        ("Infinity USD", R.VALUE_INVALID, ("amount", "amount")),
        ("1E+999999 USD", R.AMOUNT_TOO_LARGE, ("amount", "amount")),
        ("20 EUR", R.CURRENCY_MISMATCH, ("amount", "currencyCode")),
        ("20 usd", R.CURRENCY_MISMATCH, ("amount", "currencyCode")),
        ("20 XXX", R.CURRENCY_MISMATCH, ("amount", "currencyCode")),
    ],
)
def test_an_amount_that_can_not_be_offered_is_refused(amount: str, code: RefusalCode, path: tuple[str, ...]) -> None:
    story = a_started_order()
    refusal = story.refusal(Role.FREELANCER, an_offer(amount))
    assert (refusal.code, refusal.path) == (code, path)
    assert story.case.requests == ()


def test_a_yen_too_small_to_divide_can_not_be_refunded_in_part() -> None:
    story = a_started_order("1 JPY")
    assert story.code(Role.FREELANCER, an_offer("1 JPY")) is R.AMOUNT_TOO_LARGE
    assert story.action(Role.FREELANCER, ResolutionAction.OFFER_PARTIAL_REFUND).refusal is not None


def test_all_that_is_wrong_with_an_offer_is_said_at_once() -> None:
    story = a_started_order()
    bad = an_offer("61 USD", explanation="", reason="BECAUSE", note="x" * 2_501)
    refusals = story.refusals(Role.FREELANCER, bad)
    assert [(r.code, r.path) for r in refusals] == [
        (R.AMOUNT_TOO_LARGE, ("amount", "amount")),
        (R.TEXT_REQUIRED, ("explanation",)),
        (R.REASON_UNKNOWN, ("confidentialReason",)),
        (R.TEXT_TOO_LONG, ("confidentialNote",)),
    ]
    assert "SCOPE_CHANGED" in refusals[2].message


def test_a_second_offer_waits_until_the_first_is_settled() -> None:
    story = a_started_order()
    story.farid(an_offer())
    assert story.code(Role.FREELANCER, an_offer()) is R.REQUEST_PENDING
    story.ada(c.DeclineRequest(story.request.id, "Not enough."))
    assert story.request.decline_message == "Not enough."
    story.farid(an_offer("30 USD"))
    story.farid(c.WithdrawRequest(story.request.id))
    story.farid(an_offer("40 USD"))
    assert [r.status for r in story.case.requests] == ["DECLINED", "WITHDRAWN", "PENDING"]


def test_after_one_accepted_offer_there_is_never_another() -> None:
    story = a_started_order()
    story.farid(an_offer("1 USD"))
    story.ada(c.AcceptRequest(story.request.id))
    refusal = story.refusal(Role.FREELANCER, an_offer("1 USD"))
    assert refusal.code is R.REFUND_ALREADY_ACCEPTED
    assert "can't be a second one" in refusal.message
    story.farid(c.DeliverOrder("Done."))
    assert story.code(Role.FREELANCER, an_offer("1 USD")) is R.REFUND_ALREADY_ACCEPTED


def test_a_failed_payment_does_not_open_the_way_to_another_offer() -> None:
    story = a_started_order()
    story.farid(an_offer("1 USD"))
    story.ada(c.AcceptRequest(story.request.id))
    story.gateway(failure="The card is closed.")
    assert story.code(Role.FREELANCER, an_offer("1 USD")) is R.REFUND_ALREADY_ACCEPTED


def test_silence_on_an_offer_expires_it_and_moves_no_money() -> None:
    story = a_started_order(days=30)
    story.farid(an_offer(), at=0)
    events = story.wait(48)
    assert [e.kind for e in events] == [K.DEADLINE_NEAR, K.DEADLINE_NEAR, K.REQUEST_EXPIRED]
    assert (story.request.status, story.request.settled_by_role) == ("EXPIRED", Role.SYSTEM)
    assert story.order.refunded == money("0 USD")
    story.farid(an_offer())


def test_a_policy_may_take_silence_for_consent() -> None:
    kinds = dict(DEFAULT.kinds)
    kinds[RequestKind.PARTIAL_REFUND] = replace(kinds[RequestKind.PARTIAL_REFUND], silence=OnDeadline.ACCEPT)
    story = a_started_order(days=30, policy=replace(DEFAULT, kinds=kinds))
    story.farid(an_offer())
    assert story.wait(48)[-1].kind is K.REQUEST_AUTO_ACCEPTED
    assert story.order.refunded == money("20 USD")
    assert story.code(Role.FREELANCER, an_offer()) is R.REFUND_ALREADY_ACCEPTED


@pytest.mark.parametrize("reason", REFUND_REASONS, ids=lambda reason: reason.code)
def test_each_reason_of_the_list_is_kept_in_confidence(reason: Reason) -> None:
    story = a_started_order()
    if reason.requires_text:
        for blank in (None, "", " \n"):
            refusal = story.refusal(Role.FREELANCER, an_offer(reason=reason.code, note=blank))
            assert (refusal.code, refusal.path) == (R.TEXT_REQUIRED, ("confidentialNote",))
    story.farid(an_offer(reason=reason.code, note=" my note "))
    (confidence,) = story.confidences
    assert (confidence.request_id, confidence.reason, confidence.note) == (story.request.id, reason.code, "my note")


@pytest.mark.parametrize("reason", ["", "scope_changed", "MUTUAL_AGREEMENT", " GOODWILL", "BECAUSE"])
def test_a_reason_that_is_not_on_the_list_is_refused(reason: str) -> None:
    refusal = a_started_order().refusal(Role.FREELANCER, an_offer(reason=reason))
    assert (refusal.code, refusal.path) == (R.REASON_UNKNOWN, ("confidentialReason",))


def test_an_impossible_note_is_refused_once_though_the_reason_needs_one() -> None:
    refusal = a_started_order().refusal(Role.FREELANCER, an_offer(reason="OTHER", note="a\x00b"))
    assert (refusal.code, refusal.path) == (R.VALUE_INVALID, ("confidentialNote",))


def test_the_reason_and_its_note_are_in_no_event_and_no_case() -> None:
    story = a_started_order()
    story.farid(an_offer(reason="CLIENT_DISSATISFIED", note="MARKER-7f3a"))
    story.ada(c.AcceptRequest(story.request.id))
    told = repr(story.events) + repr(story.case) + repr(story.entries)
    assert "MARKER-7f3a" not in told
    assert "CLIENT_DISSATISFIED" not in told


@pytest.mark.parametrize("status", OrderStatus)
def test_an_offer_is_made_while_the_work_goes_on_or_is_delivered(status: OrderStatus) -> None:
    story = IN_STATUS[status]()
    if status in (OrderStatus.IN_PROGRESS, OrderStatus.DELIVERED, OrderStatus.IN_REVISION):
        story.farid(an_offer())
        return
    expected = R.ORDER_CLOSED if status.is_closed else R.ORDER_STATUS
    assert story.code(Role.FREELANCER, an_offer()) is expected


def test_a_client_does_not_offer_and_a_freelancer_does_not_accept_its_own_offer() -> None:
    story = a_started_order()
    assert story.code(Role.CLIENT, an_offer()) is R.FORBIDDEN
    story.farid(an_offer())
    assert story.code(Role.FREELANCER, c.AcceptRequest(story.request.id)) is R.FORBIDDEN
    assert story.code(Role.FREELANCER, c.DeclineRequest(story.request.id)) is R.FORBIDDEN
    assert story.code(Role.CLIENT, c.WithdrawRequest(story.request.id)) is R.FORBIDDEN
    for role in (Role.SUPPORT, Role.MARKETPLACE, Role.SYSTEM):
        assert story.code(role, c.AcceptRequest(story.request.id)) is R.FORBIDDEN


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (c.AcceptRequest, R.REQUEST_SETTLED),
        (c.DeclineRequest, R.REQUEST_SETTLED),
    ],
)
def test_a_settled_offer_stays_settled(end: type[c.AcceptRequest | c.DeclineRequest], code: RefusalCode) -> None:
    story = a_started_order()
    story.farid(an_offer())
    offer = story.request.id
    story.ada(end(offer))
    assert story.code(Role.CLIENT, c.AcceptRequest(offer)) is code
    assert story.code(Role.CLIENT, c.DeclineRequest(offer)) is code
    assert story.code(Role.FREELANCER, c.WithdrawRequest(offer)) is code


def test_a_decline_message_is_optional_and_must_be_possible() -> None:
    story = a_started_order()
    story.farid(an_offer())
    assert story.code(Role.CLIENT, c.DeclineRequest(story.request.id, "x" * 2_501)) is R.TEXT_TOO_LONG
    assert story.code(Role.CLIENT, c.DeclineRequest(story.request.id, "\x00")) is R.VALUE_INVALID
    story.ada(c.DeclineRequest(story.request.id, "  "))
    assert (story.request.status, story.request.decline_message) == ("DECLINED", None)


def test_a_minimum_amount_is_the_operator_s_choice() -> None:
    story = a_started_order(policy=replace(DEFAULT, minimum_refund={"USD": 500}))
    refusal = story.refusal(Role.FREELANCER, an_offer("4.99 USD"))
    assert (refusal.code, refusal.message) == (R.AMOUNT_TOO_SMALL, "Offer at least 5.00 USD.")
    story.farid(an_offer("5.00 USD"))


def test_a_minimum_amount_above_the_cap_leaves_nothing_to_offer() -> None:
    story = a_started_order("8.00 USD", policy=replace(DEFAULT, minimum_refund={"USD": 500}))
    assert story.code(Role.FREELANCER, an_offer("4.80 USD")) is R.AMOUNT_TOO_LARGE


def test_a_minimum_price_is_the_operator_s_choice_by_currency() -> None:
    policy = replace(DEFAULT, minimum_price={"USD": 5_000})
    refusal = a_started_order("49.99 USD", policy=policy).refusal(Role.FREELANCER, an_offer("10 USD"))
    assert (refusal.code, refusal.message) == (
        R.AMOUNT_TOO_SMALL,
        "Refunds are offered on orders of 50.00 USD and more.",
    )
    a_started_order("50.00 USD", policy=policy).farid(an_offer("10 USD"))
    a_started_order("1.00 EUR", policy=policy).farid(an_offer("0.10 EUR"))


def test_a_cap_of_the_operator_s_choice_holds_to_the_minor_unit() -> None:
    story = a_started_order("0.99 USD", policy=replace(DEFAULT, refund_cap_percent=100))
    assert story.code(Role.FREELANCER, an_offer("1.00 USD")) is R.AMOUNT_TOO_LARGE
    story.farid(an_offer("0.99 USD"))


@given(st.integers(0, LARGEST_MINOR), st.integers(0, 100), st.integers(1, 100))
def test_the_most_that_may_be_offered_is_never_more_than_the_share_nor_than_what_is_left(
    price: int, refunded_percent: int, cap_percent: int
) -> None:
    refunded = price * refunded_percent // 100
    case = a_started_order().case
    order = an_order(price=Money(price, "USD"), refunded=Money(refunded, "USD"))
    most = maximum_refund(replace(case, order=order), replace(DEFAULT, refund_cap_percent=cap_percent)).minor
    assert most == min(price - refunded, price * cap_percent // 100)


def test_a_refund_offer_does_not_stand_in_the_way_of_a_cancellation() -> None:
    story = a_delivered_order()
    story.farid(an_offer("20 USD"))
    story.ada(c.AcceptRequest(story.request.id))
    story.ada(a_plea_to_the_freelancer())
    story.farid(c.AcceptRequest(story.request.id))
    assert [refund.amount for refund in story.case.refunds] == [money("20 USD"), money("80 USD")]
    assert story.order.refunded == story.order.price


def test_the_gateway_pays_a_refund_once() -> None:
    story = a_started_order()
    story.farid(an_offer())
    story.ada(c.AcceptRequest(story.request.id))
    decision = story.gateway(at=6)
    (refund,) = story.case.refunds
    assert (refund.status, refund.settled_at, refund.failure) == (RefundStatus.SUCCEEDED, hour(6), None)
    assert (decision.events[-1].kind, decision.events[-1].request_id) == (K.REFUND_SUCCEEDED, story.request.id)
    assert decision.events[-1].actor.role is Role.SYSTEM
    assert story.code(Role.SYSTEM, c.SettleRefund(refund.id)) is R.REQUEST_SETTLED
    assert story.code(Role.SYSTEM, c.SettleRefund(refund.id, "late")) is R.REQUEST_SETTLED
    assert story.code(Role.SYSTEM, c.SettleRefund(story.order.id)) is R.NOT_FOUND


def test_a_payment_that_fails_says_why_and_stays_failed() -> None:
    story = a_started_order()
    story.farid(an_offer())
    story.ada(c.AcceptRequest(story.request.id))
    story.gateway(failure="The card is closed.")
    (refund,) = story.case.refunds
    assert (refund.status, refund.failure) == (RefundStatus.FAILED, "The card is closed.")
    assert story.kinds[-1] is K.REFUND_FAILED
    assert story.code(Role.SYSTEM, c.SettleRefund(refund.id)) is R.REQUEST_SETTLED
