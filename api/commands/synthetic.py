"""Made-up orders for benches: the same on every run, spread over many people, in several statuses, with requests."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import click

from api.commands import starting
from api.commands.demo import amount
from api.settings import Settings
from models import OrderRow
from models.database import connection, is_embedded
from models.journal import Journal, PlaceOrder
from models.people import seen
from rules import commands as c
from rules.visibility import Viewer
from rules.vocabulary import Role

CLIENTS, FREELANCERS = 100, 100
SPREAD = timedelta(hours=12)
"""The orders were placed within the last so many hours: short enough that no deadline is near yet."""
_LOOKED_UP = 500
_AT_ONCE = 8
"""Orders that are made side by side on a database that can."""

_TITLES = ("Logo", "Website", "Voice-over", "Translation", "Poster", "Product photos", "Newsletter", "Floor plan")
_PLACES = ("a bakery", "a yoga studio", "a bookshop", "a vet", "a museum", "a hostel", "a farm shop", "a chess club")
_CURRENCIES = ("USD", "EUR", "GBP")


@dataclass(frozen=True, slots=True)
class _Made:
    """One order, with what its people did since."""

    order: PlaceOrder
    steps: tuple[tuple[Role, c.CaseCommand], ...]


def reference(number: int) -> str:
    """BENCH-000001."""
    return f"BENCH-{number:06d}"


async def add_orders(given: Settings, count: int, today: datetime) -> None:
    """Makes those of the first `count` orders that are not there. The database must be open."""
    begun = time.monotonic()
    embedded = is_embedded(given.database_url)
    makers = [_Maker(given, today) for _ in range(1 if embedded else _AT_ONCE)]
    made = changes = 0
    with _progress(count) as advance:
        for start in range(1, count + 1, _LOOKED_UP):
            numbers = range(start, min(start + _LOOKED_UP, count + 1))
            versions = await _versions(numbers)
            todo = iter([number for number in numbers if versions.get(reference(number), 0) < _whole(number)])

            async def work(maker: _Maker, todo: Iterator[int] = todo, versions: dict[str, int] = versions) -> list[int]:
                return [await maker.make(n, count, today, versions.get(reference(n), 0)) for n in todo]

            done = [taken for found in await asyncio.gather(*map(work, makers)) for taken in found]
            made += len(done)
            changes += sum(done)
            advance(numbers[-1])
    if not made:
        click.echo(f"All {count:,} made-up orders are there already: nothing to do.")
        return
    seconds = max(time.monotonic() - begun, 0.001)
    click.echo(
        f"Made {made:,} orders in {seconds:.1f} s: {made / seconds:,.0f} orders/s, {changes / seconds:,.0f} changes/s."
    )


async def _versions(numbers: range) -> dict[str, int]:
    rows = await OrderRow.filter(reference__in=[reference(number) for number in numbers]).values("reference", "version")
    return {row["reference"]: row["version"] for row in rows}


def _whole(number: int) -> int:
    """The version of that order when all its steps are taken: each adds one event."""
    return 1 + len(_made(number).steps)


class _Maker:
    """Makes one order at a time, with a clock of its own."""

    def __init__(self, given: Settings, today: datetime) -> None:
        self._now = today
        self._journal: Journal = starting.journal(given, lambda: self._now)
        self._marketplace: Viewer | None = None

    async def make(self, number: int, count: int, today: datetime, version: int) -> int:
        """Places the order and takes its steps, as far as that was not done before. How many changes that took."""
        made = _made(number)
        self._now = today - SPREAD * (1 - number / (count + 1))
        if version == 0:
            done = await self._journal.place(made.order, await self._bazaar())
            order_id, version, case = done.order_id, 1, done.case
            assert case is not None, "only a repeated key has none"
            client, freelancer = case.order.client_id, case.order.freelancer_id
            changes = 1
        else:
            order_id, client, freelancer = await _parties(number)
            changes = 0
        for role, command in made.steps[version - 1 :]:
            self._now += timedelta(minutes=1)
            by = Viewer(client if role is Role.CLIENT else freelancer, frozenset())
            await self._journal.perform(order_id, command, by)
            changes += 1
        return changes

    async def _bazaar(self) -> Viewer:
        if self._marketplace is None:
            row = await seen(connection(), "marketplace", None, self._now, self._journal.new_id)
            self._marketplace = Viewer(row.id, frozenset({Role.MARKETPLACE}))
        return self._marketplace


async def _parties(number: int) -> tuple[UUID, UUID, UUID]:
    row = await OrderRow.get(reference=reference(number))
    return row.id, row.client_id, row.freelancer_id


def _made(number: int) -> _Made:
    """By arithmetic, not by chance."""
    order = PlaceOrder(
        reference=reference(number),
        title=f"{_TITLES[number % 8]} for {_PLACES[number // 8 % 8]}",
        price=amount(f"{20 + number * 37 % 900}.{number % 100:02d} {_CURRENCIES[number % 3]}"),
        client_subject=f"bench-client-{number % CLIENTS + 1}",
        freelancer_subject=f"bench-freelancer-{(number * 7 + number // CLIENTS) % FREELANCERS + 1}",
        delivery_days=3 + number % 12,
    )
    return _Made(order, _steps(number))


def _steps(number: int) -> tuple[tuple[Role, c.CaseCommand], ...]:
    """One in ten waits for its requirements, one is delivered, five have a request that waits for an answer."""
    start = (Role.CLIENT, c.SubmitRequirements())
    price = 20 + number * 37 % 900
    match number % 10:
        case 0:
            return ()
        case 1 | 2 | 3:
            return (start,)
        case 4:
            return start, (Role.FREELANCER, c.DeliverOrder("Here it is; tell me what you think."))
        case 5:
            return start, (Role.CLIENT, c.RequestOrderUpdate("How is it going, and will it be done in time?"))
        case 6:
            return start, (Role.FREELANCER, c.RequestDeliveryExtension(2, "I wait for a part from the printer."))
        case 7:
            feedback = "Our plans have changed; I'm sorry for the trouble."
            return start, (Role.CLIENT, c.AskFreelancerToCancel(feedback, "NO_LONGER_NEEDED"))
        case _:
            offer = amount(f"{price * (10 + number % 40) // 100 + 1}.00 {_CURRENCIES[number % 3]}")
            explanation = "The second draft came later than I promised."
            return start, (Role.FREELANCER, c.OfferPartialRefund(offer, explanation, "DELIVERY_DELAYED"))


@contextmanager
def _progress(count: int) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("making orders", total=count)
        yield lambda made: progress.update(bar, completed=made)
