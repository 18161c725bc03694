"""Windows, caps, silence and reasons: the data of the trade, which an operator may change in one TOML file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from rules.money import MINOR_DIGITS, AskedAmount, exact
from rules.refusals import Refused
from rules.vocabulary import CancellationCause, OnDeadline, OrderStatus, RequestKind


class PolicyProblem(ValueError):
    """The policy file says something that can't be; the message names the place and says what to write."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of a drop-down. `requires_text`: choosing it needs a note as well."""

    code: str
    label: str
    requires_text: bool = False


@dataclass(frozen=True, slots=True)
class KindPolicy:
    """How requests of one kind work: time to answer, what silence does, in which statuses one may be opened."""

    window: timedelta
    silence: OnDeadline
    open_in: frozenset[OrderStatus]


_WORKING = frozenset({OrderStatus.IN_PROGRESS, OrderStatus.IN_REVISION})
_STARTED = _WORKING | {OrderStatus.DELIVERED}
_OPEN = _STARTED | {OrderStatus.AWAITING_REQUIREMENTS}
_TWO_DAYS = timedelta(hours=48)


def _default_kinds() -> dict[RequestKind, KindPolicy]:
    return {
        RequestKind.PARTIAL_REFUND: KindPolicy(_TWO_DAYS, OnDeadline.EXPIRE, _STARTED),
        RequestKind.CANCELLATION: KindPolicy(_TWO_DAYS, OnDeadline.ACCEPT, _OPEN),
        RequestKind.ORDER_UPDATE: KindPolicy(_TWO_DAYS, OnDeadline.EXPIRE, _WORKING),
        RequestKind.DELIVERY_EXTENSION: KindPolicy(timedelta(hours=96), OnDeadline.EXPIRE, _WORKING),
    }


_OTHER = Reason("OTHER", "Something else", requires_text=True)

