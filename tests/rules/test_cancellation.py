"""Cancellation that one side asks of the other: silence is consent, and the client's reason stays private."""

from dataclasses import replace

import pytest

from rules import commands as c
from rules.policy import CLIENT_CANCELLATION_REASONS, DEFAULT, FREELANCER_CANCELLATION_REASONS, Reason
from rules.vocabulary import (
    CancellationCause,
    OnDeadline,
    OrderEventKind,
    OrderStatus,
    RefusalCode,
    RequestKind,
    Role,
)
from tests.world import (
    ADA,
    HOUR,
    IN_STATUS,
    SECOND,
    a_plea_to_the_client,
    a_plea_to_the_freelancer,
    a_question,
    a_started_order,
    an_extension,
    an_offer,
    hour,
    money,
)

K, R = OrderEventKind, RefusalCode


def test_a_freelancer_asks_with_a_reason_and_a_note_that_both_see() -> None:
    story = a_started_order()
    story.farid(a_plea_to_the_client("SCOPE_CHANGED", " It grew. "), at=2)
    request = story.request
    assert (request.kind, request.status, request.requested_by_role) == ("CANCELLATION", "PENDING", Role.FREELANCER)
    assert (request.reason, request.text) == ("SCOPE_CHANGED", "It grew.")
    assert (request.respond_by, request.on_deadline) == (hour(2) + 48 * HOUR, OnDeadline.ACCEPT)
    assert story.confidences == []


def test_a_client_asks_with_feedback_that_both_see_and_a_reason_that_only_it_sees() -> None:
    story = a_started_order()
    story.ada(a_plea_to_the_freelancer("FOUND_ALTERNATIVE", " cheaper ", feedback=" Sorry. "), at=2)
    request = story.request
    assert (request.requested_by_id, request.requested_by_role) == (ADA, Role.CLIENT)
    assert (request.reason, request.text) == (None, "Sorry.")
    (confidence,) = story.confidences
    assert (confidence.request_id, confidence.reason, confidence.note) == (request.id, "FOUND_ALTERNATIVE", "cheaper")


def test_the_private_reason_and_its_note_are_in_no_event_and_no_case() -> None:
    story = a_started_order()
    story.ada(a_plea_to_the_freelancer("EXPECTATIONS_NOT_MET", "MARKER-91cc"))
    story.wait(100)
    told = repr(story.events) + repr(story.case) + repr(story.entries)
    assert "MARKER-91cc" not in told
    assert "EXPECTATIONS_NOT_MET" not in told


def test_a_refused_private_note_is_not_repeated_in_the_refusal() -> None:
    story = a_started_order()
    refusals = story.refusals(Role.CLIENT, a_plea_to_the_freelancer("MARKER-R", "MARKER-N\x00", feedback=""))
    assert [refusal.path for refusal in refusals] == [("feedback",), ("confidentialReason",), ("confidentialNote",)]
    assert "MARKER" not in repr(refusals)


@pytest.mark.parametrize(
    ("asks", "cause"),
    [(Role.FREELANCER, CancellationCause.FREELANCER_ASKED), (Role.CLIENT, CancellationCause.CLIENT_ASKED)],
)
def test_when_the_other_side_agrees_the_order_is_cancelled_and_all_goes_back(
    asks: Role, cause: CancellationCause
) -> None:
    story = a_started_order()
    if asks is Role.FREELANCER:
        story.farid(a_plea_to_the_client())
        decision = story.ada(c.AcceptRequest(story.request.id), at=4)
    else:
        story.ada(a_plea_to_the_freelancer())
        decision = story.farid(c.AcceptRequest(story.request.id), at=4)
    assert [e.kind for e in decision.events] == [K.REQUEST_ACCEPTED, K.ORDER_CANCELLED]
    order = story.order
    assert (order.status, order.cancelled_at, order.cancellation_cause) == (OrderStatus.CANCELLED, hour(4), cause)
    assert (order.counted, order.refunded, order.remaining) == (True, money("100 USD"), money("0 USD"))
    assert (story.request.status, story.request.settled_by_role) == ("ACCEPTED", asks.other_side)
    (refund,) = story.case.refunds
    assert (refund.amount, refund.request_id) == (money("100 USD"), story.request.id)


