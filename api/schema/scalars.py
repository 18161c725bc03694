"""The contract's own scalars; each refuses what GraphQL's habit would let through."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NewType

import orjson
import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from api.errors import Code, coded

CurrencyCode = NewType("CurrencyCode", str)

_CURRENCY = re.compile(r"[A-Z]{3}")
# ASCII: else the digits of all scripts are digits.
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?", re.ASCII)


def write_instant(value: datetime) -> str:
    """RFC 3339 in UTC, always with microseconds: 2026-11-24T08:00:00.000000Z."""
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    if value.microsecond and type(value) is datetime:
        # A third of what `isoformat` takes, but it would leave out microseconds that are zero.
        return orjson.dumps(value, None, orjson.OPT_UTC_Z)[1:-1].decode()
    # In UTC the offset is the last six characters.
    return value.isoformat("T", "microseconds")[:-6] + "Z"


def read_instant(value: object) -> datetime:
    """Refused: a value without an offset, which could be any of 38 instants."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise _bad("Give an RFC 3339 instant with an offset, like 2026-11-24T08:00:00Z.")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _bad("There is no such day or time.") from None


def write_decimal(value: Decimal) -> str:
    """Never with an exponent."""
    text = str(value)
    # Only what is very small or was scaled up has one: `str` takes a third of what formatting takes.
    return text if "E" not in text else f"{value:f}"


def read_decimal(value: object) -> Decimal:
    """A string, or a whole number. Refused: floats, which are not exact; NaN, infinities, exponents."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise _bad('Give an exact decimal number as a string, like "12.50".')
    try:
        return Decimal(value)
    except InvalidOperation:  # pragma: no cover - the pattern lets nothing through that Decimal refuses
        raise _bad('Give an exact decimal number as a string, like "12.50".') from None


def read_currency(value: object) -> CurrencyCode:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise _bad("Give three capital letters of ISO 4217, like USD.")
    return CurrencyCode(value)


def _bad(message: str) -> GraphQLError:
    return coded(Code.BAD_USER_INPUT, message)


def _scalar(
    name: str, description: str, write: Callable[..., str], read: Callable[[object], object], url: str | None = None
) -> ScalarDefinition:
    return strawberry.scalar(
        name=name, description=description, serialize=write, parse_value=read, specified_by_url=url
    )


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: _scalar(
        "DateTime",
        "RFC 3339 instant with an offset; always UTC on the way out. A value without an offset is refused.",
        write_instant,
        read_instant,
        "https://scalars.graphql.org/andimarek/date-time.html",
    ),
    Decimal: _scalar(
        "Decimal",
        'An exact decimal number as a string, e.g. "12.50". NaN and infinities are refused.',
        write_decimal,
        read_decimal,
    ),
    CurrencyCode: _scalar(
        "CurrencyCode",
        "An ISO 4217 alphabetic code, e.g. USD.",
        str,
        read_currency,
        "https://www.iso.org/iso-4217-currency-codes.html",
    ),
}
