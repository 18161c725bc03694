"""The small named world of the tests: Ada and Bela are clients, Farid and Gita freelancers, Sol is support."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from rules import commands as c
from rules.actions import Availability, available
from rules.case import SYSTEM, Actor, Ground, Order, Request
from rules.decide import Judgement, as_of, judge
from rules.draft import Confidence, Decision
from rules.events import Event, replay
from rules.ledger import Entry
from rules.money import AskedAmount, Money, exact
from rules.orders import place
from rules.policy import DEFAULT, Policy
from rules.refusals import Refusal
from rules.vocabulary import OrderEventKind, OrderStatus, RefusalCode, ResolutionAction, Role, SupportDecision

ADA, BELA, FARID, GITA, SOL, BAZAAR = (UUID(int=number) for number in range(1, 7))
"""The people, and Bazaar, the marketplace where they met."""

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)

At = float | datetime | None
"""An instant, hours since START, or: now."""


def hour(hours: float) -> datetime:
    """The instant that many hours after START."""
    return START + timedelta(hours=hours)


def asked(amount: str) -> AskedAmount:
    """«12.50 USD» as a person typed it."""
    number, currency = amount.split()
    return AskedAmount(Decimal(number), currency)


def money(amount: str) -> Money:
    """«12.50 USD», exact."""
    number, currency = amount.split()
    return exact(asked(amount)) if Decimal(number) else Money(0, currency)


def an_order(**changes: Any) -> Order:
    """Ada's order of Farid at 100.00 USD, in progress since START and due three days later."""
    order = Order(
        id=UUID(int=100),
        reference="B-1001",
        title="A logo for a bakery",
        status=OrderStatus.IN_PROGRESS,
        version=2,
        client_id=ADA,
        freelancer_id=FARID,
        placed_by_id=BAZAAR,
        price=money("100.00 USD"),
        refunded=money("0 USD"),
        delivery_days=3,
        created_at=START,
        started_at=START,
        delivery_due_at=START + 3 * DAY,
    )
    return replace(order, **changes)


def a_place_order(
    price: str = "100.00 USD",
    *,
    reference: str = "B-1001",
    title: str = "A logo for a bakery",
    client: UUID = ADA,
    freelancer: UUID = FARID,
    days: int = 3,
) -> c.PlaceOrder:
    return c.PlaceOrder(reference, title, asked(price), client, freelancer, days)


def an_offer(
    amount: str = "20.00 USD",
    *,
    explanation: str = "The second draft came late.",
    reason: str = "DELIVERY_DELAYED",
    note: str | None = None,
) -> c.OfferPartialRefund:
    return c.OfferPartialRefund(asked(amount), explanation, reason, note)


def a_plea_to_the_client(reason: str = "UNABLE_TO_COMPLETE", note: str | None = None) -> c.AskClientToCancel:
    return c.AskClientToCancel(reason, note)


def a_plea_to_the_freelancer(
    reason: str = "NO_LONGER_NEEDED", note: str | None = None, *, feedback: str = "The bakery won't open."
) -> c.AskFreelancerToCancel:
    return c.AskFreelancerToCancel(feedback, reason, note)


def a_question(explanation: str = "How is it going?") -> c.RequestOrderUpdate:
    return c.RequestOrderUpdate(explanation)


def an_extension(days: int = 2, explanation: str = "The printer is broken.") -> c.RequestDeliveryExtension:
    return c.RequestDeliveryExtension(days, explanation)


def a_call_for_support(message: str = "We can't agree.") -> c.ContactSupport:
    return c.ContactSupport(message)