def test_what_was_refunded_before_does_not_go_back_twice() -> None:
    story = a_started_order()
    story.farid(an_offer("60 USD"))
    story.ada(c.AcceptRequest(story.request.id))
    story.farid(a_plea_to_the_client())
    story.ada(c.AcceptRequest(story.request.id))
    assert [refund.amount for refund in story.case.refunds] == [money("60 USD"), money("40 USD")]
    due = sum(e.amount.minor for e in story.entries if e.account == "REFUND_DUE")
    held = sum(e.amount.minor for e in story.entries if e.account == "HELD")
    assert (due, held) == (10_000, 0)


@pytest.mark.parametrize("asks", [Role.FREELANCER, Role.CLIENT])
def test_silence_for_48_hours_cancels_whoever_asked(asks: Role) -> None:
    story = a_started_order()
    if asks is Role.FREELANCER:
        story.farid(a_plea_to_the_client(), at=1)
    else:
        story.ada(a_plea_to_the_freelancer(), at=1)
    assert [e.kind for e in story.wait(hour(49) - SECOND)] == [K.DEADLINE_NEAR, K.DEADLINE_NEAR]
    assert story.order.status is OrderStatus.IN_PROGRESS
    events = story.wait(60)
    assert [(e.kind, e.occurred_at, e.actor.role) for e in events] == [
        (K.REQUEST_AUTO_ACCEPTED, hour(49), Role.SYSTEM),
        (K.ORDER_CANCELLED, hour(49), Role.SYSTEM),
    ]
    assert (story.request.status, story.request.settled_by_role) == ("AUTO_ACCEPTED", Role.SYSTEM)
    assert story.order.cancelled_at == hour(49)


def test_an_answer_counts_until_the_last_instant_and_not_at_respond_by() -> None:
    story = a_started_order()
    story.farid(a_plea_to_the_client())
    story.ada(c.DeclineRequest(story.request.id, "No."), at=story.request.respond_by - SECOND / 1_000_000)
    assert (story.request.status, story.order.status) == ("DECLINED", "IN_PROGRESS")

    late = a_started_order()
    late.farid(a_plea_to_the_client())
    refusal = late.refusal(Role.CLIENT, c.DeclineRequest(late.request.id, "No."), at=late.request.respond_by)
    assert (refusal.code, refusal.message) == (
        R.DEADLINE_PASSED,
        "The time to answer is over: silence counted as consent.",
    )
    assert (late.request.status, late.order.status) == ("AUTO_ACCEPTED", "CANCELLED")


def test_a_cancellation_supersedes_every_other_request() -> None:
    story = a_started_order(days=30)
    story.farid(an_offer())
    story.farid(an_extension())
    story.ada(a_question())
    story.ada(a_plea_to_the_freelancer())
    story.farid(c.AcceptRequest(story.request.id))
    assert [r.status for r in story.case.requests] == ["SUPERSEDED", "SUPERSEDED", "SUPERSEDED", "ACCEPTED"]
    assert story.kinds[-5:] == [K.REQUEST_ACCEPTED, K.ORDER_CANCELLED] + [K.REQUEST_SUPERSEDED] * 3
    assert story.code(Role.CLIENT, c.AcceptRequest(story.case.requests[0].id)) is R.REQUEST_SETTLED


def test_one_side_s_request_blocks_the_other_s_until_it_is_settled() -> None:
    story = a_started_order()
    story.farid(a_plea_to_the_client())
    assert story.code(Role.CLIENT, a_plea_to_the_freelancer()) is R.REQUEST_PENDING
    assert story.code(Role.FREELANCER, a_plea_to_the_client()) is R.REQUEST_PENDING
    story.farid(c.WithdrawRequest(story.request.id))
    story.ada(a_plea_to_the_freelancer())


def test_each_side_has_its_own_way_to_ask() -> None:
    story = a_started_order()
    assert story.code(Role.CLIENT, a_plea_to_the_client()) is R.FORBIDDEN
    assert story.code(Role.FREELANCER, a_plea_to_the_freelancer()) is R.FORBIDDEN


