"""GraphQL over HTTP: every refusal is JSON with a code and a status of its own, and every answer says its type."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from graphql import ExecutionResult, GraphQLError
from starlette.responses import Response
from starlette.types import ASGIApp, Message

import api.http_request
from api.app import create_app
from api.callers import Callers
from api.http_answer import formatted, whole
from api.json_text import written
from api.media import Json, Stream, accepted, is_json
from api.settings import Settings
from tests.listening import the_log
from tests.service import PATIENCE, SECRET, Service, a_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODERN, LEGACY = "application/graphql-response+json", "application/json"
QUERY = '{"query": "{ viewerScopes }"}'
ANSWER: dict[str, Any] = {"viewerScopes": []}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with a_service(tmp_path_factory.mktemp("http"), RESOLUTION_LARGEST_BODY_BYTES="5000") as service:
        yield service


async def sent(service: Service, body: str | bytes = QUERY, **headers: str) -> httpx.Response:
    """An answer to a body, which is JSON unless the headers say otherwise."""
    given = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await service.http.post("/graphql", content=body, headers=given)


def refused(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of an answer that must be a refusal and nothing else."""
    found = answer.json()
    assert "data" not in found
    [error] = found["errors"]
    assert error["message"]
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, error["extensions"]["code"]


# ---------------------------------------------------------------- in which shape


@pytest.mark.parametrize(
    ("header", "json_", "stream"),
    [
        (None, Json.LEGACY, None),
        ("", Json.LEGACY, None),
        ("*/*", Json.LEGACY, None),
        ("application/*", Json.LEGACY, None),
        (LEGACY, Json.LEGACY, None),
        (MODERN, Json.GRAPHQL_RESPONSE, None),
        ("Application/GraphQL-Response+JSON; charset=UTF-8", Json.GRAPHQL_RESPONSE, None),
        (f"{LEGACY}, {MODERN}", Json.GRAPHQL_RESPONSE, None),
        (f"{MODERN}, {LEGACY};q=0.9", Json.GRAPHQL_RESPONSE, None),
        (f"{MODERN};q=0.5, {LEGACY}", Json.LEGACY, None),
        (f"{MODERN};q=0, */*", Json.LEGACY, None),
        (f"{LEGACY};q=0, */*", Json.GRAPHQL_RESPONSE, None),
        (f"{LEGACY};q=nonsense", None, None),
        ("text/html", None, None),
        ("text/*", None, None),
        ("application/jsonp", None, None),
        ("text/event-stream", None, Stream.EVENTS),
        ("text/event-stream;q=0", None, None),
        ("text/event-stream, multipart/mixed", None, Stream.EVENTS),
        ("multipart/mixed", None, None),
        ("multipart/mixed;boundary=other;subscriptionSpec=1.0", None, None),
        ('multipart/mixed;boundary="graphql";subscriptionSpec="1.0"', None, Stream.MULTIPART),
        # Apollo Client, and urql for whatever is no subscription.
        (f"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,{LEGACY}", Json.LEGACY, Stream.MULTIPART),
        (
            f"{MODERN}, application/graphql+json, {LEGACY}, text/event-stream, multipart/mixed",
            Json.GRAPHQL_RESPONSE,
            Stream.EVENTS,
        ),
    ],
)
async def test_an_accept_header_says_in_which_shape(
    header: str | None, json_: Json | None, stream: Stream | None
) -> None:
    found = accepted(header)
    assert (found.json, found.stream) == (json_, stream)


@pytest.mark.parametrize(
    ("header", "fits"),
    [
        (LEGACY, True),
        ("Application/JSON ; Charset=UTF-8", True),
        ('application/json; charset="utf-8"', True),
        (None, False),
        ("", False),
        ("text/plain", False),
        ("text/plain, application/json", False),
        ("text/plain; x=application/json", False),
        ("application/json, text/plain", False),
        ("application/jsonx", False),
        ("application/json; charset=utf-16", False),
        ("multipart/form-data; boundary=x", False),
        ("application/x-www-form-urlencoded", False),
    ],
)
async def test_only_json_in_utf_8_is_taken(header: str | None, fits: bool) -> None:
    assert is_json(header) is fits


