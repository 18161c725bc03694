"""What a text that a person writes must be like."""

import unicodedata

from rules.refusals import Refusal, Refused
from rules.vocabulary import RefusalCode

_KEPT_CONTROLS = "\n\t"
_REFUSED, _LINE_ENDS = frozenset({"Cc", "Cs"}), frozenset({"Zl", "Zp"})


def text(value: str, *path: str, most: int, lines: bool = True) -> str:
    """The text trimmed, 1 to `most` characters. Refused: empty, too long, control characters (newline and tab are
    welcome where `lines` is true), half surrogates that no database could keep."""
    trimmed = value.replace("\r\n", "\n").strip()
    if not trimmed:
        raise Refused(Refusal(RefusalCode.TEXT_REQUIRED, "Write something here: it can't be empty.", path))
    if len(trimmed) > most:
        sentence = f"This is {len(trimmed):,} characters long; at most {most:,} are taken."
        raise Refused(Refusal(RefusalCode.TEXT_TOO_LONG, sentence, path))
    kept, refused = (_KEPT_CONTROLS, _REFUSED) if lines else ("", _REFUSED | _LINE_ENDS)
    if any(unicodedata.category(character) in refused and character not in kept for character in trimmed):
        sentence = "There are control characters in this text; remove them and send it again."
        raise Refused(Refusal(RefusalCode.VALUE_INVALID, sentence, path))
    return trimmed


def optional_text(value: str | None, *path: str, most: int) -> str | None:
    """As `text`, but nothing and blanks are both nothing."""
    if value is None or not value.strip():
        return None
    return text(value, *path, most=most)
