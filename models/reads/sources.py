"""What a viewer may see, as conditions on rows: everything in which the viewer has a role."""

from dataclasses import dataclass, replace
from typing import Any

from tortoise.expressions import Q

from models.making import Joined, Owned
from models.request import RequestRow
from models.user import UserRow
from rules.visibility import Viewer
from rules.vocabulary import RequestStatus, Role

SIDES = ((Role.CLIENT, "client_id"), (Role.FREELANCER, "freelancer_id"))

PEOPLE = Joined("people", UserRow, tuple(column for _, column in SIDES))
"""Both sides of an order: `OrderRow.people`."""
PEOPLE_AND_PENDING = replace(PEOPLE, owned=Owned("pending", RequestRow, "order_id", RequestStatus.PENDING))
"""The same, and what waits for an answer: `OrderRow.pending`."""


@dataclass(frozen=True, slots=True)
class Source:
    """Part of what a viewer may see: everything in which the viewer has this role."""

    role: Role
    where: Q


def sources(viewer: Viewer, role: Role | None = None) -> list[Source]:
    """The disjoint parts of all that the viewer may see; with `role`, only what is seen in that role. They repeat
    `visibility.role_in` as conditions on the parties' columns."""
    me = viewer.user_id
    parts = [Source(side, column_is(column, me)) for side, column in SIDES]
    party = Q(client_id=me) | Q(freelancer_id=me)
    if Role.SUPPORT in viewer.scopes:
        if role is None:
            return [Source(Role.SUPPORT, Q())]
        parts.append(Source(Role.SUPPORT, ~party))
    elif Role.MARKETPLACE in viewer.scopes:
        parts.append(Source(Role.MARKETPLACE, Q(placed_by_id=me) & ~party))
    return [part for part in parts if role in (None, part.role)]


def column_is(column: str, value: Any) -> Q:
    """A column of the parties, by its name."""
    return Q(**{column: value})
