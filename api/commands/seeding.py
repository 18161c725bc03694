"""The command seed: the demo's stories and made-up orders, all through the journal with its clock set back."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import click

from api.commands import starting, synthetic
from api.commands.demo import STORIES, Step, Story
from api.demo_people import BAZAAR, DEMO_PEOPLE, Person
from api.settings import Settings
from models import IdempotencyRow, OrderRow
from models.database import connection
from models.journal import IdempotencyKey, PlaceOrder
from models.loading import whole_case
from models.people import name_the_nameless, seen
from rules.commands import PassDeadlines
from rules.refusals import Refused
from rules.visibility import Viewer
from rules.vocabulary import OrderStatus, RefundStatus, Role
from workers.refunds import LedgerGateway, RefundWorker

_SCOPES = {"support": Role.SUPPORT, "marketplace": Role.MARKETPLACE}
_MAY_GO_ON = timedelta(hours=1)
"""For so long a seed that was cut short is gone on with. Later its instants would no longer fit those deadlines."""


class PastClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def seed(given: Settings, orders: int) -> None:
    """Makes the demo, then `orders` made-up orders, as far as they are not there."""
    starting.run(_seed(given, orders))


async def _seed(given: Settings, orders: int) -> None:
    async with starting.writing(given) as clock:
        await _Seeding(given, clock()).run()
        if orders:
            await synthetic.add_orders(given, orders, clock())


# ---------------------------------------------------------------- the demo


@dataclass(frozen=True, slots=True)
class _Moment:
    """One step of one story, to be taken in the order of time; without a step: placing the order."""

    hours_ago: float
    story: Story
    number: int
    step: Step | None

    @property
    def key(self) -> IdempotencyKey:
        return IdempotencyKey(f"demo:{self.story.reference}:{self.number}", "demo")


class _Seeding:
    """Plays the stories, all of them at once in the order of time, so that the log reads like a real one."""

    def __init__(self, given: Settings, now: datetime) -> None:
        self._clock = PastClock(now)
        self._journal = starting.journal(given, self._clock)
        gateway = LedgerGateway(self._clock, self._journal.new_id)
        self._refunds = RefundWorker(self._journal, gateway)
        self._people: dict[Person, Viewer] = {}

    async def run(self) -> None:
        today = self._clock.now
        there = {
            row["reference"]: row["created_at"]
            for row in await OrderRow.filter(reference__in=[story.reference for story in STORIES]).values(
                "reference", "created_at"
            )
        }
        moments = sorted(_moments(), key=lambda moment: -moment.hours_ago)
        first = moments[0].story
        anchor = there[first.reference] + timedelta(hours=first.placed_hours_ago) if first.reference in there else today
        new = [] if len(there) == len(STORIES) and today - anchor > _MAY_GO_ON else await _untaken(moments)
        if not new:
            click.echo(f"The demo is there already ({len(STORIES)} orders): nothing to do.")
            return
        try:
            await self._play(new, anchor)
        finally:
            await self._journal.drain()
        await _say_what_is_there()

    async def _play(self, moments: list[_Moment], anchor: datetime) -> None:
        await self._meet_people()
        for moment in moments:
            self._clock.now = anchor - timedelta(hours=moment.hours_ago)
            try:
                await self._take(moment)
            except Refused as refused:
                # A policy of the operator's own, or a server that swept meanwhile: the story goes on as it can.
                reason = refused.refusals[0]
                click.echo(f"{moment.story.reference}, step {moment.number}: {reason.code} {reason.message}", err=True)
        self._clock.now = anchor
        for row in await OrderRow.filter(reference__in=[story.reference for story in STORIES]).only("id"):
            await self._journal.perform(row.id, PassDeadlines(), by=None)

    async def _meet_people(self) -> None:
        for person in DEMO_PEOPLE:
            row = await seen(connection(), person.subject, None, self._clock.now, self._journal.new_id)
            self._people[person] = Viewer(row.id, frozenset(_SCOPES[scope] for scope in person.scopes))
        await name_the_nameless(connection(), {person.subject: person.name for person in DEMO_PEOPLE})

    async def _take(self, moment: _Moment) -> None:
        story = moment.story
        if moment.step is None:
            await self._journal.place(_order(story), self._people[BAZAAR], moment.key)
            return
        row = await OrderRow.filter(reference=story.reference).only("id").first()
        if row is None:
            return
        by = self._people[moment.step.by]
        command = moment.step.command(await whole_case(row.id))
        done = await self._journal.perform(row.id, command, by, moment.key)
        if done.case and any(refund.status is RefundStatus.PENDING for refund in done.case.refunds):
            self._clock.now += timedelta(minutes=2)
            await self._refunds.pay_due()


def _moments() -> list[_Moment]:
    return [
        moment
        for story in STORIES
        for moment in (
            _Moment(story.placed_hours_ago, story, 0, None),
            *(_Moment(step.hours_ago, story, number, step) for number, step in enumerate(story.steps, start=1)),
        )
    ]


def _order(story: Story) -> PlaceOrder:
    return PlaceOrder(
        reference=story.reference,
        title=story.title,
        price=story.asked_price,
        client_subject=story.client.subject,
        freelancer_subject=story.freelancer.subject,
        delivery_days=story.days,
    )


async def _untaken(moments: list[_Moment]) -> list[_Moment]:
    taken = {row["key"] for row in await IdempotencyRow.filter(key__startswith="demo:").values("key")}
    return [moment for moment in moments if moment.key.key not in taken]


async def _say_what_is_there() -> None:
    rows = await OrderRow.filter(reference__in=[story.reference for story in STORIES]).values("status")
    counted = Counter(OrderStatus(row["status"]) for row in rows)
    told = ", ".join(f"{counted[s]} {s.value.lower().replace('_', ' ')}" for s in OrderStatus if counted[s])
    click.echo(f"Made the demo: {len(rows)} orders ({told}) of Ada, Bela, Farid and Gita, with Sol at support.")
