"""Previews: what an action would do to money and rate, before it is taken, and then it does exactly that."""

from dataclasses import replace

import pytest
from hypothesis import given

from rules import commands as c
from rules.decide import as_of
from rules.ledger import Account
from rules.policy import DEFAULT, Policy
from rules.preview import Effect, effect
from rules.vocabulary import CancellationCause, OrderStatus, RequestKind, ResolutionAction, Role
from tests.rules.plays import POLICIES, STEPS, Steps, play
from tests.world import (
    Story,
    a_delivered_order,
    a_placed_order,
    a_plea_to_the_client,
    a_plea_to_the_freelancer,
    a_question,
    a_started_order,
    an_extension,
    an_offer,
    asked,
    money,
)

A = ResolutionAction
CANCELLED, COMPLETED = OrderStatus.CANCELLED, OrderStatus.COMPLETED


def shown(story: Story, role: Role, action: ResolutionAction, offer: str | None = None) -> Effect | None:
    return effect(story.action(role, action), story.case, story.policy, asked(offer) if offer else None)


def test_accepting_a_delivery_pays_the_freelancer_and_counts_as_completed() -> None:
    found = shown(a_delivered_order(), Role.CLIENT, A.ACCEPT_DELIVERY)
    assert found == Effect(money("0 USD"), money("100 USD"), COMPLETED)


def test_an_offer_shows_the_most_that_may_be_offered_or_the_amount_that_was_typed() -> None:
    story = a_started_order()
    most = Effect(money("60 USD"), money("40 USD"), None)
    assert shown(story, Role.FREELANCER, A.OFFER_PARTIAL_REFUND) == most
    some = Effect(money("12.34 USD"), money("87.66 USD"), None)
    assert shown(story, Role.FREELANCER, A.OFFER_PARTIAL_REFUND, "12.34 USD") == some


@pytest.mark.parametrize("offer", ["60.01 USD", "0 USD", "NaN USD", "1.001 USD", "1 EUR", "1 XXX"])
def test_an_amount_that_would_be_refused_has_no_preview(offer: str) -> None:
    assert shown(a_started_order(), Role.FREELANCER, A.OFFER_PARTIAL_REFUND, offer) is None


def test_cancelling_alone_gives_all_back_and_counts_only_when_it_is_the_freelancer_s_fault() -> None:
    found = shown(a_placed_order(), Role.CLIENT, A.CANCEL_ORDER)
    assert found == Effect(money("100 USD"), money("0 USD"), None)
    overdue = a_started_order(days=1).at(48)
    assert shown(overdue, Role.CLIENT, A.CANCEL_ORDER) == Effect(money("100 USD"), money("0 USD"), CANCELLED)


@pytest.mark.parametrize(
    ("role", "action"),
    [(Role.FREELANCER, A.ASK_CLIENT_TO_CANCEL), (Role.CLIENT, A.ASK_FREELANCER_TO_CANCEL)],
)
def test_asking_to_cancel_shows_what_happens_when_the_other_side_agrees(role: Role, action: ResolutionAction) -> None:
    found = shown(a_started_order(), role, action)
    assert found == Effect(money("100 USD"), money("0 USD"), CANCELLED)


def test_a_cancellation_that_the_operator_does_not_count_shows_no_end() -> None:
    policy = replace(DEFAULT, uncounted=frozenset({CancellationCause.CLIENT_ASKED}))
    story = a_started_order(policy=policy)
    found = shown(story, Role.CLIENT, A.ASK_FREELANCER_TO_CANCEL)
    assert found == Effect(money("100 USD"), money("0 USD"), None)
    found = shown(story, Role.FREELANCER, A.ASK_CLIENT_TO_CANCEL)
    assert found == Effect(money("100 USD"), money("0 USD"), CANCELLED)


def test_accepting_an_offer_shows_its_amount() -> None:
    story = a_started_order()
    story.farid(an_offer("20 USD"))
    found = shown(story, Role.CLIENT, A.ACCEPT_REQUEST)
    assert found == Effect(money("20 USD"), money("80 USD"), None)


def test_accepting_a_cancellation_after_a_refund_shows_what_is_left() -> None:
    story = a_started_order()
    story.farid(an_offer("20 USD"))
    story.ada(c.AcceptRequest(story.request.id))
    story.ada(a_plea_to_the_freelancer())
    found = shown(story, Role.FREELANCER, A.ACCEPT_REQUEST)
    assert found == Effect(money("80 USD"), money("0 USD"), CANCELLED)


def test_what_moves_neither_money_nor_rate_has_no_preview() -> None:
    story = a_started_order()
    story.farid(an_extension())
    assert shown(story, Role.CLIENT, A.ACCEPT_REQUEST) is None
    story.ada(a_question())
    for role, action in (
        (Role.FREELANCER, A.DELIVER_ORDER),
        (Role.FREELANCER, A.ANSWER_ORDER_UPDATE),
        (Role.CLIENT, A.DECLINE_REQUEST),
        (Role.FREELANCER, A.WITHDRAW_REQUEST),
        (Role.CLIENT, A.CONTACT_SUPPORT),
    ):
        assert shown(story, role, action) is None


def test_what_can_not_be_done_has_no_preview() -> None:
    story = a_started_order()
    assert shown(story, Role.CLIENT, A.ACCEPT_DELIVERY) is None
    story.farid(a_plea_to_the_client())
    assert shown(story, Role.FREELANCER, A.ASK_CLIENT_TO_CANCEL) is None


@given(STEPS, POLICIES)
def test_what_was_shown_is_what_happens(steps: Steps, policy: Policy) -> None:
    """For the actions that take effect at once; the rest is tested through the other side's acceptance."""
    story = play(steps, policy)
    before = as_of(story.case, story.now, policy)
    for role in (Role.CLIENT, Role.FREELANCER):
        for entry in story.actions(role):
            found = effect(entry, before, policy)
            commands: dict[ResolutionAction, c.PartyCommand] = {
                A.ACCEPT_DELIVERY: c.AcceptDelivery(),
                A.CANCEL_ORDER: c.CancelOrder(),
            }
            if entry.request is not None and entry.request.kind is not RequestKind.ORDER_UPDATE:
                commands[A.ACCEPT_REQUEST] = c.AcceptRequest(entry.request.id)
            command = commands.get(entry.action)
            if command is None or found is None:
                continue
            trial = Story(policy=policy)
            trial.case, trial.events, trial.now = story.case, list(story.events), story.now
            decision = trial.play(trial.actor(role), command).decision
            assert decision is not None
            order = decision.case.order
            assert order.refunded - before.order.refunded == found.refund
            assert order.remaining == found.payout
            ended = order.status if order.status.is_closed and order.counted else None
            assert ended == found.counted_end
            paid = sum(e.amount.minor for e in decision.entries if e.account is Account.REFUND_DUE)
            assert paid == found.refund.minor
