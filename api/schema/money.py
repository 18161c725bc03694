"""Money as clients see it."""

from decimal import Decimal

import strawberry

from api.schema.scalars import CurrencyCode
from rules.money import AskedAmount, in_major
from rules.money import Money as Amount


@strawberry.type(
    description="An exact amount. `amount` has exactly the digits that the currency's minor unit allows: "
    "12.50 USD, 1250 JPY, 1.250 KWD."
)
class Money:
    minor: strawberry.Private[int]
    currency_code: CurrencyCode = strawberry.field(description="In which currency.")

    @strawberry.field(description="The number, exact.")
    def amount(self) -> Decimal:
        return in_major(self.minor, self.currency_code)

    @classmethod
    def of(cls, money: Amount) -> "Money":
        return cls(minor=money.minor, currency_code=CurrencyCode(money.currency))


@strawberry.input(
    description="An exact amount. More digits than the currency's minor unit has are refused, not rounded."
)
class MoneyInput:
    amount: Decimal = strawberry.field(description="The number, exact.")
    currency_code: CurrencyCode = strawberry.field(description="In which currency.")

    @property
    def asked(self) -> AskedAmount:
        return AskedAmount(self.amount, str(self.currency_code))
