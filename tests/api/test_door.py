"""GraphQL over HTTP goes in by its own door: what comes out is what comes by Starlette's way, to the header."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.cors import CrossOrigin
from api.door import Door, WithDoor
from api.http_headers import first_values
from api.security_headers import HEADERS, Protection, SecurityHeaders
from tests.service import PATIENCE, Service, a_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRIEND, FOE = "https://shop.example", "https://evil.example"
HSTS = 60
QUERY = b'{"query": "{ viewerScopes }"}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    folder = tmp_path_factory.mktemp("door")
    async with a_service(folder, RESOLUTION_ALLOWED_ORIGINS=FRIEND, RESOLUTION_HSTS_SECONDS=str(HSTS)) as service:
        yield service


def asking(method: str = "POST", path: str = "/graphql", scheme: str = "http", **headers: str | None) -> Scope:
    """A request's scope. A header that is None is not sent."""
    given = {"content_type": "application/json", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items() if value is not None]
    scope: Scope = {"type": "http", "method": method, "path": path, "root_path": "", "scheme": scheme, "headers": raw}
    return {**scope, "query_string": b"query={viewerScopes}", "client": ("127.0.0.1", 1)}


async def answered(app: ASGIApp, scope: Scope) -> list[Message]:
    """Every message of an answer; the error that escaped, if any, comes last."""
    messages: list[Message] = []
    received = asyncio.Event()

    async def send(message: Message) -> None:
        messages.append({**message, "headers": list(message.get("headers", ()))})

    async def receive() -> Message:
        if received.is_set():
            await asyncio.sleep(PATIENCE)
        received.set()
        return {"type": "http.request", "body": QUERY}

    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - whatever escapes is what is compared
        messages.append({"type": "escaped", "error": repr(error)})
    return messages


async def both(app: ASGIApp, scope: Scope) -> tuple[list[Message], list[Message]]:
    """What comes by the door, and what by Starlette's layers and routes, as below a root path."""
    below = {**scope, "root_path": "/below", "path": f"/below{scope['path']}"}
    return await answered(app, scope), await answered(app, below)


METHODS = ["GET", "POST", "OPTIONS", "HEAD", "PUT", "QUERY"]
ORIGINS = [None, "", "null", FRIEND, FOE]
ACCEPTS = [None, "*/*", "application/graphql-response+json", "text/html", "text/event-stream"]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("method", METHODS)
async def test_an_answer_by_the_door_is_the_one_by_starlettes_way(
    service: Service, method: str, origin: str | None
) -> None:
    for accept, scheme, wanted in itertools.product(ACCEPTS, ("http", "https"), (None, "POST", "DELETE")):
        scope = asking(method, scheme=scheme, origin=origin, accept=accept, access_control_request_method=wanted)
        direct, long = await both(service.app, scope)
        assert direct == long
        if not (method == "OPTIONS" and origin and wanted):
            assert direct == await answered(layered(behind_the_door(service.app)), scope)


def behind_the_door(app: Starlette) -> ASGIApp:
    """The application itself."""
    [door] = [route.endpoint for route in app.routes if isinstance(route, Route) and isinstance(route.endpoint, Door)]
    return door._app


