"""What may be asked of the rules: one frozen dataclass a verb, named like its mutation."""

from dataclasses import dataclass
from uuid import UUID

from rules.money import AskedAmount
from rules.vocabulary import ResolutionAction, SupportDecision


@dataclass(frozen=True, slots=True)
class SubmitRequirements:
    """The client gives what the freelancer needs to start."""

    action = ResolutionAction.SUBMIT_REQUIREMENTS


@dataclass(frozen=True, slots=True)
class DeliverOrder:
    """The freelancer delivers, first or again."""

    message: str
    action = ResolutionAction.DELIVER_ORDER


@dataclass(frozen=True, slots=True)
class RequestRevision:
    """The client wants the delivery changed."""

    message: str
    action = ResolutionAction.REQUEST_REVISION


@dataclass(frozen=True, slots=True)
class AcceptDelivery:
    """The client is content: the order completes."""

    action = ResolutionAction.ACCEPT_DELIVERY


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """The client cancels alone."""

    action = ResolutionAction.CANCEL_ORDER


@dataclass(frozen=True, slots=True)
class OfferPartialRefund:
    """The freelancer offers part of the price back, for a reason that the client never sees."""

    amount: AskedAmount
    explanation: str
    confidential_reason: str
    confidential_note: str | None = None
    action = ResolutionAction.OFFER_PARTIAL_REFUND


@dataclass(frozen=True, slots=True)
class AskClientToCancel:
    """The freelancer asks the client to cancel, with a reason that both see."""

    reason: str
    note: str | None = None
    action = ResolutionAction.ASK_CLIENT_TO_CANCEL


@dataclass(frozen=True, slots=True)
class AskFreelancerToCancel:
    """The client asks the freelancer to cancel: shared feedback, and a reason that the freelancer never sees."""

    feedback: str
    confidential_reason: str
    confidential_note: str | None = None
    action = ResolutionAction.ASK_FREELANCER_TO_CANCEL


@dataclass(frozen=True, slots=True)
class RequestOrderUpdate:
    """The client asks how it goes."""

    explanation: str
    action = ResolutionAction.REQUEST_ORDER_UPDATE


@dataclass(frozen=True, slots=True)
class RequestDeliveryExtension:
    """Either side asks for `days` more until the delivery is due."""

    days: int
    explanation: str
    action = ResolutionAction.REQUEST_DELIVERY_EXTENSION


@dataclass(frozen=True, slots=True)
class AnswerOrderUpdate:
    """The freelancer answers a question."""

    request_id: UUID
    answer: str
    action = ResolutionAction.ANSWER_ORDER_UPDATE


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """The other side agrees."""

    request_id: UUID
    action = ResolutionAction.ACCEPT_REQUEST


@dataclass(frozen=True, slots=True)
class DeclineRequest:
    """The other side does not agree, and may say why."""

    request_id: UUID
    message: str | None = None
    action = ResolutionAction.DECLINE_REQUEST


@dataclass(frozen=True, slots=True)
class WithdrawRequest:
    """Who asked takes it back."""

    request_id: UUID
    action = ResolutionAction.WITHDRAW_REQUEST


@dataclass(frozen=True, slots=True)
class ContactSupport:
    """Either side calls support; every deadline of the order stands still until support decides."""

    message: str
    action = ResolutionAction.CONTACT_SUPPORT


@dataclass(frozen=True, slots=True)
class DecideSupportCase:
    """Support decides an open case and says why."""

    case_id: UUID
    decision: SupportDecision
    message: str
    refund: AskedAmount | None = None


@dataclass(frozen=True, slots=True)
class PassDeadlines:
    """The clock's command: whatever was due takes its effect."""


@dataclass(frozen=True, slots=True)
class SettleRefund:
    """The gateway's answer: paid, or failed for good with a reason."""

    refund_id: UUID
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """The marketplace brings an order in; both people are known to the log by their ids by then."""

    reference: str
    title: str
    price: AskedAmount
    client_id: UUID
    freelancer_id: UUID
    delivery_days: int


RequestCommand = AnswerOrderUpdate | AcceptRequest | DeclineRequest | WithdrawRequest
PartyCommand = (
    SubmitRequirements
    | DeliverOrder
    | RequestRevision
    | AcceptDelivery
    | CancelOrder
    | OfferPartialRefund
    | AskClientToCancel
    | AskFreelancerToCancel
    | RequestOrderUpdate
    | RequestDeliveryExtension
    | RequestCommand
    | ContactSupport
)
CaseCommand = PartyCommand | DecideSupportCase | PassDeadlines | SettleRefund
