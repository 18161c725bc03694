"""The contract's own scalars: what they read, and what they refuse that GraphQL's habit would let through."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from graphql import GraphQLError
from hypothesis import example, given
from hypothesis import strategies as st

from api.schema.scalars import read_currency, read_decimal, read_instant, write_decimal, write_instant


@pytest.mark.parametrize(
    ("value", "read"),
    [("12.50", "12.50"), ("-1", "-1"), ("+1.0", "1.0"), ("0", "0"), (7, "7"), ("9" * 20 + "." + "9" * 20, None)],
)
def test_an_exact_number_is_read_to_its_last_digit(value: str | int, read: str | None) -> None:
    assert str(read_decimal(value)) == (read or value)


@pytest.mark.parametrize(
    "text", ["2026-11-24T08:00:00Z", "2026-11-24t09:00:00.000000+01:00", "2026-11-24T03:00:00-05:00"]
)
def test_an_instant_is_read_with_its_offset_and_written_in_utc(text: str) -> None:
    assert read_instant(text) == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert write_instant(read_instant(text)) == "2026-11-24T08:00:00.000000Z"


zones = st.one_of(st.just(UTC), st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone))
# A day from the ends of time, which other zones would pass.
instants = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones)  # noqa: DTZ001 - as it wants them


@given(instants, st.booleans())
@example(datetime(1, 1, 2, tzinfo=UTC), True)
def test_an_instant_is_written_with_microseconds_also_where_they_are_zero(instant: datetime, whole: bool) -> None:
    instant = instant.replace(microsecond=0) if whole else instant
    assert write_instant(instant) == instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


@given(st.decimals())
@example(Decimal("1E+20"))
@example(Decimal("1E-20"))
def test_a_number_is_written_without_an_exponent(number: Decimal) -> None:
    assert write_decimal(number) == f"{number:f}"


NO_NUMBERS = [
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "1e2",
    "1_0",
    "",
    " 1",
    "1.",
    ".5",
    "0x1",
    "1,5",
    "9" * 21,
    1.5,
    True,
]
NO_INSTANTS = [
    "2026-11-24T08:00:00",
    "2026-11-24",
    "",
    "now",
    "2026-02-30T08:00:00Z",
    "0001-01-01T00:00:00+01:00",
    5,
    None,
]
NO_CURRENCIES = ["usd", "US", "USDD", "", "U D", "ＵＳＤ", 840, None]
# Digits of other scripts, which Python takes for digits.
FOREIGN_DIGITS = ["٣", "1.٥", "３"]


@pytest.mark.parametrize(
    ("read", "value"),
    [
        *((read_decimal, value) for value in (*NO_NUMBERS, *FOREIGN_DIGITS, None)),
        *((read_instant, value) for value in (*NO_INSTANTS, "２０２６-11-24T08:00:00Z", "٢٠٢٦-11-24T08:00:00Z")),
        *((read_currency, value) for value in NO_CURRENCIES),
    ],
)
def test_whatever_is_not_exact_is_refused(read: Callable[[object], object], value: object) -> None:
    with pytest.raises(GraphQLError) as refused:
        read(value)
    assert refused.value.extensions == {"code": "BAD_USER_INPUT"}
