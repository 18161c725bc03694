"""The root of all mutations: each turns its input into the command of the same name."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any, TypeVar
from uuid import UUID

import strawberry
from strawberry import Info

from api.context import Context
from api.resolvers import things, writing
from api.resolvers.writing import Written
from api.schema import inputs as i
from api.schema import payloads as p
from api.schema.orders import Order
from api.schema.requests import ResolutionRequest
from api.schema.support import SupportCase
from models.journal import IdempotencyKey, PlaceOrder
from rules import commands as c
from rules.refusals import Refused

P = TypeVar("P", bound=p.Payload)
Key = IdempotencyKey | None
Answered = tuple[Written, list[p.UserError]]

INPUT = strawberry.argument(description="What to do.")


async def _done(info: Info[Context, None], given: Any, work: Callable[[Key], Awaitable[Written]]) -> Answered:
    """Does the work under the caller's idempotency key. Raises UNAUTHENTICATED when nobody calls."""
    _ = info.context.viewer
    try:
        key = None if given.idempotency_key is None else writing.idempotency_key(info.field_name, asdict(given))
    except Refused as refused:
        return Written(None), [p.UserError.of(refusal) for refusal in refused.refusals]
    written = await work(key)
    for refusal in written.refusals:
        info.context.product.metrics.refused(refusal.code.value)
        info.context.refusals.append(refusal.code.value)
    return written, [p.UserError.of(refusal) for refusal in written.refusals]


async def _order(info: Info[Context, None], payload: type[P], given: Any, command: c.CaseCommand) -> P:
    """A command on the order that the input names, answered with the order."""
    context = info.context
    work = _done(info, given, lambda key: writing.on_order(context, given.order_id, command, key))
    return await _with_order(context, payload, await work)


async def _with_order(context: Context, payload: type[P], answered: Answered) -> P:
    written, errors = answered
    row = await things.order(context, written.subject_id) if written.subject_id else None
    return payload(user_errors=errors, order=Order.of(row) if row else None)  # type: ignore[call-arg]  # of every P that comes here


async def _asked(info: Info[Context, None], payload: type[P], given: Any, command: c.CaseCommand) -> P:
    """A command on the order that the input names, answered with the request that it made."""
    context = info.context
    work = _done(info, given, lambda key: writing.on_order(context, given.order_id, command, key))
    return await _with_request(context, payload, await work)


async def _settled(
    info: Info[Context, None], payload: type[P], given: Any, command: Callable[[UUID], c.CaseCommand]
) -> P:
    """A command on the request that the input names, answered with it."""
    context = info.context
    work = _done(info, given, lambda key: writing.on_request(context, given.request_id, command, key))
    return await _with_request(context, payload, await work)


async def _with_request(context: Context, payload: type[P], answered: Answered) -> P:
    written, errors = answered
    row = await things.written_request(context, written.subject_id, written.case) if written.subject_id else None
    request = ResolutionRequest.of(row) if row else None
    return payload(user_errors=errors, request=request)  # type: ignore[call-arg]  # of every P that comes here


async def _with_case(context: Context, payload: type[P], answered: Answered) -> P:
    written, errors = answered
    row = await things.support_case(context, written.subject_id) if written.subject_id else None
    support_case = SupportCase.of(row) if row else None
    return payload(user_errors=errors, support_case=support_case)  # type: ignore[call-arg]  # of every P that comes here


