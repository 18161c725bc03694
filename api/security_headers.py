"""Headers that every answer carries, so that a browser makes nothing of it that it is not."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http_headers import Header, put

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}
"""Of data. A page of ours says its own, which stay."""
_RAW: list[Header] = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Protection:
    """What an answer says of itself to browsers. With `hsts_seconds`, those that came by https come by nothing else
    from then on."""

    def __init__(self, hsts_seconds: int = 0) -> None:
        self._hsts = f"max-age={hsts_seconds}".encode() if hsts_seconds else None

    def complete(self, headers: list[Header], scope: Scope) -> None:
        """Adds what the headers of an answer to such a request lack."""
        said = dict(headers)
        headers += [each for each in _RAW if each[0] not in said]
        if self._hsts and scope.get("scheme") == "https":
            put(headers, b"strict-transport-security", self._hsts)


class SecurityHeaders:
    """Completes the answers of an application that does not do it by itself."""

    def __init__(self, app: ASGIApp, hsts_seconds: int = 0) -> None:
        self._app = app
        self._protection = Protection(hsts_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A list of its own: an answer's may be kept, and given again.
                message["headers"] = list(message["headers"])
                self._protection.complete(message["headers"], scope)
            await send(message)

        await self._app(scope, receive, with_headers)
