"""Requests: asked by one side, settled by the other, by their author, by silence or by the order's end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from rules import closing, commands, texts
from rules.actions import maximum_refund
from rules.case import Case, Request
from rules.draft import Confidence, Decision, Draft, request_change
from rules.events import Change
from rules.lifecycle import ACCEPT, ANSWER, AUTO_ACCEPT, DECLINE, WITHDRAW, Settlement
from rules.money import AskedAmount, Money, exact
from rules.policy import Policy, Reason, reason_by_code
from rules.refusals import Refusal, Refused
from rules.vocabulary import CancellationCause, OrderEventKind, RefusalCode, RequestKind, RequestStatus, Role


def offer_partial_refund(draft: Draft, command: commands.OfferPartialRefund) -> Decision:
    """Part of the price back, at most the cap. Refused: other amounts, unknown reasons, texts that can't be."""
    policy = draft.ground.policy
    inputs = _Inputs(policy)
    cap = maximum_refund(draft.case, policy)
    amount = inputs.take(lambda: offered_amount(command.amount, draft.case, policy))
    explanation = inputs.text(command.explanation, "explanation")
    private = inputs.confidence(policy.refund_reasons, command.confidential_reason, command.confidential_note)
    inputs.check()
    return _open(draft, RequestKind.PARTIAL_REFUND, private, amount=amount, cap=cap, text=explanation)


def ask_client_to_cancel(draft: Draft, command: commands.AskClientToCancel) -> Decision:
    """The freelancer's wish, with a reason that both see. Refused: unknown reasons, a missing or impossible note."""
    policy = draft.ground.policy
    inputs = _Inputs(policy)
    reason = inputs.reason(policy.freelancer_cancellation_reasons, command.reason, "reason")
    note = inputs.note(reason, command.note, "note")
    inputs.check()
    return _open(draft, RequestKind.CANCELLATION, None, reason=reason.code if reason else None, text=note)


def ask_freelancer_to_cancel(draft: Draft, command: commands.AskFreelancerToCancel) -> Decision:
    """The client's wish: feedback that both see, a reason that the freelancer never sees."""
    policy = draft.ground.policy
    inputs = _Inputs(policy)
    feedback = inputs.text(command.feedback, "feedback")
    reasons = policy.client_cancellation_reasons
    private = inputs.confidence(reasons, command.confidential_reason, command.confidential_note)
    inputs.check()
    return _open(draft, RequestKind.CANCELLATION, private, text=feedback)


def request_order_update(draft: Draft, command: commands.RequestOrderUpdate) -> Decision:
    """The client wants to know how it goes."""
    inputs = _Inputs(draft.ground.policy)
    explanation = inputs.text(command.explanation, "explanation")
    inputs.check()
    return _open(draft, RequestKind.ORDER_UPDATE, None, text=explanation)


def request_delivery_extension(draft: Draft, command: commands.RequestDeliveryExtension) -> Decision:
    """More days until the delivery is due. Refused: days out of 1 to the policy's longest."""
    policy = draft.ground.policy
    inputs = _Inputs(policy)
    most = policy.longest_extension_days
    if not 1 <= command.days <= most:
        sentence = f"The extension must be 1 to {most} days."
        inputs.refusals.append(Refusal(RefusalCode.VALUE_INVALID, sentence, ("days",)))
    explanation = inputs.text(command.explanation, "explanation")
    inputs.check()
    return _open(draft, RequestKind.DELIVERY_EXTENSION, None, text=explanation, days=command.days)


def accept_request(draft: Draft, request: Request) -> Decision:
    """The other side agrees."""
    agree(draft, request, ACCEPT, OrderEventKind.REQUEST_ACCEPTED)
    return draft.decision(request.id)


def accept_by_silence(draft: Draft, request: Request) -> None:
    """Nobody answered in time, and for this kind the policy takes that as consent."""
    agree(draft, request, AUTO_ACCEPT, OrderEventKind.REQUEST_AUTO_ACCEPTED)


def decline_request(draft: Draft, request: Request, command: commands.DeclineRequest) -> Decision:
    """The other side does not agree."""
    most = draft.ground.policy.longest_text
    message = texts.optional_text(command.message, "message", most=most)
    draft.record(
        OrderEventKind.REQUEST_DECLINED,
        settled(draft, request, DECLINE, decline_message=message),
        request_id=request.id,
    )
    return draft.decision(request.id)


def withdraw_request(draft: Draft, request: Request) -> Decision:
    """Its author takes it back."""
    draft.record(OrderEventKind.REQUEST_WITHDRAWN, settled(draft, request, WITHDRAW), request_id=request.id)
    return draft.decision(request.id)


def answer_order_update(draft: Draft, request: Request, command: commands.AnswerOrderUpdate) -> Decision:
    """The freelancer says how it goes."""
    answer = texts.text(command.answer, "answer", most=draft.ground.policy.longest_text)
    draft.record(OrderEventKind.REQUEST_ANSWERED, settled(draft, request, ANSWER, answer=answer), request_id=request.id)
    return draft.decision(request.id)


