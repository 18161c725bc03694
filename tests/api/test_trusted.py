"""Trusted documents: an operator's manifest, by hash and by text, over HTTP, in streams and over WebSocket."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from api.trusted import ManifestProblem, read_manifests
from tests.service import Service, a_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCOPES = "query Scopes {\n  viewerScopes\n}"
LIVE = "subscription Live { viewerEvents { kind } }"
OTHER = "query Other { viewerScopes __typename }"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


CODEGEN = {sha256(text): text for text in (SCOPES, LIVE)}
APOLLO = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [
        {"id": sha256(SCOPES), "name": "Scopes", "type": "query", "body": SCOPES},
        {"id": sha256(LIVE), "name": "Live", "type": "subscription", "body": LIVE},
    ],
}


def a_file(folder: Path, content: object) -> Path:
    path = folder / "manifest.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


MODES: dict[str, tuple[str, object | None]] = {
    "only, by codegen": ("production", CODEGEN),
    "only, by apollo": ("production", APOLLO),
    "known": ("development", CODEGEN),
    "none": ("production", None),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=MODES)
async def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, Service]]:
    """A server that executes nothing but its trusted documents, one that merely knows them, or one without any; and
    which of these it is."""
    environment, manifest = MODES[request.param]
    folder = tmp_path_factory.mktemp("trusted")
    file = str(a_file(folder, manifest)) if manifest else ""
    settings: dict[str, Any] = {
        "RESOLUTION_ENVIRONMENT": environment,
        "RESOLUTION_TRUSTED_DOCUMENTS": file,
        "RESOLUTION_WEB_FOLDER": str(folder / "none"),  # the operations of a web app would be trusted too
    }
    async with a_service(folder, **settings) as service:
        yield request.param.partition(",")[0], service


def persisted(text: str, **more: object) -> dict[str, Any]:
    """As Apollo's clients name a document."""
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)}}} | more


ASKED: dict[str, tuple[dict[str, Any], Any, Any, Any]] = {
    # What is asked; what comes of it where only trusted documents are, where they are known, where there are none.
    "by Apollo's hash": (persisted(SCOPES), None, None, "PERSISTED_QUERY_NOT_SUPPORTED"),
    "by its id": ({"documentId": sha256(SCOPES)}, None, None, "PERSISTED_QUERY_NOT_SUPPORTED"),
    "by its id with a prefix": (
        {"documentId": f"sha256:{sha256(SCOPES)}"},
        None,
        None,
        "PERSISTED_QUERY_NOT_SUPPORTED",
    ),
    "by its text": ({"query": SCOPES}, None, None, None),
    "by its text laid out otherwise": ({"query": "query Scopes{viewerScopes} # now"}, None, None, None),
    "by its hash and its text": (persisted(SCOPES, query=SCOPES), None, None, None),
    "by an unknown hash": (
        persisted(OTHER),
        "PERSISTED_QUERY_NOT_FOUND",
        "PERSISTED_QUERY_NOT_FOUND",
        "PERSISTED_QUERY_NOT_SUPPORTED",
    ),
    "by an unknown text": ({"query": OTHER}, "QUERY_NOT_IN_SAFELIST", None, None),
    "by an unknown hash and its text": (persisted(OTHER, query=OTHER), "QUERY_NOT_IN_SAFELIST", None, None),
    "by a hash of something else": (persisted(OTHER, query=LIVE), "BAD_REQUEST", "BAD_REQUEST", "BAD_REQUEST"),
    "by a hash that is none": (
        {"extensions": {"persistedQuery": {"sha256Hash": 5}}},
        "BAD_REQUEST",
        "BAD_REQUEST",
        "BAD_REQUEST",
    ),
    "by extensions of no shape": ({"extensions": {"persistedQuery": []}}, "BAD_REQUEST", "BAD_REQUEST", "BAD_REQUEST"),
    "by bad grammar": ({"query": "{"}, "QUERY_NOT_IN_SAFELIST", "GRAPHQL_PARSE_FAILED", "GRAPHQL_PARSE_FAILED"),
    "by a text that is far too long": (
        {"query": SCOPES + " " * 5_000},
        "QUERY_NOT_IN_SAFELIST",
        None,
        None,
    ),
}


