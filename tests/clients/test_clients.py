"""The clients that people use, each a program of its own, against a real server: they ask, change and watch, and go on
after a line that was cut and a token that ended."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.clients.programs import HERE, NODE, PATIENCE, PYTHON, Program, at_work, made, missing, workshop
from tests.waiting import until

pytestmark = pytest.mark.slow
without_node = pytest.mark.skipif(missing() is not None, reason=f"no client: {missing()}")

OVER_HTTP = ("apollo-multipart", "graphql-sse", "urql-sse")
"""Clients whose subscriptions come over HTTP."""
NODE_CLIENTS = ("graphql-ws", "apollo", "urql", *OVER_HTTP, "relay")


@pytest.fixture(params=[*(pytest.param(name, marks=without_node) for name in NODE_CLIENTS), "gql"])
async def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """How each client is started."""
    if request.param == "gql":
        return [PYTHON, "-m", "tests.clients.gql_client"]
    if request.param == "relay":
        return await _relay(tmp_path)
    return [*NODE, str(HERE / f"{request.param}.mjs")]


async def test_a_client_asks_changes_and_watches(tmp_path: Path, command: list[str]) -> None:
    async with at_work(tmp_path, command) as client:
        await _asks_changes_and_watches(client)


async def _asks_changes_and_watches(client: Program) -> None:
    order_id = await client.service.place("R-1")
    await client.watch(await _now(client))

    assert await client.order(order_id) == _order(order_id, "AWAITING_REQUIREMENTS")
    assert await client.submit(order_id) == {"order": {"id": order_id, "status": "IN_PROGRESS"}, "userErrors": []}
    again = await client.submit(order_id)
    assert again["order"] is None
    assert [error["code"] for error in again["userErrors"]] == ["ORDER_STATUS"]
    assert await client.order(order_id) == _order(order_id, "IN_PROGRESS")

    [event] = await client.saw(1)
    assert event["kind"] == "REQUIREMENTS_SUBMITTED"
    assert event["order"] == {"id": order_id, "reference": "R-1"}


async def test_a_client_whose_line_is_cut_goes_on_where_it_was(tmp_path: Path, command: list[str]) -> None:
    async with at_work(tmp_path, command) as client:
        start = await _now(client)
        await client.watch(start)
        await client.service.place("R-0")
        await client.saw(1)

        for cut in range(1, 3):
            client.line.cut()
            await client.service.place(f"R-{cut}a")
            await client.service.place(f"R-{cut}b")
            await client.saw(1 + 2 * cut)
        await client.service.place("R-9")
        await client.saw(6)

        assert client.events == await _log(client, start)


async def test_a_client_whose_token_ended_asks_again_with_a_new_one(tmp_path: Path, command: list[str]) -> None:
    async with at_work(tmp_path, command, ttl=timedelta(minutes=1)) as client:
        order_id = await client.service.place("R-1")
        assert await client.order(order_id) == _order(order_id, "AWAITING_REQUIREMENTS")
        client.service.clock.later(timedelta(hours=1))
        assert await client.order(order_id) == _order(order_id, "AWAITING_REQUIREMENTS")
        assert client.issuer.given == 2


async def test_a_client_whose_token_ends_while_it_watches_comes_back_with_a_new_one(
    tmp_path: Path, command: list[str]
) -> None:
    async with at_work(tmp_path, command, ttl=timedelta(seconds=2)) as client:
        start = await _now(client)
        await client.watch(start)
        await client.service.place("R-0")
        await client.saw(1)
        given = client.issuer.given
        await until(lambda: client.issuer.given > given, patience=PATIENCE)
        await client.service.place("R-1")
        await client.saw(2)

        assert client.events == await _log(client, start)


@without_node
@pytest.mark.parametrize("name", OVER_HTTP)
async def test_a_client_whose_server_goes_comes_back_to_the_next(tmp_path: Path, name: str) -> None:
    async with at_work(tmp_path, [*NODE, str(HERE / f"{name}.mjs")]) as client:
        start = await _now(client)
        await client.watch(start)
        await client.service.place("R-0")
        await client.saw(1)
        # As at SIGTERM. A socket is closed with 1012 then; a stream over HTTP ends without a word.
        client.service.app.state.end_streams()
        for number in range(1, 4):
            await client.service.place(f"R-{number}")
            await client.saw(1 + number)

        assert client.events == await _log(client, start)


@without_node
async def test_relay_pages_a_connection_and_fetches_a_thing_again(tmp_path: Path) -> None:
    async with at_work(tmp_path, await _relay(tmp_path)) as client:
        order_ids = [await client.service.place(f"R-{number}") for number in range(1, 6)]
        assert await client.ask("pages", 2) == ["R-5", "R-4", "R-3", "R-2"]
        assert await client.ask("refetch", order_ids[0]) == _order(order_ids[0], "AWAITING_REQUIREMENTS")


@without_node
async def test_what_graphql_codegen_makes_is_exact_and_works(tmp_path: Path) -> None:
    place = workshop(tmp_path)
    await made(place, "graphql-codegen", "--config", "codegen/codegen.ts")
    await made(place, "tsc", "--project", "codegen")
    async with at_work(tmp_path, [*NODE, str(place / "built" / "codegen" / "client.js")]) as client:
        await _asks_changes_and_watches(client)


async def _relay(folder: Path) -> list[str]:
    """How the client is started that runs what Relay's compiler makes."""
    place = workshop(folder)
    (place / "relay" / "package.json").write_text('{"type": "commonjs"}')
    (place / "relay" / "__generated__").mkdir()
    await made(place, "relay-compiler", "relay/relay.config.json")
    return [*NODE, str(place / "relay" / "client.mjs")]


def _order(order_id: str, status: str) -> dict[str, str]:
    return {"id": order_id, "reference": "R-1", "status": status}


async def _now(client: Program) -> str:
    found: str = (await client.service.ask("ada", "{ eventCursor }"))["eventCursor"]
    return found


async def _log(client: Program, after: str) -> list[dict[str, object]]:
    """Everything that concerns Ada since then, as the event log has it."""
    query = """query($after: String) { viewerEvents(after: $after, first: 100) {
      nodes { id cursor kind order { id reference } } } }"""
    nodes: list[dict[str, object]] = (await client.service.ask("ada", query, after=after))["viewerEvents"]["nodes"]
    return nodes
