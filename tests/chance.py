"""Commands by chance: what people, support, the clock and the gateway may come up with next on an order."""

from random import Random
from uuid import UUID

from models import RefundRow, RequestRow, SupportCaseRow
from rules import commands as c
from rules.visibility import Viewer
from rules.vocabulary import SupportDecision
from tests.database import CLIENT, FREELANCER, OTHER_CLIENT, SUPPORT, a_decision
from tests.world import (
    a_call_for_support,
    a_plea_to_the_client,
    a_plea_to_the_freelancer,
    a_question,
    an_extension,
    an_offer,
)

Move = tuple[c.CaseCommand, Viewer | None]


async def a_move(chance: Random, order_id: UUID) -> Move:
    """Something to try on the order; the rules may well refuse it. What ends an order is rarer than the rest."""
    kind = chance.choices((_step, _asking, _settling, _support, _system, _ending), (3, 6, 6, 1, 2, 0.3))[0]
    return await kind(chance, order_id)


async def _step(chance: Random, order_id: UUID) -> Move:
    moves: list[Move] = [
        (c.SubmitRequirements(), CLIENT),
        (c.DeliverOrder("Here it is."), FREELANCER),
        (c.RequestRevision("Warmer, please."), CLIENT),
    ]
    return chance.choice(moves)


async def _asking(chance: Random, order_id: UUID) -> Move:
    moves: list[Move] = [
        (an_offer(f"{chance.choice((1, 20, 60, 61))}.00 USD"), FREELANCER),
        (a_plea_to_the_client(), FREELANCER),
        (a_plea_to_the_freelancer(), CLIENT),
        (a_question(), CLIENT),
        (an_extension(), chance.choice((CLIENT, FREELANCER))),
        (a_question(), OTHER_CLIENT),
    ]
    return chance.choice(moves)


async def _settling(chance: Random, order_id: UUID) -> Move:
    requests = await RequestRow.filter(order_id=order_id).order_by("-created_at").limit(3)
    if not requests:
        return await _step(chance, order_id)
    request_id = chance.choice(requests).id
    moves: list[c.CaseCommand] = [
        c.AcceptRequest(request_id),
        c.DeclineRequest(request_id, "No, sorry."),
        c.WithdrawRequest(request_id),
        c.AnswerOrderUpdate(request_id, "Nearly there."),
    ]
    return chance.choice(moves), chance.choice((CLIENT, FREELANCER))


async def _support(chance: Random, order_id: UUID) -> Move:
    cases = await SupportCaseRow.filter(order_id=order_id).order_by("-opened_at").limit(1)
    if not cases or chance.random() < 0.3:
        return a_call_for_support(), chance.choice((CLIENT, FREELANCER))
    decision = chance.choice((*SupportDecision, SupportDecision.CONTINUE_ORDER, SupportDecision.CONTINUE_ORDER))
    refund = "5.00 USD" if decision is SupportDecision.REFUND_PARTIALLY else None
    return a_decision(cases[0].id, decision, refund), SUPPORT


async def _system(chance: Random, order_id: UUID) -> Move:
    refunds = await RefundRow.filter(order_id=order_id)
    if not refunds or chance.random() < 0.5:
        return c.PassDeadlines(), None
    return c.SettleRefund(chance.choice(refunds).id, chance.choice((None, "The account is closed."))), None


async def _ending(chance: Random, order_id: UUID) -> Move:
    moves: list[c.CaseCommand] = [c.AcceptDelivery(), c.CancelOrder()]
    return chance.choice(moves), CLIENT
