"""Events: what happened to one order, with the new values that it left; folding them gives the case."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from rules.case import Actor, Case, Order, Refund, Request, SupportCase
from rules.vocabulary import OrderEventKind, OrderStatus, RequestStatus


class Thing(StrEnum):
    """What an event can change."""

    ORDER = "order"
    REQUEST = "request"
    SUPPORT_CASE = "support_case"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Change:
    """New values of some fields of one thing; of one that was not there before: of all its fields but the defaults.
    Private reasons are no field of any thing, so that no change can carry them."""

    thing: Thing
    id: UUID
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an order's log. `sequence` counts 1, 2, 3 … within the order."""

    order_id: UUID
    sequence: int
    kind: OrderEventKind
    occurred_at: datetime
    actor: Actor
    order_status: OrderStatus
    request_id: UUID | None
    request_status: RequestStatus | None
    message: str | None
    """What was said to the other side with it, when the thing itself has no field for it."""
    changes: tuple[Change, ...]


def apply(case: Case | None, changes: Iterable[Change], sequence: int) -> Case:
    """The case as an event's changes leave it."""
    for change in changes:
        case = _applied(case, change)
    if case is None:
        raise ValueError("an order's first event must make the order")
    return replace(case, order=replace(case.order, version=sequence))


def replay(events: Iterable[Event]) -> Case:
    """The case that an order's whole log tells, oldest event first. Refused with ValueError: a gap, an empty log."""
    case: Case | None = None
    for expected, event in enumerate(events, start=1):
        if event.sequence != expected:
            raise ValueError(f"event {expected} of order {event.order_id} is missing")
        case = apply(case, event.changes, event.sequence)
    if case is None:
        raise ValueError("an order without an event")
    return case


def _applied(case: Case | None, change: Change) -> Case:
    values = change.values
    if case is None:
        return Case(Order(id=change.id, version=0, **values))
    match change.thing:
        case Thing.ORDER:
            return replace(case, order=replace(case.order, **values))
        case Thing.REQUEST:
            request = case.request(change.id)
            made = replace(request, **values) if request else Request(id=change.id, **values)
            return replace(case, requests=_put(case.requests, made))
        case Thing.SUPPORT_CASE:
            found = case.support_case(change.id)
            opened = replace(found, **values) if found else SupportCase(id=change.id, **values)
            return replace(case, support_cases=_put(case.support_cases, opened))
        case Thing.REFUND:
            owed = case.refund(change.id)
            refund = replace(owed, **values) if owed else Refund(id=change.id, **values)
            return replace(case, refunds=_put(case.refunds, refund))


_T = TypeVar("_T", Request, SupportCase, Refund)


def _put(things: tuple[_T, ...], new: _T) -> tuple[_T, ...]:
    """With the new one in the old one's place, or at the end."""
    kept = list(things)
    place = next((place for place, thing in enumerate(kept) if thing.id == new.id), len(kept))
    kept[place : place + 1] = [new]
    return tuple(kept)
