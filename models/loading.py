"""Loads one order's case: whatever the rules need to decide a command, in a fixed number of statements."""

from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.expressions import Q, Subquery
from tortoise.queryset import QuerySet

from models import plain, statements
from models.codec import event, thing
from models.event import EventRow
from models.order import OrderRow
from models.refund import RefundRow
from models.request import RequestRow
from models.support_case import SupportCaseRow
from rules import commands as c
from rules.case import Case, Order, Refund, Request, SupportCase
from rules.events import replay
from rules.vocabulary import RequestKind, RequestStatus, SupportCaseStatus

RELEVANT_REQUESTS = Q(status=RequestStatus.PENDING) | Q(
    kind=RequestKind.PARTIAL_REFUND, status__in=[RequestStatus.ACCEPTED, RequestStatus.AUTO_ACCEPTED]
)
"""The requests that rules depend on: what is pending, and the refund that was accepted."""


async def locked(db: BaseDBAsyncClient, order_id: UUID) -> OrderRow | None:
    """The order's row, locked until the transaction ends, or None when there is none. The first statement of a
    transaction."""
    if db.capabilities.support_for_update:
        rows = await plain.asked(_order_to_change, _order_to_change, order_id, db=db)
    # It writes, since SQLite would else read what another process is about to change.
    elif await statements.touch(db, OrderRow, order_id):
        rows = await plain.asked(_order, _order, order_id, db=db)
    else:
        return None
    return rows[0] if rows else None


async def of_request(db: BaseDBAsyncClient, request_id: UUID) -> UUID | None:
    """The order that a request belongs to, for ever; None when there is no such request."""
    rows = await plain.asked(_request, _request, request_id, db=db)
    return rows[0].order_id if rows else None


def _request(request_id: UUID) -> QuerySet[RequestRow]:
    return RequestRow.filter(id=request_id)


def _order(order_id: UUID) -> QuerySet[OrderRow]:
    return OrderRow.filter(id=order_id)


def _order_to_change(order_id: UUID) -> QuerySet[OrderRow]:
    """With a lock as strong as an update takes: what refers to the order need not wait."""
    return _order(order_id).select_for_update(no_key=True)


async def case(db: BaseDBAsyncClient, order: OrderRow, command: c.CaseCommand) -> Case:
    """The order with what is pending, and with the request, the support case or the refund that the command names."""
    if isinstance(command, c.RequestCommand):
        requests = await plain.asked(_relevant_and, _relevant_and, order.id, command.request_id, db=db)
    else:
        requests = await plain.asked(_relevant, _relevant, order.id, db=db)
    cases_wanted = Q(status=SupportCaseStatus.OPEN)
    if isinstance(command, c.DecideSupportCase):
        cases_wanted |= Q(id=command.case_id)
    support_cases: list[SupportCaseRow] = []
    if may_have_a_case(order) or isinstance(command, c.DecideSupportCase):
        # This spares most commands a statement.
        support_cases = await plain.rows(SupportCaseRow.filter(cases_wanted, order_id=order.id).using_db(db))
    refunds: list[RefundRow] = []
    if isinstance(command, c.SettleRefund):
        refunds = await plain.rows(RefundRow.filter(order_id=order.id, id=command.refund_id).using_db(db))
    return assembled(order, requests, support_cases, refunds)


def may_have_a_case(order: OrderRow) -> bool:
    """Whether it may have an open support case: none that goes on and does not stand still has."""
    return order.frozen_at is not None or order.status.is_closed


async def seen(order_id: UUID | None, command: c.CaseCommand) -> tuple[OrderRow, Case] | None:
    """The order, or without its id that of the request that the command names, as it was at one instant, with what is
    pending and the command's own request; None when there is none. Nothing is locked."""
    if not isinstance(command, c.RequestCommand):
        assert order_id is not None
        found = await plain.one_with((seen, 0), _order_and_relevant, "order_id", order_id)
    elif order_id is not None:
        found = await plain.one_with((seen, 1), _order_and_relevant_and, "order_id", order_id, command.request_id)
    else:
        found = await plain.one_with((seen, 2), _order_of_and_relevant_and, "order_id", command.request_id)
    if found is None:
        return None
    order, requests = found
    return order, assembled(order, sorted(requests, key=lambda row: (row.created_at, row.id)), [])


def _order_and_relevant(order_id: UUID) -> tuple[QuerySet[OrderRow], QuerySet[RequestRow]]:
    return _order(order_id), RequestRow.filter(RELEVANT_REQUESTS)


def _order_and_relevant_and(order_id: UUID, request_id: UUID) -> tuple[QuerySet[OrderRow], QuerySet[RequestRow]]:
    return _order(order_id), RequestRow.filter(RELEVANT_REQUESTS | Q(id=request_id))


def _order_of_and_relevant_and(request_id: UUID) -> tuple[QuerySet[OrderRow], QuerySet[RequestRow]]:
    its = Subquery(RequestRow.filter(id=request_id).values("order_id"))
    return OrderRow.filter(id=its), RequestRow.filter(RELEVANT_REQUESTS | Q(id=request_id))


def _relevant(order_id: UUID) -> QuerySet[RequestRow]:
    return RequestRow.filter(RELEVANT_REQUESTS, order_id=order_id).order_by("created_at", "id")


def _relevant_and(order_id: UUID, request_id: UUID) -> QuerySet[RequestRow]:
    wanted = RELEVANT_REQUESTS | Q(id=request_id)
    return RequestRow.filter(wanted, order_id=order_id).order_by("created_at", "id")


def assembled(
    order: OrderRow,
    requests: list[RequestRow],
    support_cases: list[SupportCaseRow],
    refunds: list[RefundRow] | tuple[RefundRow, ...] = (),
) -> Case:
    """A case from its rows."""
    return Case(
        order=thing(Order, order),
        requests=tuple(thing(Request, row) for row in requests),
        support_cases=tuple(thing(SupportCase, row) for row in support_cases),
        refunds=tuple(thing(Refund, row) for row in refunds),
    )


async def whole_case(order_id: UUID) -> Case:
    """The order with all that ever was of it, as the rows hold it."""
    return assembled(
        await OrderRow.get(id=order_id),
        await RequestRow.filter(order_id=order_id).order_by("created_at", "id"),
        await SupportCaseRow.filter(order_id=order_id).order_by("opened_at", "id"),
        await RefundRow.filter(order_id=order_id).order_by("created_at", "id"),
    )


async def replayed(order_id: UUID) -> Case:
    """The order as its log tells it: what `whole_case` must equal, save for the order within each list."""
    return replay([event(row) for row in await EventRow.filter(order_id=order_id).order_by("sequence")])