@pytest.mark.parametrize("status", OrderStatus)
def test_cancellation_is_asked_for_in_every_open_status(status: OrderStatus) -> None:
    for role, command in ((Role.FREELANCER, a_plea_to_the_client()), (Role.CLIENT, a_plea_to_the_freelancer())):
        story = IN_STATUS[status]()
        if status.is_closed:
            assert story.code(role, command) is R.ORDER_CLOSED
        else:
            assert story.play(story.actor(role), command).decision is not None


@pytest.mark.parametrize("reason", FREELANCER_CANCELLATION_REASONS, ids=lambda reason: reason.code)
def test_a_freelancer_s_reason_needs_a_note_only_where_the_list_says_so(reason: Reason) -> None:
    story = a_started_order()
    if reason.requires_text:
        refusal = story.refusal(Role.FREELANCER, a_plea_to_the_client(reason.code))
        assert (refusal.code, refusal.path) == (R.TEXT_REQUIRED, ("note",))
        assert refusal.message == "«Something else» needs a note that says more."
        story.farid(a_plea_to_the_client(reason.code, "Because."))
    else:
        story.farid(a_plea_to_the_client(reason.code))
    assert story.request.reason == reason.code


@pytest.mark.parametrize("reason", CLIENT_CANCELLATION_REASONS, ids=lambda reason: reason.code)
def test_a_client_s_reason_needs_a_note_only_where_the_list_says_so(reason: Reason) -> None:
    story = a_started_order()
    if reason.requires_text:
        refusal = story.refusal(Role.CLIENT, a_plea_to_the_freelancer(reason.code))
        assert (refusal.code, refusal.path) == (R.TEXT_REQUIRED, ("confidentialNote",))
        story.ada(a_plea_to_the_freelancer(reason.code, "Because."))
    else:
        story.ada(a_plea_to_the_freelancer(reason.code))
    assert story.confidences[-1].reason == reason.code


def test_the_reasons_of_the_other_list_are_unknown() -> None:
    story = a_started_order()
    refusal = story.refusal(Role.FREELANCER, a_plea_to_the_client("FOUND_ALTERNATIVE"))
    assert (refusal.code, refusal.path) == (R.REASON_UNKNOWN, ("reason",))
    refusal = story.refusal(Role.CLIENT, a_plea_to_the_freelancer("DUPLICATE_ORDER"))
    assert (refusal.code, refusal.path) == (R.REASON_UNKNOWN, ("confidentialReason",))


def test_feedback_is_required_and_a_note_is_not() -> None:
    story = a_started_order()
    refusal = story.refusal(Role.CLIENT, a_plea_to_the_freelancer(feedback=" "))
    assert (refusal.code, refusal.path) == (R.TEXT_REQUIRED, ("feedback",))


def test_a_request_keeps_the_terms_it_was_made_under() -> None:
    story = a_started_order()
    story.ada(a_plea_to_the_freelancer())
    kinds = dict(DEFAULT.kinds)
    kinds[RequestKind.CANCELLATION] = replace(kinds[RequestKind.CANCELLATION], silence=OnDeadline.EXPIRE, window=HOUR)
    story.policy = replace(DEFAULT, kinds=kinds)
    story.wait(47)
    assert story.request.is_pending
    assert story.wait(48)[0].kind is K.REQUEST_AUTO_ACCEPTED


@pytest.mark.parametrize("cause", [CancellationCause.CLIENT_ASKED, CancellationCause.FREELANCER_ASKED])
def test_an_operator_decides_which_cancellations_the_rate_passes_over(cause: CancellationCause) -> None:
    story = a_started_order(policy=replace(DEFAULT, uncounted=frozenset({CancellationCause.CLIENT_ASKED})))
    if cause is CancellationCause.CLIENT_ASKED:
        story.ada(a_plea_to_the_freelancer())
        story.farid(c.AcceptRequest(story.request.id))
    else:
        story.farid(a_plea_to_the_client())
        story.ada(c.AcceptRequest(story.request.id))
    assert story.order.counted is (cause is CancellationCause.FREELANCER_ASKED)
