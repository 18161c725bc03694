"""Trusted documents and the web app: its own operations are trusted where it is served, as its build wrote them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from graphql import get_introspection_query

from api.web import DIST, OWN_OPERATIONS
from tests.service import Service, a_service

SCOPES = "query Scopes { viewerScopes }"
WEBS = "query Me { viewerScopes eventCursor }"
OTHER = "query Other { viewerScopes __typename }"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def a_file(folder: Path, content: object) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps(content))
    return path


def a_web_app(folder: Path, manifest: object | None) -> Path:
    """What a build makes, in small."""
    web = folder / "web"
    web.mkdir()
    for page in ("index.html", "graphiql.html"):
        (web / page).write_text("<title>Resolution Center</title>")
    if manifest is not None:
        (web / OWN_OPERATIONS).write_text(json.dumps(manifest))
    return web


async def codes(service: Service, *asked: dict[str, Any]) -> list[str | None]:
    """Why each was refused; None for what was executed, though nobody was known."""
    answers = [(await service.http.post("/graphql", json=each)).json() for each in asked]
    found = [answer["errors"][0]["extensions"]["code"] if "errors" in answer else None for answer in answers]
    return [None if code == "UNAUTHENTICATED" else code for code in found]


@pytest.mark.parametrize(
    ("webs", "expected"),
    [
        ({sha256(WEBS): WEBS}, [None, None, None, "QUERY_NOT_IN_SAFELIST"]),
        (None, [None, "QUERY_NOT_IN_SAFELIST", "PERSISTED_QUERY_NOT_FOUND", "QUERY_NOT_IN_SAFELIST"]),
    ],
    ids=["with its manifest", "without"],
)
async def test_the_operations_of_the_web_app_that_is_served_are_trusted_beside_the_operators(
    tmp_path: Path, webs: object, expected: list[str | None]
) -> None:
    settings: dict[str, Any] = {
        "RESOLUTION_ENVIRONMENT": "production",
        "RESOLUTION_TRUSTED_DOCUMENTS": str(a_file(tmp_path, {sha256(SCOPES): SCOPES})),
        "RESOLUTION_WEB_FOLDER": str(a_web_app(tmp_path, webs)),
    }
    async with a_service(tmp_path, **settings) as service:
        asked = {"query": SCOPES}, {"query": WEBS}, {"documentId": sha256(WEBS)}, {"query": OTHER}
        assert await codes(service, *asked) == expected
        assert (await service.http.get(f"/{OWN_OPERATIONS}")).status_code == 404


async def test_the_web_app_alone_restricts_nobody(tmp_path: Path) -> None:
    web = a_web_app(tmp_path, {sha256(WEBS): WEBS})
    async with a_service(tmp_path, RESOLUTION_ENVIRONMENT="production", RESOLUTION_WEB_FOLDER=str(web)) as service:
        assert await codes(service, {"query": OTHER}) == [None]


async def test_where_two_manifests_share_an_id_the_operators_says_what_it_means(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "RESOLUTION_ENVIRONMENT": "production",
        "RESOLUTION_TRUSTED_DOCUMENTS": str(a_file(tmp_path, {"a": SCOPES})),
        "RESOLUTION_WEB_FOLDER": str(a_web_app(tmp_path, {"a": WEBS})),
    }
    async with a_service(tmp_path, **settings) as service:
        by_id = (await service.http.post("/graphql", json={"documentId": "a"})).json()
        assert by_id["data"] == {"viewerScopes": []}
        assert await codes(service, {"query": WEBS}) == [None]


@pytest.mark.skipif(not (DIST / OWN_OPERATIONS).is_file(), reason="the web app is not built: make web")
async def test_what_the_build_wrote_is_executed_and_graphiqls_question_is_not(tmp_path: Path) -> None:
    webs: dict[str, str] = json.loads((DIST / OWN_OPERATIONS).read_text())
    assert all(sha256(text) == id_ for id_, text in webs.items())
    settings: dict[str, Any] = {
        "RESOLUTION_ENVIRONMENT": "production",
        "RESOLUTION_TRUSTED_DOCUMENTS": str(a_file(tmp_path, {sha256(SCOPES): SCOPES})),
        "RESOLUTION_INTROSPECTION": "everybody",
    }
    async with a_service(tmp_path, **settings) as service:
        queries = [text for text in webs.values() if text.startswith("query")]
        refused = {code for code in await codes(service, *({"query": text} for text in queries)) if code}
        assert refused <= {"BAD_USER_INPUT"}  # the variables are missing
        assert len(queries) > 5
        assert await codes(service, {"query": get_introspection_query()}) == ["QUERY_NOT_IN_SAFELIST"]
