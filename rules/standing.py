"""A freelancer's standing: the completion rate of a rolling window, and what the search makes of it."""

from dataclasses import dataclass

from rules.policy import Policy
from rules.vocabulary import OrderStatus, SearchVisibility


@dataclass(frozen=True, slots=True)
class Tally:
    """How many orders of the window were completed, and how many cancelled in a way that counts."""

    completed: int = 0
    cancelled: int = 0

    @property
    def rate(self) -> float | None:
        """completed / (completed + cancelled); None when neither happened. A partial refund never lowers it."""
        ended = self.completed + self.cancelled
        return self.completed / ended if ended else None

    def after(self, end: OrderStatus | None) -> "Tally":
        """With one more order that ends so, or the same when the end does not count."""
        return Tally(self.completed + (end is OrderStatus.COMPLETED), self.cancelled + (end is OrderStatus.CANCELLED))

    def visibility(self, policy: Policy) -> SearchVisibility:
        """A freelancer without an ended order is shown in full."""
        if self.rate is None or self.rate >= policy.full_from:
            return SearchVisibility.FULL
        return SearchVisibility.REDUCED if self.rate >= policy.reduced_from else SearchVisibility.HIDDEN
