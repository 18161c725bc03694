"""Support cases: opening one stops the order's clock, deciding it lets the clock go on or ends the order."""

from datetime import datetime, timedelta
from typing import Any

from rules import commands, texts
from rules.case import Case, SupportCase
from rules.closing import cancel, complete, owe, supersede
from rules.draft import Decision, Draft, request_change, support_case_change
from rules.events import Change
from rules.money import Money, exact
from rules.refusals import NOT_FOUND, Refusal, Refused
from rules.vocabulary import (
    CancellationCause,
    OrderEventKind,
    OrderStatus,
    RefusalCode,
    RequestKind,
    Role,
    SupportCaseStatus,
    SupportDecision,
)

_ENDING = (SupportDecision.CANCEL_ORDER, SupportDecision.COMPLETE_ORDER)


def contact_support(draft: Draft, command: commands.ContactSupport) -> Decision:
    """«Contact us». That no case is open yet is `actions.why_not`'s business."""
    message = texts.text(command.message, "message", most=draft.ground.policy.longest_text)
    assert draft.actor.user_id is not None
    case = SupportCase(
        draft.ground.new_id(),
        draft.actor.user_id,
        draft.actor.role,
        message,
        SupportCaseStatus.OPEN,
        draft.at,
    )
    open_case(draft, case)
    return draft.decision(case.id)


def open_case(draft: Draft, case: SupportCase) -> None:
    """From now on no deadline of the order runs, unless it is closed and has none."""
    frozen_at = None if draft.case.order.status.is_closed else draft.at
    draft.record(
        OrderEventKind.SUPPORT_CONTACTED,
        support_case_change(
            case.id,
            opened_by_id=case.opened_by_id,
            opened_by_role=case.opened_by_role,
            message=case.message,
            status=case.status,
            opened_at=case.opened_at,
        ),
        draft.order_change(frozen_at=frozen_at),
    )


def decide_support_case(draft: Draft, command: commands.DecideSupportCase) -> Decision:
    """Support's word, shown to both sides. Refused: other roles, a case that is resolved, ending an order that has
    ended, a refund that is missing, not asked for, or more than is left."""
    case = _decidable(draft, command)
    message, amount = _checked(draft, command)
    order = draft.case.order
    refund = owe(draft, amount, case_id=case.id) if amount else ()
    refunded = [draft.order_change(refunded=order.refunded + amount)] if amount else []
    draft.record(
        OrderEventKind.SUPPORT_DECIDED,
        support_case_change(
            case.id,
            status=SupportCaseStatus.RESOLVED,
            decision=command.decision,
            decision_message=message,
            resolved_at=draft.at,
        ),
        *_thaw(draft, case.opened_at),
        *refunded,
        *refund,
    )
    match command.decision:
        case SupportDecision.CANCEL_ORDER:
            cancel(draft, CancellationCause.SUPPORT_DECIDED, case_id=case.id)
        case SupportDecision.COMPLETE_ORDER:
            complete(draft)
        case SupportDecision.REFUND_PARTIALLY:
            supersede(draft, draft.case.pending(RequestKind.PARTIAL_REFUND))
        case SupportDecision.CONTINUE_ORDER:
            pass
    return draft.decision(case.id)


def _decidable(draft: Draft, command: commands.DecideSupportCase) -> SupportCase:
    case = draft.case.support_case(command.case_id)
    if case is None:
        raise Refused(NOT_FOUND.at("caseId"))
    if draft.actor.role is not Role.SUPPORT:
        raise Refused(Refusal(RefusalCode.FORBIDDEN, "Only support decides a support case."))
    if case.status is SupportCaseStatus.RESOLVED:
        sentence = "This support case has been decided already."
        raise Refused(Refusal(RefusalCode.REQUEST_SETTLED, sentence, ("caseId",)))
    status = draft.case.order.status
    if status.is_closed and command.decision in _ENDING:
        sentence = f"The order is {status.lower()} for good; continue it as it is, or refund a part."
        raise Refused(Refusal(RefusalCode.ORDER_CLOSED, sentence, ("decision",)))
    return case


def _checked(draft: Draft, command: commands.DecideSupportCase) -> tuple[str, Money | None]:
    """The message and the refund as they will be kept; all that is wrong with them is said at once."""
    refusals: list[Refusal] = []
    message, amount = "", None
    try:
        message = texts.text(command.message, "message", most=draft.ground.policy.longest_text)
    except Refused as refused:
        refusals += refused.refusals
    try:
        amount = _refund(draft.case, command)
    except Refused as refused:
        refusals += refused.refusals
    if refusals:
        raise Refused(*refusals)
    return message, amount


def _refund(case: Case, command: commands.DecideSupportCase) -> Money | None:
    if command.decision is not SupportDecision.REFUND_PARTIALLY:
        if command.refund is None:
            return None
        sentence = "Only the decision REFUND_PARTIALLY takes a refund; leave it out."
        raise Refused(Refusal(RefusalCode.VALUE_INVALID, sentence, ("refund",)))
    order = case.order
    if command.refund is None:
        raise Refused(Refusal(RefusalCode.VALUE_INVALID, "Say how much is refunded.", ("refund",)))
    if command.refund.currency != order.price.currency:
        sentence = f"The order is in {order.price.currency}; give the refund in {order.price.currency}."
        raise Refused(Refusal(RefusalCode.CURRENCY_MISMATCH, sentence, ("refund", "currencyCode")))
    try:
        amount = exact(command.refund)
    except Refused as refused:
        raise Refused(*(refusal.at("refund", *refusal.path) for refusal in refused.refusals)) from None
    if order.remaining < amount:
        sentence = f"Only {order.remaining} of the price is left to refund."
        raise Refused(Refusal(RefusalCode.AMOUNT_TOO_LARGE, sentence, ("refund", "amount")))
    return amount


def _thaw(draft: Draft, opened_at: datetime) -> list[Change]:
    """The clock goes on: each deadline moves by the time that it stood still."""
    order = draft.case.order
    if order.frozen_at is None:
        return []

    def moved(deadline: datetime | None, set_at: datetime | None) -> datetime | None:
        if deadline is None or set_at is None:
            return deadline
        return deadline + (draft.at - max(opened_at, set_at))

    works = order.status in (OrderStatus.IN_PROGRESS, OrderStatus.IN_REVISION)
    due = moved(order.delivery_due_at, order.started_at) if works else order.delivery_due_at
    completes = moved(order.auto_completes_at, order.delivered_at)
    reminded = _passed(draft, completes, order.reminded)
    changes = [
        draft.order_change(
            frozen_at=None, delivery_due_at=due, auto_completes_at=completes, **_if_new(reminded, order.reminded)
        )
    ]
    for request in draft.case.pending():
        respond_by = moved(request.respond_by, request.created_at)
        reminded = _passed(draft, respond_by, request.reminded)
        changes.append(request_change(request.id, respond_by=respond_by, **_if_new(reminded, request.reminded)))
    return changes


def _passed(draft: Draft, deadline: datetime | None, reminded: timedelta | None) -> timedelta | None:
    """The last reminder that is over. One that would have been before its deadline was set may have moved to an instant
    between that and now: it never comes, or the log would go back in time."""
    if deadline is None:
        return reminded
    over = [lead for lead in draft.ground.policy.reminders if deadline - lead <= draft.at]
    return min([*over, *([reminded] if reminded is not None else [])], default=None)


def _if_new(reminded: timedelta | None, before: timedelta | None) -> dict[str, Any]:
    return {} if reminded == before else {"reminded": reminded}
