"""A foreign page has no rights: credentials come in a header alone, and who may read an answer is named."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from api.security_headers import SecurityHeaders
from tests.database import dump
from tests.service import Service, a_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRIEND, FOE = "https://shop.example", "https://evil.example"
QUERY = "{ viewer { id } }"
NOBODY: dict[str, Any] = {"viewer": None}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with a_service(
        tmp_path_factory.mktemp("cross-site"),
        RESOLUTION_ALLOWED_ORIGINS=FRIEND,
        RESOLUTION_ENVIRONMENT="production",
    ) as service:
        yield service


def vary(answer: httpx.Response) -> set[str]:
    return {name.strip().lower() for name in answer.headers["vary"].split(",")}


# ---------------------------------------------------------------- what a foreign page can send


@pytest.mark.parametrize(
    "type_", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_a_form_of_a_foreign_page_does_nothing(service: Service, type_: str) -> None:
    before = await dump()
    token = service.token("ada")
    body = '{"query": "mutation { __typename }", "x": "="}'
    headers = {"content-type": type_, "origin": FOE, "cookie": f"authorization={token}; token={token}"}
    answer = await service.http.post("/graphql", content=body, headers=headers)
    assert answer.status_code == 415
    assert "access-control-allow-origin" not in answer.headers
    assert await dump() == before


async def test_a_request_without_a_type_does_nothing(service: Service) -> None:
    """What `fetch` sends without a preflight when the body is bytes."""
    answer = await service.http.post("/graphql", content=b'{"query": "mutation { __typename }"}')
    assert "content-type" not in answer.request.headers
    assert answer.status_code == 415


@pytest.mark.parametrize("name", ["authorization", "Authorization", "token", "access_token", "api_key"])
async def test_a_token_in_a_url_or_a_cookie_is_nobodys(service: Service, name: str) -> None:
    token = service.token("ada")
    for given in (token, f"Bearer {token}"):
        by_url = await service.http.get("/graphql", params={"query": QUERY, name: given})
        by_cookie = await service.http.get("/graphql", params={"query": QUERY}, headers={"cookie": f"{name}={given}"})
        assert by_url.json()["data"] == by_cookie.json()["data"] == NOBODY
    by_header = await service.http.get(
        "/graphql", params={"query": QUERY}, headers={"authorization": f"Bearer {token}"}
    )
    assert by_header.json()["data"] != NOBODY


async def test_a_token_in_the_url_or_a_cookie_of_a_socket_is_nobodys(service: Service) -> None:
    token = service.token("ada")
    async with service.silent_socket(f"?authorization={token}&token={token}") as socket:
        await socket.send({"type": "connection_init", "payload": {"cookie": f"authorization={token}"}})
        assert (await socket.receive())["type"] == "connection_ack"
        assert await (await socket.subscribe(QUERY)).take(1) == [NOBODY]


# ---------------------------------------------------------------- who may read the answer


async def test_a_page_of_an_allowed_origin_may_read_the_answer(service: Service) -> None:
    answer = await service.http.post("/graphql", json={"query": QUERY}, headers={"origin": FRIEND})
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert answer.headers["access-control-expose-headers"] == "retry-after"
    assert "access-control-allow-credentials" not in answer.headers
    assert vary(answer) == {"accept", "origin"}


@pytest.mark.parametrize("origin", [FOE, "null", "https://shop.example.evil.example", "http://shop.example", None])
async def test_no_other_page_may(service: Service, origin: str | None) -> None:
    headers = {"origin": origin} if origin else {}
    answer = await service.http.post("/graphql", json={"query": QUERY}, headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    # Or a cache would give the next one this answer.
    assert vary(answer) == {"accept", "origin"}


async def test_a_refusal_may_be_read_as_well(service: Service) -> None:
    answer = await service.http.post("/graphql", content="{", headers={"origin": FRIEND, "content-type": "text/plain"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (415, FRIEND)


async def preflight(service: Service, origin: str, method: str = "POST", headers: str = "") -> httpx.Response:
    asked = {"origin": origin, "access-control-request-method": method}
    if headers:
        asked["access-control-request-headers"] = headers
    return await service.http.options("/graphql", headers=asked)


async def test_a_preflight_of_an_allowed_origin_is_granted(service: Service) -> None:
    answer = await preflight(service, FRIEND, headers="Authorization, content-type,accept")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "access-control-allow-credentials" not in answer.headers
    assert vary(answer) == {"origin", "access-control-request-method", "access-control-request-headers"}


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [(FOE, "POST", "authorization"), (FRIEND, "DELETE", ""), (FRIEND, "POST", "x-other"), ("null", "GET", "")],
)
async def test_any_other_preflight_is_not(service: Service, origin: str, method: str, headers: str) -> None:
    answer = await preflight(service, origin, method, headers)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "access-control-allow-methods" not in answer.headers
    assert ("access-control-allow-origin" in answer.headers) == (origin == FRIEND)


async def test_only_graphql_is_shown_to_other_origins(service: Service) -> None:
    for path in ("/config.json", "/metrics", "/health/ready"):
        answer = await service.http.get(path, headers={"origin": FRIEND})
        assert "access-control-allow-origin" not in answer.headers, path


@pytest.mark.parametrize(("origin", "opens"), [(FRIEND, True), (None, True), (FOE, False), ("null", False)])
async def test_a_socket_is_opened_to_allowed_origins_alone(service: Service, origin: str | None, opens: bool) -> None:
    url = f"{service.url.replace('http', 'ws')}/graphql"
    opening = connect(
        url, origin=Origin(origin) if origin else None, subprotocols=[Subprotocol("graphql-transport-ws")]
    )
    if opens:
        async with opening:
            return
    with pytest.raises(InvalidStatus) as refused:
        await opening
    assert refused.value.response.status_code == 403


# ---------------------------------------------------------------- what every answer says


@pytest.mark.parametrize("path", ["/graphql", "/nothing", "/health/live", "/metrics", "/config.json", "/"])
async def test_every_answer_says_what_a_browser_must_not_make_of_it(service: Service, path: str) -> None:
    answer = await service.http.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


async def test_only_who_came_by_https_is_told_to_stay_there() -> None:
    """As uvicorn hands on what a trusted proxy says of the scheme."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("")(scope, receive, send)

    for seconds, scheme, told in ((60, "https", "max-age=60"), (60, "http", None), (0, "https", None)):
        transport = httpx.ASGITransport(SecurityHeaders(answer, hsts_seconds=seconds))
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://shop.example") as http:
            assert (await http.get("/")).headers.get("strict-transport-security") == told
