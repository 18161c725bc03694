"""The page behind an order's «Resolution Center» link: what the viewer may do, and what is pending."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.context import Context
from models.order import OrderRow
from models.request import RequestRow
from rules import actions
from rules.actions import Availability, Silence, maximum_refund
from rules.case import Case
from rules.decide import as_of
from rules.money import AskedAmount, Money
from rules.policy import Reason
from rules.preview import Effect, effect
from rules.standing import Tally
from rules.visibility import role_in
from rules.vocabulary import ResolutionAction


@dataclass(frozen=True, slots=True)
class OpenAction:
    """One action, with the case that it was judged on."""

    availability: Availability
    case: Case


async def available(context: Context, order: OrderRow) -> list[OpenAction]:
    """Every action that exists for the viewer's role, judged by the rules that the mutations obey."""
    role = role_in(context.viewer, order)
    case = await context.loaders.cases.load(order)
    if case is None or role is None:
        return []
    now = context.now()
    case = as_of(case, now, context.policy)
    return [OpenAction(found, case) for found in actions.available(case, role, now, context.policy)]


async def pending(context: Context, order: OrderRow) -> list[RequestRow]:
    """The requests that may still be answered."""
    return still_pending(order, await context.loaders.pending_requests.load(order.id) or [], context.now())


def still_pending(order: OrderRow, rows: Sequence[RequestRow], now: datetime) -> list[RequestRow]:
    """Of an order's pending requests, those whose deadline has not passed, swept or not."""
    stands_still = order.frozen_at is not None
    return [row for row in rows if stands_still or row.respond_by > now]


def most(context: Context, action: OpenAction) -> Money | None:
    """The most that may be offered now, where an offer is open."""
    found = action.availability
    if found.action is not ResolutionAction.OFFER_PARTIAL_REFUND or found.refusal is not None:
        return None
    return maximum_refund(action.case, context.policy)


def reasons(context: Context, action: ResolutionAction) -> tuple[Reason, ...]:
    """The drop-down of an action."""
    return actions.reasons(action, context.policy)


def silence(context: Context, action: ResolutionAction) -> Silence | None:
    """What the other side's silence would do to what the action opens."""
    return actions.silence(action, context.policy)


async def preview(
    context: Context, action: OpenAction, offer: AskedAmount | None
) -> tuple[Effect, float | None, float | None] | None:
    """What taking the action would do, with the freelancer's rate before and after."""
    found = effect(action.availability, action.case, context.policy, offer)
    if found is None:
        return None
    tally = await context.loaders.tallies.load(action.case.order.freelancer_id) or Tally()
    return found, tally.rate, tally.after(found.counted_end).rate
