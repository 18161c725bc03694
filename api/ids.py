"""Global ids: opaque to clients, a kind and a UUID (for an event its cursor's position) to us."""

from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from binascii import b2a_base64
from enum import StrEnum
from functools import lru_cache
from uuid import UUID


class Kind(StrEnum):
    """What an id can be of. All requests share one, so that an id outlives any question of its type."""

    USER = "User"
    ORDER = "Order"
    REQUEST = "ResolutionRequest"
    REFUND = "Refund"
    SUPPORT_CASE = "SupportCase"
    EVENT = "OrderEvent"


_BEGINNINGS = {kind: f"{kind.value}:" for kind in Kind}
"""An enumeration's member takes longer to be written than the whole rest of an id."""


def global_id(kind: Kind, value: UUID) -> str:
    """The id that clients get."""
    return _opaque(_BEGINNINGS[kind] + str(value))


def event_id(order_id: UUID, sequence: int) -> str:
    """An event's id: its order and its place there, which says nothing of other orders."""
    return _opaque(f"{_BEGINNINGS[Kind.EVENT]}{order_id}:{sequence}")


def _opaque(text: str) -> str:
    """Base64 for URLs, without padding. The letters in which its alphabet differs from the ordinary one come of ">",
    "?" and "~" alone among what is ASCII, and no id holds these: nothing is translated."""
    return b2a_base64(text.encode(), newline=False).rstrip(b"=").decode()


@lru_cache(4_096)
def parsed(text: str) -> tuple[Kind, UUID, int] | None:
    """The kind, the UUID and, for an event, the sequence; None for whatever we never gave. What is asked for is asked
    for again, and an id is always of the same thing."""
    try:
        name, value, *rest = urlsafe_b64decode(text.encode("ascii") + b"==").decode().split(":")
        kind = Kind(name)
        sequence = int(rest[0]) if kind is Kind.EVENT else 0
        found = (kind, UUID(value), sequence)
    except (NotBase64, ValueError, IndexError):
        return None
    canonical = event_id(found[1], sequence) if kind is Kind.EVENT else global_id(kind, found[1])
    return found if canonical == text and 0 <= sequence < 2**31 else None


def uuid_of(kind: Kind, text: str) -> UUID | None:
    """The UUID of an id of this kind; None for ids of other kinds and for whatever we never gave."""
    found = parsed(text)
    return found[1] if found and found[0] is kind else None
