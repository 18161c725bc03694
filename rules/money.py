"""Exact money: integer minor units of an ISO 4217 currency; nothing is ever rounded."""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from rules.refusals import Refusal, Refused
from rules.vocabulary import RefusalCode

_EXPONENTS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF"
    " CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD"
    " HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT"
    " MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR"
    " SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU"
    " UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_DIGITS = {code: digits for digits, codes in _EXPONENTS.items() for code in codes.split()}
"""ISO 4217: how many digits the minor unit of each active currency has."""
_SCALES = {code: f"E-{digits}" for code, digits in MINOR_DIGITS.items()}

LARGEST_MINOR = 10**14 - 1
"""The largest amount that is taken, in minor units: sums and sorting keys of it stay far inside 64-bit columns."""


@lru_cache(4_096)
def in_major(minor: int, currency: str) -> Decimal:
    """The amount with exactly the digits of the minor unit: 12.50 USD, 1250 JPY, 1.250 KWD. Prices are round, and
    nothing is what is most often refunded: those that were wanted are kept."""
    return Decimal(f"{minor}{_SCALES[currency]}")


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `minor` units (cents, yen, fils) of `currency`."""

    minor: int
    currency: str

    @property
    def amount(self) -> Decimal:
        return in_major(self.minor, self.currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other)

    @property
    def sort_key(self) -> int:
        """The amount in ten-thousandths, to put amounts of any currency in the order of their numbers."""
        return int(self.minor * 10 ** (4 - MINOR_DIGITS[self.currency]))

    def share(self, percent: int) -> "Money":
        """That many per cent of it, rounded down to the minor unit: a cap must never give a cent too much."""
        return Money(self.minor * percent // 100, self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} can't be reckoned together")
        return other.minor


@dataclass(frozen=True, slots=True)
class AskedAmount:
    """An amount as a person typed it: not yet known to be possible."""

    amount: Decimal
    currency: str


def exact(asked: AskedAmount) -> Money:
    """The amount in minor units. Refused: unknown currencies, too many digits, zero or less, beyond the largest."""
    digits = MINOR_DIGITS.get(asked.currency)
    if digits is None:
        raise Refused(_refusal(RefusalCode.VALUE_INVALID, "This is not a currency of ISO 4217.", "currencyCode"))
    if not asked.amount.is_finite():
        raise Refused(_refusal(RefusalCode.VALUE_INVALID, "The amount must be a number."))
    if asked.amount <= 0:
        raise Refused(_refusal(RefusalCode.AMOUNT_TOO_SMALL, "The amount must be more than zero."))
    # Compared before it is scaled: 1E+999999 must not become a number with a million digits.
    if asked.amount.adjusted() > 15 or asked.amount > Money(LARGEST_MINOR, asked.currency).amount:
        raise Refused(_refusal(RefusalCode.AMOUNT_TOO_LARGE, "The amount is larger than any that is taken."))
    if _digits_after_the_point(asked.amount) > digits:
        sentence = f"{asked.currency} has {digits} digits after the point; give no more."
        raise Refused(_refusal(RefusalCode.AMOUNT_PRECISION, sentence))
    return Money(_scaled(asked.amount, digits), asked.currency)


def _scaled(amount: Decimal, digits: int) -> int:
    """Times ten to the power of `digits`, without Decimal's arithmetic: that rounds to the context's precision."""
    sign, coefficient, exponent = amount.as_tuple()
    assert isinstance(exponent, int)
    return int(Decimal((sign, coefficient, exponent + digits)))


def _digits_after_the_point(amount: Decimal) -> int:
    """Zeros at the end don't count: 5.000 USD is exactly 5.00 USD. One pass: there may be a million of them."""
    _, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int)
    zeros = next((place for place, digit in enumerate(reversed(digits)) if digit), len(digits))
    return max(0, -exponent - zeros)


def _refusal(code: RefusalCode, message: str, *leaf: str) -> Refusal:
    return Refusal(code, message, leaf or ("amount",))
