"""Cross-origin requests: who may read our answers, exactly as the settings name them."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Code
from api.http_errors import Refused, refusal

METHODS = "GET, POST"
HEADERS = ("authorization", "content-type")
"""What a page may send besides what every page may."""
MAX_AGE = "600"
"""Seconds that a browser keeps the answer to a preflight."""


class CrossOrigin:
    """Lets pages of the allowed origins read what the application answers. Never with credentials of the browser:
    tokens come in a header. Whoever else asks gets an answer that the browser shows to nobody."""

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        origin = asked.get("origin")
        allowed = origin if origin in self._allowed else None

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                # Always, or a cache would give one origin what another one got.
                answer.add_vary_header("origin")
                if allowed:
                    answer["access-control-allow-origin"] = allowed
                    answer["access-control-expose-headers"] = "retry-after"
            await send(message)

        if scope["method"] == "OPTIONS" and origin and "access-control-request-method" in asked:
            await self._preflight(asked, allowed)(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _preflight(self, asked: Headers, allowed: str | None) -> Response:
        vary = {"vary": "access-control-request-method, access-control-request-headers"}
        if not allowed:
            refused = Refused(403, Code.FORBIDDEN, "Pages of this origin may not call this server.", **vary)
            return refusal(refused)
        wanted = {name.strip().lower() for name in asked.get("access-control-request-headers", "").split(",")} - {""}
        if asked["access-control-request-method"] not in METHODS.split(", ") or not wanted <= {*HEADERS, "accept"}:
            return refusal(Refused(403, Code.FORBIDDEN, "This method or header may not be sent from a page.", **vary))
        granted = {
            "access-control-allow-methods": METHODS,
            "access-control-allow-headers": ", ".join(HEADERS),
            "access-control-max-age": MAX_AGE,
        }
        return Response(status_code=204, headers=vary | granted)
