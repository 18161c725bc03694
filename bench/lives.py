"""Whole orders as they are lived, played straight on the journal: what a database bears without the API before it."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from uuid import UUID

import uvloop
from uuid_utils.compat import uuid7

from models import LogRow, OrderRow
from models.database import connection, opened
from models.journal import Journal, PlaceOrder
from models.people import seen
from rules import commands as c
from rules.money import AskedAmount
from rules.policy import DEFAULT
from rules.visibility import Viewer
from rules.vocabulary import Role

MIX = "of 20 orders 17 go well, one gives back a part, one is cancelled by both sides, one is revised and asked about"
_PEOPLE = 1_000


@dataclass(frozen=True, slots=True)
class Lived:
    """What one process did."""

    orders: int
    seconds: float


def lived(url: str, seconds: float, at_once: int, name: str) -> Lived:
    """For so long, plays orders on the database, so many side by side. An order that was begun is played to its end."""
    return uvloop.run(_lived(url, seconds, at_once, name))


def log_position(url: str) -> int:
    """How many events the database's log holds."""
    return uvloop.run(_log_position(url))


async def _log_position(url: str) -> int:
    async with opened(url):
        position: int = (await LogRow.get(id=1)).position
        return position


async def _lived(url: str, seconds: float, at_once: int, name: str) -> Lived:
    numbers = count(1)
    async with opened(url, pool_size=at_once):
        journal = Journal(DEFAULT, lambda: datetime.now(UTC), uuid7)
        bazaar = await seen(connection(), "marketplace", None, datetime.now(UTC), uuid7)
        marketplace = Viewer(bazaar.id, frozenset({Role.MARKETPLACE}))
        begun = time.monotonic()

        async def play() -> int:
            orders = 0
            while time.monotonic() - begun < seconds:
                await _a_life(journal, marketplace, name, next(numbers))
                orders += 1
            return orders

        orders = sum(await asyncio.gather(*(play() for _ in range(at_once))))
        return Lived(orders, time.monotonic() - begun)


async def _a_life(journal: Journal, marketplace: Viewer, name: str, number: int) -> None:
    placed = await journal.place(_order(name, number), marketplace)
    order = await OrderRow.get(id=placed.order_id)
    life = _Life(journal, order.id, Viewer(order.client_id), Viewer(order.freelancer_id))
    await life.client_does(c.SubmitRequirements())
    match number % 20:
        case 0:
            await life.gives_back_a_part()
        case 1:
            await life.is_cancelled()
            return
        case 2:
            await life.is_revised()
    await life.freelancer_does(c.DeliverOrder("Here it is; tell me what you think of the colours."))
    await life.client_does(c.AcceptDelivery())


def _order(name: str, number: int) -> PlaceOrder:
    return PlaceOrder(
        reference=f"{name}-{number:07d}",
        title="Logo for a bakery",
        price=AskedAmount(Decimal(f"{20 + number * 37 % 900}.{number % 100:02d}"), "USD"),
        client_subject=f"life-client-{number % _PEOPLE}",
        freelancer_subject=f"life-freelancer-{number * 7 % _PEOPLE}",
        delivery_days=3 + number % 12,
    )


@dataclass(frozen=True, slots=True)
class _Life:
    """One order and its two sides."""

    journal: Journal
    order_id: UUID
    client: Viewer
    freelancer: Viewer

    async def client_does(self, command: c.CaseCommand) -> UUID:
        return (await self.journal.perform(self.order_id, command, self.client)).subject_id

    async def freelancer_does(self, command: c.CaseCommand) -> UUID:
        return (await self.journal.perform(self.order_id, command, self.freelancer)).subject_id

    async def gives_back_a_part(self) -> None:
        """An offer, accepted, and paid by the gateway."""
        offer = c.OfferPartialRefund(AskedAmount(Decimal("5.00"), "USD"), "The draft came late.", "DELIVERY_DELAYED")
        request_id = await self.freelancer_does(offer)
        accepted = await self.journal.perform(self.order_id, c.AcceptRequest(request_id), self.client)
        assert accepted.case is not None, "only a repeated key has none"
        [refund] = accepted.case.refunds
        await self.journal.perform(self.order_id, c.SettleRefund(refund.id), None)

    async def is_cancelled(self) -> None:
        """Asked by the client, accepted, paid back whole."""
        asking = c.AskFreelancerToCancel("Our plans have changed; sorry for the trouble.", "NO_LONGER_NEEDED")
        request_id = await self.client_does(asking)
        accepted = await self.journal.perform(self.order_id, c.AcceptRequest(request_id), self.freelancer)
        assert accepted.case is not None, "only a repeated key has none"
        for refund in accepted.case.refunds:
            await self.journal.perform(self.order_id, c.SettleRefund(refund.id), None)

    async def is_revised(self) -> None:
        """A question with its answer, a delivery, and a revision before the last one."""
        request_id = await self.client_does(c.RequestOrderUpdate("How is it going, and will it be done in time?"))
        await self.freelancer_does(c.AnswerOrderUpdate(request_id, "Well; the first draft comes tomorrow."))
        await self.freelancer_does(c.DeliverOrder("The first draft."))
        await self.client_does(c.RequestRevision("Could the blue be a little darker?"))
