"""Support cases: the order's clock stands still while one is open, and support's word ends it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rules import commands as c
from rules.deadlines import next_instant, upcoming
from rules.policy import DEFAULT
from rules.vocabulary import (
    CancellationCause,
    OrderEventKind,
    OrderStatus,
    RefundStatus,
    RefusalCode,
    RequestKind,
    Role,
    SupportCaseStatus,
    SupportDecision,
)
from tests.world import (
    ADA,
    DAY,
    FARID,
    IN_STATUS,
    SOL,
    START,
    Story,
    a_call_for_support,
    a_cancelled_order,
    a_completed_order,
    a_delivered_order,
    a_placed_order,
    a_plea_to_the_client,
    a_question,
    a_started_order,
    an_extension,
    an_offer,
    hour,
    money,
)

D, K, R = SupportDecision, OrderEventKind, RefusalCode


def a_troubled_order() -> Story:
    """In progress; an offer since hour 10, a question since hour 12; Ada called support at hour 20."""
    story = a_started_order(days=3)
    story.farid(an_offer(), at=10)
    story.ada(a_question(), at=12)
    story.ada(a_call_for_support(), at=20)
    return story


@pytest.mark.parametrize(("role", "person"), [(Role.CLIENT, ADA), (Role.FREELANCER, FARID)])
def test_either_side_calls_support(role: Role, person: object) -> None:
    story = a_started_order()
    story.at(3).play(story.actor(role), a_call_for_support(" Help. "))
    (case,) = story.case.support_cases
    assert (case.opened_by_id, case.opened_by_role, case.message) == (person, role, "Help.")
    assert (case.status, case.opened_at, case.decision) == (SupportCaseStatus.OPEN, hour(3), None)
    assert story.order.frozen_at == hour(3)
    assert story.kinds[-1] is K.SUPPORT_CONTACTED


def test_one_open_case_an_order_whoever_calls() -> None:
    story = a_troubled_order()
    for role in (Role.CLIENT, Role.FREELANCER):
        refusal = story.refusal(role, a_call_for_support())
        assert (refusal.code, refusal.message) == (
            R.SUPPORT_CASE_OPEN,
            "Support has this order already and will decide.",
        )


@pytest.mark.parametrize("words", ["", " ", "x" * 2_501, "\x00"])
def test_a_call_without_a_possible_message_is_refused(words: str) -> None:
    story = a_started_order()
    assert story.refusal(Role.CLIENT, a_call_for_support(words)).path == ("message",)
    assert story.case.support_cases == ()


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.MARKETPLACE, Role.SYSTEM])
def test_others_do_not_call_support(role: Role) -> None:
    assert a_started_order().code(role, a_call_for_support()) is R.FORBIDDEN


def test_nothing_runs_out_while_a_case_is_open() -> None:
    story = a_troubled_order()
    assert upcoming(story.case, story.policy) == []
    assert next_instant(story.case, story.policy) is None
    assert story.wait(10_000) == ()
    assert len(story.case.pending()) == 2
    assert not story.order.is_late(story.now)
    assert story.code(Role.CLIENT, c.CancelOrder()) is R.ORDER_STATUS


def test_a_delivery_under_support_is_not_completed_by_silence() -> None:
    story = a_delivered_order()
    story.ada(a_call_for_support(), at=50)
    assert story.wait(10_000) == ()
    assert story.order.status is OrderStatus.DELIVERED


def test_each_deadline_moves_by_exactly_the_time_it_stood_still() -> None:
    story = a_troubled_order()
    offer, question = story.case.requests
    story.sol(D.CONTINUE_ORDER, at=20 + 37)
    stood = timedelta(hours=37)
    assert story.order.frozen_at is None
    assert [r.respond_by for r in story.case.requests] == [offer.respond_by + stood, question.respond_by + stood]
    assert story.order.delivery_due_at == START + 3 * DAY + stood
    assert [(e.kind, e.occurred_at) for e in story.wait(1_000)] == [
        (K.DEADLINE_NEAR, hour(10 + 24 + 37)),
        (K.DEADLINE_NEAR, hour(12 + 24 + 37)),
        (K.DEADLINE_NEAR, hour(10 + 44 + 37)),
        (K.DEADLINE_NEAR, hour(12 + 44 + 37)),
        (K.REQUEST_EXPIRED, hour(10 + 48 + 37)),
        (K.REQUEST_EXPIRED, hour(12 + 48 + 37)),
    ]


def test_the_three_days_after_a_delivery_move_too() -> None:
    story = a_delivered_order()
    story.ada(a_call_for_support(), at=50)
    story.sol(D.CONTINUE_ORDER, at=100)
    assert story.order.auto_completes_at == hour(82 + 50)
    assert story.order.delivery_due_at == START + 3 * DAY
    assert story.wait(82 + 50)[-1].kind is K.ORDER_COMPLETED


def test_a_reminder_that_was_too_early_to_be_given_is_not_given_after_the_case_either() -> None:
    """The log must not go back in time: five hours after a delivery there is no reminder 24 hours before."""
    policy = replace(DEFAULT, auto_complete_after=timedelta(hours=5))
    story = a_delivered_order(policy=policy)
    story.ada(a_call_for_support(), at=10.5)
    story.sol(D.CONTINUE_ORDER, at=100)
    assert story.order.auto_completes_at == hour(15 + 89.5)
    assert [(e.kind, e.occurred_at) for e in story.wait(200)] == [
        (K.DEADLINE_NEAR, hour(11 + 89.5)),
        (K.ORDER_COMPLETED, hour(15 + 89.5)),
    ]


def test_a_deadline_that_was_set_during_the_case_stood_still_since_then() -> None:
    story = a_started_order(days=30)
    story.ada(a_call_for_support(), at=10)
    story.ada(a_question(), at=15)
    story.farid(c.DeliverOrder("Here."), at=18)
    story.sol(D.CONTINUE_ORDER, at=30)
    assert story.request.respond_by == hour(15 + 48 + (30 - 15))
    assert story.order.auto_completes_at == hour(18 + 72 + (30 - 18))


def test_work_that_starts_during_the_case_is_due_after_the_agreed_days_from_its_end() -> None:
    story = a_placed_order(days=2)
    story.ada(a_call_for_support(), at=10)
    story.ada(c.SubmitRequirements(), at=15)
    story.sol(D.CONTINUE_ORDER, at=30)
    assert story.order.delivery_due_at == hour(30) + 2 * DAY


def test_an_extension_agreed_during_the_case_adds_to_the_clock_that_stands_still() -> None:
    story = a_started_order(days=3)
    story.ada(a_call_for_support(), at=10)
    story.farid(an_extension(2), at=12)
    story.ada(c.AcceptRequest(story.request.id), at=500)
    assert story.order.delivery_due_at == START + 5 * DAY
    story.sol(D.CONTINUE_ORDER, at=510)
    assert story.order.delivery_due_at == START + 5 * DAY + timedelta(hours=500)


def test_a_reminder_that_was_sent_before_the_case_is_not_sent_again() -> None:
    story = a_started_order(days=30)
    story.farid(an_offer(), at=0)
    story.ada(a_call_for_support(), at=30)
    story.sol(D.CONTINUE_ORDER, at=130)
    assert [(e.kind, e.occurred_at) for e in story.wait(1_000)] == [
        (K.DEADLINE_NEAR, hour(144)),
        (K.REQUEST_EXPIRED, hour(148)),
    ]
    assert story.kinds.count(K.DEADLINE_NEAR) == 2


def test_two_cases_move_the_deadlines_by_the_sum_of_both() -> None:
    story = a_started_order(days=30)
    story.farid(an_offer(), at=0)
    story.ada(a_call_for_support(), at=1)
    story.sol(D.CONTINUE_ORDER, at=11)
    story.farid(a_call_for_support(), at=20)
    story.sol(D.CONTINUE_ORDER, at=25)
    assert story.request.respond_by == hour(48 + 10 + 5)
    assert [case.status for case in story.case.support_cases] == [SupportCaseStatus.RESOLVED] * 2


def test_a_case_that_is_opened_at_respond_by_comes_too_late() -> None:
    story = a_started_order()
    story.farid(a_plea_to_the_client())
    story.ada(a_call_for_support(), at=48)
    assert story.order.status is OrderStatus.CANCELLED
    assert story.order.frozen_at is None


def test_the_parties_may_settle_it_themselves_while_support_looks() -> None:
    story = a_troubled_order()
    story.ada(c.AcceptRequest(story.case.requests[0].id), at=900)
    story.farid(c.AnswerOrderUpdate(story.case.requests[1].id, "Soon."), at=901)
    story.farid(a_plea_to_the_client(), at=902)
    story.ada(c.AcceptRequest(story.request.id), at=903)
    assert story.order.status is OrderStatus.CANCELLED
    assert story.order.frozen_at is None
    story.sol(D.CONTINUE_ORDER)
    assert story.order.status is OrderStatus.CANCELLED


def test_support_lets_the_order_go_on_and_says_why() -> None:
    story = a_troubled_order()
    decision = story.sol(D.CONTINUE_ORDER, at=30)
    (case,) = story.case.support_cases
    assert (case.status, case.decision, case.resolved_at) == (SupportCaseStatus.RESOLVED, D.CONTINUE_ORDER, hour(30))
    assert case.decision_message == "We read both sides."
    assert decision.subject == case.id
    assert [(e.kind, e.actor.role, e.actor.user_id) for e in decision.events] == [
        (K.SUPPORT_DECIDED, Role.SUPPORT, SOL)
    ]
    assert story.order.status is OrderStatus.IN_PROGRESS
    assert decision.entries == ()


def test_support_cancels_the_order() -> None:
    story = a_troubled_order()
    decision = story.sol(D.CANCEL_ORDER, at=30)
    order = story.order
    assert [e.kind for e in decision.events] == [
        K.SUPPORT_DECIDED,
        K.ORDER_CANCELLED,
        K.REQUEST_SUPERSEDED,
        K.REQUEST_SUPERSEDED,
    ]
    assert (order.status, order.cancellation_cause) == (OrderStatus.CANCELLED, CancellationCause.SUPPORT_DECIDED)
    assert (order.refunded, order.frozen_at, order.counted) == (order.price, None, True)
    assert {r.settled_by_role for r in story.case.requests} == {Role.SUPPORT}
    (refund,) = story.case.refunds
    assert (refund.amount, refund.case_id, refund.request_id) == (order.price, story.case.support_cases[0].id, None)


def test_support_completes_the_order_from_any_open_status() -> None:
    for status, story_of in IN_STATUS.items():
        if status.is_closed:
            continue
        story = story_of()
        story.ada(a_call_for_support())
        decision = story.sol(D.COMPLETE_ORDER)
        assert [e.kind for e in decision.events] == [K.SUPPORT_DECIDED, K.ORDER_COMPLETED]
        assert (story.order.status, story.order.auto_completes_at) == (OrderStatus.COMPLETED, None)
        assert [(e.account, e.amount.minor) for e in decision.entries] == [("HELD", -10_000), ("FREELANCER", 10_000)]


def test_support_refunds_a_part_beyond_the_cap_of_an_offer_and_supersedes_the_offer() -> None:
    story = a_troubled_order()
    decision = story.sol(D.REFUND_PARTIALLY, "70 USD", at=30)
    assert [e.kind for e in decision.events] == [K.SUPPORT_DECIDED, K.REQUEST_SUPERSEDED]
    assert (story.order.status, story.order.refunded) == (OrderStatus.IN_PROGRESS, money("70 USD"))
    assert [r.status for r in story.case.requests] == ["SUPERSEDED", "PENDING"]
    (refund,) = story.case.refunds
    assert (refund.amount, refund.status, refund.request_id) == (money("70 USD"), RefundStatus.PENDING, None)
    assert [(e.account, e.amount.minor) for e in decision.entries] == [("HELD", -7_000), ("REFUND_DUE", 7_000)]
    assert story.case.requests[1].respond_by == hour(12 + 48 + 10)


def test_after_support_s_refund_only_what_is_left_may_be_offered() -> None:
    story = a_troubled_order()
    story.sol(D.REFUND_PARTIALLY, "70 USD")
    assert story.code(Role.FREELANCER, an_offer("30.01 USD")) is R.AMOUNT_TOO_LARGE
    story.farid(an_offer("30.00 USD"))
    story.ada(c.AcceptRequest(story.request.id))
    assert story.order.remaining == money("0 USD")


@pytest.mark.parametrize(
    ("refund", "code", "path"),
    [
        (None, R.VALUE_INVALID, ("refund",)),
        ("0 USD", R.AMOUNT_TOO_SMALL, ("refund", "amount")),
        ("-1 USD", R.AMOUNT_TOO_SMALL, ("refund", "amount")),
        ("1.001 USD", R.AMOUNT_PRECISION, ("refund", "amount")),
        ("NaN USD", R.VALUE_INVALID, ("refund", "amount")),
        ("100.01 USD", R.AMOUNT_TOO_LARGE, ("refund", "amount")),
        ("1 EUR", R.CURRENCY_MISMATCH, ("refund", "currencyCode")),
    ],
)
def test_a_refund_that_can_not_be_is_refused_and_the_case_stays_open(
    refund: str | None, code: RefusalCode, path: tuple[str, ...]
) -> None:
    story = a_troubled_order()
    found = story.refusal(Role.SUPPORT, story.a_decision(D.REFUND_PARTIALLY, refund))
    assert (found.code, found.path) == (code, path)
    assert story.case.open_support_case is not None


def test_support_never_refunds_more_than_is_left() -> None:
    story = a_started_order()
    story.farid(an_offer("60 USD"))
    story.ada(c.AcceptRequest(story.request.id))
    story.ada(a_call_for_support())
    refusal = story.refusal(Role.SUPPORT, story.a_decision(D.REFUND_PARTIALLY, "40.01 USD"))
    assert refusal.message == "Only 40.00 USD of the price is left to refund."
    story.sol(D.REFUND_PARTIALLY, "40.00 USD")
    assert story.order.refunded == story.order.price


@pytest.mark.parametrize("decision", [D.CANCEL_ORDER, D.CONTINUE_ORDER, D.COMPLETE_ORDER])
def test_only_a_partial_refund_takes_an_amount(decision: SupportDecision) -> None:
    story = a_troubled_order()
    refusal = story.refusal(Role.SUPPORT, story.a_decision(decision, "1 USD"))
    assert (refusal.code, refusal.path) == (R.VALUE_INVALID, ("refund",))


@pytest.mark.parametrize("words", ["", " ", "x" * 2_501, "\x00"])
def test_support_says_why(words: str) -> None:
    story = a_troubled_order()
    command = replace(story.a_decision(D.CONTINUE_ORDER), message=words)
    assert story.refusal(Role.SUPPORT, command).path == ("message",)


def test_all_that_is_wrong_with_a_decision_is_said_at_once() -> None:
    story = a_troubled_order()
    command = replace(story.a_decision(D.REFUND_PARTIALLY, "101 USD"), message="")
    assert [r.path for r in story.refusals(Role.SUPPORT, command)] == [("message",), ("refund", "amount")]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SUPPORT])
def test_only_support_decides(role: Role) -> None:
    story = a_troubled_order()
    assert story.code(role, story.a_decision(D.CONTINUE_ORDER)) is R.FORBIDDEN


def test_a_case_is_decided_once() -> None:
    story = a_troubled_order()
    story.sol(D.CONTINUE_ORDER)
    refusal = story.refusal(Role.SUPPORT, story.a_decision(D.CANCEL_ORDER))
    assert (refusal.code, refusal.path) == (R.REQUEST_SETTLED, ("caseId",))
    assert story.order.status is OrderStatus.IN_PROGRESS


def test_a_case_that_is_not_there_is_not_found() -> None:
    story = a_troubled_order()
    command = replace(story.a_decision(D.CONTINUE_ORDER), case_id=story.order.id)
    refusal = story.refusal(Role.SUPPORT, command)
    assert (refusal.code, refusal.path) == (R.NOT_FOUND, ("caseId",))


@pytest.mark.parametrize("story_of", [a_completed_order, a_cancelled_order])
@pytest.mark.parametrize("decision", [D.CANCEL_ORDER, D.COMPLETE_ORDER])
def test_an_order_that_has_ended_does_not_end_again(story_of: type[Story], decision: SupportDecision) -> None:
    story = story_of()
    story.ada(a_call_for_support())
    status = story.order.status
    refusal = story.refusal(Role.SUPPORT, story.a_decision(decision))
    assert (refusal.code, refusal.path) == (R.ORDER_CLOSED, ("decision",))
    story.sol(D.CONTINUE_ORDER)
    assert story.order.status is status


def test_after_completion_support_refunds_from_the_freelancer() -> None:
    story = a_completed_order()
    story.ada(a_call_for_support(), at=100)
    assert story.order.frozen_at is None
    decision = story.sol(D.REFUND_PARTIALLY, "25 USD", at=120)
    assert (story.order.status, story.order.refunded) == (OrderStatus.COMPLETED, money("25 USD"))
    assert [(e.account, e.amount.minor) for e in decision.entries] == [("FREELANCER", -2_500), ("REFUND_DUE", 2_500)]
    assert story.order.counted


def test_of_a_cancelled_order_nothing_is_left_to_refund() -> None:
    story = a_cancelled_order()
    story.ada(a_call_for_support())
    assert story.code(Role.SUPPORT, story.a_decision(D.REFUND_PARTIALLY, "0.01 USD")) is R.AMOUNT_TOO_LARGE


def test_the_client_s_way_out_of_a_late_order_waits_for_support_too() -> None:
    story = a_started_order(days=1)
    story.farid(a_call_for_support(), at=24 + 23)
    assert story.code(Role.CLIENT, c.CancelOrder(), at=500) is R.ORDER_STATUS
    story.sol(D.CONTINUE_ORDER, at=501)
    assert story.code(Role.CLIENT, c.CancelOrder(), at=501.99) is R.ORDER_STATUS
    story.ada(c.CancelOrder(), at=502)


def test_a_request_of_every_kind_may_be_made_while_support_looks() -> None:
    story = a_started_order(days=30)
    story.ada(a_call_for_support())
    story.farid(an_offer())
    story.farid(an_extension())
    story.ada(a_question())
    story.farid(a_plea_to_the_client())
    assert {r.kind for r in story.case.pending()} == set(RequestKind)
