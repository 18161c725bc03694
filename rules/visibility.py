"""Who sees what: the one place that says in which role a viewer sees an order, and who may read what is private."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from rules.vocabulary import Role


class Parties(Protocol):
    """Whatever names the people of an order: an order, its row, an event's row."""

    @property
    def client_id(self) -> UUID: ...
    @property
    def freelancer_id(self) -> UUID: ...
    @property
    def placed_by_id(self) -> UUID | None: ...


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody with a valid token: the user, and the roles that the token gives beyond the user's own orders."""

    user_id: UUID
    scopes: frozenset[Role] = frozenset()


def role_in(viewer: Viewer, parties: Parties) -> Role | None:
    """The role in which the viewer sees this order; None: not at all. A party is a party first, so that support staff
    who trade can't read the other side's confidences on their own orders. A marketplace sees what it placed."""
    if viewer.user_id == parties.client_id:
        return Role.CLIENT
    if viewer.user_id == parties.freelancer_id:
        return Role.FREELANCER
    if Role.SUPPORT in viewer.scopes:
        return Role.SUPPORT
    placed = Role.MARKETPLACE in viewer.scopes and viewer.user_id == parties.placed_by_id
    return Role.MARKETPLACE if placed else None


def may_read_confidence(role: Role | None, author_role: Role) -> bool:
    """Whether who sees the order in `role` may read the private reason of a request by `author_role`: its author and
    support, nobody else, ever."""
    return role is Role.SUPPORT or (role is not None and role is author_role)


def may_see_earnings(viewer: Viewer, user_id: UUID) -> bool:
    """Earnings are for the freelancer and for support."""
    return viewer.user_id == user_id or Role.SUPPORT in viewer.scopes
