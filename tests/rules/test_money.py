"""Money: exact to the minor unit in every currency, or refused."""

from datetime import UTC, date, datetime
from decimal import Decimal, localcontext

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from rules.money import LARGEST_MINOR, MINOR_DIGITS, AskedAmount, Money, exact
from rules.refusals import Refusal, Refused
from rules.vocabulary import RefusalCode
from tests.world import asked

CURRENCIES = st.sampled_from(sorted(MINOR_DIGITS))

# Where CLDR shows fewer digits than ISO 4217 gives the minor unit, because nobody pays with such coins any more.
SHOWN_WITHOUT_MINOR = set("AFN ALL IQD IRR KPW LAK LBP MGA MMK RSD SOS SYP YER".split())


def refusal(amount: str, currency: str = "USD") -> Refusal:
    with pytest.raises(Refused) as refused:
        exact(AskedAmount(Decimal(amount), currency))
    (only,) = refused.value.refusals
    return only


@pytest.mark.parametrize(
    ("amount", "minor", "shown"),
    [
        ("12.50 USD", 1250, "12.50 USD"),
        ("5 USD", 500, "5.00 USD"),
        ("5.000 USD", 500, "5.00 USD"),
        ("0.01 USD", 1, "0.01 USD"),
        ("1E+2 USD", 10_000, "100.00 USD"),
        ("1250 JPY", 1250, "1250 JPY"),
        ("1.0 JPY", 1, "1 JPY"),
        ("1.250 KWD", 1250, "1.250 KWD"),
        ("0.0001 CLF", 1, "0.0001 CLF"),
        ("999999999999.99 USD", LARGEST_MINOR, "999999999999.99 USD"),
        ("99999999999999 JPY", LARGEST_MINOR, "99999999999999 JPY"),
    ],
)
def test_an_amount_is_kept_in_minor_units_and_shown_with_all_their_digits(amount: str, minor: int, shown: str) -> None:
    money = exact(asked(amount))
    assert money == Money(minor, amount.split()[1])
    assert str(money) == shown


@pytest.mark.parametrize(
    ("amount", "currency", "code", "path"),
    [
        ("0.001", "USD", RefusalCode.AMOUNT_PRECISION, ("amount",)),
        ("12.505", "USD", RefusalCode.AMOUNT_PRECISION, ("amount",)),
        ("1.5", "JPY", RefusalCode.AMOUNT_PRECISION, ("amount",)),
        ("1.2345", "KWD", RefusalCode.AMOUNT_PRECISION, ("amount",)),
        ("1E-999999", "USD", RefusalCode.AMOUNT_PRECISION, ("amount",)),
        ("0", "USD", RefusalCode.AMOUNT_TOO_SMALL, ("amount",)),
        ("-0.00", "USD", RefusalCode.AMOUNT_TOO_SMALL, ("amount",)),
        ("0E+999999", "USD", RefusalCode.AMOUNT_TOO_SMALL, ("amount",)),
        ("-5", "USD", RefusalCode.AMOUNT_TOO_SMALL, ("amount",)),
        ("-1E+999999", "USD", RefusalCode.AMOUNT_TOO_SMALL, ("amount",)),
        ("1E+999999", "USD", RefusalCode.AMOUNT_TOO_LARGE, ("amount",)),
        ("1000000000000.00", "USD", RefusalCode.AMOUNT_TOO_LARGE, ("amount",)),
        ("100000000000000", "JPY", RefusalCode.AMOUNT_TOO_LARGE, ("amount",)),
        ("NaN", "USD", RefusalCode.VALUE_INVALID, ("amount",)),
        ("sNaN", "USD", RefusalCode.VALUE_INVALID, ("amount",)),
        ("Infinity", "USD", RefusalCode.VALUE_INVALID, ("amount",)),
        ("-Infinity", "USD", RefusalCode.VALUE_INVALID, ("amount",)),
        ("5", "XXX", RefusalCode.VALUE_INVALID, ("currencyCode",)),
        ("5", "usd", RefusalCode.VALUE_INVALID, ("currencyCode",)),
        ("5", "", RefusalCode.VALUE_INVALID, ("currencyCode",)),
        ("5", "DEM", RefusalCode.VALUE_INVALID, ("currencyCode",)),
    ],
)
def test_an_amount_that_can_not_be_is_refused_at_its_input(
    amount: str, currency: str, code: RefusalCode, path: tuple[str, ...]
) -> None:
    found = refusal(amount, currency)
    assert (found.code, found.path) == (code, path)
    assert found.message.endswith(".")


