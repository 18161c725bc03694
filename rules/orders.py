"""The order's own steps: placed, started, delivered, revised, completed, cancelled alone."""

from datetime import timedelta

from rules import commands, texts
from rules.case import Actor, Case, Ground
from rules.closing import cancel, complete
from rules.draft import Decision, Draft
from rules.events import Change, Thing
from rules.ledger import Account
from rules.lifecycle import DELIVER_ORDER, REQUEST_REVISION, SUBMIT_REQUIREMENTS
from rules.money import Money, exact
from rules.refusals import Refusal, Refused
from rules.vocabulary import CancellationCause, OrderEventKind, OrderStatus, RefusalCode

LONGEST_REFERENCE = 100
LONGEST_TITLE = 200


def place(command: commands.PlaceOrder, actor: Actor, ground: Ground) -> Decision:
    """A new order, awaiting the client's requirements. Refused: a client who is also the freelancer, amounts that
    can't be, days out of 1 to the policy's longest, texts that are empty or too long."""
    values = _checked(command, ground)
    order_id = ground.new_id()
    draft = Draft(None, actor, ground)
    made = Change(
        Thing.ORDER,
        order_id,
        values
        | {
            "status": OrderStatus.AWAITING_REQUIREMENTS,
            "client_id": command.client_id,
            "freelancer_id": command.freelancer_id,
            "placed_by_id": actor.user_id,
            "created_at": ground.now,
        },
    )
    draft.record(OrderEventKind.ORDER_PLACED, made)
    draft.move(f"placed:{order_id}", Account.CLIENT, Account.HELD, draft.case.order.price)
    return draft.decision()


def _checked(command: commands.PlaceOrder, ground: Ground) -> dict[str, object]:
    """The inputs as they will be kept; all that is wrong with them is said at once."""
    refusals: list[Refusal] = []
    values: dict[str, object] = {"delivery_days": command.delivery_days}
    try:
        values["reference"] = texts.text(command.reference, "reference", most=LONGEST_REFERENCE, lines=False)
    except Refused as refused:
        refusals += refused.refusals
    try:
        values["title"] = texts.text(command.title, "title", most=LONGEST_TITLE, lines=False)
    except Refused as refused:
        refusals += refused.refusals
    try:
        price = exact(command.price)
        values |= {"price": price, "refunded": Money(0, price.currency)}
    except Refused as refused:
        refusals += (refusal.at("price", *refusal.path) for refusal in refused.refusals)
    if command.client_id == command.freelancer_id:
        sentence = "The client and the freelancer must be two people."
        refusals.append(Refusal(RefusalCode.VALUE_INVALID, sentence, ("freelancerSubject",)))
    most = ground.policy.longest_delivery_days
    if not 1 <= command.delivery_days <= most:
        sentence = f"The delivery time must be 1 to {most} days."
        refusals.append(Refusal(RefusalCode.VALUE_INVALID, sentence, ("deliveryDays",)))
    if refusals:
        raise Refused(*refusals)
    return values


def submit_requirements(draft: Draft) -> Decision:
    """The work starts; from now on the agreed days count."""
    due = draft.at + timedelta(days=draft.case.order.delivery_days)
    draft.record(
        OrderEventKind.REQUIREMENTS_SUBMITTED,
        draft.order_change(status=SUBMIT_REQUIREMENTS.target, started_at=draft.at, delivery_due_at=due),
    )
    return draft.decision()


def deliver_order(draft: Draft, command: commands.DeliverOrder) -> Decision:
    """Delivered, first or again; the time in which silence completes the order starts anew."""
    policy = draft.ground.policy
    message = texts.text(command.message, "message", most=policy.longest_text)
    draft.record(
        OrderEventKind.ORDER_DELIVERED,
        draft.order_change(
            status=DELIVER_ORDER.target,
            delivered_at=draft.at,
            auto_completes_at=draft.at + policy.auto_complete_after,
            reminded=None,
        ),
        message=message,
    )
    return draft.decision()


def request_revision(draft: Draft, command: commands.RequestRevision) -> Decision:
    """Back to work; the delivery is no longer waiting for an answer."""
    message = texts.text(command.message, "message", most=draft.ground.policy.longest_text)
    draft.record(
        OrderEventKind.REVISION_REQUESTED,
        draft.order_change(status=REQUEST_REVISION.target, auto_completes_at=None, reminded=None),
        message=message,
    )
    return draft.decision()


def accept_delivery(draft: Draft) -> Decision:
    """The client is content."""
    complete(draft)
    return draft.decision()


def cancel_order(draft: Draft) -> Decision:
    """The client cancels alone; that it may is `actions.why_not`'s business."""
    cancel(draft, alone_cause(draft.case))
    return draft.decision()


def alone_cause(case: Case) -> CancellationCause:
    """What it is called when the client cancels alone now."""
    if case.order.status is OrderStatus.AWAITING_REQUIREMENTS:
        return CancellationCause.CLIENT_ALONE_UNSTARTED
    return CancellationCause.CLIENT_ALONE_OVERDUE