@pytest.mark.parametrize("name", ASKED)
async def test_a_document_is_taken_or_refused_over_http(stage: tuple[str, Service], name: str) -> None:
    mode, service = stage
    asked, code = ASKED[name][0], ASKED[name][1 + ["only", "known", "none"].index(mode)]
    for accept, status in (("application/graphql-response+json", 400), ("application/json", 200)):
        answer = await service.http.post("/graphql", json=asked, headers={"accept": accept})
        found = answer.json()
        if code is None:
            assert (answer.status_code, found["data"]["viewerScopes"]) == (200, [])
        else:
            assert (answer.status_code, found["errors"][0]["extensions"]["code"]) == (status, code)
            assert "data" not in found


@pytest.mark.parametrize("name", ASKED)
async def test_and_the_same_over_a_socket(stage: tuple[str, Service], name: str) -> None:
    mode, service = stage
    asked, code = ASKED[name][0], ASKED[name][1 + ["only", "known", "none"].index(mode)]
    async with service.socket(None) as socket:
        await socket.send({"id": "1", "type": "subscribe", "payload": asked})
        message = await socket.next_of("1")
        if code is None:
            assert message["payload"]["data"]["viewerScopes"] == []
        else:
            assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)
        # The socket is none the worse.
        await socket.send({"id": "2", "type": "subscribe", "payload": {"query": SCOPES}})
        assert (await socket.next_of("2"))["type"] == "next"


async def test_a_trusted_subscription_is_streamed_and_another_is_not(stage: tuple[str, Service]) -> None:
    mode, service = stage
    headers = {"accept": "text/event-stream"}
    by_id = await service.http.post("/graphql", json={"documentId": sha256(LIVE)}, headers=headers)
    assert ("PERSISTED_QUERY_NOT_SUPPORTED" if mode == "none" else "UNAUTHENTICATED") in by_id.text
    other = await service.http.post("/graphql", json={"query": LIVE + " "}, headers=headers)
    assert "UNAUTHENTICATED" in other.text
    another = await service.http.post("/graphql", json={"query": LIVE.replace("kind", "id")}, headers=headers)
    assert ("QUERY_NOT_IN_SAFELIST" if mode == "only" else "UNAUTHENTICATED") in another.text


async def test_a_trusted_query_comes_by_get(stage: tuple[str, Service]) -> None:
    mode, service = stage
    extensions = json.dumps(persisted(SCOPES)["extensions"])
    for params in ({"extensions": extensions}, {"documentId": sha256(SCOPES)}):
        answer = await service.http.get("/graphql", params=params)
        assert ("errors" in answer.json()) == (mode == "none")


async def test_apollos_clients_know_what_to_do_by_the_very_words(stage: tuple[str, Service]) -> None:
    mode, service = stage
    answer = await service.http.post("/graphql", json=persisted(OTHER))
    words = "PersistedQueryNotSupported" if mode == "none" else "PersistedQueryNotFound"
    assert answer.json()["errors"][0]["message"] == words


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no JSON object"),
        ({}, "allows no operation"),
        ({"a": 5}, "has no id and text for its operation 1"),
        ({"": SCOPES}, "has no id and text for its operation 1"),
        ({"a": SCOPES, "b": "query {"}, "holds a text that is no GraphQL document: b"),
        ({"format": "other", "version": 1, "operations": []}, "is not of the format apollo-persisted-query-manifest"),
        (APOLLO | {"version": 2}, "is not of the format apollo-persisted-query-manifest, version 1"),
        (APOLLO | {"operations": {}}, "has no list of operations"),
        (APOLLO | {"operations": [{"id": "a", "body": SCOPES}, {"id": "a", "body": LIVE}]}, "gives two operations"),
    ],
    ids=str,
)
async def test_a_file_that_is_no_manifest_is_refused_in_one_sentence(tmp_path: Path, content: object, why: str) -> None:
    path = a_file(tmp_path, content)
    with pytest.raises(ManifestProblem) as refused:
        read_manifests(path, only=True)
    sentence = str(refused.value)
    assert sentence.startswith(f"{path} {why}")
    assert sentence.endswith(".")
    assert "\n" not in sentence


async def test_a_file_that_is_not_there_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(ManifestProblem, match="can't be read: No such file"):
        read_manifests(tmp_path / "none.json", only=True)