def test_too_many_digits_are_refused_with_the_number_that_is_right() -> None:
    assert refusal("1.005").message == "USD has 2 digits after the point; give no more."
    assert refusal("1.5", "JPY").message == "JPY has 0 digits after the point; give no more."


def test_a_million_zeros_after_the_point_cost_no_time_and_change_nothing() -> None:
    assert exact(AskedAmount(Decimal("5." + "0" * 1_000_000), "USD")) == Money(500, "USD")
    assert refusal("5." + "0" * 1_000_000 + "1").code is RefusalCode.AMOUNT_PRECISION


def test_the_decimal_context_of_the_program_does_not_matter() -> None:
    with localcontext(prec=3):
        assert exact(asked("999999999999.99 USD")) == Money(LARGEST_MINOR, "USD")
        assert str(Money(LARGEST_MINOR, "USD")) == "999999999999.99 USD"


@given(st.integers(1, LARGEST_MINOR), CURRENCIES)
def test_what_is_shown_is_read_again_as_the_same(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert exact(AskedAmount(money.amount, currency)) == money
    assert exact(asked(str(money))) == money
    assert -money.amount.as_tuple().exponent == MINOR_DIGITS[currency]  # type: ignore[operator]  # finite, so an int


@given(st.integers(1, LARGEST_MINOR), CURRENCIES, st.integers(1, 9))
def test_a_digit_below_the_minor_unit_is_refused_never_rounded(minor: int, currency: str, digit: int) -> None:
    with localcontext(prec=40):
        amount = Money(minor, currency).amount + Decimal(digit).scaleb(-MINOR_DIGITS[currency] - 1)
    code = refusal(str(amount), currency).code
    assert code is RefusalCode.AMOUNT_PRECISION or minor == LARGEST_MINOR


@given(st.decimals(allow_nan=True, allow_infinity=True), CURRENCIES)
def test_any_decimal_is_exact_or_refused(amount: Decimal, currency: str) -> None:
    try:
        money = exact(AskedAmount(amount, currency))
    except Refused:
        return
    assert money.amount == amount
    assert 1 <= money.minor <= LARGEST_MINOR


@given(st.integers(0, LARGEST_MINOR), st.integers(1, 100))
def test_a_share_is_the_floor_of_the_exact_share(minor: int, percent: int) -> None:
    share = Money(minor, "USD").share(percent).minor
    assert share * 100 <= minor * percent < (share + 1) * 100


@pytest.mark.parametrize(
    ("price", "cap"),
    [("100.00 USD", "60.00 USD"), ("0.99 USD", "0.59 USD"), ("33.33 USD", "19.99 USD"), ("1999 JPY", "1199 JPY")],
)
def test_sixty_per_cent_never_gives_a_cent_too_much(price: str, cap: str) -> None:
    assert exact(asked(price)).share(60) == exact(asked(cap))


def test_one_yen_has_no_sixty_per_cent() -> None:
    assert Money(1, "JPY").share(60) == Money(0, "JPY")


@given(st.integers(0, LARGEST_MINOR), CURRENCIES, st.integers(0, LARGEST_MINOR), CURRENCIES)
def test_amounts_of_all_currencies_are_sorted_by_their_numbers(
    minor: int, currency: str, other_minor: int, other: str
) -> None:
    one, two = Money(minor, currency), Money(other_minor, other)
    assert (one.sort_key < two.sort_key) is (one.amount < two.amount)
    assert one.sort_key < 2**63


def test_two_currencies_are_never_reckoned_together() -> None:
    dollars, euros = Money(1, "USD"), Money(1, "EUR")
    for reckon in (lambda: dollars + euros, lambda: dollars - euros, lambda: dollars < euros, lambda: dollars <= euros):
        with pytest.raises(ValueError, match="USD and EUR can't be reckoned together"):
            reckon()
    assert dollars != euros


def test_every_currency_has_the_digits_of_the_public_table() -> None:
    shown: dict[str, tuple[int, ...]] = get_global("currency_fractions")  # type: ignore[assignment]  # untyped data
    fewer = {code for code, digits in MINOR_DIGITS.items() if shown.get(code, shown["DEFAULT"])[0] != digits}
    assert fewer == SHOWN_WITHOUT_MINOR


def test_every_country_s_money_is_known() -> None:
    today = datetime.now(UTC).date()
    current = {
        code
        for uses in get_global("territory_currencies").values()
        for code, _since, until, tender in uses
        if tender and (until is None or date(*until) >= today)
    }
    assert current - set(MINOR_DIGITS) == set()
