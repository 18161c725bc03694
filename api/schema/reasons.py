"""Reasons: the lines of a drop-down."""

from collections.abc import Sequence

import strawberry

from rules import policy


@strawberry.type(description="One line of a drop-down, as the operator configured it.")
class Reason:
    code: str = strawberry.field(description="What to send.")
    label: str = strawberry.field(description="What to show.")
    requires_text: bool = strawberry.field(description="Whether choosing it needs a note as well.")

    @classmethod
    def of(cls, reason: policy.Reason) -> "Reason":
        return cls(code=reason.code, label=reason.label, requires_text=reason.requires_text)

    @classmethod
    def named(cls, code: str, catalogue: Sequence[policy.Reason]) -> "Reason":
        """The reason of a code; one that the operator has taken off the list since is shown by its code."""
        found = policy.reason_by_code(tuple(catalogue), code)
        return cls.of(found or policy.Reason(code, code))
