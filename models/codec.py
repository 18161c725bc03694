"""From the rules' dataclasses to columns and JSON, and back; the fields' own types say how."""

from collections.abc import Callable, Iterator, Mapping
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
    made: _T = _reader(cast(Any, kind))(row)
    return made


def request_row(case: Case, request_id: UUID) -> RequestRow | None:
    """The row of a request, as the transaction that came to this case has left it; None when the case has none such.
    What was just written need not be read back: that took a twentieth of an offer."""
    request = case.request(request_id)
    if request is None:
        return None
    order = case.order
    values = {
        "order_id": order.id,
        "client_id": order.client_id,
        "freelancer_id": order.freelancer_id,
        "placed_by_id": order.placed_by_id,
    }
    return making.row(RequestRow, values | _writer(Request)(request))


@cache
def _writer(kind: Any) -> Callable[[Any], dict[str, Any]]:
    """Gives the columns of a thing, which `_reader` reads. Both are functions that are written for the kind of thing,
    as `dataclasses` writes them: a loop over its fields asked a function for each."""
    columns: dict[str, str] = {}
    for name, its in _kinds_of_fields(kind):
        if its is Money:
            columns[f"{name}_minor"] = f"None if thing.{name} is None else thing.{name}.minor"
            columns["currency"] = f"thing.{name}.currency if thing.{name} is not None else {columns.get('currency')}"
        elif its is timedelta:
            columns[f"{name}_seconds"] = f"None if thing.{name} is None else int(thing.{name}.total_seconds())"
        else:
            columns[name] = f"thing.{name}"
    contents = ", ".join(f"{name!r}: {value}" for name, value in columns.items())
    return _evaluated(f"lambda thing: {{{contents}}}")


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """Makes a thing of its row."""
    values = []
    for name, its in _kinds_of_fields(kind):
        value, column = f"row.{name}", f"row.{name}_minor" if its is Money else f"row.{name}_seconds"
        if its is Money:
            value = f"None if {column} is None else Money({column}, row.currency)"
        elif its is timedelta:
            value = f"None if {column} is None else timedelta(seconds={column})"
        values.append(f"{name}={value}")
    return _evaluated(f"lambda row: kind({', '.join(values)})", kind=kind)


def _kinds_of_fields(kind: Any) -> Iterator[tuple[str, type]]:
    hints = get_type_hints(kind)
    for field in fields(kind):
        yield field.name, _plain(hints[field.name])


def _evaluated(text: str, **known: Any) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = eval(text, {"Money": Money, "timedelta": timedelta, **known})  # noqa: S307 - our names
    return found


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
