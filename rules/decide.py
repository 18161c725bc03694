"""The one door to the rules: a case, a command and an instant give a decision, or a refusal that says why."""

from dataclasses import dataclass
from datetime import datetime
from itertools import count
from uuid import UUID

from rules import commands as c
from rules import orders, requests, support
from rules.actions import why_not
from rules.case import SYSTEM, Actor, Case, Ground, Request
from rules.deadlines import pass_deadlines
from rules.draft import Decision, Draft, refund_change
from rules.policy import Policy
from rules.refusals import NOT_FOUND, Refusal, Refused
from rules.vocabulary import OrderEventKind, RefundStatus, RefusalCode


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a command: the effect of deadlines that were due before it, then either its decision or the
    refusals. What was due happens even when the command is refused."""

    due: Decision
    decision: Decision | None
    refusals: tuple[Refusal, ...] = ()


def judge(case: Case, command: c.CaseCommand, actor: Actor, ground: Ground) -> Judgement:
    """Passes the deadlines, then decides. This is what the write path asks."""
    due = decide(case, c.PassDeadlines(), SYSTEM, ground)
    if isinstance(command, c.PassDeadlines):
        return Judgement(due, due)
    try:
        return Judgement(due, decide(due.case, command, actor, ground))
    except Refused as refused:
        return Judgement(due, None, refused.refusals)


def as_of(case: Case, now: datetime, policy: Policy) -> Case:
    """The case with every deadline passed that is due: what its page must show, whether or not a sweep has run.
    New things in it have passing ids: this look ahead is never kept."""
    passing = (UUID(int=number) for number in count())
    return decide(case, c.PassDeadlines(), SYSTEM, Ground(now, policy, passing.__next__)).case


def decide(case: Case, command: c.CaseCommand, actor: Actor, ground: Ground) -> Decision:
    """What the command does to a case whose deadlines have passed. Raises Refused; a refusal changes nothing."""
    draft = Draft(case, actor, ground)
    match command:
        case c.PassDeadlines():
            pass_deadlines(draft)
            return draft.decision()
        case c.SettleRefund():
            return _settle_refund(draft, command)
        case c.DecideSupportCase():
            return support.decide_support_case(draft, command)
        case _:
            return _take(draft, command)


def _take(draft: Draft, command: c.PartyCommand) -> Decision:
    """A party's action, if it is open to it."""
    request = _request_of(draft.case, command)
    ground = draft.ground
    refusal = why_not(command.action, draft.case, draft.actor.role, ground.now, ground.policy, request)
    if refusal:
        raise Refused(refusal)
    match command:
        case c.SubmitRequirements():
            return orders.submit_requirements(draft)
        case c.DeliverOrder():
            return orders.deliver_order(draft, command)
        case c.RequestRevision():
            return orders.request_revision(draft, command)
        case c.AcceptDelivery():
            return orders.accept_delivery(draft)
        case c.CancelOrder():
            return orders.cancel_order(draft)
        case c.OfferPartialRefund():
            return requests.offer_partial_refund(draft, command)
        case c.AskClientToCancel():
            return requests.ask_client_to_cancel(draft, command)
        case c.AskFreelancerToCancel():
            return requests.ask_freelancer_to_cancel(draft, command)
        case c.RequestOrderUpdate():
            return requests.request_order_update(draft, command)
        case c.RequestDeliveryExtension():
            return requests.request_delivery_extension(draft, command)
        case c.ContactSupport():
            return support.contact_support(draft, command)
    assert request is not None
    match command:
        case c.AnswerOrderUpdate():
            return requests.answer_order_update(draft, request, command)
        case c.AcceptRequest():
            return requests.accept_request(draft, request)
        case c.DeclineRequest():
            return requests.decline_request(draft, request, command)
        case c.WithdrawRequest():
            return requests.withdraw_request(draft, request)


def _request_of(case: Case, command: c.PartyCommand) -> Request | None:
    if isinstance(command, c.RequestCommand):
        return case.request(command.request_id)
    return None


def _settle_refund(draft: Draft, command: c.SettleRefund) -> Decision:
    """The gateway's answer, once. Refused: an unknown refund, one that is settled."""
    refund = draft.case.refund(command.refund_id)
    if refund is None:
        raise Refused(NOT_FOUND)
    if refund.status is not RefundStatus.PENDING:
        raise Refused(Refusal(RefusalCode.REQUEST_SETTLED, "This refund has been settled already."))
    failed = command.failure is not None
    values = {
        "status": RefundStatus.FAILED if failed else RefundStatus.SUCCEEDED,
        "settled_at": draft.at,
        "failure": command.failure,
    }
    kind = OrderEventKind.REFUND_FAILED if failed else OrderEventKind.REFUND_SUCCEEDED
    draft.record(kind, refund_change(refund.id, values), request_id=refund.request_id)
    return draft.decision(refund.id)
