"""The field of instants: aware, UTC, exact to the microsecond, the same on every database."""

from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, overload

from tortoise import fields
from tortoise.models import Model

T = TypeVar("T", datetime, datetime | None)


# Named as Tortoise's own is: migrations tell fields by their class's name, and the column is the same.
class DatetimeField(fields.DatetimeField[T]):
    """An instant. SQLite keeps it as text, always of UTC, so that texts compare as instants do. Reading it by Python's
    own parser rather than by the one that Tortoise brings makes a page of orders 1.06 times as fast. Refused with
    ValueError: instants without a time zone."""

    @overload
    def __init__(self: "DatetimeField[datetime]", *, null: Literal[False] = False) -> None: ...

    @overload
    def __init__(self: "DatetimeField[datetime | None]", *, null: Literal[True]) -> None: ...

    def __init__(self, *, null: bool = False) -> None:
        super().__init__(null=null)  # type: ignore[misc,call-overload]  # Tortoise wants it spelled out

    def to_python_value(self, value: Any) -> datetime | None:
        if value is None:
            return None
        return in_utc(datetime.fromisoformat(value) if isinstance(value, str) else value)

    def to_db_value(self, value: Any, instance: type[Model] | Model) -> datetime | None:  # type: ignore[override]  # noqa: ARG002
        instant = self.to_python_value(value)
        self.validate(instant)
        return instant


def in_utc(instant: datetime) -> datetime:
    """The same instant, of UTC. Refused with ValueError without a time zone."""
    # By far the most are of UTC already, as every database gives them.
    if instant.tzinfo is UTC:
        return instant
    if instant.tzinfo is None:
        raise ValueError("an instant must have its time zone")
    return instant.astimezone(UTC)