def agree(draft: Draft, request: Request, how: Settlement, kind: OrderEventKind) -> None:
    """What was asked happens, whether a person or silence agreed."""
    order = draft.case.order
    change = settled(draft, request, how)
    match request.kind:
        case RequestKind.PARTIAL_REFUND:
            assert request.amount is not None
            refund = closing.owe(draft, request.amount, request_id=request.id)
            refunded = draft.order_change(refunded=order.refunded + request.amount)
            draft.record(kind, change, refunded, *refund, request_id=request.id)
        case RequestKind.CANCELLATION:
            draft.record(kind, change, request_id=request.id)
            closing.cancel(draft, asked_cause(request), request_id=request.id)
        case RequestKind.DELIVERY_EXTENSION:
            assert request.days is not None and order.delivery_due_at is not None
            # Who is late already gets the days from today: an extension that is over at once helps nobody.
            due = max(order.delivery_due_at, order.clock(draft.at)) + timedelta(days=request.days)
            draft.record(kind, change, draft.order_change(delivery_due_at=due), request_id=request.id)
        case RequestKind.ORDER_UPDATE:
            raise AssertionError("a question is answered, not agreed to; the policy and the gates see to it")


def asked_cause(request: Request) -> CancellationCause:
    """What it is called when this request for cancellation is agreed to."""
    if request.requested_by_role is Role.FREELANCER:
        return CancellationCause.FREELANCER_ASKED
    return CancellationCause.CLIENT_ASKED


def settled(draft: Draft, request: Request, how: Settlement, **values: Any) -> Change:
    """The change that ends a pending request."""
    assert request.kind in how.kinds
    role = draft.actor.role
    return request_change(request.id, status=how.target, settled_at=draft.at, settled_by_role=role, **values)


def offered_amount(asked: AskedAmount, case: Case, policy: Policy) -> Money:
    """The amount of an offer, exact. Refused: another currency, under the minimum, over the maximum."""
    price = case.order.price
    if asked.currency != price.currency:
        sentence = f"The order is in {price.currency}; offer the refund in {price.currency}."
        raise Refused(Refusal(RefusalCode.CURRENCY_MISMATCH, sentence, ("amount", "currencyCode")))
    try:
        amount = exact(asked)
    except Refused as refused:
        raise Refused(*(refusal.at("amount", *refusal.path) for refusal in refused.refusals)) from None
    least = Money(policy.minimum_refund.get(price.currency, 1), price.currency)
    most = maximum_refund(case, policy)
    if amount < least:
        sentence = f"Offer at least {least}."
        raise Refused(Refusal(RefusalCode.AMOUNT_TOO_SMALL, sentence, ("amount", "amount")))
    if most < amount:
        sentence = f"At most {most} may be offered on this order."
        raise Refused(Refusal(RefusalCode.AMOUNT_TOO_LARGE, sentence, ("amount", "amount")))
    return amount


def _open(draft: Draft, kind: RequestKind, private: tuple[str, str | None] | None, **terms: Any) -> Decision:
    """A new request, pending until the other side answers or the policy's window is over."""
    terms_of_kind = draft.ground.policy.kinds[kind]
    request_id: UUID = draft.ground.new_id()
    draft.record(
        OrderEventKind.REQUEST_OPENED,
        request_change(
            request_id,
            kind=kind,
            status=RequestStatus.PENDING,
            requested_by_id=draft.actor.user_id,
            requested_by_role=draft.actor.role,
            created_at=draft.at,
            respond_by=draft.at + terms_of_kind.window,
            on_deadline=terms_of_kind.silence,
            **terms,
        ),
        request_id=request_id,
    )
    if private:
        draft.confidence = Confidence(request_id, *private)
    return draft.decision(request_id)


class _Inputs:
    """Checks the inputs of one request and remembers all that is wrong, so that a form can show it at once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.refusals: list[Refusal] = []

    def take(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Refused as refused:
            self.refusals += refused.refusals
            return None

    def text(self, value: str, *path: str) -> str | None:
        taken: str | None = self.take(lambda: texts.text(value, *path, most=self.policy.longest_text))
        return taken

    def reason(self, catalogue: tuple[Reason, ...], code: str, *path: str) -> Reason | None:
        reason = reason_by_code(catalogue, code)
        if reason is None:
            known = ", ".join(reason.code for reason in catalogue)
            sentence = f"This reason is not on the list; choose one of {known}."
            self.refusals.append(Refusal(RefusalCode.REASON_UNKNOWN, sentence, path))
        return reason

    def note(self, reason: Reason | None, value: str | None, *path: str) -> str | None:
        note: str | None = self.take(lambda: texts.optional_text(value, *path, most=self.policy.longest_text))
        if reason and reason.requires_text and note is None and not (value and value.strip()):
            sentence = f"«{reason.label}» needs a note that says more."
            self.refusals.append(Refusal(RefusalCode.TEXT_REQUIRED, sentence, path))
        return note

    def confidence(self, catalogue: tuple[Reason, ...], code: str, note: str | None) -> tuple[str, str | None] | None:
        reason = self.reason(catalogue, code, "confidentialReason")
        kept = self.note(reason, note, "confidentialNote")
        return (reason.code, kept) if reason else None

    def check(self) -> None:
        if self.refusals:
            raise Refused(*self.refusals)
