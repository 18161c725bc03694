"""Deadlines: each at its own instant, reminders once each, and the same log whenever the sweep runs."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import commands as c
from rules.case import SYSTEM
from rules.deadlines import Deadline, next_instant, soonest, upcoming
from rules.decide import as_of, judge
from rules.policy import DEFAULT, Policy
from rules.vocabulary import OnDeadline, OrderEventKind, OrderStatus, RefusalCode, RequestKind, Role, SupportDecision
from tests.rules.plays import POLICIES, STEPS, Steps, play, say, with_silence
from tests.world import (
    DAY,
    HOUR,
    SECOND,
    Story,
    a_cancelled_order,
    a_completed_order,
    a_delivered_order,
    a_placed_order,
    a_plea_to_the_client,
    a_plea_to_the_freelancer,
    a_question,
    a_revised_order,
    a_started_order,
    an_extension,
    an_offer,
    hour,
)

K = OrderEventKind
MICROSECOND = timedelta(microseconds=1)


def test_both_sides_are_reminded_24_and_4_hours_before_once_each() -> None:
    story = a_started_order(days=30)
    story.farid(an_offer())
    assert story.wait(hour(24) - SECOND) == ()
    (first,) = story.wait(24)
    assert (first.kind, first.occurred_at, first.request_id) == (K.DEADLINE_NEAR, hour(24), story.request.id)
    assert (first.actor.role, first.request_status) == (Role.SYSTEM, "PENDING")
    assert story.request.reminded == timedelta(hours=24)
    assert story.wait(24) == ()
    assert story.wait(hour(44) - SECOND) == ()
    (second,) = story.wait(44)
    assert (second.kind, second.occurred_at) == (K.DEADLINE_NEAR, hour(44))
    assert story.wait(hour(48) - SECOND) == ()
    (end,) = story.wait(48)
    assert (end.kind, end.occurred_at) == (K.REQUEST_EXPIRED, hour(48))
    assert story.wait(10_000) == ()


def test_a_sweep_that_comes_late_tells_the_same_with_the_same_instants() -> None:
    story = a_started_order(days=30)
    story.farid(an_offer())
    events = story.wait(10_000)
    assert [(e.kind, e.occurred_at) for e in events] == [
        (K.DEADLINE_NEAR, hour(24)),
        (K.DEADLINE_NEAR, hour(44)),
        (K.REQUEST_EXPIRED, hour(48)),
    ]
    assert story.request.settled_at == hour(48)


def test_a_delivery_is_reminded_of_before_it_completes_the_order() -> None:
    story = a_delivered_order()
    events = story.wait(10_000)
    assert [(e.kind, e.occurred_at, e.request_id) for e in events] == [
        (K.DEADLINE_NEAR, hour(82 - 24), None),
        (K.DEADLINE_NEAR, hour(82 - 4), None),
        (K.ORDER_COMPLETED, hour(82), None),
    ]


def test_a_new_delivery_is_reminded_of_anew() -> None:
    story = a_delivered_order()
    assert [e.occurred_at for e in story.wait(60)] == [hour(58)]
    story.ada(c.RequestRevision("Warmer."), at=61)
    story.farid(c.DeliverOrder("Warmer."), at=62)
    assert [e.occurred_at for e in story.wait(62 + 72)] == [hour(62 + 48), hour(62 + 68), hour(62 + 72)]


def test_a_reminder_before_the_request_was_made_is_left_out() -> None:
    kinds = dict(DEFAULT.kinds)
    kinds[RequestKind.PARTIAL_REFUND] = replace(kinds[RequestKind.PARTIAL_REFUND], window=timedelta(hours=24))
    story = a_started_order(days=30, policy=replace(DEFAULT, kinds=kinds))
    story.farid(an_offer())
    assert [(e.kind, e.occurred_at) for e in story.wait(30)] == [
        (K.DEADLINE_NEAR, hour(20)),
        (K.REQUEST_EXPIRED, hour(24)),
    ]


def test_an_operator_may_want_no_reminder_or_others() -> None:
    story = a_started_order(days=30, policy=replace(DEFAULT, reminders=()))
    story.farid(an_offer())
    assert [e.kind for e in story.wait(100)] == [K.REQUEST_EXPIRED]
    story = a_started_order(days=30, policy=replace(DEFAULT, reminders=(timedelta(hours=1),)))
    story.farid(an_offer())
    assert [e.occurred_at for e in story.wait(100)] == [hour(47), hour(48)]


def test_at_one_instant_requests_come_before_the_order_and_the_older_first() -> None:
    window = timedelta(hours=72)
    kinds = {kind: replace(terms, window=window) for kind, terms in DEFAULT.kinds.items()}
    story = a_started_order(days=30, policy=replace(DEFAULT, kinds=kinds, reminders=()))
    story.farid(c.DeliverOrder("Here."), at=1)
    story.farid(a_plea_to_the_client(), at=1)
    story.ada(c.DeclineRequest(story.request.id), at=1)
    story.farid(an_offer(), at=1)
    events = story.wait(100)
    assert [e.kind for e in events] == [K.REQUEST_EXPIRED, K.ORDER_COMPLETED]
    assert {e.occurred_at for e in events} == {hour(73)}


def test_a_cancellation_by_silence_comes_before_a_completion_at_the_same_instant() -> None:
    story = a_started_order(days=30)
    story.farid(c.DeliverOrder("Here."), at=0)
    story.ada(a_plea_to_the_freelancer(), at=24)
    assert story.wait(72)[-1].kind is K.ORDER_CANCELLED
    assert story.order.status is OrderStatus.CANCELLED


def test_what_is_due_first_decides_what_the_rest_means() -> None:
    story = a_started_order(days=30)
    story.ada(a_plea_to_the_freelancer(), at=0)
    story.farid(an_extension(), at=1)
    story.ada(a_question(), at=2)
    events = story.wait(1_000)
    assert [e.kind for e in events if e.kind is not K.DEADLINE_NEAR] == [
        K.REQUEST_AUTO_ACCEPTED,
        K.ORDER_CANCELLED,
        K.REQUEST_SUPERSEDED,
        K.REQUEST_SUPERSEDED,
    ]
    assert {e.occurred_at for e in events[-4:]} == {hour(48)}


@pytest.mark.parametrize("before", [MICROSECOND, SECOND, HOUR])
def test_an_answer_just_before_respond_by_is_accepted(before: timedelta) -> None:
    story = a_started_order(days=30)
    story.farid(an_offer())
    story.ada(c.AcceptRequest(story.request.id), at=story.request.respond_by - before)
    assert story.request.status == "ACCEPTED"


@pytest.mark.parametrize("after", [timedelta(0), MICROSECOND, DAY])
@pytest.mark.parametrize("swept", [True, False])
def test_from_respond_by_on_an_answer_is_refused_whether_or_not_a_sweep_has_run(after: timedelta, swept: bool) -> None:
    story = a_started_order(days=30)
    story.farid(an_offer())
    offer, late = story.request.id, story.request.respond_by + after
    if swept:
        story.wait(late)
    for role, command in (
        (Role.CLIENT, c.AcceptRequest(offer)),
        (Role.CLIENT, c.DeclineRequest(offer)),
        (Role.FREELANCER, c.WithdrawRequest(offer)),
    ):
        refusal = story.refusal(role, command, at=late)
        assert (refusal.code, refusal.path) == (RefusalCode.DEADLINE_PASSED, ("requestId",))
    assert (story.request.status, story.order.refunded.minor) == ("EXPIRED", 0)


def test_the_deadline_takes_its_effect_though_the_command_is_refused() -> None:
    story = a_started_order()
    story.farid(a_plea_to_the_client())
    ground = replace(story.ground, now=hour(48))
    judgement = judge(story.case, c.DeclineRequest(story.request.id), story.actor(Role.CLIENT), ground)
    assert judgement.decision is None
    assert [r.code for r in judgement.refusals] == [RefusalCode.DEADLINE_PASSED]
    assert [e.kind for e in judgement.due.events][-1] is K.ORDER_CANCELLED
    assert judgement.due.case.order.status is OrderStatus.CANCELLED
    assert sum(e.amount.minor for e in judgement.due.entries if e.account == "REFUND_DUE") == 10_000


def test_a_delivery_accepted_too_late_was_completed_by_silence() -> None:
    story = a_delivered_order()
    assert story.code(Role.CLIENT, c.RequestRevision("Wait!"), at=82) is RefusalCode.ORDER_CLOSED
    assert story.order.completed_at == hour(82)


def test_the_page_shows_what_is_due_though_no_sweep_has_run() -> None:
    story = a_started_order()
    story.farid(a_plea_to_the_client())
    shown = as_of(story.case, hour(48), story.policy)
    assert (shown.order.status, shown.order.cancelled_at) == (OrderStatus.CANCELLED, hour(48))
    assert story.order.status is OrderStatus.IN_PROGRESS
    assert as_of(story.case, hour(1), story.policy) == story.case


def test_the_page_shows_every_refund_that_silence_caused() -> None:
    kinds = dict(with_silence(RequestKind.PARTIAL_REFUND, OnDeadline.ACCEPT).kinds)
    story = a_started_order(days=30, policy=replace(DEFAULT, kinds=kinds))
    story.farid(an_offer("20 USD"), at=1)
    story.farid(a_plea_to_the_client(), at=2)
    shown = as_of(story.case, hour(500), story.policy)
    assert [refund.amount.minor for refund in shown.refunds] == [2_000, 8_000]


@pytest.mark.parametrize("story_of", [a_placed_order, a_started_order, a_revised_order])
def test_an_order_that_waits_for_work_has_no_deadline(story_of: type[Story]) -> None:
    story = story_of()
    assert upcoming(story.case, story.policy) == []
    assert next_instant(story.case, story.policy) is None
    assert story.wait(100_000) == ()


@pytest.mark.parametrize("story_of", [a_completed_order, a_cancelled_order])
def test_a_closed_order_has_no_deadline(story_of: type[Story]) -> None:
    story = story_of()
    assert next_instant(story.case, story.policy) is None


def test_the_next_instant_is_that_of_the_soonest_deadline_or_reminder() -> None:
    story = a_delivered_order()
    assert next_instant(story.case, story.policy) == hour(82 - 24)
    story.farid(an_offer(), at=11)
    assert next_instant(story.case, story.policy) == hour(11 + 24)
    assert soonest(story.case, story.policy) == Deadline(hour(35), story.request, timedelta(hours=24))
    story.wait(35)
    assert next_instant(story.case, story.policy) == hour(11 + 44)


def test_escalation_expires_the_request_and_opens_a_case_at_that_instant() -> None:
    story = a_started_order(days=30, policy=with_silence(RequestKind.ORDER_UPDATE, OnDeadline.ESCALATE))
    story.ada(a_question())
    events = story.wait(100)
    assert [(e.kind, e.occurred_at, e.actor.role) for e in events[-2:]] == [
        (K.REQUEST_EXPIRED, hour(48), Role.SYSTEM),
        (K.SUPPORT_CONTACTED, hour(48), Role.SYSTEM),
    ]
    (case,) = story.case.support_cases
    assert (case.opened_by_id, case.opened_by_role, case.opened_at) == (
        story.order.client_id,
        Role.SYSTEM,
        hour(48),
    )
    assert case.message == "Nobody answered in time, so the request came to support."
    assert story.order.frozen_at == hour(48)


def test_two_escalations_at_one_instant_open_one_case() -> None:
    kinds = {
        kind: replace(terms, silence=OnDeadline.ESCALATE, window=timedelta(hours=48))
        for kind, terms in DEFAULT.kinds.items()
    }
    story = a_started_order(days=30, policy=replace(DEFAULT, kinds=kinds))
    story.ada(a_question())
    story.farid(an_offer())
    story.wait(100)
    assert len(story.case.support_cases) == 1
    assert [r.status for r in story.case.requests] == ["EXPIRED", "PENDING"]
    story.sol(SupportDecision.CONTINUE_ORDER, at=148)
    assert story.case.requests[1].respond_by == hour(148)
    assert [e.kind for e in story.wait(148)] == [K.REQUEST_EXPIRED, K.SUPPORT_CONTACTED]


@given(STEPS, st.lists(st.integers(0, 3), min_size=12, max_size=12), POLICIES)
def test_the_log_is_the_same_whenever_the_sweep_runs(steps: Steps, sweeps: list[int], policy: Policy) -> None:
    rarely, often = a_started_order(policy=policy), a_started_order(policy=policy)
    for (gap, (role, line)), times in zip(steps, sweeps, strict=False):
        start = often.now
        for part in range(times):
            often.wait(start + timedelta(hours=gap) * (part + 1) / times)
        for story in (rarely, often):
            story.at(start + timedelta(hours=gap))
            say(story, role, line)
    for story in (rarely, often):
        story.wait(story.now + 30 * DAY)
    assert rarely.events == often.events
    assert rarely.case == often.case
    assert rarely.entries == often.entries


@given(STEPS, POLICIES)
def test_after_a_command_nothing_is_due_any_more(steps: Steps, policy: Policy) -> None:
    story = play(steps, policy)
    instant = next_instant(story.case, policy)
    assert instant is None or instant > story.now
    assert (instant is None) == (upcoming(story.case, policy) == [])
    assert story.play(SYSTEM, c.PassDeadlines()).due.events == ()
