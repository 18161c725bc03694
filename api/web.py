"""The web app as Vite built it: its pages under a strict policy, its hashed files, /config.json, and GraphiQL."""

import mimetypes
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from api.auth import mint
from api.demo_people import DEMO_PEOPLE, Person
from api.graphiql import graphiql_page
from api.settings import Settings

DIST = Path(__file__).parent.parent / "web" / "dist"
DEMO_TOKENS_LIVE = timedelta(hours=1)
"""The app fetches new ones before they end, as it renews those of an identity provider."""

APP_PATHS = ("/", "/orders", "/orders/{id}", "/inbox", "/dashboard", "/support", "/support/{id}", "/sign-in")
SIGNED_IN = "/signed-in"
"""Where an identity provider sends the browser back to."""
NONCE = "{{nonce}}"
"""Stands in the built page where the nonce of each answer goes: the component library adds a style or two with it."""

OWN_OPERATIONS = "persisted-documents.json"
"""The manifest of the app's own operations, which its build writes (web/scripts/manifest.ts)."""

FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


PLAIN_GRAPHIQL_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' https://unpkg.com; style-src 'unsafe-inline' https://unpkg.com; "
    "font-src data: https://unpkg.com; img-src data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Of Strawberry's page, which has its script within, and its parts from a network of their packages."""


def web_routes(settings: Settings, secret: str | None, clock: Callable[[], datetime]) -> list[BaseRoute]:
    """The routes of the web app, or of a page that says what is missing. `secret` signs the demo's tokens; None where
    an identity provider makes the tokens. `clock` dates them."""
    return Web(settings, secret, clock).routes()


def is_built(settings: Settings) -> bool:
    """Whether there is a web app to serve."""
    return (_folder(settings) / "index.html").is_file()


def own_operations(settings: Settings) -> list[Path]:
    """The manifest of the served web app's operations; none where it is not built, or was built without one."""
    manifest = _folder(settings) / OWN_OPERATIONS
    return [manifest] if is_built(settings) and manifest.is_file() else []


def _folder(settings: Settings) -> Path:
    return settings.web_folder or DIST


@dataclass(frozen=True, slots=True)
class Asset:
    """A built file and its compressed twins, by the name of the encoding."""

    file: Path
    media_type: str
    encoded: dict[str, Path]