def layered(app: ASGIApp) -> ASGIApp:
    """An application in the layers of middleware that the door stands for, each made of Starlette's own classes."""

    async def with_layers(scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin")

        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                complete(answer, allowed=origin == FRIEND, by_https=scope["scheme"] == "https")
            await send(message)

        await app(scope, receive, completed)

    return with_layers


def complete(answer: MutableHeaders, *, allowed: bool, by_https: bool) -> None:
    answer.add_vary_header("origin")
    if allowed:
        answer["access-control-allow-origin"] = FRIEND
        answer["access-control-expose-headers"] = "retry-after"
    for name, value in HEADERS.items():
        answer.setdefault(name, value)
    if by_https:
        answer["strict-transport-security"] = f"max-age={HSTS}"


async def test_a_preflight_varies_by_what_it_asks_and_by_its_origin(service: Service) -> None:
    scope = asking("OPTIONS", origin=FRIEND, access_control_request_method="POST")
    [start, _] = await answered(service.app, scope)
    assert start["status"] == 204
    by = b"access-control-request-method, access-control-request-headers, origin"
    # In the place where the answer has it, as by Starlette's `add_vary_header`.
    assert start["headers"][0] == (b"vary", by)


@pytest.mark.parametrize(
    ("path", "status"), [("/graphql/", 307), ("/graphqls", 404), ("/health/live", 200), ("//graphql", 404)]
)
async def test_all_other_paths_go_starlettes_way(service: Service, path: str, status: int) -> None:
    [start, *_] = await answered(service.app, asking("GET", path, origin=FRIEND))
    names = {name for name, _ in start["headers"]}
    assert start["status"] == status
    assert names >= {name.encode() for name in HEADERS}
    assert not names & {b"access-control-allow-origin", b"strict-transport-security"}


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_method_that_another_path_does_not_take_is_refused_as_ever(service: Service, method: str) -> None:
    [start, body] = await answered(service.app, asking(method, "/health/live"))
    assert start["status"] == 405 and b"METHOD_NOT_ALLOWED" in body["body"]


# ---------------------------------------------------------------- what escapes


def failing(after: int) -> ASGIApp:
    """An application that breaks after so many messages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        for message in (start, {"type": "http.response.body", "body": b"x", "more_body": True})[:after]:
            await send(message)
        raise LookupError("broken")

    return app


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_an_error_that_escapes_is_answered_as_by_starlette(after: int) -> None:
    door = Door(failing(after), CrossOrigin([FRIEND]), Protection())
    app = WithDoor(door, routes=[Route("/graphql", door)], middleware=[Middleware(SecurityHeaders)])
    direct, long = await both(app, asking(origin=FRIEND))
    plain = await answered(Starlette(routes=[Route("/graphql", Plain(failing(after)))]), asking())
    assert direct == long
    assert [message["type"] for message in direct] == [message["type"] for message in plain]
    if after == 0:
        assert direct == plain
        assert (direct[0]["status"], direct[1]["body"]) == (500, b"Internal Server Error")
    assert direct[-1] == {"type": "escaped", "error": "LookupError('broken')"}


class Plain:
    """An application that Starlette does not take for a function of a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def test_an_answer_that_is_kept_and_given_again_does_not_grow() -> None:
    kept = Response("x", headers={"vary": "accept"})
    app = Door(kept, CrossOrigin([FRIEND]), Protection(HSTS))
    first, second = [await answered(app, asking(scheme="https", origin=FRIEND)) for _ in range(2)]
    assert first == second
    assert dict(kept.raw_headers).keys() == {b"vary", b"content-length"}


# ---------------------------------------------------------------- the raw lists

NAMES = st.sampled_from(["content-type", "x-other", "strict-transport-security", *HEADERS])
OWN = st.lists(st.tuples(NAMES, st.sampled_from(["a", "b"])), max_size=5)


@given(OWN, st.sampled_from([None, "accept"]), st.sampled_from([None, FRIEND]), st.booleans())
async def test_headers_are_completed_as_starlettes_classes_do_it(
    own: list[tuple[str, str]], vary: str | None, allowed: str | None, by_https: bool
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in [*own, *([("vary", vary)] if vary else [])]]
    theirs = MutableHeaders(raw=list(raw))
    complete(theirs, allowed=bool(allowed), by_https=by_https)
    CrossOrigin([FRIEND]).complete(raw, allowed.encode() if allowed else None)
    Protection(HSTS).complete(raw, {"scheme": "https" if by_https else "http"})
    assert sorted(raw) == sorted(theirs.raw)
    if "strict-transport-security" not in dict(own):
        assert raw == theirs.raw


async def test_of_several_headers_of_one_name_the_first_counts() -> None:
    given = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]
    assert first_values({"headers": given}) == first_values({"headers": tuple(given)}) == {b"a": b"1", b"b": b"2"}
    assert first_values({"headers": []}) == {}
