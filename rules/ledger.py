"""Double entries: where an order's money stands. The entries of an order always sum to zero."""

from dataclasses import dataclass
from enum import StrEnum

from rules.money import Money


class Account(StrEnum):
    """Whose money it is. HELD is paid and not earned yet; REFUND_DUE waits for the payment gateway."""

    CLIENT = "CLIENT"
    HELD = "HELD"
    REFUND_DUE = "REFUND_DUE"
    FREELANCER = "FREELANCER"


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a posting: signed minor units. `cause` names the posting, unique with its account."""

    cause: str
    account: Account
    amount: Money


def posting(cause: str, source: Account, target: Account, amount: Money) -> tuple[Entry, Entry]:
    """Moves an amount from one account to the other."""
    return Entry(cause, source, Money(-amount.minor, amount.currency)), Entry(cause, target, amount)
