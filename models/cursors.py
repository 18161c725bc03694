"""Cursors: a place in a list, or in the event log, as text that only this database can have given."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_MARK = b"log-v1\x00\x00"
_FOR_URLS = bytes.maketrans(b"+/", b"-_")


class ForeignCursor(ValueError):
    """A cursor that this database, or this list, never gave."""


class EventCursors:
    """Makes and reads the cursors of the event log. A position is enciphered as one block with the log's own secret:
    the text tells nobody how many events there are, and what another database gave deciphers to nonsense."""

    def __init__(self, secret: bytes) -> None:
        # One block of 16 bytes holds the position and a mark, so ECB is exactly a keyed permutation here.
        self._cipher = Cipher(algorithms.AES(secret), modes.ECB())  # noqa: S305
        self._encryptor = self._cipher.encryptor()

    def write(self, position: int) -> str:
        """The cursor that stands just after the event at `position`; 0 is before all events."""
        block = self._encryptor.update(position.to_bytes(8, "big") + _MARK)
        return urlsafe_b64encode(block).rstrip(b"=").decode()

    def read(self, cursor: str) -> int:
        """The position of a cursor. Refused with ForeignCursor: whatever this log's secret did not make."""
        try:
            block = urlsafe_b64decode(cursor.encode("ascii") + b"==")
        except (NotBase64, ValueError):
            raise ForeignCursor from None
        if len(block) != 16:
            raise ForeignCursor
        plain = self._cipher.decryptor().update(block)
        position = int.from_bytes(plain[:8], "big")
        # Written again, since Base64 reads several texts as the same bytes: each position has one cursor.
        if plain[8:] != _MARK or self.write(position) != cursor:
            raise ForeignCursor
        return position


Key = Sequence[str | int | datetime | None]
"""The values of a list's order at one row, the last of them unique."""


def write_key(listing: str, key: Key) -> str:
    """The cursor of a row in the list that `listing` names (which list, in which order). Each value stands with the
    mark of its kind. orjson writes an instant as `isoformat` does, and in a fourth of its time."""
    marked = [
        ("v", value)
        if not isinstance(value, datetime)
        else ("t", value if value.tzinfo is UTC else value.astimezone(UTC))
        for value in key
    ]
    return b2a_base64(orjson.dumps((listing, marked)), newline=False).translate(_FOR_URLS).rstrip(b"=").decode()


def read_key(listing: str, cursor: str, length: int) -> Key:
    """The values that a cursor holds. Refused with ForeignCursor: another list's, or no cursor at all."""
    try:
        named, values = orjson.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=="))
        if named != listing or len(values) != length:
            raise ForeignCursor
        return [_value(kind, value) for kind, value in values]
    except (NotBase64, ValueError, TypeError, OverflowError):
        raise ForeignCursor from None


def _value(kind: str, value: object) -> str | int | datetime | None:
    if kind == "t" and isinstance(value, str) and (instant := datetime.fromisoformat(value)).tzinfo:
        return instant.astimezone(UTC)
    if kind == "v" and (value is None or isinstance(value, str)):
        return value
    if kind == "v" and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    raise ForeignCursor