@pytest.mark.parametrize(("accept", "shown"), [(MODERN, MODERN), (LEGACY, LEGACY), ("*/*", LEGACY)])
async def test_an_answer_says_its_type_and_is_kept_by_nobody(service: Service, accept: str, shown: str) -> None:
    answer = await sent(service, accept=accept)
    assert (answer.status_code, answer.json()["data"]) == (200, ANSWER)
    assert answer.headers["content-type"] == f"{shown}; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert {name.strip() for name in answer.headers["vary"].split(",")} == {"accept", "origin"}


DOCUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "bad grammar": ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
    "an unknown field": ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
    "a variable of the wrong type": (
        {"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": {}}},
        "BAD_USER_INPUT",
    ),
    "several operations without a name": (
        {"query": "query A { viewerScopes } query B { viewerScopes }"},
        "BAD_REQUEST",
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_document_that_is_not_executed_has_no_data_and_the_status_of_its_media_type(
    service: Service, name: str
) -> None:
    asked, code = DOCUMENTS[name]
    for accept, status in ((MODERN, 400), (LEGACY, 200)):
        assert refused(await sent(service, json.dumps(asked), accept=accept)) == (status, code)


async def test_what_was_executed_is_200_whatever_errors_it_has(service: Service) -> None:
    answer = await sent(service, '{"query": "{ orders { totalCount } }"}', accept=MODERN)
    assert (answer.status_code, answer.json()["data"]) == (200, None)
    assert answer.json()["errors"][0]["path"] == ["orders"]


async def test_of_several_operations_the_named_one_is_executed(service: Service) -> None:
    query = "query A { a: viewerScopes } query B { b: viewerScopes }"
    answer = await sent(service, json.dumps({"query": query, "operationName": "B"}))
    assert answer.json()["data"] == {"b": []}


# ---------------------------------------------------------------- what is refused

BODIES: dict[str, tuple[str | bytes, int, str]] = {
    "nothing": ("", 400, "BAD_REQUEST"),
    "blanks": (" \n", 400, "BAD_REQUEST"),
    "no JSON": ("{", 400, "BAD_REQUEST"),
    "UTF-16": (QUERY.encode("utf-16"), 400, "BAD_REQUEST"),
    "no object": ("5", 400, "BAD_REQUEST"),
    "a batch": (f"[{QUERY}]", 400, "BAD_REQUEST"),
    "no query": ("{}", 400, "BAD_REQUEST"),
    "a query that is null": ('{"query": null}', 400, "BAD_REQUEST"),
    "a name that is unknown": ('{"query": "query A { viewerScopes }", "operationName": "B"}', 400, "BAD_REQUEST"),
    **{
        f"{name} of the wrong type": (json.dumps({"query": "{ viewerScopes }"} | {name: value}), 400, "BAD_REQUEST")
        for name, value in {
            "query": 5,
            "operationName": [],
            "variables": "{}",
            "extensions": [],
            "documentId": {},
        }.items()
    },
    "a byte too many": (QUERY + " " * 5_000, 413, "PAYLOAD_TOO_LARGE"),
}


@pytest.mark.parametrize("accept", [MODERN, LEGACY])
@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_is_no_operation_is_refused(service: Service, name: str, accept: str) -> None:
    body, status, code = BODIES[name]
    answer = await sent(service, body, accept=accept)
    assert refused(answer) == (status, code)
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"


async def test_a_body_in_chunks_is_counted_as_it_comes(service: Service) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield QUERY.encode()
        for _ in range(10):
            yield b" " * 1_000

    answer = await service.http.post("/graphql", content=chunks(), headers={"content-type": LEGACY})
    assert "content-length" not in answer.request.headers
    assert refused(answer) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_body_that_does_not_come_is_not_waited_for(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.http_request, "PATIENCE", 0.1)

    url = httpx.URL(service.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{")
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head
    assert json.loads(body)["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"


async def test_a_byte_order_mark_is_passed_over(service: Service) -> None:
    assert (await sent(service, b"\xef\xbb\xbf" + QUERY.encode())).json()["data"] == ANSWER


@pytest.mark.parametrize("type_", ["text/plain", "text/plain, application/json", "application/json; charset=latin1"])
async def test_a_body_of_another_type_is_refused(service: Service, type_: str) -> None:
    answer = await sent(service, content_type=type_)
    assert refused(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert answer.headers["accept-post"] == LEGACY


async def test_a_shape_that_we_do_not_have_is_refused(service: Service) -> None:
    assert refused(await sent(service, accept="text/html")) == (406, "NOT_ACCEPTABLE")
    page = await service.http.get("/graphql", headers={"accept": "text/html"})
    assert refused(page) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"])
async def test_a_method_that_we_do_not_have_is_refused(service: Service, method: str) -> None:
    answer = await service.http.request(method, "/graphql", content=QUERY, headers={"content-type": LEGACY})
    assert refused(answer) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, POST"


async def test_what_is_not_there_is_told_as_json_too(service: Service) -> None:
    assert (await service.http.get("/nothing")).json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    answer = await service.http.post("/health/live")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert answer.json()["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"


# ---------------------------------------------------------------- GET


async def got(service: Service, params: Mapping[str, str]) -> httpx.Response:
    return await service.http.get("/graphql", params=dict(params), headers={"accept": MODERN})


async def test_a_query_may_come_by_get(service: Service) -> None:
    query = "query A($id: ID!) { node(id: $id) { id } } query B { viewerScopes }"
    answer = await got(service, {"query": query, "operationName": "B", "variables": "{}", "extensions": ""})
    assert (answer.status_code, answer.json()["data"]) == (200, ANSWER)


@pytest.mark.parametrize(
    ("query", "allow"),
    [
        ("mutation { __typename }", "POST"),
        ("subscription { viewerEvents { id } }", None),
        ("query A { viewerScopes } mutation B { __typename }", None),
    ],
)
async def test_nothing_else_may_come_by_get(service: Service, query: str, allow: str | None) -> None:
    params = {"query": query} | ({"operationName": "B"} if "mutation B" in query else {})
    for accept in (MODERN, "text/event-stream"):
        answer = await service.http.get("/graphql", params=params, headers={"accept": accept})
        assert refused(answer) == (405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == "POST"
    assert allow in (None, "POST")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"query": "{ viewerScopes }", "variables": "5"},
        {"query": "{ viewerScopes }", "variables": "[]"},
        {"query": "{ viewerScopes }", "variables": "{"},
        {"query": "{ viewerScopes }", "extensions": '"text"'},
    ],
    ids=str,
)
async def test_a_parameter_that_is_none_is_refused(service: Service, params: dict[str, str]) -> None:
    assert refused(await got(service, params)) == (400, "BAD_REQUEST")


async def test_a_parameter_that_stands_twice_is_refused(service: Service) -> None:
    answer = await service.http.get("/graphql?query={viewerScopes}&query={__typename}")
    assert refused(answer) == (400, "BAD_REQUEST")


# ---------------------------------------------------------------- when we are at fault


async def test_what_nobody_expected_is_masked_with_an_id_that_the_log_has(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = "the password is swordfish"

    async def broken(*_: object) -> None:
        raise LookupError(private)

    monkeypatch.setattr(Callers, "caller", broken)
    with the_log() as log:
        answer = await sent(service, accept=MODERN, authorization="Bearer any.thing.here")
    assert refused(answer) == (500, "INTERNAL_SERVER_ERROR")
    error_id = answer.json()["errors"][0]["extensions"]["id"]
    assert error_id in log.getvalue()
    assert "LookupError" in log.getvalue()
    assert "LookupError" not in answer.text
    assert "swordfish" not in answer.text + log.getvalue()


async def test_a_server_that_is_not_ready_says_so(tmp_path: Path) -> None:
    app = create_app(Settings(database_url=f"sqlite://{tmp_path / 'none'}", jwt_secret=SECRET))  # type: ignore[arg-type] # pydantic makes it secret
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": [], "query_string": b"", "root_path": ""}
    await app(scope, receive, send)
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"2") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"


async def test_an_operation_that_is_not_executed_for_now_says_when_to_come_again() -> None:
    """Whoever throttles gives its error `retryAfter`; over HTTP it is a header, in whatever shape the answer comes."""
    later = GraphQLError("Too much.", extensions={"code": "THROTTLED", "retryAfter": 7})
    for shape in Json:
        answer = whole(ExecutionResult(data=None, errors=[later]), shape)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    of_a_field = GraphQLError("Too much.", path=["viewer"], extensions={"code": "THROTTLED"})
    assert whole(ExecutionResult(data=None, errors=[of_a_field]), Json.GRAPHQL_RESPONSE).status_code == 200


async def test_an_answer_that_comes_whole_is_starlettes_to_the_byte() -> None:
    later = GraphQLError("Too much.", extensions={"code": "THROTTLED", "retryAfter": 7})
    for shape in Json:
        for result in (
            ExecutionResult(data={"a": "é"}),
            ExecutionResult(data={"a": "\ud800"}),
            ExecutionResult(data=None, errors=[later]),
            ExecutionResult(data=None, errors=[GraphQLError("No.")]),
        ):
            ours = whole(result, shape)
            named = {name.decode(): value.decode() for name, value in ours.raw_headers if name != b"content-length"}
            theirs = Response(written(formatted(result)), ours.status_code, named)
            assert (ours.body, ours.raw_headers) == (theirs.body, theirs.raw_headers)
            assert await messages(ours) == await messages(theirs)


async def messages(app: ASGIApp) -> list[Message]:
    """What an answer sends."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing is asked for")

    await app({"type": "http"}, receive, send)
    return sent


# ---------------------------------------------------------------- how a body comes


def one(body: bytes) -> list[Message]:
    return [{"type": "http.request", "body": body, "more_body": False}]


def split(body: bytes) -> list[Message]:
    """In two parts, with an empty one and a message that nobody knows between them."""
    between: list[Message] = [{"type": "http.request", "more_body": True}, {"type": "http.other"}]
    return [{"type": "http.request", "body": body[:5], "more_body": True}, *between, *one(body[5:])]


@pytest.mark.parametrize(
    ("body", "status"),
    [(QUERY, 200), ("", 400), (" \n\t\r\v\f", 400), ("{", 400), (QUERY + " " * 5_000, 413), (" " * 5_001, 413)],
)
async def test_a_body_is_read_the_same_in_one_message_or_in_several(service: Service, body: str, status: int) -> None:
    for declared in (None, str(len(body)), "nonsense", "9" * 30):
        answers = [await by_messages(service, each, declared) for each in (one(body.encode()), split(body.encode()))]
        assert answers[0] == answers[1]
        assert answers[0][0]["status"] == (413 if declared == "9" * 30 else status)


async def test_a_body_that_breaks_off_is_refused_and_nothing_is_done(service: Service) -> None:
    gone: list[Message] = [{"type": "http.disconnect"}]
    for messages_ in (gone, split(QUERY.encode())[:1] + gone):
        [start, body] = await by_messages(service, messages_, None)
        assert start["status"] == 400 and (b"connection", b"close") in start["headers"]
        assert b"The body broke off." in body["body"]


async def by_messages(service: Service, messages: list[Message], declared: str | None) -> list[Message]:
    """What is answered to a body that comes in these messages, and declares such a length."""
    sent: list[Message] = []
    coming = iter(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return next(coming)

    headers = [(b"content-type", b"application/json")]
    headers += [(b"content-length", declared.encode())] if declared else []
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "query_string": b""}
    await service.app(scope, receive, send)
    return sent
