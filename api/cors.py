"""Cross-origin requests: who may read our answers, exactly as the settings name them."""

from collections.abc import Collection, Mapping

from starlette.responses import Response

from api.errors import Code
from api.http_errors import Refused, refusal
from api.http_headers import Header, put, vary

METHODS = "GET, POST"
HEADERS = ("authorization", "content-type")
"""What a page may send besides what every page may."""
MAX_AGE = "600"
"""Seconds that a browser keeps the answer to a preflight."""


class CrossOrigin:
    """Lets pages of the allowed origins read what the application answers. Never with credentials of the browser:
    tokens come in a header. Whoever else asks gets an answer that the browser shows to nobody."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)

    def allowed(self, asked: Mapping[bytes, bytes]) -> bytes | None:
        """The origin of a request with these headers, if its page may read the answer."""
        origin = asked.get(b"origin")
        return origin if origin and origin.decode("latin-1") in self._allowed else None

    def complete(self, headers: list[Header], allowed: bytes | None) -> None:
        """Adds who may read it to the headers of an answer."""
        # Always, or a cache would give one origin what another one got.
        vary(headers, b"origin")
        if allowed:
            put(headers, b"access-control-allow-origin", allowed)
            put(headers, b"access-control-expose-headers", b"retry-after")

    def preflight(self, asked: Mapping[bytes, bytes]) -> Response | None:
        """What answers a request by OPTIONS with these headers, if a browser asks by it what a page may send."""
        if not asked.get(b"origin") or b"access-control-request-method" not in asked:
            return None
        by = {"vary": "access-control-request-method, access-control-request-headers"}
        if not self.allowed(asked):
            return refusal(Refused(403, Code.FORBIDDEN, "Pages of this origin may not call this server.", **by))
        if not _may_be_sent(asked):
            return refusal(Refused(403, Code.FORBIDDEN, "This method or header may not be sent from a page.", **by))
        granted = {
            "access-control-allow-methods": METHODS,
            "access-control-allow-headers": ", ".join(HEADERS),
            "access-control-max-age": MAX_AGE,
        }
        return Response(status_code=204, headers=by | granted)


def _may_be_sent(asked: Mapping[bytes, bytes]) -> bool:
    method = asked[b"access-control-request-method"].decode("latin-1")
    names = asked.get(b"access-control-request-headers", b"").decode("latin-1").split(",")
    return method in METHODS.split(", ") and {name.strip().lower() for name in names} <= {*HEADERS, "accept", ""}
