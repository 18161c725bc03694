"""Money as clients see it."""

from decimal import Decimal

import strawberry

from api.schema.scalars import CurrencyCode
from rules.money import AskedAmount
from rules.money import Money as Amount


@strawberry.type(
    description="An exact amount. `amount` has exactly the digits that the currency's minor unit allows: "
    "12.50 USD, 1250 JPY, 1.250 KWD."
)
class Money:
    amount: Decimal = strawberry.field(description="The number, exact.")
    currency_code: CurrencyCode = strawberry.field(description="In which currency.")

    @classmethod
    def of(cls, money: Amount) -> "Money":
        return cls(amount=money.amount, currency_code=CurrencyCode(money.currency))


@strawberry.input(
    description="An exact amount. More digits than the currency's minor unit has are refused, not rounded."
)
class MoneyInput:
    amount: Decimal = strawberry.field(description="The number, exact.")
    currency_code: CurrencyCode = strawberry.field(description="In which currency.")

    @property
    def asked(self) -> AskedAmount:
        return AskedAmount(self.amount, str(self.currency_code))