REFUND_REASONS = (
    Reason("SCOPE_CHANGED", "The scope of the project changed"),
    Reason("DELIVERY_DELAYED", "The delivery is late"),
    Reason("CLIENT_DISSATISFIED", "The client is not satisfied with part of it"),
    Reason("PARTIAL_DELIVERY", "Only part of it was delivered"),
    Reason("QUALITY_ISSUE", "The quality is not what was agreed"),
    Reason("GOODWILL", "A gesture of goodwill"),
    Reason("AVOID_CANCELLATION", "To avoid a cancellation"),
    _OTHER,
)
FREELANCER_CANCELLATION_REASONS = (
    Reason("SCOPE_CHANGED", "The scope of the project changed"),
    Reason("UNABLE_TO_COMPLETE", "I can't complete the project"),
    Reason("MUTUAL_AGREEMENT", "We agreed to cancel"),
    Reason("MISSING_REQUIREMENTS", "The requirements are missing or incomplete"),
    Reason("CLIENT_UNRESPONSIVE", "The client does not respond"),
    Reason("OUT_OF_OFFER", "It is not what my offer says"),
    Reason("POLICY_VIOLATION", "It is against the rules of the marketplace"),
    Reason("DUPLICATE_ORDER", "It was ordered twice"),
    _OTHER,
)
CLIENT_CANCELLATION_REASONS = (
    Reason("REQUIREMENTS_CHANGED", "The requirements of the project changed"),
    Reason("NO_LONGER_NEEDED", "I no longer need it"),
    Reason("EXPECTATIONS_NOT_MET", "It does not meet my expectations"),
    Reason("LATE_DELIVERY", "The delivery is late"),
    Reason("FREELANCER_UNRESPONSIVE", "The freelancer does not respond"),
    Reason("ORDERED_BY_MISTAKE", "I ordered by mistake"),
    Reason("FOUND_ALTERNATIVE", "I found something else"),
    _OTHER,
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that an operator may change. The defaults are those of docs/policy.md."""

    kinds: Mapping[RequestKind, KindPolicy] = field(default_factory=_default_kinds)
    refund_cap_percent: int = 60
    """Of the original price."""
    minimum_refund: Mapping[str, int] = field(default_factory=dict)
    """Minor units by currency; a currency that is not named has no minimum but more than zero."""
    minimum_price: Mapping[str, int] = field(default_factory=dict)
    """The least price, in minor units by currency, of an order on which a refund may be offered."""
    refund_reasons: tuple[Reason, ...] = REFUND_REASONS
    freelancer_cancellation_reasons: tuple[Reason, ...] = FREELANCER_CANCELLATION_REASONS
    client_cancellation_reasons: tuple[Reason, ...] = CLIENT_CANCELLATION_REASONS
    auto_complete_after: timedelta = timedelta(days=3)
    cancel_alone_after: timedelta = timedelta(hours=24)
    """How long past the due date, with nothing delivered, until the client may cancel alone."""
    reminders: tuple[timedelta, ...] = (timedelta(hours=24), timedelta(hours=4))
    """How long before a deadline both sides are reminded, the earliest reminder first."""
    near: timedelta = timedelta(hours=4)
    """A deadline that is less away than this is near, on the dashboard."""
    longest_extension_days: int = 30
    longest_delivery_days: int = 365
    longest_text: int = 2_500
    standing_window: timedelta = timedelta(days=60)
    full_from: float = 0.90
    reduced_from: float = 0.70
    uncounted: frozenset[CancellationCause] = frozenset({CancellationCause.CLIENT_ALONE_UNSTARTED})
    """Cancellations that are no fault of the freelancer: the completion rate passes over them."""

    @classmethod
    def from_mapping(cls, document: Mapping[str, Any]) -> "Policy":
        """The defaults, changed by what a parsed TOML document says. Refused with PolicyProblem: unknown names,
        wrong types, values that can't be."""
        return _Reader(document).policy()


DEFAULT = Policy()
"""The policy of an operator who changes nothing."""


def reason_by_code(reasons: tuple[Reason, ...], code: str) -> Reason | None:
    """The reason of that code among these, if there is one."""
    return next((reason for reason in reasons if reason.code == code), None)


class _Reader:
    """Reads one document, says where it is wrong, and knows which names it has seen."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def policy(self) -> Policy:
        known = {"requests", "refund", "order", "reminders", "standing", "texts", "reasons"}
        self._only(self.document, known, "the file")
        values: dict[str, Any] = {"kinds": self._kinds(self._table("requests"))}
        values |= self._refund(self._table("refund"))
        values |= self._order(self._table("order"))
        values |= self._reminders(self._table("reminders"))
        values |= self._standing(self._table("standing"))
        values |= self._reasons(self._table("reasons"))
        texts = self._table("texts")
        self._only(texts, {"most"}, "texts")
        if "most" in texts:
            values["longest_text"] = self._whole(texts["most"], "texts.most", 1, 100_000)
        return Policy(**values)

    def _kinds(self, table: Mapping[str, Any]) -> dict[RequestKind, KindPolicy]:
        self._only(table, set(RequestKind), "requests")
        return {kind: self._kind(kind, default, table.get(kind, {})) for kind, default in _default_kinds().items()}

    def _kind(self, kind: RequestKind, default: KindPolicy, table: Any) -> KindPolicy:
        place = f"requests.{kind}"
        self._only(table, {"window_hours", "silence", "open_in"}, place)
        window, silence, open_in = default.window, default.silence, default.open_in
        if "window_hours" in table:
            window = self._hours(table["window_hours"], f"{place}.window_hours")
        if "silence" in table:
            silence = OnDeadline(self._one_of(table["silence"], set(OnDeadline), f"{place}.silence"))
        if "open_in" in table:
            allowed = {status for status in OrderStatus if not status.is_closed}
            named = self._list(table["open_in"], f"{place}.open_in")
            open_in = frozenset(OrderStatus(self._one_of(name, allowed, f"{place}.open_in")) for name in named)
        if kind is RequestKind.ORDER_UPDATE and silence is OnDeadline.ACCEPT:
            raise PolicyProblem(f"{place}.silence: silence can't answer a question; write EXPIRE or ESCALATE")
        return KindPolicy(window, silence, open_in)

    def _refund(self, table: Mapping[str, Any]) -> dict[str, Any]:
        self._only(table, {"cap_percent", "minimum_amount", "minimum_price"}, "refund")
        values: dict[str, Any] = {}
        if "cap_percent" in table:
            values["refund_cap_percent"] = self._whole(table["cap_percent"], "refund.cap_percent", 1, 100)
        if "minimum_amount" in table:
            values["minimum_refund"] = self._amounts(table["minimum_amount"], "refund.minimum_amount")
        if "minimum_price" in table:
            values["minimum_price"] = self._amounts(table["minimum_price"], "refund.minimum_price")
        return values

    def _order(self, table: Mapping[str, Any]) -> dict[str, Any]:
        hours = {"auto_complete_hours": "auto_complete_after", "cancel_alone_hours": "cancel_alone_after"}
        days = {"longest_extension_days", "longest_delivery_days"}
        self._only(table, set(hours) | days, "order")
        values: dict[str, Any] = {
            to: self._hours(table[name], f"order.{name}") for name, to in hours.items() if name in table
        }
        return values | {name: self._whole(table[name], f"order.{name}", 1, 3_650) for name in days if name in table}

    def _reminders(self, table: Mapping[str, Any]) -> dict[str, Any]:
        self._only(table, {"hours", "near_hours"}, "reminders")
        values: dict[str, Any] = {}
        if "hours" in table:
            leads = {self._hours(h, "reminders.hours") for h in self._list(table["hours"], "reminders.hours")}
            values["reminders"] = tuple(sorted(leads, reverse=True))
        if "near_hours" in table:
            values["near"] = self._hours(table["near_hours"], "reminders.near_hours")
        return values

    def _standing(self, table: Mapping[str, Any]) -> dict[str, Any]:
        self._only(table, {"window_days", "full_from", "reduced_from", "not_counted"}, "standing")
        values: dict[str, Any] = {}
        if "window_days" in table:
            days = self._whole(table["window_days"], "standing.window_days", 1, 3_650)
            values["standing_window"] = timedelta(days=days)
        for name in ("full_from", "reduced_from"):
            if name in table:
                values[name] = self._share(table[name], f"standing.{name}")
        if "not_counted" in table:
            place = "standing.not_counted"
            names = [self._one_of(n, set(CancellationCause), place) for n in self._list(table["not_counted"], place)]
            values["uncounted"] = frozenset(CancellationCause(name) for name in names)
        if values.get("full_from", DEFAULT.full_from) < values.get("reduced_from", DEFAULT.reduced_from):
            raise PolicyProblem("standing.full_from: must not be less than standing.reduced_from")
        return values

    def _reasons(self, table: Mapping[str, Any]) -> dict[str, Any]:
        places = {
            "refund": "refund_reasons",
            "cancellation_by_freelancer": "freelancer_cancellation_reasons",
            "cancellation_by_client": "client_cancellation_reasons",
        }
        self._only(table, set(places), "reasons")
        return {to: self._catalogue(table[name], f"reasons.{name}") for name, to in places.items() if name in table}

    def _catalogue(self, rows: Any, place: str) -> tuple[Reason, ...]:
        reasons = tuple(self._reason(row, place) for row in self._list(rows, place))
        if not reasons:
            raise PolicyProblem(f"{place}: name at least one reason")
        if len({reason.code for reason in reasons}) < len(reasons):
            raise PolicyProblem(f"{place}: a code stands there twice")
        return reasons

    def _reason(self, row: Any, place: str) -> Reason:
        self._only(row, {"code", "label", "requires_text"}, place)
        code, label, requires_text = row.get("code"), row.get("label"), row.get("requires_text", False)
        written = isinstance(code, str) and isinstance(label, str) and code.strip() and label.strip()
        if not written or len(code) > 64:
            raise PolicyProblem(f'{place}: each reason is {{ code = "SHORT_NAME", label = "What a person reads" }}')
        if not isinstance(requires_text, bool):
            raise PolicyProblem(f"{place}.requires_text: write true or false")
        return Reason(code, label, requires_text)

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self.document.get(name, {})
        if not isinstance(table, Mapping):
            raise PolicyProblem(f"{name}: must be a table, [{name}]")
        return table

    def _amounts(self, table: Any, place: str) -> dict[str, int]:
        self._only(table, set(MINOR_DIGITS), place)
        return {currency: self._amount(value, currency, place) for currency, value in table.items()}

    @staticmethod
    def _amount(value: Any, currency: str, place: str) -> int:
        try:
            return exact(AskedAmount(Decimal(str(value)), currency)).minor
        except (Refused, InvalidOperation):
            raise PolicyProblem(f'{place}.{currency}: write an exact amount, like "5.00"') from None

    @staticmethod
    def _only(table: Any, known: set[Any], place: str) -> None:
        if not isinstance(table, Mapping):
            raise PolicyProblem(f"{place}: must be a table")
        if unknown := sorted(set(table) - known):
            names = ", ".join(sorted(known)[:12])
            raise PolicyProblem(f"{place}: there is no setting «{unknown[0]}»; there are {names}")

    @staticmethod
    def _list(value: Any, place: str) -> list[Any]:
        if not isinstance(value, list):
            raise PolicyProblem(f"{place}: must be a list")
        return value

    @staticmethod
    def _one_of(value: Any, allowed: set[Any], place: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise PolicyProblem(f"{place}: «{value}» is none of {', '.join(sorted(allowed))}")
        return value

    @staticmethod
    def _whole(value: Any, place: str, least: int, most: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise PolicyProblem(f"{place}: must be a whole number from {least} to {most}")
        return value

    @staticmethod
    def _hours(value: Any, place: str) -> timedelta:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 8_760:
            hours = timedelta(hours=value)
            if hours:  # less than half a microsecond is no time at all
                return hours
        raise PolicyProblem(f"{place}: must be a number of hours, more than 0 and at most 8760")

    @staticmethod
    def _share(value: Any, place: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise PolicyProblem(f"{place}: must be a number from 0 to 1")
        return float(value)
