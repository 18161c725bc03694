"""Whole orders, played at random: everybody says anything at any time, and what must always hold does."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rules import commands as c
from rules.actions import maximum_refund
from rules.case import SYSTEM, Order
from rules.deadlines import next_instant, soonest, upcoming
from rules.decide import as_of
from rules.ledger import Account
from rules.money import AskedAmount
from rules.policy import DEFAULT, Reason
from rules.vocabulary import (
    OrderEventKind,
    OrderStatus,
    RefundStatus,
    RequestKind,
    RequestStatus,
    Role,
    SupportCaseStatus,
    SupportDecision,
)
from tests.rules.plays import NAMED_POLICIES
from tests.world import Story, a_placed_order

ROLES = st.sampled_from([Role.CLIENT, Role.FREELANCER])
ANYBODY = st.sampled_from(Role)
WORDS = st.sampled_from(["Here it is.", "Please.", "Warmer colours.", " padded ", "", "   ", "x" * 2_501, "a\x00b"])
NOTES = st.one_of(st.none(), WORDS)
FRACTIONS = st.sampled_from(["0", "0.001", "0.2", "0.5", "0.6", "0.601", "1", "1.01", "-0.1", "NaN", "1E+999999"])
DAYS = st.sampled_from([1, 2, 30, 31, 0, -1])
POLICY_NAMES = st.sampled_from(sorted(NAMED_POLICIES))
PLACES = st.integers(0, 5)
GAPS = st.sampled_from([0.0, 1 / 3_600, 1.0, 4.0, 20.0, 24.0, 47.0, 48.0, 71.0, 72.0, 100.0])
PRICES = st.sampled_from("100.00 USD;0.01 USD;0.99 EUR;1 JPY;1999 JPY;0.005 KWD;999999999999.99 USD".split(";"))


def codes(*catalogues: tuple[Reason, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from([*(reason.code for catalogue in catalogues for reason in catalogue), "BECAUSE", ""])


REFUND_CODES = codes(DEFAULT.refund_reasons)
CANCELLATION_CODES = codes(DEFAULT.freelancer_cancellation_reasons, DEFAULT.client_cancellation_reasons)


class WholeOrder(RuleBasedStateMachine):
    """One order from its placing to long after its end."""

    def __init__(self) -> None:
        super().__init__()
        self.story: Story = a_placed_order()
        self.end: Order | None = None
        """The order as its end left it."""

    @initialize(
        price=PRICES, policy=st.sampled_from(sorted(NAMED_POLICIES)), started=st.booleans(), delivered=st.booleans()
    )
    def place(self, price: str, policy: str, started: bool, delivered: bool) -> None:
        self.story = a_placed_order(price, policy=NAMED_POLICIES[policy])
        if started:
            self.story.ada(c.SubmitRequirements())
        if started and delivered:
            self.story.farid(c.DeliverOrder("Here it is."))

    # what may happen

    @rule(gap=GAPS)
    def time_passes(self, gap: float) -> None:
        self.story.at(self.story.now + timedelta(hours=gap))

    @rule(before=st.sampled_from([timedelta(0), timedelta(microseconds=1)]))
    def the_next_deadline_comes(self, before: timedelta) -> None:
        instant = next_instant(self.story.case, self.story.policy)
        if instant is not None and instant - before > self.story.now:
            self.story.at(instant - before)

    @rule()
    def a_sweep_runs(self) -> None:
        self.say(Role.SYSTEM, c.PassDeadlines())

    @rule(role=ROLES)
    def requirements_come(self, role: Role) -> None:
        self.say(role, c.SubmitRequirements())

    @rule(role=ROLES, words=WORDS)
    def somebody_delivers(self, role: Role, words: str) -> None:
        self.say(role, c.DeliverOrder(words))

    @rule(role=ROLES, words=WORDS)
    def somebody_wants_a_revision(self, role: Role, words: str) -> None:
        self.say(role, c.RequestRevision(words))

    @rule(role=ANYBODY)
    def somebody_accepts_the_delivery(self, role: Role) -> None:
        self.say(role, c.AcceptDelivery())

    @rule(role=ANYBODY)
    def somebody_cancels_alone(self, role: Role) -> None:
        self.say(role, c.CancelOrder())

    @rule(role=ROLES, fraction=FRACTIONS, words=WORDS, reason=REFUND_CODES, note=NOTES)
    def somebody_offers_a_refund(self, role: Role, fraction: str, words: str, reason: str, note: str | None) -> None:
        self.say(role, c.OfferPartialRefund(self.part_of_the_price(fraction), words, reason, note))

    @rule(fraction=st.sampled_from(["0.2", "0.5", "0.6"]))
    def the_freelancer_offers_a_refund(self, fraction: str) -> None:
        self.say(Role.FREELANCER, c.OfferPartialRefund(self.part_of_the_price(fraction), "Sorry.", "GOODWILL"))

    @rule(role=ROLES, reason=CANCELLATION_CODES, note=NOTES)
    def somebody_asks_the_client_to_cancel(self, role: Role, reason: str, note: str | None) -> None:
        self.say(role, c.AskClientToCancel(reason, note))

    @rule(role=ROLES, words=WORDS, reason=CANCELLATION_CODES, note=NOTES)
    def somebody_asks_the_freelancer_to_cancel(self, role: Role, words: str, reason: str, note: str | None) -> None:
        self.say(role, c.AskFreelancerToCancel(words, reason, note))

    @rule(role=ROLES, words=WORDS)
    def somebody_wants_an_update(self, role: Role, words: str) -> None:
        self.say(role, c.RequestOrderUpdate(words))

    @rule(role=ROLES, days=DAYS, words=WORDS)
    def somebody_wants_more_time(self, role: Role, days: int, words: str) -> None:
        self.say(role, c.RequestDeliveryExtension(days, words))

    @rule(role=ROLES, place=PLACES, words=WORDS)
    def somebody_answers(self, role: Role, place: int, words: str) -> None:
        self.say(role, c.AnswerOrderUpdate(self.some_request(place), words))

    @rule()
    def the_freelancer_answers(self) -> None:
        for request in self.story.case.pending(RequestKind.ORDER_UPDATE):
            self.say(Role.FREELANCER, c.AnswerOrderUpdate(request.id, "Soon."))

    @rule(role=ANYBODY, place=PLACES)
    def somebody_accepts(self, role: Role, place: int) -> None:
        self.say(role, c.AcceptRequest(self.some_request(place)))

    @rule(place=PLACES)
    def the_other_side_accepts(self, place: int) -> None:
        pending = self.story.case.pending()
        if pending:
            request = pending[place % len(pending)]
            self.say(request.requested_by_role.other_side, c.AcceptRequest(request.id))

    @rule(role=ROLES, place=PLACES, words=NOTES)
    def somebody_declines(self, role: Role, place: int, words: str | None) -> None:
        self.say(role, c.DeclineRequest(self.some_request(place), words))

    @rule(role=ROLES, place=PLACES)
    def somebody_withdraws(self, role: Role, place: int) -> None:
        self.say(role, c.WithdrawRequest(self.some_request(place)))

    @rule(role=ANYBODY, words=WORDS)
    def somebody_calls_support(self, role: Role, words: str) -> None:
        self.say(role, c.ContactSupport(words))

    @rule(
        role=st.sampled_from([Role.SUPPORT, Role.SUPPORT, Role.SUPPORT, Role.CLIENT]),
        decision=st.sampled_from(SupportDecision),
        fraction=st.one_of(st.none(), FRACTIONS),
        words=WORDS,
    )
    def support_decides(self, role: Role, decision: SupportDecision, fraction: str | None, words: str) -> None:
        cases = self.story.case.support_cases
        case_id = cases[-1].id if cases else self.story.order.id
        refund = self.part_of_the_price(fraction) if fraction else None
        self.say(role, c.DecideSupportCase(case_id, decision, words, refund))

    @rule(fraction=st.sampled_from([None, "0.2", "0.5", "1"]))
    def support_lets_it_go_on(self, fraction: str | None) -> None:
        case = self.story.case.open_support_case
        if case is not None:
            decision = SupportDecision.REFUND_PARTIALLY if fraction else SupportDecision.CONTINUE_ORDER
            refund = self.part_of_the_price(fraction) if fraction else None
            self.say(Role.SUPPORT, c.DecideSupportCase(case.id, decision, "Go on.", refund))

    @rule(place=PLACES, failure=st.sampled_from([None, None, "The card is closed."]))
    def the_gateway_answers(self, place: int, failure: str | None) -> None:
        refunds = self.story.case.refunds
        refund_id = refunds[place % len(refunds)].id if refunds else self.story.order.id
        self.say(Role.SYSTEM, c.SettleRefund(refund_id, failure))

    # how it is said, and what must hold of the saying

    def say(self, role: Role, command: c.CaseCommand) -> None:
        story = self.story
        expected = as_of(story.case, story.now, story.policy)
        entries = len(story.entries)
        judgement = story.play(story.actor(role), command)
        if judgement.decision is None:
            assert judgement.refusals
            assert all(refusal.message for refusal in judgement.refusals)
            assert judgement.due.events == () or judgement.due.events[-1].actor == SYSTEM
            assert len(story.entries) == entries + len(judgement.due.entries)
            assert without_ids(story.case) == without_ids(expected), "a refusal changed something"
        due = upcoming(story.case, story.policy)
        assert all(deadline.at > story.now for deadline in due)
        if story.order.frozen_at is None:
            assert all(request.respond_by > story.now for request in story.case.pending())
        self.remember_the_end(command)

    def remember_the_end(self, command: c.CaseCommand) -> None:
        order = self.story.order
        if self.end is None:
            self.end = order if order.status.is_closed else None
            return
        later = replace(order, version=self.end.version, refunded=self.end.refunded)
        assert later == self.end, "a closed order changed"
        if order.refunded != self.end.refunded:
            assert isinstance(command, c.DecideSupportCase)
            assert command.decision is SupportDecision.REFUND_PARTIALLY
            self.end = replace(self.end, refunded=order.refunded)

    def part_of_the_price(self, fraction: str) -> AskedAmount:
        price, share = self.story.order.price, Decimal(fraction)
        if not share.is_finite() or share > 2:
            return AskedAmount(share, price.currency)
        amount = price.amount * share
        possible = 0 < share < 1 and fraction != "0.001"
        return AskedAmount(amount.quantize(price.amount) if possible else amount, price.currency)

    def some_request(self, place: int) -> UUID:
        """One of those there are; at times one that nobody made."""
        requests = self.story.case.requests
        return requests[place % len(requests)].id if requests else self.story.order.id

    # what must hold at every instant; `Story` checks the log, its replay and the postings after each step

    @invariant()
    def the_client_never_gets_more_than_was_paid(self) -> None:
        case = self.story.case
        price, refunded = case.order.price.minor, case.order.refunded.minor
        assert 0 <= refunded <= price
        assert sum(refund.amount.minor for refund in case.refunds) == refunded

    @invariant()
    def no_offer_passes_its_cap(self) -> None:
        case, policy = self.story.case, self.story.policy
        for request in case.requests:
            if request.kind is RequestKind.PARTIAL_REFUND:
                assert request.amount is not None
                assert request.cap is not None
                assert 0 < request.amount.minor <= request.cap.minor
                assert request.cap.minor * 100 <= case.order.price.minor * policy.refund_cap_percent
        for request in case.pending(RequestKind.PARTIAL_REFUND):
            assert request.amount is not None
            assert request.amount <= maximum_refund(case, policy)

    @invariant()
    def one_offer_at_most_is_ever_accepted(self) -> None:
        accepted = [
            request
            for request in self.story.case.requests
            if request.kind is RequestKind.PARTIAL_REFUND
            and request.status in (RequestStatus.ACCEPTED, RequestStatus.AUTO_ACCEPTED)
        ]
        assert len(accepted) <= 1
        assert self.story.case.has_accepted_refund is bool(accepted)

    @invariant()
    def no_pending_request_outlives_its_order(self) -> None:
        assert not (self.story.order.status.is_closed and self.story.case.pending())

    @invariant()
    def one_request_of_a_kind_is_pending_and_one_case_open(self) -> None:
        case = self.story.case
        kinds = [request.kind for request in case.pending()]
        assert len(kinds) == len(set(kinds))
        assert sum(support.status is SupportCaseStatus.OPEN for support in case.support_cases) <= 1

    @invariant()
    def an_order_that_goes_on_and_has_an_open_case_stands_still(self) -> None:
        # Whoever loads a case relies on it, and looks for no open case then.
        case = self.story.case
        if not case.order.status.is_closed:
            assert (case.open_support_case is not None) == (case.order.frozen_at is not None)

    @invariant()
    def what_is_settled_says_when_and_by_whom(self) -> None:
        for request in self.story.case.requests:
            settled = (request.settled_at is not None, request.settled_by_role is not None)
            assert settled == (not request.is_pending, not request.is_pending)
        for support in self.story.case.support_cases:
            assert (support.decision is None) == (support.status is SupportCaseStatus.OPEN)
        for refund in self.story.case.refunds:
            assert (refund.settled_at is None) == (refund.status is RefundStatus.PENDING)
            assert (refund.failure is not None) == (refund.status is RefundStatus.FAILED)

    @invariant()
    def an_order_s_instants_fit_its_status(self) -> None:
        order = self.story.order
        assert (order.completed_at is not None) == (order.status is OrderStatus.COMPLETED)
        assert (order.cancelled_at is not None) == (order.status is OrderStatus.CANCELLED)
        assert (order.cancellation_cause is not None) == (order.status is OrderStatus.CANCELLED)
        assert (order.auto_completes_at is not None) == (order.status is OrderStatus.DELIVERED)
        assert (order.started_at is None) == (order.delivery_due_at is None)
        assert order.frozen_at is None or self.story.case.open_support_case is not None

    @invariant()
    def the_next_instant_is_that_of_the_soonest_deadline(self) -> None:
        case, policy = self.story.case, self.story.policy
        due = sorted(upcoming(case, policy), key=lambda deadline: deadline.rank)
        assert soonest(case, policy) == (due[0] if due else None)
        assert next_instant(case, policy) == (due[0].at if due else None)
        if case.order.frozen_at is not None or case.order.status.is_closed:
            assert due == []

    @invariant()
    def every_cent_is_in_one_place(self) -> None:
        order = self.story.order
        stands = dict.fromkeys(Account, 0)
        for entry in self.story.entries:
            stands[entry.account] += entry.amount.minor
            assert entry.amount.currency == order.price.currency
        left = order.price.minor - order.refunded.minor
        completed = order.status is OrderStatus.COMPLETED
        assert sum(stands.values()) == 0
        assert stands[Account.REFUND_DUE] == order.refunded.minor
        assert stands[Account.FREELANCER] == (left if completed else 0)
        assert stands[Account.HELD] == (0 if completed else left)

    @invariant()
    def reminders_come_once(self) -> None:
        story = self.story
        near = [event for event in story.events if event.kind is OrderEventKind.DEADLINE_NEAR]
        for request in story.case.requests:
            assert sum(event.request_id == request.id for event in near) <= len(story.policy.reminders)


def without_ids(case: Any) -> tuple[Any, ...]:
    """A look ahead gives passing ids to what it makes; all else must be the same."""
    return (
        case.order,
        case.requests,
        [replace(support, id=case.order.id) for support in case.support_cases],
        [replace(refund, id=case.order.id, case_id=None) for refund in case.refunds],
    )


TestWholeOrders = WholeOrder.TestCase
TestWholeOrders.settings = settings(max_examples=100, stateful_step_count=50)


class ManyWholeOrders(WholeOrder):
    """The same, five times as many."""


TestManyWholeOrders = ManyWholeOrders.TestCase
TestManyWholeOrders.settings = settings(max_examples=500, stateful_step_count=50)
pytest.mark.slow(TestManyWholeOrders)