class Web:
    """What a browser gets that is not GraphQL."""

    def __init__(self, settings: Settings, secret: str | None, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._secret = secret
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        built = is_built(self._settings)
        routes: list[BaseRoute] = [Route("/config.json", self._config)]
        if self._settings.graphiql:
            routes.append(Route("/graphiql", self._graphiql if built else self._plain_graphiql))
        if not built:
            return [*routes, Route("/", self._not_built)]
        folder = _folder(self._settings)
        self._page = (folder / "index.html").read_text(encoding="utf-8")
        self._graphiql_page = (folder / "graphiql.html").read_text(encoding="utf-8")
        self._assets = _assets(folder)
        return [
            *routes,
            *(Route(path, self._app) for path in (*APP_PATHS, SIGNED_IN)),
            Route("/assets/{name}", self._asset),
            *(Route(f"/{path}", self._asset) for path in self._assets if "/" not in path),
        ]

    async def _app(self, request: Request) -> Response:
        """The same page for each address of the app: it looks at the address itself."""
        nonce = secrets.token_urlsafe(16)
        # Renewal without a refresh token takes place in a frame of our own page.
        framed_by = "'self'" if request.url.path == SIGNED_IN else "'none'"
        policy = _policy(f"'self' 'nonce-{nonce}'", self._provider, framed_by)
        headers = HEADERS | {"content-security-policy": policy, "cache-control": ASK_EACH_TIME}
        return HTMLResponse(self._page.replace(NONCE, nonce), headers=headers)

    async def _graphiql(self, _: Request) -> Response:
        """GraphiQL's editor is Monaco, which writes style elements and style attributes as it draws, and GraphiQL's
        style sheet carries its fonts as data: this page alone allows both. Its scripts and workers come from here like
        all others, and none is evaluated from text."""
        policy = _policy("'self' 'unsafe-inline'", self._provider, "'none'", "'self' data:") + "; worker-src 'self'"
        headers = HEADERS | {"content-security-policy": policy, "cache-control": ASK_EACH_TIME}
        return HTMLResponse(self._graphiql_page, headers=headers)

    async def _plain_graphiql(self, _: Request) -> Response:
        return HTMLResponse(graphiql_page(), headers=HEADERS | {"content-security-policy": PLAIN_GRAPHIQL_POLICY})

    async def _asset(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/")
        asset = self._assets.get(path)
        if asset is None:
            return PlainTextResponse("There is no such page.", 404, HEADERS)
        cache = FOR_EVER if path.startswith("assets/") else ASK_EACH_TIME
        headers = HEADERS | {"cache-control": cache, "vary": "accept-encoding"}
        accepted = request.headers.get("accept-encoding", "")
        for encoding, file in asset.encoded.items():
            if encoding in accepted:
                headers["content-encoding"] = encoding
                return Response(file.read_bytes(), headers=headers, media_type=asset.media_type)
        return Response(asset.file.read_bytes(), headers=headers, media_type=asset.media_type)

    async def _not_built(self, _: Request) -> Response:
        graphiql = '<li><a href="/graphiql">GraphiQL</a></li>' if self._settings.graphiql else ""
        return HTMLResponse(NOT_BUILT.format(graphiql=graphiql), headers=HEADERS)

    async def _config(self, _: Request) -> Response:
        """What the app must know before it can ask anything."""
        settings = self._settings
        config = {
            "environment": settings.environment,
            "graphiql": settings.graphiql,
            "signIn": self._sign_in(),
        }
        return JSONResponse(config, headers=HEADERS | {"cache-control": "no-store"})

    def _sign_in(self) -> dict[str, Any]:
        settings = self._settings
        if settings.oidc_authority is not None:
            return {
                "kind": "oidc",
                "authority": settings.oidc_authority,
                "clientId": settings.oidc_client_id,
                "audience": settings.jwt_audience,
            }
        # Never outside development: whoever may read this page may be anybody of the demo.
        if settings.environment == "development" and self._secret is not None:
            return {"kind": "demo", "people": [self._demo_person(person, self._secret) for person in DEMO_PEOPLE]}
        return {"kind": "none"}

    def _demo_person(self, person: Person, secret: str) -> dict[str, Any]:
        token = mint(
            secret,
            person.subject,
            name=person.name,
            scopes=person.scopes,
            ttl=DEMO_TOKENS_LIVE,
            now=self._clock(),
            issuer=self._settings.jwt_issuer,
            audience=self._settings.jwt_audience,
        )
        return {
            "subject": person.subject,
            "name": person.name,
            "what": person.what,
            "scopes": list(person.scopes),
            "token": token,
            "expiresAt": (self._clock() + DEMO_TOKENS_LIVE).isoformat(),
        }

    @property
    def _provider(self) -> str:
        """The origin of the identity provider, with a space before it; empty without one."""
        if self._settings.oidc_authority is None:
            return ""
        parts = urlsplit(self._settings.oidc_authority)
        return f" {parts.scheme}://{parts.netloc}"


def _policy(styles: str, provider: str, framed_by: str, fonts: str = "'self'") -> str:
    """The Content-Security-Policy of a page. Everything comes from here; the token comes from the provider."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src {styles}",
            f"font-src {fonts}",
            "img-src 'self' data:",
            f"connect-src 'self'{provider}",
            f"frame-src 'self'{provider}" if provider else "frame-src 'none'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            f"frame-ancestors {framed_by}",
        )
    )


def _assets(dist: Path) -> dict[str, Asset]:
    """Every built file by its path. Only what was there at the start is served, so no path can lead elsewhere."""
    twins = tuple(ending for _, ending in ENCODINGS)
    return {
        file.relative_to(dist).as_posix(): _asset_of(file)
        for file in sorted(dist.rglob("*"))
        if file.is_file() and not file.name.endswith(twins) and file.suffix != ".html" and file != dist / OWN_OPERATIONS
    }


def _asset_of(file: Path) -> Asset:
    media_type = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    encoded = {
        encoding: twin for encoding, ending in ENCODINGS if (twin := file.with_name(file.name + ending)).is_file()
    }
    return Asset(file, media_type, encoded)


_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".webmanifest": "application/manifest+json",
}
"""Said here, since the machine's own list may say otherwise."""

NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Resolution Center</title>
<h1>The web app is not built here</h1>
<p>It takes Node 20.19 or newer with npm 10 or newer. Install them, run <code>make web</code>, and start the server
again; <code>make run</code> does all of it when they are there.</p>
<p>The API is served all the same:</p>
<ul><li><code>/graphql</code>, over HTTP and WebSocket</li>{graphiql}<li><a href="/health/ready">health</a></li></ul>
</html>
"""
