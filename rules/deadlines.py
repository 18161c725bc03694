"""Deadlines are rules: what each does, when, and when the next one is; whether a sweep has run makes no difference."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from rules import requests, support
from rules.case import SYSTEM, Case, Request, SupportCase
from rules.closing import complete
from rules.draft import Draft, request_change
from rules.lifecycle import EXPIRE
from rules.policy import Policy
from rules.vocabulary import OnDeadline, OrderEventKind, SupportCaseStatus

ESCALATION = "Nobody answered in time, so the request came to support."


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something that takes effect at an instant: silence on a request or, without one, on a delivery. With a `lead`
    it is the reminder that long before."""

    at: datetime
    request: Request | None
    lead: timedelta | None

    @property
    def rank(self) -> tuple[datetime, bool, datetime]:
        """Earlier first; at one instant requests before the order, the older request first."""
        return (self.at, self.request is None, self.request.created_at if self.request else self.at)


_rank = attrgetter("rank")


def upcoming(case: Case, policy: Policy) -> list[Deadline]:
    """All that has not taken effect yet, in no order; nothing while support has the order or when it is closed."""
    order = case.order
    if order.frozen_at is not None or order.status.is_closed:
        return []
    found = [deadline for request in case.pending() for deadline in _of_request(request, policy)]
    if order.auto_completes_at and order.delivered_at:
        found.append(Deadline(order.auto_completes_at, None, None))
        found += (
            Deadline(at, None, lead)
            for at, lead in _reminders(order.auto_completes_at, order.delivered_at, order.reminded, policy)
        )
    return found


def soonest(case: Case, policy: Policy) -> Deadline | None:
    """What takes effect before all others."""
    return min(upcoming(case, policy), key=_rank, default=None)


def next_instant(case: Case, policy: Policy) -> datetime | None:
    """When the next deadline or reminder of this order takes effect; None when there is none."""
    return min([deadline.at for deadline in upcoming(case, policy)], default=None)


def pass_deadlines(draft: Draft) -> None:
    """Whatever was due by now takes its effect, in order, each at its own instant: the log is the same whether the
    sweep ran in time, late, or not at all."""
    until = draft.ground.now
    while (due := soonest(draft.case, draft.ground.policy)) and due.at <= until:
        draft.by(SYSTEM, due.at)
        if due.lead is not None:
            _remind(draft, due)
        elif due.request is None:
            complete(draft)
        else:
            _fall_silent(draft, due.request)


def _of_request(request: Request, policy: Policy) -> Iterator[Deadline]:
    yield Deadline(request.respond_by, request, None)
    for at, lead in _reminders(request.respond_by, request.created_at, request.reminded, policy):
        yield Deadline(at, request, lead)


def _reminders(
    deadline: datetime, set_at: datetime, reminded: timedelta | None, policy: Policy
) -> Iterator[tuple[datetime, timedelta]]:
    """The reminders still to come: each once, and none that would have been before the deadline was set."""
    for lead in policy.reminders:
        if deadline - lead > set_at and (reminded is None or lead < reminded):
            yield deadline - lead, lead


def _remind(draft: Draft, due: Deadline) -> None:
    if due.request is None:
        draft.record(OrderEventKind.DEADLINE_NEAR, draft.order_change(reminded=due.lead))
    else:
        change = request_change(due.request.id, reminded=due.lead)
        draft.record(OrderEventKind.DEADLINE_NEAR, change, request_id=due.request.id)


def _fall_silent(draft: Draft, request: Request) -> None:
    """What the policy of the request's kind said about silence when it was asked."""
    if request.on_deadline is OnDeadline.ACCEPT:
        requests.accept_by_silence(draft, request)
        return
    expired = requests.settled(draft, request, EXPIRE)
    draft.record(OrderEventKind.REQUEST_EXPIRED, expired, request_id=request.id)
    if request.on_deadline is OnDeadline.ESCALATE and draft.case.open_support_case is None:
        support.open_case(
            draft,
            SupportCase(
                id=draft.ground.new_id(),
                opened_by_id=request.requested_by_id,
                opened_by_role=draft.actor.role,
                message=ESCALATION,
                status=SupportCaseStatus.OPEN,
                opened_at=draft.at,
            ),
        )
