"""The web app as it is served: its pages and their policy, hashed files, what the app is told, and what is missing."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.auth import SharedSecretVerifier
from tests.service import SECRET, Service, a_service

PAGE = '<meta property="csp-nonce" content="{{nonce}}"><script type="module" src="/assets/index-abc.js"></script>'
APP_PATHS = ["/", "/orders", "/orders/T3JkZXI", "/inbox", "/dashboard", "/support", "/support/T3JkZXI", "/sign-in"]
PROVIDER: dict[str, Any] = {
    "RESOLUTION_JWT_SECRET": "",
    "RESOLUTION_JWKS_URL": "http://id.example/keys",
    "RESOLUTION_JWT_ISSUER": "http://id.example",
    "RESOLUTION_JWT_AUDIENCE": "resolution",
    "RESOLUTION_OIDC_AUTHORITY": "http://id.example/realms/shop",
    "RESOLUTION_OIDC_CLIENT_ID": "resolution-web",
}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What Vite makes, in small."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "graphiql.html").write_text("<title>GraphiQL</title>")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / "assets" / "index-abc.js").write_text("start()")
    (folder / "assets" / "index-abc.js.br").write_bytes(b"brotli")
    (folder / "assets" / "index-abc.js.gz").write_bytes(b"gzip")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


async def get(service: Service, path: str, **headers: str) -> httpx.Response:
    return await service.http.get(path, headers={"accept-encoding": "identity"} | headers)


def policy_of(headers: Mapping[str, str]) -> dict[str, str]:
    parts = (part.partition(" ") for part in headers["content-security-policy"].split("; "))
    return {name: value for name, _, value in parts}


async def test_every_address_of_the_app_gives_its_page_with_a_nonce_of_its_own(tmp_path: Path, built: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_WEB_FOLDER=str(built)) as service:
        answers = [await get(service, path) for path in APP_PATHS]
    nonces = set()
    for answer in answers:
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
        found = re.search(r'content="([\w-]{22})"', answer.text)
        assert found
        nonces.add(found[1])
        assert policy_of(answer.headers) == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": f"'self' 'nonce-{found[1]}'",
            "font-src": "'self'",
            "img-src": "'self' data:",
            "connect-src": "'self'",
            "frame-src": "'none'",
            "manifest-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
        }
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(nonces) == len(APP_PATHS)


async def test_graphiql_alone_may_write_styles(tmp_path: Path, built: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_WEB_FOLDER=str(built)) as service:
        answer = await get(service, "/graphiql")
    assert answer.text == "<title>GraphiQL</title>"
    policy = policy_of(answer.headers)
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self' 'unsafe-inline'"
    assert policy["font-src"] == "'self' data:"


async def test_hashed_files_are_kept_for_ever_and_come_compressed(tmp_path: Path, built: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_WEB_FOLDER=str(built)) as service:
        plain = await get(service, "/assets/index-abc.js")
        raw = [
            (await service.http.send(request, stream=True))
            for accepted in ("gzip, br", "gzip")
            for request in [
                service.http.build_request("GET", "/assets/index-abc.js", headers={"accept-encoding": accepted})
            ]
        ]
        bodies = [b"".join([chunk async for chunk in answer.aiter_raw()]) for answer in raw]
        icon = await get(service, "/favicon.svg")
    assert plain.text == "start()"
    assert plain.headers["content-type"].startswith("text/javascript")
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["vary"].lower().startswith("accept-encoding")
    assert [(answer.headers["content-encoding"], body) for answer, body in zip(raw, bodies, strict=True)] == [
        ("br", b"brotli"),
        ("gzip", b"gzip"),
    ]
    assert (icon.text, icon.headers["cache-control"]) == ("<svg/>", "no-cache")


@pytest.mark.parametrize(
    "path", ["/assets/other.js", "/assets/..%2f..%2fsecret.txt", "/assets/%2e%2e", "/index.html", "/orders/a/b"]
)
async def test_only_what_was_built_is_served(tmp_path: Path, built: Path, path: str) -> None:
    async with a_service(tmp_path, RESOLUTION_WEB_FOLDER=str(built)) as service:
        assert (await get(service, path)).status_code == 404


async def test_in_development_the_app_is_told_the_demos_people_with_tokens_that_are_taken(
    tmp_path: Path, built: Path
) -> None:
    async with a_service(tmp_path, RESOLUTION_WEB_FOLDER=str(built)) as service:
        answer = await get(service, "/config.json")
        config = answer.json()
        verifier = SharedSecretVerifier(SECRET, clock=service.clock)
        claims = [await verifier.verify(person["token"]) for person in config["signIn"]["people"]]
    assert answer.headers["cache-control"] == "no-store"
    assert (config["environment"], config["graphiql"], config["signIn"]["kind"]) == ("development", True, "demo")
    people = [(person["subject"], person["name"], set(person["scopes"])) for person in config["signIn"]["people"]]
    assert people == [(claim.subject, claim.name, set(claim.scopes)) for claim in claims]
    assert people[0] == ("client-1", "Ada", set())


async def test_in_production_nobody_gets_a_token(tmp_path: Path, built: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_WEB_FOLDER=str(built), RESOLUTION_ENVIRONMENT="production") as service:
        config = (await get(service, "/config.json")).json()
        graphiql = await get(service, "/graphiql")
    assert config == {"environment": "production", "graphiql": False, "signIn": {"kind": "none"}}
    assert graphiql.status_code == 404


async def test_graphiql_is_served_in_production_when_it_is_switched_on(tmp_path: Path, built: Path) -> None:
    async with a_service(
        tmp_path, RESOLUTION_WEB_FOLDER=str(built), RESOLUTION_ENVIRONMENT="production", RESOLUTION_GRAPHIQL="true"
    ) as service:
        assert (await get(service, "/graphiql")).status_code == 200


async def test_the_plain_graphiql_says_where_its_parts_may_come_from(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_WEB_FOLDER=str(tmp_path / "not-built")) as service:
        page = await get(service, "/graphiql")
    policy = page.headers["content-security-policy"]
    for allowed in ("default-src 'none'", "https://unpkg.com", "connect-src 'self'", "frame-ancestors 'none'"):
        assert allowed in policy


async def test_with_a_provider_the_app_is_told_where_it_is_and_may_ask_it(tmp_path: Path, built: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_WEB_FOLDER=str(built), **PROVIDER) as service:
        config = (await get(service, "/config.json")).json()
        page = policy_of((await get(service, "/orders")).headers)
        back = policy_of((await get(service, "/signed-in")).headers)
    assert config["signIn"] == {
        "kind": "oidc",
        "authority": "http://id.example/realms/shop",
        "clientId": "resolution-web",
        "audience": "resolution",
    }
    assert page["connect-src"] == "'self' http://id.example"
    assert page["frame-src"] == "'self' http://id.example"
    assert (page["frame-ancestors"], back["frame-ancestors"]) == ("'none'", "'self'")


async def test_what_is_missing_is_said_and_the_api_is_served_all_the_same(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_WEB_FOLDER=str(tmp_path / "nothing")) as service:
        answer = await get(service, "/")
        graphiql = await get(service, "/graphiql")
        asked = await service.ask("ada", "{ viewer { name } }")
    assert "The web app is not built here" in answer.text
    assert "Node 20.19" in answer.text
    assert "make web" in answer.text
    assert "GraphiQL" in graphiql.text
    assert asked == {"viewer": {"name": "Ada"}}
