"""What mutations answer: the thing that was made or changed, or why not."""

import strawberry

from api.schema import enums
from api.schema.orders import Order
from api.schema.requests import (
    CancellationRequest,
    DeliveryExtensionRequest,
    OrderUpdateRequest,
    PartialRefundOffer,
    ResolutionRequest,
)
from api.schema.support import SupportCase
from rules.refusals import Refusal

ORDER = "The order, as it is now; null when refused."
REQUEST = "The request, as it is now; null when refused."
SUPPORT_CASE = "The support case, as it is now; null when refused."


@strawberry.type(description="A refusal that a person or a program can act on. Nothing was changed when there is one.")
class UserError:
    code: enums.RefusalCode = strawberry.field(description="For a program.")
    message: str = strawberry.field(description="For a person.")
    path: list[str] | None = strawberry.field(
        description="Where in the input it is, e.g. amount, currencyCode; null when no input is at fault."
    )

    @classmethod
    def of(cls, refusal: Refusal) -> "UserError":
        return cls(code=refusal.code, message=refusal.message, path=list(refusal.path) or None)


@strawberry.type
class Payload:
    """What all answers have in common."""

    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was done.")


@strawberry.type(description="What placeOrder answers.")
class PlaceOrderPayload(Payload):
    order: Order | None = strawberry.field(default=None, description=ORDER)


@strawberry.type(description="What submitRequirements answers.")
class SubmitRequirementsPayload(Payload):
    order: Order | None = strawberry.field(default=None, description=ORDER)


@strawberry.type(description="What requestRevision answers.")
class RequestRevisionPayload(Payload):
    order: Order | None = strawberry.field(default=None, description=ORDER)


@strawberry.type(description="What acceptDelivery answers.")
class AcceptDeliveryPayload(Payload):
    order: Order | None = strawberry.field(default=None, description=ORDER)


@strawberry.type(description="What deliverOrder answers.")
class DeliverOrderPayload(Payload):
    order: Order | None = strawberry.field(default=None, description=ORDER)


@strawberry.type(description="What cancelOrder answers.")
class CancelOrderPayload(Payload):
    order: Order | None = strawberry.field(default=None, description=ORDER)


@strawberry.type(description="What requestOrderUpdate answers.")
class RequestOrderUpdatePayload(Payload):
    request: OrderUpdateRequest | None = strawberry.field(default=None, description=REQUEST)


@strawberry.type(description="What answerOrderUpdate answers.")
class AnswerOrderUpdatePayload(Payload):
    request: OrderUpdateRequest | None = strawberry.field(default=None, description=REQUEST)


@strawberry.type(description="What askFreelancerToCancel answers.")
class AskFreelancerToCancelPayload(Payload):
    request: CancellationRequest | None = strawberry.field(default=None, description=REQUEST)


@strawberry.type(description="What askClientToCancel answers.")
class AskClientToCancelPayload(Payload):
    request: CancellationRequest | None = strawberry.field(default=None, description=REQUEST)


@strawberry.type(description="What offerPartialRefund answers.")
class OfferPartialRefundPayload(Payload):
    request: PartialRefundOffer | None = strawberry.field(default=None, description=REQUEST)


@strawberry.type(description="What requestDeliveryExtension answers.")
class RequestDeliveryExtensionPayload(Payload):
    request: DeliveryExtensionRequest | None = strawberry.field(default=None, description=REQUEST)


@strawberry.type(description="What acceptRequest answers.")
class AcceptRequestPayload(Payload):
    request: ResolutionRequest | None = strawberry.field(default=None, description=REQUEST)


@strawberry.type(description="What declineRequest answers.")
class DeclineRequestPayload(Payload):
    request: ResolutionRequest | None = strawberry.field(default=None, description=REQUEST)


@strawberry.type(description="What withdrawRequest answers.")
class WithdrawRequestPayload(Payload):
    request: ResolutionRequest | None = strawberry.field(default=None, description=REQUEST)


@strawberry.type(description="What contactSupport answers.")
class ContactSupportPayload(Payload):
    support_case: SupportCase | None = strawberry.field(default=None, description=SUPPORT_CASE)


@strawberry.type(description="What decideSupportCase answers.")
class DecideSupportCasePayload(Payload):
    support_case: SupportCase | None = strawberry.field(default=None, description=SUPPORT_CASE)
