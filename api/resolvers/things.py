"""One thing by its id, if the viewer may see it; otherwise it is not there."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from api import ids
from api.context import Context
from api.ids import Kind
from models.codec import request_row
from models.event import EventRow
from models.order import OrderRow
from models.refund import RefundRow
from models.request import RequestRow
from models.support_case import SupportCaseRow
from models.user import UserRow
from rules.case import Case
from rules.visibility import role_in

Row = UserRow | OrderRow | RequestRow | RefundRow | SupportCaseRow | EventRow


async def order(context: Context, order_id: UUID) -> OrderRow | None:
    """The order, if the viewer may see it."""
    row = await context.loaders.orders.load(order_id)
    return row if row and role_in(context.viewer, row) else None


async def request(context: Context, request_id: UUID) -> RequestRow | None:
    """The request, if the viewer may see its order."""
    row = await context.loaders.requests.load(request_id)
    return row if row and role_in(context.viewer, row) else None


async def written_request(context: Context, request_id: UUID, case: Case | None) -> RequestRow | None:
    """The request that was just written, as it was written; without a case, as it is."""
    row = request_row(case, request_id) if case else None
    if row is None:
        return await request(context, request_id)
    return row if role_in(context.viewer, row) else None


async def support_case(context: Context, case_id: UUID) -> SupportCaseRow | None:
    """The support case, if the viewer may see its order."""
    row = await context.loaders.support_cases.load(case_id)
    return row if row and role_in(context.viewer, row) else None


async def refund(context: Context, refund_id: UUID) -> RefundRow | None:
    """The refund, if the viewer may see its order."""
    row = await context.loaders.refunds.load(refund_id)
    return row if row and await order(context, row.order_id) else None


async def event(context: Context, order_id: UUID, sequence: int) -> EventRow | None:
    """The event at that place of an order, if the viewer may see it."""
    row = await context.loaders.events.load((order_id, sequence))
    return row if row and role_in(context.viewer, row) else None


async def user(context: Context, user_id: UUID) -> UserRow | None:
    """Anybody, to anybody with a token: it is a profile page."""
    _ = context.viewer
    return await context.loaders.users.load(user_id)


async def known_user(context: Context, user_id: UUID) -> UserRow:
    """Somebody whom a row names, so that they are there."""
    row = await context.loaders.users.load(user_id)
    if row is None:
        raise LookupError("a row names a user who is not there")
    return row


async def order_of(context: Context, order_id: UUID) -> OrderRow:
    """The order of a thing that the viewer may see, so that the order is there and visible too."""
    row = await context.loaders.orders.load(order_id)
    if row is None or role_in(context.viewer, row) is None:
        raise LookupError("a thing is visible and its order is not")
    return row


async def node(context: Context, text: str) -> Row | None:
    """Whatever this global id is of."""
    found = ids.parsed(text)
    if found is None:
        _ = context.viewer
        return None
    kind, value, sequence = found
    match kind:
        case Kind.USER:
            return await user(context, value)
        case Kind.ORDER:
            return await order(context, value)
        case Kind.REQUEST:
            return await request(context, value)
        case Kind.REFUND:
            return await refund(context, value)
        case Kind.SUPPORT_CASE:
            return await support_case(context, value)
        case Kind.EVENT:
            return await event(context, value, sequence)


async def nodes(context: Context, texts: Sequence[str]) -> list[Row | None]:
    """Whatever these global ids are of, fetched together."""
    return list(await asyncio.gather(*(node(context, text) for text in texts)))