@strawberry.type(
    description="What may be done. Expected refusals come in `userErrors`, and then nothing was changed. "
    "A deadline that was due has taken its effect before."
)
class Mutation:
    @strawberry.mutation(
        description="The marketplace's (scope `marketplace`): brings an order in. The command `import` does it in bulk."
    )
    async def place_order(
        self, info: Info[Context, None], input: Annotated[i.PlaceOrderInput, INPUT]
    ) -> p.PlaceOrderPayload:
        order = PlaceOrder(
            reference=input.reference,
            title=input.title,
            price=input.price.asked,
            client_subject=input.client_subject,
            freelancer_subject=input.freelancer_subject,
            delivery_days=input.delivery_days,
        )
        answered = await _done(info, input, lambda key: writing.place(info.context, order, key))
        return await _with_order(info.context, p.PlaceOrderPayload, answered)

    @strawberry.mutation(
        description="The client's: gives what the freelancer needs to start; the agreed days count from now on."
    )
    async def submit_requirements(
        self, info: Info[Context, None], input: Annotated[i.SubmitRequirementsInput, INPUT]
    ) -> p.SubmitRequirementsPayload:
        return await _order(info, p.SubmitRequirementsPayload, input, c.SubmitRequirements())

    @strawberry.mutation(description="The client's: wants the delivery changed.")
    async def request_revision(
        self, info: Info[Context, None], input: Annotated[i.RequestRevisionInput, INPUT]
    ) -> p.RequestRevisionPayload:
        return await _order(info, p.RequestRevisionPayload, input, c.RequestRevision(input.message))

    @strawberry.mutation(description="The client's: accepts the delivery; the order completes.")
    async def accept_delivery(
        self, info: Info[Context, None], input: Annotated[i.AcceptDeliveryInput, INPUT]
    ) -> p.AcceptDeliveryPayload:
        return await _order(info, p.AcceptDeliveryPayload, input, c.AcceptDelivery())

    @strawberry.mutation(description="The client's: asks how the order goes. The freelancer has 48 hours to answer.")
    async def request_order_update(
        self, info: Info[Context, None], input: Annotated[i.RequestOrderUpdateInput, INPUT]
    ) -> p.RequestOrderUpdatePayload:
        return await _asked(info, p.RequestOrderUpdatePayload, input, c.RequestOrderUpdate(input.explanation))

    @strawberry.mutation(
        description="The client's: asks the freelancer to cancel. Silence for 48 hours cancels the order."
    )
    async def ask_freelancer_to_cancel(
        self, info: Info[Context, None], input: Annotated[i.AskFreelancerToCancelInput, INPUT]
    ) -> p.AskFreelancerToCancelPayload:
        command = c.AskFreelancerToCancel(input.feedback, input.confidential_reason, input.confidential_note)
        return await _asked(info, p.AskFreelancerToCancelPayload, input, command)

    @strawberry.mutation(
        description="The client's: cancels without consent, before the requirements are in, or 24 h past the due "
        "date with nothing delivered."
    )
    async def cancel_order(
        self, info: Info[Context, None], input: Annotated[i.CancelOrderInput, INPUT]
    ) -> p.CancelOrderPayload:
        return await _order(info, p.CancelOrderPayload, input, c.CancelOrder())

    @strawberry.mutation(
        description="The freelancer's: delivers, first or again. Silence for 3 days completes the order."
    )
    async def deliver_order(
        self, info: Info[Context, None], input: Annotated[i.DeliverOrderInput, INPUT]
    ) -> p.DeliverOrderPayload:
        return await _order(info, p.DeliverOrderPayload, input, c.DeliverOrder(input.message))

    @strawberry.mutation(
        description="The freelancer's: offers up to 60 % of the original price back. One accepted offer an order; "
        "the completion rate is untouched."
    )
    async def offer_partial_refund(
        self, info: Info[Context, None], input: Annotated[i.OfferPartialRefundInput, INPUT]
    ) -> p.OfferPartialRefundPayload:
        command = c.OfferPartialRefund(
            input.amount.asked, input.explanation, input.confidential_reason, input.confidential_note
        )
        return await _asked(info, p.OfferPartialRefundPayload, input, command)

    @strawberry.mutation(
        description="The freelancer's: asks the client to cancel. Silence for 48 hours cancels the order."
    )
    async def ask_client_to_cancel(
        self, info: Info[Context, None], input: Annotated[i.AskClientToCancelInput, INPUT]
    ) -> p.AskClientToCancelPayload:
        return await _asked(info, p.AskClientToCancelPayload, input, c.AskClientToCancel(input.reason, input.note))

    @strawberry.mutation(description="The freelancer's: answers the client's request for an update.")
    async def answer_order_update(
        self, info: Info[Context, None], input: Annotated[i.AnswerOrderUpdateInput, INPUT]
    ) -> p.AnswerOrderUpdatePayload:
        return await _settled(
            info, p.AnswerOrderUpdatePayload, input, lambda found: c.AnswerOrderUpdate(found, input.answer)
        )

    @strawberry.mutation(
        description="Either side's: asks for more days until the delivery is due. The other side has 96 hours."
    )
    async def request_delivery_extension(
        self, info: Info[Context, None], input: Annotated[i.RequestDeliveryExtensionInput, INPUT]
    ) -> p.RequestDeliveryExtensionPayload:
        command = c.RequestDeliveryExtension(input.days, input.explanation)
        return await _asked(info, p.RequestDeliveryExtensionPayload, input, command)

    @strawberry.mutation(description="The other side's: agrees to a request; what was asked happens at once.")
    async def accept_request(
        self, info: Info[Context, None], input: Annotated[i.AcceptRequestInput, INPUT]
    ) -> p.AcceptRequestPayload:
        return await _settled(info, p.AcceptRequestPayload, input, c.AcceptRequest)

    @strawberry.mutation(description="The other side's: does not agree to a request.")
    async def decline_request(
        self, info: Info[Context, None], input: Annotated[i.DeclineRequestInput, INPUT]
    ) -> p.DeclineRequestPayload:
        return await _settled(
            info, p.DeclineRequestPayload, input, lambda found: c.DeclineRequest(found, input.message)
        )

    @strawberry.mutation(description="Its author's: takes a pending request back.")
    async def withdraw_request(
        self, info: Info[Context, None], input: Annotated[i.WithdrawRequestInput, INPUT]
    ) -> p.WithdrawRequestPayload:
        return await _settled(info, p.WithdrawRequestPayload, input, c.WithdrawRequest)

    @strawberry.mutation(
        description="Either side's: calls support, at any time, one open case an order. No deadline runs meanwhile."
    )
    async def contact_support(
        self, info: Info[Context, None], input: Annotated[i.ContactSupportInput, INPUT]
    ) -> p.ContactSupportPayload:
        context = info.context
        command = c.ContactSupport(input.message)
        answered = await _done(info, input, lambda key: writing.on_order(context, input.order_id, command, key))
        return await _with_case(context, p.ContactSupportPayload, answered)

    @strawberry.mutation(description="Support's (scope `support`): decides an open case and says why.")
    async def decide_support_case(
        self, info: Info[Context, None], input: Annotated[i.DecideSupportCaseInput, INPUT]
    ) -> p.DecideSupportCasePayload:
        context = info.context
        refund = input.refund.asked if input.refund else None

        def command(case_id: UUID) -> c.DecideSupportCase:
            return c.DecideSupportCase(case_id, input.decision, input.message, refund)

        answered = await _done(info, input, lambda key: writing.on_support_case(context, input.case_id, command, key))
        return await _with_case(context, p.DecideSupportCasePayload, answered)
