"""JSON as clients send it and get it: strict in what is a number, lenient where JavaScript is."""

import codecs
import json
from typing import NoReturn

import orjson


def read(data: str | bytes) -> object:
    """What a text holds. Raises JSONDecodeError, which callers expect, for all that is wrong. Half surrogates are
    taken, as JavaScript writes them for broken text: the rules refuse them with the path to the input. A byte order
    mark is passed over, as RFC 8259 allows."""
    if isinstance(data, bytes):
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            # Bytes would be taken in UTF-16 and UTF-32 too.
            text = data.decode() if isinstance(data, bytes) else data
            return json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(type(error).__name__, "", 0) from None


def written(data: object) -> str:
    """Text, not bytes: bytes would become binary frames over WebSocket. It holds no line break."""
    return encoded(data).decode()


def encoded(data: object) -> bytes:
    """The same for a body. An error may repeat a half surrogate that the client sent, which orjson does not write."""
    try:
        return orjson.dumps(data)
    except TypeError:
        return json.dumps(data, separators=(",", ":")).encode()


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")
