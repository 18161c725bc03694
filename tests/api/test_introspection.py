"""The schema is shown to whom the settings name, over HTTP and WebSocket, whoever asked before."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from graphql import get_introspection_query

from tests.service import Service, a_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKING = [
    get_introspection_query(),
    '{ __type(name: "Order") { name } }',
    "{ ...f } fragment f on Query { s: __schema { description } }",
]
SETTINGS: dict[str, tuple[str, str, str | None, str | None]] = {
    # The environment, the setting, and what comes of it without a token and with one.
    "development": ("development", "", None, None),
    "production": ("production", "", "UNAUTHENTICATED", None),
    "everybody": ("production", "everybody", None, None),
    "signed-in": ("development", "signed-in", "UNAUTHENTICATED", None),
    "nobody": ("development", "nobody", "FORBIDDEN", "FORBIDDEN"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=SETTINGS)
async def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Service, dict[str | None, str | None]]]:
    """A server, and the code with which it refuses to show its schema, by who asks; None: it shows it."""
    environment, setting, anonymous, signed_in = SETTINGS[request.param]
    async with a_service(
        tmp_path_factory.mktemp("schema"), RESOLUTION_ENVIRONMENT=environment, RESOLUTION_INTROSPECTION=setting
    ) as service:
        yield service, {None: anonymous, "ada": signed_in}


async def code_of(service: Service, subject: str | None, query: str) -> str | None:
    """The code of the one error; None: there is none."""
    answer = await service.post(subject, query)
    if "errors" not in answer:
        assert answer["data"]
        return None
    assert "data" not in answer
    return str(answer["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize("query", ASKING, ids=["schema", "type", "fragment"])
async def test_the_schema_is_shown_to_whom_the_settings_name(
    stage: tuple[Service, dict[str | None, str | None]], query: str
) -> None:
    service, codes = stage
    # In turns: a document that one caller may send is known from then on, and not to be executed for another.
    for subject in (None, "ada", None, "ada"):
        assert await code_of(service, subject, query) == codes[subject]
    for subject, code in codes.items():
        async with service.socket(subject) as socket:
            await socket.send({"id": "1", "type": "subscribe", "payload": {"query": query}})
            message = await socket.next_of("1")
            assert (message["type"], message["payload"][0]["extensions"]["code"] if code else None) == (
                "error" if code else "next",
                code,
            )


async def test_whoever_may_not_see_the_schema_may_ask_what_type_a_thing_is(
    stage: tuple[Service, dict[str | None, str | None]],
) -> None:
    service, _ = stage
    assert await code_of(service, None, "{ __typename viewerScopes # __schema\n }") is None
