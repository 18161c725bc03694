"""Update requests: the client asks how it goes, the freelancer answers within 48 hours or it counts as unanswered."""

import pytest

from rules import commands as c
from rules.vocabulary import OnDeadline, OrderEventKind, OrderStatus, RefusalCode, Role
from tests.world import (
    HOUR,
    IN_STATUS,
    SECOND,
    a_plea_to_the_freelancer,
    a_question,
    a_started_order,
    an_offer,
    hour,
)

K, R = OrderEventKind, RefusalCode


def test_a_question_waits_48_hours_for_its_answer() -> None:
    story = a_started_order()
    story.ada(a_question(" How is it going? "), at=1)
    request = story.request
    assert (request.kind, request.status, request.text) == ("ORDER_UPDATE", "PENDING", "How is it going?")
    assert (request.respond_by, request.on_deadline) == (hour(1) + 48 * HOUR, OnDeadline.EXPIRE)
    assert story.events[-1].kind is K.REQUEST_OPENED


def test_an_answer_settles_it_and_both_see_it() -> None:
    story = a_started_order()
    story.ada(a_question())
    decision = story.farid(c.AnswerOrderUpdate(story.request.id, " Half of it is done. "), at=2)
    request = story.request
    assert (request.status, request.answer) == ("ANSWERED", "Half of it is done.")
    assert (request.settled_at, request.settled_by_role) == (hour(2), Role.FREELANCER)
    assert [(e.kind, e.request_status) for e in decision.events] == [(K.REQUEST_ANSWERED, "ANSWERED")]
    assert story.order.status is OrderStatus.IN_PROGRESS
    assert decision.entries == ()
    story.ada(a_question("And now?"))


def test_silence_expires_it_as_unanswered() -> None:
    story = a_started_order()
    story.ada(a_question())
    assert story.wait(48)[-1].kind is K.REQUEST_EXPIRED
    assert (story.request.status, story.request.answer, story.request.settled_by_role) == ("EXPIRED", None, Role.SYSTEM)
    assert story.order.status is OrderStatus.IN_PROGRESS


def test_an_answer_a_second_before_respond_by_counts_and_at_respond_by_is_refused() -> None:
    story = a_started_order()
    story.ada(a_question())
    story.farid(c.AnswerOrderUpdate(story.request.id, "Soon."), at=hour(48) - SECOND)
    late = a_started_order()
    late.ada(a_question())
    refusal = late.refusal(Role.FREELANCER, c.AnswerOrderUpdate(late.request.id, "Soon."), at=48)
    assert (refusal.code, refusal.path) == (R.DEADLINE_PASSED, ("requestId",))
    assert refusal.message == "The time to answer is over: it expired."


def test_a_question_is_answered_not_accepted_or_declined() -> None:
    story = a_started_order()
    story.ada(a_question())
    for command in (c.AcceptRequest(story.request.id), c.DeclineRequest(story.request.id)):
        refusal = story.refusal(Role.FREELANCER, command)
        assert (refusal.code, refusal.path) == (R.VALUE_INVALID, ("requestId",))
        assert refusal.message == "A request for an update is answered, not accepted or declined."


def test_only_a_question_takes_an_answer() -> None:
    story = a_started_order()
    story.ada(a_plea_to_the_freelancer())
    refusal = story.refusal(Role.FREELANCER, c.AnswerOrderUpdate(story.request.id, "Yes."))
    assert (refusal.code, refusal.path) == (R.VALUE_INVALID, ("requestId",))
    story.farid(an_offer())
    assert story.code(Role.FREELANCER, c.AnswerOrderUpdate(story.request.id, "Yes.")) is R.FORBIDDEN
    assert story.code(Role.FREELANCER, c.AnswerOrderUpdate(story.order.id, "Yes.")) is R.NOT_FOUND


def test_only_the_client_asks_and_only_the_freelancer_answers() -> None:
    story = a_started_order()
    assert story.code(Role.FREELANCER, a_question()) is R.FORBIDDEN
    story.ada(a_question())
    for role in (Role.CLIENT, Role.SUPPORT, Role.MARKETPLACE):
        assert story.code(role, c.AnswerOrderUpdate(story.request.id, "Fine.")) is R.FORBIDDEN


def test_one_question_at_a_time() -> None:
    story = a_started_order()
    story.ada(a_question())
    assert story.code(Role.CLIENT, a_question()) is R.REQUEST_PENDING
    story.ada(c.WithdrawRequest(story.request.id))
    story.ada(a_question())
    assert [r.status for r in story.case.requests] == ["WITHDRAWN", "PENDING"]


@pytest.mark.parametrize("words", ["", " ", "x" * 2_501, "a\x00"])
def test_questions_and_answers_are_possible_texts(words: str) -> None:
    story = a_started_order()
    assert story.refusal(Role.CLIENT, a_question(words)).path == ("explanation",)
    story.ada(a_question())
    assert story.refusal(Role.FREELANCER, c.AnswerOrderUpdate(story.request.id, words)).path == ("answer",)
    assert story.request.is_pending


@pytest.mark.parametrize("status", OrderStatus)
def test_an_update_is_asked_for_while_the_freelancer_works(status: OrderStatus) -> None:
    story = IN_STATUS[status]()
    if status in (OrderStatus.IN_PROGRESS, OrderStatus.IN_REVISION):
        story.ada(a_question())
        return
    assert story.code(Role.CLIENT, a_question()) is (R.ORDER_CLOSED if status.is_closed else R.ORDER_STATUS)
