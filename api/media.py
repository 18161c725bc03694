"""Media types: in which of our shapes a client takes an answer, and in which shape it sends a question."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final


class Json(Enum):
    """An answer that comes whole (GraphQL over HTTP, «Media Types»)."""

    GRAPHQL_RESPONSE = "application/graphql-response+json"
    """A document that is not executed has a status of 4xx and no `data`."""
    LEGACY = "application/json"
    """Whatever a well-formed request gets has the status 200."""

    @property
    def header(self) -> str:
        return f"{self.value}; charset=utf-8"


class Stream(Enum):
    """An answer that comes in parts."""

    EVENTS = "text/event-stream"
    """graphql-sse in its distinct connections mode."""
    MULTIPART = "multipart/mixed"
    """Apollo's multipart subscriptions, asked for with `subscriptionSpec=1.0`."""


STREAMS: Final = (Stream.EVENTS.value, f"{Stream.MULTIPART.value};subscriptionSpec=1.0")
SHAPES: Final = (Json.GRAPHQL_RESPONSE.value, Json.LEGACY.value, *STREAMS)
"""All that an Accept header may ask for."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the client takes: one shape of each kind at most. Neither: nothing that we have (406)."""

    json: Json | None
    stream: Stream | None

    @property
    def nothing(self) -> bool:
        return self.json is None and self.stream is None


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or a range of them, in lower case, and its parameters; `quality` is the range's q (RFC 9110)."""

    name: str
    parameters: dict[str, str]

    @property
    def quality(self) -> float:
        try:
            return min(1.0, max(0.0, float(self.parameters.get("q", "1"))))
        except ValueError:
            return 0.0


BOUNDARY: Final = "graphql"
"""Of a multipart answer, as Apollo's protocol has it."""


@lru_cache(maxsize=100)
def accepted(header: str | None) -> Accepted:
    """What an Accept header asks for. Without one: everything, of which `application/json` is what the specification
    wants for now. A stream must be named: no range stands for it."""
    ranges = list(_listed(header or "")) or [MediaType("*/*", {})]
    return Accepted(_json(ranges), _stream(ranges))


def _json(ranges: list[MediaType]) -> Json | None:
    exact = {each.name: each.quality for each in ranges}
    wide = exact.get("application/*", exact.get("*/*", 0.0))
    modern = exact.get(Json.GRAPHQL_RESPONSE.value, wide)
    legacy = exact.get(Json.LEGACY.value, wide)
    if max(modern, legacy) == 0:
        return None
    prefers_modern = Json.GRAPHQL_RESPONSE.value in exact and modern >= legacy
    return Json.GRAPHQL_RESPONSE if prefers_modern or legacy == 0 else Json.LEGACY


def _stream(ranges: list[MediaType]) -> Stream | None:
    wanted = [(each.quality, kind) for each in ranges if each.quality and (kind := _stream_of(each))]
    return max(wanted, key=lambda pair: pair[0])[1] if wanted else None


def _stream_of(range_: MediaType) -> Stream | None:
    if range_.name == Stream.EVENTS.value:
        return Stream.EVENTS
    is_ours = range_.parameters.get("boundary", BOUNDARY) == BOUNDARY
    asks = range_.parameters.get("subscriptionspec") == "1.0"
    return Stream.MULTIPART if range_.name == Stream.MULTIPART.value and is_ours and asks else None


@lru_cache(maxsize=100)
def is_json(content_type: str | None) -> bool:
    """Whether a body of this type is JSON as the specification has it: exactly `application/json`, in UTF-8."""
    given = _listed(content_type or "")
    if len(given) != 1:
        return False
    charset = given[0].parameters.get("charset", "utf-8").lower()
    return given[0].name == Json.LEGACY.value and charset in ("utf-8", "utf8")


def _listed(header: str) -> list[MediaType]:
    return [parsed for part in _split(header, ",") if (parsed := _parsed(part))]


def _parsed(text: str) -> MediaType | None:
    name, *parameters = (part.strip() for part in _split(text, ";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    named = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
    return MediaType(name.lower(), named) if name else None


def _split(text: str, separator: str) -> Iterator[str]:
    """As `str.split`, but what stands in quotes stays together."""
    part, quoted = "", False
    for sign in text:
        quoted ^= sign == '"'
        if sign == separator and not quoted:
            yield part
            part = ""
        else:
            part += sign
    yield part
