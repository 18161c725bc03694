"""A crowd: very many made-up orders of very many people, and how their rows look; the same on every run."""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from models.saving import END_OF_TIME
from rules.vocabulary import OrderEventKind, OrderStatus, RequestKind, RequestStatus, Role

S, K, R = OrderStatus, RequestKind, RequestStatus
Row = Mapping[str, Any]
Rows = dict[str, list[Row]]
"""Rows by table, in the columns' own names."""

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""When the crowd is looked at, unless told otherwise: its last orders were placed a moment before."""
YEAR = timedelta(days=365)
CHUNK = 10_000
_DAY = timedelta(days=1)

# How many of a hundred stand where, by how many days ago they were placed.
_FRESH = ((S.AWAITING_REQUIREMENTS, 45), (S.IN_PROGRESS, 53), (S.CANCELLED, 2))
_YOUNG = ((S.IN_PROGRESS, 55), (S.DELIVERED, 14), (S.IN_REVISION, 6), (S.COMPLETED, 20), (S.CANCELLED, 5))
_OLD = ((S.COMPLETED, 919), (S.CANCELLED, 65), (S.IN_PROGRESS, 9), (S.IN_REVISION, 4), (S.AWAITING_REQUIREMENTS, 3))
_SETTLED = (
    (R.ACCEPTED, 30),
    (R.DECLINED, 25),
    (R.WITHDRAWN, 10),
    (R.EXPIRED, 20),
    (R.AUTO_ACCEPTED, 5),
    (R.SUPERSEDED, 10),
)
_EVENT_OF = {
    R.PENDING: None,
    R.ACCEPTED: OrderEventKind.REQUEST_ACCEPTED,
    R.DECLINED: OrderEventKind.REQUEST_DECLINED,
    R.WITHDRAWN: OrderEventKind.REQUEST_WITHDRAWN,
    R.ANSWERED: OrderEventKind.REQUEST_ANSWERED,
    R.EXPIRED: OrderEventKind.REQUEST_EXPIRED,
    R.AUTO_ACCEPTED: OrderEventKind.REQUEST_AUTO_ACCEPTED,
    R.SUPERSEDED: OrderEventKind.REQUEST_SUPERSEDED,
}
_TITLES = ("Logo", "Website", "Voice-over", "Translation", "Poster", "Product photos", "Newsletter", "Floor plan")
_PLACES = ("a bakery", "a yoga studio", "a bookshop", "a vet", "a museum", "a hostel", "a farm shop", "a chess club")


def reference(number: int) -> str:
    """CROWD-0000001."""
    return f"CROWD-{number:07d}"


class Crowd:
    """So many orders of the last year. A twentieth as many clients and a fiftieth as many freelancers, of whom the
    first ones have by far the most; three marketplaces with 80, 19 and 1 of a hundred orders. Rows keep all constraints
    and lists, streams and commands find what they look for; but events don't say what they changed, so that no log of
    these orders can be replayed."""

    def __init__(self, orders: int, now: datetime = NOW) -> None:
        self.size = orders
        self.now = now
        self.position = 0
        """How many events there are so far."""
        self._random = random.Random(7)
        self._made = 0
        self.clients = [self._id(self.now - YEAR) for _ in range(max(10, orders // 20))]
        self.freelancers = [self._id(self.now - YEAR) for _ in range(max(10, orders // 50))]
        self.marketplaces = [self._id(self.now - YEAR) for _ in range(3)]

    def chunks(self) -> Iterator[Rows]:
        """All rows, parents first, so many orders at a time."""
        yield {"users": self._people()}
        for start in range(0, self.size, CHUNK):
            rows: Rows = defaultdict(list)
            for number in range(start, min(start + CHUNK, self.size)):
                self._order(number, rows)
            yield rows

    def _people(self) -> list[Row]:
        named = {"client": self.clients, "freelancer": self.freelancers, "marketplace": self.marketplaces}
        return [
            {"id": user_id, "subject": f"{kind}-{number}", "name": f"{kind}-{number}", "created_at": self.now - YEAR}
            for kind, ids in named.items()
            for number, user_id in enumerate(ids, start=1)
        ]

    def _order(self, number: int, rows: Rows) -> None:
        chance = self._random
        placed = self.now - YEAR * (1 - (number + 1) / (self.size + 1))
        age = self.now - placed
        status = self._one_of(_FRESH if age < _DAY else _YOUNG if age < 12 * _DAY else _OLD)
        price = chance.randrange(1_000, 90_000)
        days = chance.randrange(2, 12)
        order_id = self._id(placed)
        people = {
            "client_id": self._often_the_first(self.clients),
            "freelancer_id": self._often_the_first(self.freelancers),
            "placed_by_id": self.marketplaces[0 if (at := chance.random()) < 0.8 else 1 if at < 0.99 else 2],
        }
        started = None if status is S.AWAITING_REQUIREMENTS else placed + 2 * timedelta(hours=1)
        delivered = started + days * _DAY / 2 if started and status not in (S.IN_PROGRESS, S.CANCELLED) else None
        if delivered:
            # Nobody's silence has completed an order yet.
            delivered = min(max(delivered, self.now - 2.9 * _DAY) if status is S.DELIVERED else delivered, self.now)
        ended = min(placed + days * _DAY, self.now) if status in (S.COMPLETED, S.CANCELLED) else None
        story = _Story(order_id, people, self)
        story.tells(OrderEventKind.ORDER_PLACED, placed, S.AWAITING_REQUIREMENTS, Role.MARKETPLACE)
        if started:
            story.tells(OrderEventKind.REQUIREMENTS_SUBMITTED, started, S.IN_PROGRESS, Role.CLIENT)
        asked = [r for r in (self._request(story, k, status, placed, price) for k in K) if r]
        if delivered:
            story.tells(OrderEventKind.ORDER_DELIVERED, delivered, S.DELIVERED, Role.FREELANCER)
        if status is S.COMPLETED and ended:
            story.tells(OrderEventKind.ORDER_COMPLETED, ended, status, Role.CLIENT)
        if status is S.CANCELLED and ended:
            story.tells(OrderEventKind.ORDER_CANCELLED, ended, status, Role.SYSTEM)
        case = self._support_case(story, status, placed) if chance.random() < 0.02 else None
        frozen = case["opened_at"] if case and case["status"] == "OPEN" else None
        refund = self._refund(story, asked, status, price)
        pending = [r for r in asked if r["status"] is R.PENDING]
        autos = delivered + 3 * _DAY if delivered and status is S.DELIVERED else None
        deadlines = [r["respond_by"] for r in pending] + ([autos] if autos else [])
        title = f"{_TITLES[number % 8]} for {_PLACES[number // 8 % 8]}"
        due = started + days * _DAY if started else None
        order = {
            "id": order_id,
            "reference": reference(number + 1),
            "title": title,
            "status": status,
            "version": len(story.events),
            **people,
            "currency": "USD",
            "price_minor": price,
            "refunded_minor": price if status is S.CANCELLED else refund,
            "delivery_days": days,
            "created_at": placed,
            "started_at": started,
            "delivery_due_at": due,
            "delivered_at": delivered,
            "auto_completes_at": autos,
            "reminded_seconds": None,
            "completed_at": ended if status is S.COMPLETED else None,
            "cancelled_at": ended if status is S.CANCELLED else None,
            "cancellation_cause": "CLIENT_ASKED" if status is S.CANCELLED else None,
            "counted": True,
            "frozen_at": frozen,
            "next_deadline_at": min(deadlines) if deadlines and not frozen else None,
            "awaits_client": any(r["requested_by_role"] is Role.FREELANCER for r in pending),
            "awaits_freelancer": any(r["requested_by_role"] is Role.CLIENT for r in pending),
            "due_sort": due or END_OF_TIME,
            "price_sort": price * 100,
            "search_text": f"{reference(number + 1)}\n{title}".casefold(),
        }
        rows["orders"].append(order)
        rows["requests"] += asked
        rows["events"] += story.events
        for table, found in story.others.items():
            rows[table] += found
        for user, key in ((people["client_id"], "c"), (people["freelancer_id"], "f")):
            if chance.random() < 0.4:
                rows["idempotency_keys"].append(
                    {
                        "id": self._id(placed),
                        "user_id": user,
                        "key": f"{key}-{number}",
                        "fingerprint": f"{number:064x}",
                        "subject_id": order_id,
                        "created_at": placed,
                    }
                )

    def _request(
        self, story: "_Story", kind: RequestKind, order_status: OrderStatus, placed: datetime, price: int
    ) -> Row | None:
        chance = self._random
        if order_status is S.AWAITING_REQUIREMENTS or chance.random() > 0.14:
            return None
        role = Role.CLIENT if kind is K.ORDER_UPDATE or (kind is K.CANCELLATION and chance.random() < 0.5) else None
        role = role or Role.FREELANCER
        closed = order_status in (S.COMPLETED, S.CANCELLED)
        status = R.PENDING if not closed and chance.random() < 0.6 else self._one_of(_SETTLED)
        if kind is K.ORDER_UPDATE and status in (R.ACCEPTED, R.AUTO_ACCEPTED):
            status = R.ANSWERED
        asked_at = self.now - timedelta(hours=47) * chance.random() if status is R.PENDING else placed + _DAY / 4
        asked_at = max(asked_at, placed)
        settled = None if status is R.PENDING else min(asked_at + 2 * _DAY * chance.random(), self.now)
        by = {R.WITHDRAWN: role, R.EXPIRED: Role.SYSTEM, R.AUTO_ACCEPTED: Role.SYSTEM, R.SUPERSEDED: Role.SYSTEM}
        offers = kind is K.PARTIAL_REFUND
        shares = kind is K.CANCELLATION and role is Role.FREELANCER
        row: dict[str, Any] = {
            "id": self._id(asked_at),
            "order_id": story.order_id,
            "kind": kind,
            "status": status,
            "requested_by_id": story.people["client_id" if role is Role.CLIENT else "freelancer_id"],
            "requested_by_role": role,
            "created_at": asked_at,
            "respond_by": asked_at + 2 * _DAY,
            "on_deadline": "ACCEPT" if kind is K.CANCELLATION else "EXPIRE",
            "reminded_seconds": None,
            "settled_at": settled,
            "settled_by_role": by.get(status, role.other_side) if settled else None,
            "decline_message": "No, thank you." if status is R.DECLINED else None,
            "currency": "USD" if offers else None,
            "amount_minor": price // 10 if offers else None,
            "cap_minor": price * 60 // 100 if offers else None,
            "text": "It took longer than we both thought that it would.",
            "reason": "UNABLE_TO_COMPLETE" if shares else None,
            "answer": "It is nearly done." if status is R.ANSWERED else None,
            "days": 2 if kind is K.DELIVERY_EXTENSION else None,
            **story.people,
        }
        if shares:
            row["text"] = None
        if offers:
            story.others["confidences"].append({"request_id": row["id"], "reason": "DELIVERY_DELAYED", "note": None})
        story.tells(OrderEventKind.REQUEST_OPENED, asked_at, S.IN_PROGRESS, role, row["id"], R.PENDING)
        if settled and (told := _EVENT_OF[status]):
            story.tells(told, settled, S.IN_PROGRESS, row["settled_by_role"] or role, row["id"], status)
        return row

    def _support_case(self, story: "_Story", status: OrderStatus, placed: datetime) -> Row:
        is_open = status not in (S.COMPLETED, S.CANCELLED)
        opened = min(placed + _DAY, self.now)
        row = {
            "id": self._id(opened),
            "order_id": story.order_id,
            "opened_by_id": story.people["client_id"],
            "opened_by_role": Role.CLIENT,
            "message": "We can't agree on what was ordered.",
            "status": "OPEN" if is_open else "RESOLVED",
            "opened_at": opened,
            "decision": None if is_open else "CONTINUE_ORDER",
            "decision_message": None if is_open else "Go on.",
            "resolved_at": None if is_open else min(opened + _DAY, self.now),
            **story.people,
        }
        story.others["support_cases"].append(row)
        story.tells(OrderEventKind.SUPPORT_CONTACTED, opened, status, Role.CLIENT)
        return row

    def _refund(self, story: "_Story", asked: list[Row], status: OrderStatus, price: int) -> int:
        """Of the offer that was accepted, or of all when the order was cancelled; how much goes back in minor units."""
        accepted = next((r for r in asked if r["amount_minor"] and r["status"] in (R.ACCEPTED, R.AUTO_ACCEPTED)), None)
        if accepted is None and status is not S.CANCELLED:
            return 0
        amount = price if accepted is None else accepted["amount_minor"]
        created = self.now - _DAY if accepted is None else accepted["settled_at"]
        pending = self._random.random() < 0.01
        refund_id = self._id(created)
        story.others["refunds"].append(
            {
                "id": refund_id,
                "order_id": story.order_id,
                "request_id": accepted["id"] if accepted else None,
                "case_id": None,
                "currency": "USD",
                "amount_minor": amount,
                "status": "PENDING" if pending else "SUCCEEDED",
                "created_at": created,
                "settled_at": None if pending else created,
                "failure": None,
                "attempts": 0 if pending else 1,
                "next_attempt_at": created,
                "claimed_by": None,
            }
        )
        for account, sign in (("HELD", -1), ("REFUND_DUE", 1)):
            story.others["ledger_entries"].append(
                {
                    "id": self._id(created),
                    "order_id": story.order_id,
                    "cause": f"refund:{refund_id}",
                    "account": account,
                    "currency": "USD",
                    "amount_minor": sign * amount,
                    "posted_at": created,
                }
            )
        return int(amount)

    def _one_of(self, shares: tuple[tuple[Any, int], ...]) -> Any:
        names, weights = zip(*shares, strict=True)
        return self._random.choices(names, weights)[0]

    def _often_the_first(self, people: list[UUID]) -> UUID:
        return people[int(len(people) * self._random.random() ** 2.5)]

    def _id(self, at: datetime) -> UUID:
        """Like a UUID of version 7: those of later instants stand later in an index."""
        self._made += 1
        return UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | self._made)


@dataclass(slots=True)
class _Story:
    """One order's events and what else belongs to it, as they are made."""

    order_id: UUID
    people: Mapping[str, UUID]
    crowd: Crowd
    events: list[Row] = field(default_factory=list)
    others: Rows = field(default_factory=lambda: defaultdict(list))

    def tells(
        self,
        kind: OrderEventKind,
        at: datetime,
        status: OrderStatus,
        role: Role,
        request_id: UUID | None = None,
        request_status: RequestStatus | None = None,
    ) -> None:
        self.crowd.position += 1
        actor = {Role.CLIENT: "client_id", Role.FREELANCER: "freelancer_id", Role.MARKETPLACE: "placed_by_id"}
        self.events.append(
            {
                "position": self.crowd.position,
                "order_id": self.order_id,
                "sequence": len(self.events) + 1,
                "kind": kind,
                "occurred_at": at,
                "actor_id": self.people[actor[role]] if role in actor else None,
                "actor_role": role,
                "order_status": status,
                "request_id": request_id,
                "request_status": request_status,
                "message": None,
                "changes": "[]",
                **self.people,
            }
        )