class Story:
    """One order of Ada's with Farid. Plays commands at hours, and keeps the case, the events, the money's entries and
    the private reasons that come of them. After every step it checks what must hold of every story."""

    def __init__(self, price: str = "100.00 USD", *, days: int = 3, policy: Policy = DEFAULT) -> None:
        self.policy = policy
        self.now = START
        self.events: list[Event] = []
        self.entries: list[Entry] = []
        self.confidences: list[Confidence] = []
        self._ids = count(1_000)
        placed = place(a_place_order(price, days=days), Actor(Role.MARKETPLACE, BAZAAR), self.ground)
        self.case = placed.case
        self._keep(placed)

    # who acts: each fails the test when the rules refuse

    def ada(self, command: c.CaseCommand, at: At = None) -> Decision:
        return self._must(Role.CLIENT, command, at)

    def farid(self, command: c.CaseCommand, at: At = None) -> Decision:
        return self._must(Role.FREELANCER, command, at)

    def sol(self, decision: SupportDecision, refund: str | None = None, at: At = None) -> Decision:
        """Sol decides the case that was opened last."""
        return self._must(Role.SUPPORT, self.a_decision(decision, refund), at)

    def gateway(self, failure: str | None = None, at: At = None) -> Decision:
        """The gateway settles the refund that was owed last."""
        return self._must(Role.SYSTEM, c.SettleRefund(self.case.refunds[-1].id, failure), at)

    def wait(self, until: At) -> tuple[Event, ...]:
        """Time passes and a sweep runs; the events that the deadlines caused."""
        self.at(until)
        return self.play(SYSTEM, c.PassDeadlines()).due.events

    # what is refused

    def refusals(self, role: Role, command: c.CaseCommand, at: At = None) -> tuple[Refusal, ...]:
        """Fails the test when the rules allow it, or when the refusal changed anything."""
        self.at(at)
        before = as_of(self.case, self.now, self.policy)
        judgement = self.play(self.actor(role), command)
        assert judgement.decision is None, f"allowed: {command}"
        if not judgement.due.events:
            assert self.case == before
        return judgement.refusals

    def refusal(self, role: Role, command: c.CaseCommand, at: At = None) -> Refusal:
        """The only one."""
        (refusal,) = self.refusals(role, command, at)
        return refusal

    def code(self, role: Role, command: c.CaseCommand, at: At = None) -> RefusalCode:
        return self.refusal(role, command, at).code

    # what can be read

    @property
    def order(self) -> Order:
        return self.case.order

    @property
    def request(self) -> Request:
        """The request that was made last."""
        return self.case.requests[-1]

    @property
    def kinds(self) -> list[OrderEventKind]:
        return [event.kind for event in self.events]

    @property
    def ground(self) -> Ground:
        return Ground(self.now, self.policy, lambda: UUID(int=next(self._ids)))

    def actions(self, role: Role, at: At = None) -> list[Availability]:
        """The page's list of actions, as it is now."""
        self.at(at)
        return list(available(as_of(self.case, self.now, self.policy), role, self.now, self.policy))

    def action(self, role: Role, action: ResolutionAction) -> Availability:
        (found,) = (entry for entry in self.actions(role) if entry.action is action)
        return found

    # how it works

    def at(self, instant: At) -> "Story":
        """Nothing but time passes."""
        if instant is not None:
            instant = instant if isinstance(instant, datetime) else hour(instant)
            assert instant >= self.now, "a story does not go back in time"
            self.now = instant
        return self

    def play(self, actor: Actor, command: c.CaseCommand) -> Judgement:
        """What the write path does with a command, whether it is refused or not."""
        judgement = judge(self.case, command, actor, self.ground)
        self._keep(judgement.due)
        if judgement.decision is not None and judgement.decision is not judgement.due:
            self._keep(judgement.decision)
        return judgement

    def a_decision(self, decision: SupportDecision, refund: str | None = None) -> c.DecideSupportCase:
        case = self.case.support_cases[-1]
        return c.DecideSupportCase(case.id, decision, "We read both sides.", asked(refund) if refund else None)

    def actor(self, role: Role) -> Actor:
        people = {Role.CLIENT: ADA, Role.FREELANCER: FARID, Role.SUPPORT: SOL, Role.MARKETPLACE: BAZAAR}
        return Actor(role, people.get(role))

    def _must(self, role: Role, command: c.CaseCommand, at: At) -> Decision:
        self.at(at)
        judgement = self.play(self.actor(role), command)
        assert judgement.decision is not None, f"refused: {judgement.refusals}"
        return judgement.decision

    def _keep(self, decision: Decision) -> None:
        self.case = decision.case
        self.events += decision.events
        self.entries += decision.entries
        if decision.confidence:
            self.confidences.append(decision.confidence)
        self._check()

    def _check(self) -> None:
        """The log tells the whole case, without a gap, in the order of time; money is never made or lost."""
        assert replay(self.events) == self.case
        assert self.order.version == len(self.events)
        instants = [event.occurred_at for event in self.events]
        assert instants == sorted(instants)
        for cause in {entry.cause for entry in self.entries}:
            posted = [entry for entry in self.entries if entry.cause == cause]
            assert sum(entry.amount.minor for entry in posted) == 0
            assert len({entry.account for entry in posted}) == len(posted)


def a_placed_order(price: str = "100.00 USD", *, days: int = 3, policy: Policy = DEFAULT) -> Story:
    """Awaiting requirements since hour 0."""
    return Story(price, days=days, policy=policy)


def a_started_order(price: str = "100.00 USD", *, days: int = 3, policy: Policy = DEFAULT) -> Story:
    """In progress since hour 0, due after `days`."""
    story = a_placed_order(price, days=days, policy=policy)
    story.ada(c.SubmitRequirements())
    return story


def a_delivered_order(price: str = "100.00 USD", *, policy: Policy = DEFAULT) -> Story:
    """Delivered at hour 10; completes by silence at hour 82."""
    story = a_started_order(price, policy=policy)
    story.farid(c.DeliverOrder("Here it is."), at=10)
    return story


def a_revised_order(price: str = "100.00 USD", *, policy: Policy = DEFAULT) -> Story:
    """In revision since hour 20."""
    story = a_delivered_order(price, policy=policy)
    story.ada(c.RequestRevision("Warmer colours, please."), at=20)
    return story


def a_completed_order(price: str = "100.00 USD", *, policy: Policy = DEFAULT) -> Story:
    """Completed by Ada at hour 20."""
    story = a_delivered_order(price, policy=policy)
    story.ada(c.AcceptDelivery(), at=20)
    return story


def a_cancelled_order(price: str = "100.00 USD", *, policy: Policy = DEFAULT) -> Story:
    """Cancelled by Ada alone at hour 0, before she said what she needs."""
    story = a_placed_order(price, policy=policy)
    story.ada(c.CancelOrder())
    return story


IN_STATUS = {
    OrderStatus.AWAITING_REQUIREMENTS: a_placed_order,
    OrderStatus.IN_PROGRESS: a_started_order,
    OrderStatus.DELIVERED: a_delivered_order,
    OrderStatus.IN_REVISION: a_revised_order,
    OrderStatus.COMPLETED: a_completed_order,
    OrderStatus.CANCELLED: a_cancelled_order,
}
"""A story that has come to each status."""
