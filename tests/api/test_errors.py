"""What an error tells: what was wrong, never what the schema or the server has besides."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from api.errors import LONGEST_MESSAGE, brief
from tests.listening import the_log
from tests.service import Service, a_service

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A server in production."""
    async with a_service(tmp_path_factory.mktemp("errors"), RESOLUTION_ENVIRONMENT="production") as service:
        yield service


# ---------------------------------------------------------------- suggestions, and what was sent

ALMOST: dict[str, tuple[str, Any]] = {
    "a field": ("{ viewr { id } }", None),
    "a field's field": ("{ viewer { idd } }", None),
    "a fragment": ("{ node(id: 5) { reference } }", None),
    "an argument": ("{ orders(frst: 5) { totalCount } }", None),
    "a directive": ("{ viewer @skp(if: true) { id } }", None),
    "a directive's argument": ("{ viewer @skip(iff: true) { id } }", None),
    "a type": ("query($f: OrderFiltr) { orders(filter: $f) { totalCount } }", None),
    "a fragment's type": ("{ node(id: 5) { ... on Ordr { id } } }", None),
    "an enum's value": ("{ orders(filter: {role: CLINT}) { totalCount } }", None),
    "an enum's value in a variable": ("query($r: Role) { orders(filter: {role: $r}) { totalCount } }", {"r": "CLINT"}),
    "a field of an input": ("{ orders(filter: {serch: 5}) { totalCount } }", None),
    "a field of an input in a variable": (
        "query($f: OrderFilter) { orders(filter: $f) { totalCount } }",
        {"f": {"serch": "x"}},
    ),
}


@pytest.mark.parametrize("name", ALMOST)
async def test_an_error_suggests_nothing(service: Service, name: str) -> None:
    query, variables = ALMOST[name]
    answer = await service.post("ada", query, **(variables or {}))
    assert answer["errors"]
    assert "Did you mean" not in json.dumps(answer)
    async with service.socket("ada") as socket:
        watching = await socket.subscribe(query, **(variables or {}))
        await watching.error()
        assert "Did you mean" not in socket.frames[-1]


LONG = "zebra" * 5_000
TOO_LONG: dict[str, tuple[str, Any]] = {
    "a variable": ("query($i: Int) { orders(first: $i) { totalCount } }", {"i": LONG}),
    "a variable's field": (
        "query($f: OrderFilter) { orders(filter: $f) { totalCount } }",
        {"f": {"status": [LONG], "search": LONG}},
    ),
    "a literal": (f'{{ orders(first: "{LONG}") {{ totalCount }} }}', None),
    "a name": (f"{{ {LONG} }}", None),
    "grammar": (f"{{ viewer(: {LONG}", None),
    "an enum": (f"{{ orders(filter: {{role: {LONG}}}) {{ totalCount }} }}", None),
}


@pytest.mark.parametrize("name", TOO_LONG)
async def test_an_error_does_not_repeat_all_that_was_sent(service: Service, name: str) -> None:
    query, variables = TOO_LONG[name]
    answer = await service.post("ada", query, **(variables or {}))
    messages = [error["message"] for error in answer["errors"]]
    assert max(len(message) for message in messages) <= LONGEST_MESSAGE + len(" … ")
    assert len(json.dumps(answer)) < 4_000


async def test_a_name_that_is_unknown_is_not_repeated_whole(service: Service) -> None:
    body = {"query": "query A { viewerScopes }", "operationName": LONG}
    answer = await service.http.post("/graphql", json=body)
    assert answer.status_code == 400
    assert len(answer.text) < 1_000


async def test_a_long_message_keeps_what_was_wrong_which_stands_at_its_end() -> None:
    told = brief(f"Variable '$i' got invalid value '{LONG}'; Int cannot represent non-integer value: 'x'")
    assert told.startswith("Variable '$i' got invalid value 'zebra")
    assert told.endswith("Int cannot represent non-integer value: 'x'")
    assert " … " in told


# ---------------------------------------------------------------- what nobody expected


async def test_what_nobody_expected_is_masked_over_http_and_over_a_socket(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = "SELECT swordfish FROM users"

    async def broken(*_: object) -> object:
        raise RuntimeError(private)

    monkeypatch.setattr("models.reads.figures", broken)
    query = "{ dashboard { lateOrders } }"
    with the_log() as log:
        by_http = await service.post("ada", query)
        async with service.socket("ada") as socket:
            watching = await socket.subscribe(query)
            by_socket = (await socket.next_of(watching.id))["payload"]
    for answer in (by_http, by_socket):
        [error] = answer["errors"]
        assert error["extensions"].keys() == {"code", "id"}
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert error["extensions"]["id"] in error["message"]
        assert error["extensions"]["id"] in log.getvalue()
        for inside in ("swordfish", "SELECT", "RuntimeError", "Traceback", ".py"):
            assert inside not in json.dumps(answer)
    assert "swordfish" not in log.getvalue()
