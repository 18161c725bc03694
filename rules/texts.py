"""What a text that a person writes must be like."""

import re

from rules.refusals import Refusal, Refused
from rules.vocabulary import RefusalCode

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""All that Unicode calls a control character, a line's or a paragraph's end, or half a surrogate pair."""
_CONTROLS_AMONG_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""The same, but for what parts lines, and tabs."""


def text(value: str, *path: str, most: int, lines: bool = True) -> str:
    """The text trimmed, 1 to `most` characters. Refused: empty, too long, control characters (newline and tab are
    welcome where `lines` is true), half surrogates that no database could keep."""
    trimmed = value.replace("\r\n", "\n").strip()
    if not trimmed:
        raise Refused(Refusal(RefusalCode.TEXT_REQUIRED, "Write something here: it can't be empty.", path))
    if len(trimmed) > most:
        sentence = f"This is {len(trimmed):,} characters long; at most {most:,} are taken."
        raise Refused(Refusal(RefusalCode.TEXT_TOO_LONG, sentence, path))
    if (_CONTROLS_AMONG_LINES if lines else _CONTROLS).search(trimmed):
        sentence = "There are control characters in this text; remove them and send it again."
        raise Refused(Refusal(RefusalCode.VALUE_INVALID, sentence, path))
    return trimmed


def optional_text(value: str | None, *path: str, most: int) -> str | None:
    """As `text`, but nothing and blanks are both nothing."""
    if value is None or not value.strip():
        return None
    return text(value, *path, most=most)
