"""Who may do what now, and why not: the page's list and the commands give the same answers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import commands as c
from rules.actions import OPENS, ROLES, SETTLES, Availability, Silence, maximum_refund, reasons, silence, why_not
from rules.case import Case, Request
from rules.decide import as_of, judge
from rules.money import AskedAmount
from rules.policy import DEFAULT, Policy
from rules.vocabulary import (
    OnDeadline,
    OrderStatus,
    RefusalCode,
    ResolutionAction,
    Role,
    SupportDecision,
)
from tests.rules.plays import POLICIES, STEPS, Steps, play
from tests.world import (
    IN_STATUS,
    Story,
    a_call_for_support,
    a_plea_to_the_client,
    a_plea_to_the_freelancer,
    a_question,
    a_started_order,
    an_extension,
    an_offer,
)

A, R, S = ResolutionAction, RefusalCode, OrderStatus


def page(story: Story, role: Role) -> dict[str, str | None]:
    """Each action of the role, with the code why not."""
    return {entry.action.value: entry.refusal.code.value if entry.refusal else None for entry in story.actions(role)}


OPEN, STATUS, CLOSED, NOTHING = None, "ORDER_STATUS", "ORDER_CLOSED", "NOT_FOUND"

CLIENT_PAGE = {
    "SUBMIT_REQUIREMENTS": (OPEN, STATUS, STATUS, STATUS),
    "REQUEST_REVISION": (STATUS, STATUS, OPEN, STATUS),
    "ACCEPT_DELIVERY": (STATUS, STATUS, OPEN, STATUS),
    "REQUEST_ORDER_UPDATE": (STATUS, OPEN, STATUS, OPEN),
    "ASK_FREELANCER_TO_CANCEL": (OPEN, OPEN, OPEN, OPEN),
    "CANCEL_ORDER": (OPEN, STATUS, STATUS, STATUS),
    "REQUEST_DELIVERY_EXTENSION": (STATUS, OPEN, STATUS, OPEN),
    "ACCEPT_REQUEST": (NOTHING, NOTHING, NOTHING, NOTHING),
    "DECLINE_REQUEST": (NOTHING, NOTHING, NOTHING, NOTHING),
    "WITHDRAW_REQUEST": (NOTHING, NOTHING, NOTHING, NOTHING),
    "CONTACT_SUPPORT": (OPEN, OPEN, OPEN, OPEN),
}
FREELANCER_PAGE = {
    "DELIVER_ORDER": (STATUS, OPEN, STATUS, OPEN),
    "OFFER_PARTIAL_REFUND": (STATUS, OPEN, OPEN, OPEN),
    "ASK_CLIENT_TO_CANCEL": (OPEN, OPEN, OPEN, OPEN),
    "ANSWER_ORDER_UPDATE": (NOTHING, NOTHING, NOTHING, NOTHING),
    "REQUEST_DELIVERY_EXTENSION": (STATUS, OPEN, STATUS, OPEN),
    "ACCEPT_REQUEST": (NOTHING, NOTHING, NOTHING, NOTHING),
    "DECLINE_REQUEST": (NOTHING, NOTHING, NOTHING, NOTHING),
    "WITHDRAW_REQUEST": (NOTHING, NOTHING, NOTHING, NOTHING),
    "CONTACT_SUPPORT": (OPEN, OPEN, OPEN, OPEN),
}
OPEN_STATUSES = (S.AWAITING_REQUIREMENTS, S.IN_PROGRESS, S.DELIVERED, S.IN_REVISION)


@pytest.mark.parametrize("status", OPEN_STATUSES)
@pytest.mark.parametrize(("role", "table"), [(Role.CLIENT, CLIENT_PAGE), (Role.FREELANCER, FREELANCER_PAGE)])
def test_every_action_of_a_role_is_listed_with_the_reason_why_not(
    role: Role, table: dict[str, tuple[str | None, ...]], status: OrderStatus
) -> None:
    column = OPEN_STATUSES.index(status)
    expected = {action: codes[column] for action, codes in table.items()}
    assert page(IN_STATUS[status](), role) == expected


@pytest.mark.parametrize("status", [S.COMPLETED, S.CANCELLED])
@pytest.mark.parametrize(("role", "table"), [(Role.CLIENT, CLIENT_PAGE), (Role.FREELANCER, FREELANCER_PAGE)])
def test_on_a_closed_order_all_is_closed_but_support(
    role: Role, table: dict[str, tuple[str | None, ...]], status: OrderStatus
) -> None:
    expected = {action: OPEN if action == "CONTACT_SUPPORT" else CLOSED for action in table}
    assert page(IN_STATUS[status](), role) == expected


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("role", [Role.SUPPORT, Role.MARKETPLACE, Role.SYSTEM])
def test_who_is_no_party_has_no_actions(role: Role, status: OrderStatus) -> None:
    assert page(IN_STATUS[status](), role) == {}


def test_the_list_stands_in_the_order_of_the_contract() -> None:
    for role in (Role.CLIENT, Role.FREELANCER):
        listed = [entry.action for entry in a_started_order().actions(role)]
        assert listed == [action for action in A if role in ROLES[action]]


def test_every_refusal_has_a_sentence_for_a_person() -> None:
    for story_of in IN_STATUS.values():
        for role in (Role.CLIENT, Role.FREELANCER):
            for entry in story_of().actions(role):
                assert entry.refusal is None or entry.refusal.message.endswith(".")


def test_the_sentence_says_when_it_can_be_done() -> None:
    entry = a_started_order().action(Role.CLIENT, A.ACCEPT_DELIVERY)
    assert entry.refusal is not None
    assert entry.refusal.message == "This can be done while the order is delivered; it is in progress."


def a_busy_order() -> Story:
    """An offer, a question, a request to cancel by the client, and one for more time by the client are pending."""
    story = a_started_order(days=30)
    story.farid(an_offer())
    story.ada(a_question())
    story.ada(a_plea_to_the_freelancer())
    story.ada(an_extension())
    return story


def acts_on(story: Story, role: Role) -> list[tuple[ResolutionAction, int]]:
    """Which action stands there for which request."""
    requests = story.case.requests
    return [(e.action, requests.index(e.request)) for e in story.actions(role) if e.request is not None]


def test_an_action_on_requests_stands_once_for_each_that_it_fits() -> None:
    story = a_busy_order()
    assert acts_on(story, Role.CLIENT) == [
        (A.ACCEPT_REQUEST, 0),
        (A.DECLINE_REQUEST, 0),
        (A.WITHDRAW_REQUEST, 1),
        (A.WITHDRAW_REQUEST, 2),
        (A.WITHDRAW_REQUEST, 3),
    ]
    assert acts_on(story, Role.FREELANCER) == [
        (A.ANSWER_ORDER_UPDATE, 1),
        (A.ACCEPT_REQUEST, 2),
        (A.ACCEPT_REQUEST, 3),
        (A.DECLINE_REQUEST, 2),
        (A.DECLINE_REQUEST, 3),
        (A.WITHDRAW_REQUEST, 0),
    ]


def test_while_one_of_a_kind_is_pending_no_other_can_be_made() -> None:
    story = a_busy_order()
    pending = {action for action, code in page(story, Role.FREELANCER).items() if code == "REQUEST_PENDING"}
    assert pending == {"OFFER_PARTIAL_REFUND", "ASK_CLIENT_TO_CANCEL", "REQUEST_DELIVERY_EXTENSION"}


def test_while_support_has_the_order_only_a_second_call_is_closed() -> None:
    story = a_started_order()
    before = page(story, Role.CLIENT)
    story.ada(a_call_for_support())
    assert page(story, Role.CLIENT) == before | {"CONTACT_SUPPORT": "SUPPORT_CASE_OPEN"}


def test_after_an_accepted_refund_the_offer_says_so() -> None:
    story = a_started_order()
    story.farid(an_offer())
    story.ada(c.AcceptRequest(story.request.id))
    assert page(story, Role.FREELANCER)["OFFER_PARTIAL_REFUND"] == "REFUND_ALREADY_ACCEPTED"


def test_the_page_is_that_of_the_instant_though_no_sweep_has_run() -> None:
    story = a_started_order()
    story.farid(a_plea_to_the_client())
    assert page(story.at(48), Role.CLIENT)["ACCEPT_REQUEST"] == CLOSED
    assert story.case.pending() != ()


def test_a_settled_request_says_how_it_ended() -> None:
    story = a_started_order(days=60)
    endings: list[tuple[Callable[[], object], str]] = [
        (lambda: story.ada(c.DeclineRequest(story.request.id)), "This request was declined already."),
        (lambda: story.farid(c.WithdrawRequest(story.request.id)), "This request was withdrawn already."),
        (lambda: story.wait(story.request.respond_by), "The time to answer is over: it expired."),
        (lambda: story.ada(c.AcceptRequest(story.request.id)), "This request was accepted already."),
    ]
    for end, sentence in endings:
        story.farid(an_offer())
        end()
        assert story.refusal(Role.CLIENT, c.AcceptRequest(story.request.id)).message == sentence
    story.farid(a_plea_to_the_client())
    story.ada(a_call_for_support())
    story.sol(SupportDecision.COMPLETE_ORDER)
    refusal = story.refusal(Role.CLIENT, c.AcceptRequest(story.request.id))
    assert (refusal.code, refusal.message) == (
        R.REQUEST_SETTLED,
        "This request was settled by something else already.",
    )


def test_the_wrong_role_is_told_whose_it_is() -> None:
    story = a_started_order()
    assert story.refusal(Role.CLIENT, c.DeliverOrder("x")).message == "Only the freelancer of the order may do this."
    refusal = story.refusal(Role.SUPPORT, an_extension())
    assert refusal.message == "Only the client or the freelancer of the order may do this."


def test_each_action_with_a_drop_down_has_its_own_list() -> None:
    with_reasons = {action: reasons(action, DEFAULT) for action in A if reasons(action, DEFAULT)}
    assert with_reasons == {
        A.OFFER_PARTIAL_REFUND: DEFAULT.refund_reasons,
        A.ASK_CLIENT_TO_CANCEL: DEFAULT.freelancer_cancellation_reasons,
        A.ASK_FREELANCER_TO_CANCEL: DEFAULT.client_cancellation_reasons,
    }


def test_what_silence_will_do_is_said_of_each_action_that_waits_for_an_answer() -> None:
    hours = {action: found.window / timedelta(hours=1) for action in A if (found := silence(action, DEFAULT))}
    assert hours == {
        A.DELIVER_ORDER: 72,
        A.OFFER_PARTIAL_REFUND: 48,
        A.ASK_CLIENT_TO_CANCEL: 48,
        A.REQUEST_ORDER_UPDATE: 48,
        A.ASK_FREELANCER_TO_CANCEL: 48,
        A.REQUEST_DELIVERY_EXTENSION: 96,
    }
    accepts = {action for action in A if (found := silence(action, DEFAULT)) and found.effect is OnDeadline.ACCEPT}
    assert accepts == {A.DELIVER_ORDER, A.ASK_CLIENT_TO_CANCEL, A.ASK_FREELANCER_TO_CANCEL}


def test_every_action_is_somebody_s_and_is_either_a_step_an_opening_or_an_end() -> None:
    assert set(ROLES) == set(A)
    assert not set(OPENS) & set(SETTLES)


def good_command(entry: Availability, story: Story, policy: Policy) -> c.PartyCommand:
    """The command of the action, with inputs that nobody could find fault with."""
    request_id = entry.request.id if entry.request else story.order.id
    most = maximum_refund(as_of(story.case, story.now, policy), policy)
    commands: dict[ResolutionAction, c.PartyCommand] = {
        A.SUBMIT_REQUIREMENTS: c.SubmitRequirements(),
        A.DELIVER_ORDER: c.DeliverOrder("Here."),
        A.REQUEST_REVISION: c.RequestRevision("Warmer."),
        A.ACCEPT_DELIVERY: c.AcceptDelivery(),
        A.OFFER_PARTIAL_REFUND: replace(an_offer(), amount=AskedAmount(most.amount, most.currency)),
        A.ASK_CLIENT_TO_CANCEL: a_plea_to_the_client(),
        A.ANSWER_ORDER_UPDATE: c.AnswerOrderUpdate(request_id, "Soon."),
        A.REQUEST_ORDER_UPDATE: a_question(),
        A.ASK_FREELANCER_TO_CANCEL: a_plea_to_the_freelancer(),
        A.CANCEL_ORDER: c.CancelOrder(),
        A.REQUEST_DELIVERY_EXTENSION: an_extension(),
        A.ACCEPT_REQUEST: c.AcceptRequest(request_id),
        A.DECLINE_REQUEST: c.DeclineRequest(request_id),
        A.WITHDRAW_REQUEST: c.WithdrawRequest(request_id),
        A.CONTACT_SUPPORT: a_call_for_support(),
    }
    return commands[entry.action]


def on(command: c.PartyCommand, request: Request) -> c.PartyCommand:
    assert isinstance(command, c.RequestCommand)
    return replace(command, request_id=request.id)


@given(STEPS, POLICIES)
def test_the_page_and_the_commands_can_not_disagree(steps: Steps, policy: Policy) -> None:
    story = play(steps, policy)
    for role in (Role.CLIENT, Role.FREELANCER):
        for entry in story.actions(role):
            command = good_command(entry, story, policy)
            if entry.refusal is None:
                assert judge(story.case, command, story.actor(role), story.ground).refusals == ()
            elif entry.action not in SETTLES:
                assert judge(story.case, command, story.actor(role), story.ground).refusals == (entry.refusal,)
            else:  # it fits no request, so every single one is refused
                for request in story.case.requests:
                    judgement = judge(story.case, on(command, request), story.actor(role), story.ground)
                    assert judgement.decision is None


@given(STEPS, POLICIES)
def test_what_silence_will_do_is_what_the_request_says_then(steps: Steps, policy: Policy) -> None:
    # Windows of their own, so that each must be found in the policy.
    kinds = {
        kind: replace(rule, window=rule.window + timedelta(hours=n))
        for n, (kind, rule) in enumerate(policy.kinds.items())
    }
    policy = replace(policy, kinds=kinds, auto_complete_after=timedelta(hours=77))
    story = play(steps, policy)
    for role in (Role.CLIENT, Role.FREELANCER):
        for entry in story.actions(role):
            if entry.refusal is not None or entry.action in SETTLES:
                continue
            decision = judge(story.case, good_command(entry, story, policy), story.actor(role), story.ground).decision
            assert decision is not None
            assert silence(entry.action, policy) == what_was_opened(entry.action, decision.case, decision.subject)


def what_was_opened(action: ResolutionAction, case: Case, subject: UUID) -> Silence | None:
    """How long it waits, and what silence will do to it, as the case says it."""
    if action is A.DELIVER_ORDER:
        assert case.order.delivered_at
        assert case.order.auto_completes_at
        return Silence(case.order.auto_completes_at - case.order.delivered_at, OnDeadline.ACCEPT)
    opened = next((request for request in case.requests if request.id == subject), None)
    return Silence(opened.respond_by - opened.created_at, opened.on_deadline) if opened else None


@given(STEPS, POLICIES)
def test_an_action_that_is_not_the_role_s_is_forbidden_in_every_case(steps: Steps, policy: Policy) -> None:
    story = play(steps, policy)
    case = as_of(story.case, story.now, policy)
    for action in A:
        for role in set(Role) - ROLES[action]:
            refusal = why_not(action, case, role, story.now, policy)
            assert refusal is not None
            assert refusal.code is R.FORBIDDEN


@given(st.sampled_from(sorted(OPEN_STATUSES)), st.sampled_from([Role.CLIENT, Role.FREELANCER]))
def test_a_request_that_nobody_made_is_not_found(status: OrderStatus, role: Role) -> None:
    story = IN_STATUS[status]()
    refusal = story.refusal(role, c.AcceptRequest(story.order.id))
    assert (refusal.code, refusal.path) == (R.NOT_FOUND, ("requestId",))
