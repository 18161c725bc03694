"""Pages of lists, and what is wrong with the arguments of one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic
from uuid import UUID

from api.context import Context
from api.errors import Code, coded
from models import reads
from models.cursors import ForeignCursor
from models.event import EventRow
from models.paging import BadPage, Listing, Page, PageArguments, RowT, made_page
from models.reads import EventQueries
from models.request import RequestRow
from rules import texts
from rules.orders import LONGEST_REFERENCE
from rules.refusals import Refused

LONGEST_SEARCH = 200


@dataclass(frozen=True, slots=True)
class Slice(Generic[RowT]):
    """A page, and how to count the whole list, should somebody ask."""

    page: Page[RowT]
    count: Callable[[], Awaitable[int]]


async def page_of(
    listing: Listing[RowT], first: int | None, after: str | None, last: int | None, before: str | None
) -> Slice[RowT]:
    """One page of a list. Raises BAD_USER_INPUT for arguments that can't be, CURSOR_INVALID for foreign cursors."""
    arguments = _arguments(first, after, last, before)
    try:
        return Slice(await listing.page(arguments), listing.count)
    except ForeignCursor:
        raise coded(Code.CURSOR_INVALID, "This cursor is not of this list; begin again without it.") from None


async def event_page(
    context: Context, queries: EventQueries, first: int | None, after: str | None, last: int | None, before: str | None
) -> Slice[EventRow]:
    """One page of all events that the viewer may see, the oldest first. Their cursors are those of the streams."""
    # The parts are read one after the other. What is committed meanwhile must not show in a later part alone: whoever
    # went on after it would never see what an earlier part got before it.
    head = await context.loaders.log_position.load(0) or 0
    span, arguments = await _event_span(context, first, after, last, before)
    span = span if span.before is not None else replace(span, before=head + 1)
    rows = await reads.events_between(queries, span.after, span.before, span.limit, backward=span.backward)

    async def count() -> int:
        return sum([await query.count() for query in queries])

    return Slice(_event_page(context, arguments, rows), count)


async def order_event_page(
    context: Context, order_id: UUID, first: int | None, after: str | None, last: int | None, before: str | None
) -> Slice[EventRow]:
    """One page of an order's events; the pages of many orders are fetched together."""
    span, arguments = await _event_span(context, first, after, last, before)
    rows = await context.loaders.events_of_order.load((order_id, span)) or []

    async def count() -> int:
        return await context.loaders.numbers_of_events.load(order_id) or 0

    return Slice(_event_page(context, arguments, rows), count)


async def order_request_page(
    context: Context, order_id: UUID, first: int | None, after: str | None, last: int | None, before: str | None
) -> Slice[RequestRow]:
    """One page of an order's requests; the first or last pages of many orders are fetched together. A cursor is of one
    order's list, so that a page beyond one can only be asked of that order."""
    listing = reads.requests_of(order_id)
    if after is not None or before is not None:
        return await page_of(listing, first, after, last, before)
    arguments = _arguments(first, after, last, before)
    span = reads.Span(arguments.size + 1, arguments.backward)
    rows = await context.loaders.requests_of_order.load((order_id, span)) or []

    async def count() -> int:
        return await context.loaders.numbers_of_requests.load(order_id) or 0

    return Slice(listing.page_from(arguments, rows), count)


async def _event_span(
    context: Context, first: int | None, after: str | None, last: int | None, before: str | None
) -> tuple[reads.Span, PageArguments]:
    arguments = _arguments(first, after, last, before)
    head = 0
    if after is not None or before is not None:
        head = await context.loaders.log_position.load(0) or 0
    start = 0 if after is None else position_of(context, after, head)
    end = None if before is None else position_of(context, before, head)
    return reads.Span(arguments.size + 1, arguments.backward, start, end), arguments


def _event_page(context: Context, arguments: PageArguments, rows: list[EventRow]) -> Page[EventRow]:
    """The page that these rows make, of which one too many was fetched."""
    return made_page(arguments, rows, [context.product.cursors.write(row.position) for row in rows])


def searched(text: str | None) -> str | None:
    """What is searched for; blanks are nothing. Raises BAD_USER_INPUT for more than 200 characters, and for those that
    no title holds."""
    return None if text is None or not text.strip() else _kept(text, "search", LONGEST_SEARCH)


def referenced(text: str | None) -> str | None:
    """The reference that is wanted; a blank one is nobody's. Raises BAD_USER_INPUT for what can't be one."""
    return text if text is None or not text.strip() else _kept(text, "reference", LONGEST_REFERENCE)


def _kept(text: str, name: str, most: int) -> str:
    """The text as a database can compare it."""
    try:
        return texts.text(text, most=most, lines=False)
    except Refused as refused:
        raise coded(Code.BAD_USER_INPUT, f"{name}: {refused.refusals[0].message}") from None


def position_of(context: Context, cursor: str, head: int) -> int:
    """The position of an event cursor. Raises CURSOR_INVALID for what this database never gave."""
    try:
        position = context.product.cursors.read(cursor)
    except ForeignCursor:
        position = head + 1
    if position > head:
        raise coded(Code.CURSOR_INVALID, "This event cursor is not of this server's log; read the state anew.")
    return position


def _arguments(first: int | None, after: str | None, last: int | None, before: str | None) -> PageArguments:
    try:
        return PageArguments.checked(first, after, last, before)
    except BadPage as bad:
        raise coded(Code.BAD_USER_INPUT, str(bad)) from None
