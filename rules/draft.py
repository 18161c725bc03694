"""A case while a command is being decided: each event is recorded and applied at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rules.case import Actor, Case, Ground
from rules.events import Change, Event, Thing, apply
from rules.ledger import Account, Entry, posting
from rules.money import Money
from rules.vocabulary import OrderEventKind


@dataclass(frozen=True, slots=True)
class Confidence:
    """A private reason with its note: for its author and for support, kept in a place of its own."""

    request_id: UUID
    reason: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command does: the case as it leaves it, the events that say so, the money that moves. `subject` is what
    the answer shows: the request, the support case, or the order."""

    case: Case
    events: tuple[Event, ...]
    entries: tuple[Entry, ...]
    confidence: Confidence | None
    subject: UUID


class Draft:
    """Collects what a decision consists of."""

    def __init__(self, case: Case | None, actor: Actor, ground: Ground) -> None:
        self._case = case
        self.actor = actor
        self.ground = ground
        self.at = ground.now
        """When it happens: now, or the instant of the deadline that takes effect."""
        self.confidence: Confidence | None = None
        self._events: list[Event] = []
        self._entries: list[Entry] = []

    @property
    def case(self) -> Case:
        assert self._case is not None
        return self._case

    def by(self, actor: Actor, at: datetime) -> None:
        """From here on `actor` does it, at that instant."""
        self.actor, self.at = actor, at

    def record(
        self,
        kind: OrderEventKind,
        *changes: Change,
        request_id: UUID | None = None,
        message: str | None = None,
    ) -> None:
        """One more event, with all that it changes."""
        sequence = 1 if self._case is None else self._case.order.version + 1
        case = self._case = apply(self._case, changes, sequence)
        request = case.request(request_id) if request_id else None
        self._events.append(
            Event(
                order_id=case.order.id,
                sequence=sequence,
                kind=kind,
                occurred_at=self.at,
                actor=self.actor,
                order_status=case.order.status,
                request_id=request_id,
                request_status=request.status if request else None,
                message=message,
                changes=changes,
            )
        )

    def move(self, cause: str, source: Account, target: Account, amount: Money) -> None:
        """Money goes from one account to another; nothing is nothing."""
        if amount.minor:
            self._entries.extend(posting(cause, source, target, amount))

    def decision(self, subject: UUID | None = None) -> Decision:
        return Decision(
            self.case,
            tuple(self._events),
            tuple(self._entries),
            self.confidence,
            subject or self.case.order.id,
        )

    def order_change(self, **values: Any) -> Change:
        return Change(Thing.ORDER, self.case.order.id, values)


def request_change(request_id: UUID, **values: Any) -> Change:
    return Change(Thing.REQUEST, request_id, values)


def support_case_change(case_id: UUID, **values: Any) -> Change:
    return Change(Thing.SUPPORT_CASE, case_id, values)


def refund_change(refund_id: UUID, values: Mapping[str, Any]) -> Change:
    return Change(Thing.REFUND, refund_id, values)
