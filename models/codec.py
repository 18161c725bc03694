"""From the rules' dataclasses to columns and JSON, and back; the fields' own types say how."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_type_hints
from uuid import UUID

from models import making
from models.event import EventRow
from models.request import RequestRow
from rules.case import Actor, Case, Order, Refund, Request, SupportCase
from rules.events import Change, Event, Thing
from rules.money import Money

THINGS: dict[Thing, type] = {
    Thing.ORDER: Order,
    Thing.REQUEST: Request,
    Thing.SUPPORT_CASE: SupportCase,
    Thing.REFUND: Refund,
}
_T = TypeVar("_T")


def columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """A thing's fields as columns: Money as `…_minor` and `currency`, a duration as `…_seconds`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Money):
            found[f"{name}_minor"], found["currency"] = value.minor, value.currency
        elif name == "reminded":
            found["reminded_seconds"] = None if value is None else int(value.total_seconds())
        else:
            found[name] = value
    return found


def thing(kind: type[_T], row: Any) -> _T:
    """A thing as its row holds it."""
    return kind(**{name: read(row) for name, read in _readers(cast(Any, kind))})


def request_row(case: Case, request_id: UUID) -> RequestRow | None:
    """The row of a request, as the transaction that came to this case has left it; None when the case has none such.
    What was just written need not be read back: that took a twentieth of an offer."""
    request = case.request(request_id)
    if request is None:
        return None
    order = case.order
    values: dict[str, Any] = {
        "order_id": order.id,
        "client_id": order.client_id,
        "freelancer_id": order.freelancer_id,
        "placed_by_id": order.placed_by_id,
        "currency": None,
    }
    for name, write in _writers(Request):
        write(values, getattr(request, name))
    return making.row(RequestRow, values)


@cache
def _writers(kind: Any) -> tuple[tuple[str, Callable[[dict[str, Any], Any], None]], ...]:
    hints = get_type_hints(kind)
    return tuple((field.name, _writer(field.name, _plain(hints[field.name]))) for field in fields(kind))


def _writer(name: str, kind: type) -> Callable[[dict[str, Any], Any], None]:
    """Writes a field into the columns that `_reader` reads."""
    if kind is Money:

        def write_money(values: dict[str, Any], value: Money | None) -> None:
            values[f"{name}_minor"] = None if value is None else value.minor
            if value is not None:
                values["currency"] = value.currency

        return write_money
    if kind is timedelta:
        column = f"{name}_seconds"
        return lambda values, value: values.update({column: None if value is None else int(value.total_seconds())})
    return lambda values, value: values.update({name: value})


@cache
def _readers(kind: Any) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    hints = get_type_hints(kind)
    return tuple((field.name, _reader(field.name, _plain(hints[field.name]))) for field in fields(kind))


def _reader(name: str, kind: type) -> Callable[[Any], Any]:
    if kind is Money:
        return lambda row: None if (minor := getattr(row, f"{name}_minor")) is None else Money(minor, row.currency)
    if kind is timedelta:
        return lambda row: None if (s := getattr(row, f"{name}_seconds")) is None else timedelta(seconds=s)
    return lambda row: getattr(row, name)


def changes_json(changes: tuple[Change, ...]) -> list[dict[str, Any]]:
    """An event's changes as JSON, for its row."""
    return [
        {"thing": change.thing.value, "id": str(change.id), "values": {k: _json(v) for k, v in change.values.items()}}
        for change in changes
    ]


def event(row: EventRow) -> Event:
    """An event as its row holds it, for replay."""
    return Event(
        order_id=row.order_id,
        sequence=row.sequence,
        kind=row.kind,
        occurred_at=row.occurred_at,
        actor=Actor(row.actor_role, row.actor_id),
        order_status=row.order_status,
        request_id=row.request_id,
        request_status=row.request_status,
        message=row.message,
        changes=tuple(_change(change) for change in row.changes),
    )


def _change(value: Mapping[str, Any]) -> Change:
    kind = Thing(value["thing"])
    types = _types(THINGS[kind])
    return Change(kind, UUID(value["id"]), {name: _typed(types[name], v) for name, v in value["values"].items()})


@cache
def _types(kind: type) -> dict[str, type]:
    return {name: _plain(hint) for name, hint in get_type_hints(kind).items()}


def _plain(hint: Any) -> type:
    """The type of an optional field, without the None."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    found: type = next(option for option in options if option is not type(None))
    return found


def _json(value: Any) -> Any:
    match value:
        case Money(minor, currency):
            return [minor, currency]
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case StrEnum():
            return value.value
        case UUID():
            return str(value)
    return value


def _typed(kind: type, value: Any) -> Any:
    if value is None:
        return None
    if kind is Money:
        return Money(*value)
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is timedelta:
        return timedelta(seconds=value)
    return kind(value) if issubclass(kind, StrEnum | UUID) else value
