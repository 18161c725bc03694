"""Whoever is blocked may do nothing, at once and everywhere; what concerns others goes on."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import api.blocked
import models.block
from api.auth import mint
from api.blocked import POLL, SENTENCE, Blocked
from models import RefundRow, UserRow
from models.block import log_block
from rules.vocabulary import RefundStatus
from tests.command_line import command, prepared, program, rows, serving
from tests.database import a_database
from tests.frames import RawSocket, raw_socket, subscribe, text
from tests.listening import the_log
from tests.service import SECRET, Service, a_service
from tests.store import postgresql_only
from tests.torture.cluster import on_postgres
from tests.waiting import until
from tests.world import ADA, FARID, START

LIVE = "subscription { viewerEvents { order { client { name } } kind } }"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return prepared(tmp_path, "seed")


@contextlib.asynccontextmanager
async def watching(url: str, token: str) -> AsyncIterator[RawSocket]:
    """A socket with a stream that stands."""
    async with raw_socket(url) as socket:
        await socket.acknowledged(token)
        await socket.send(text(subscribe(LIVE)) + text({"type": "ping"}))
        assert await socket.message() == {"type": "pong"}
        yield socket


async def block(subject: str, *, blocked: bool = True, reason: str | None = None) -> None:
    """As the command does it, by another connection's statement."""
    user = await UserRow.get(subject=subject)
    await log_block(user.id, blocked=blocked, reason=reason, now=datetime.now(UTC))


async def _until_answer(service: Service, subject: str, true: Callable[[Any], bool]) -> None:
    async with asyncio.timeout(20):
        while not true(await service.post(subject, "{ viewer { id } }")):  # noqa: ASYNC110 - asked from outside
            await asyncio.sleep(0.02)


async def test_a_blocked_person_s_streams_end_and_everybody_else_s_go_on(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        async with (
            watching(service.url, service.token("ada")) as one,
            watching(service.url, service.token("ada")) as other,
            watching(service.url, service.token("farid")) as farid,
            raw_socket(service.url) as nobody,
        ):
            await nobody.acknowledged()
            with the_log() as log:
                await block("ada", reason="Ticket 4711")
                for socket in (one, other):
                    assert await socket.close() == (4403, SENTENCE)
            assert "4711" not in log.getvalue() and "4711" not in SENTENCE
            await service.do("farid", "deliverOrder", orderId=order_id, message="Here it is.")
            event: Any = await farid.message()
            assert event["payload"]["data"]["viewerEvents"] == {
                "order": {"client": {"name": "Ada"}},
                "kind": "ORDER_DELIVERED",
            }
            await nobody.send(text({"type": "ping"}))
            assert await nobody.message() == {"type": "pong"}
        async with raw_socket(service.url) as again:
            await again.send(text({"type": "connection_init", "payload": {"authorization": service.token("ada")}}))
            assert await again.close() == (4403, SENTENCE)


ASKED = (
    "{ viewer { id } }",
    "{ __typename }",
    "{ viewerScopes }",
    "{ orders { totalCount } }",
    'mutation { acceptDelivery(input: {orderId: "x"}) { userErrors { code } } }',
)


async def test_all_that_a_blocked_person_asks_for_is_refused_whole(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        assert "errors" not in await service.post("ada", "{ viewer { id } }")
        await block("ada")
        await _until_answer(service, "ada", lambda answer: "errors" in answer)
        for query in ASKED:
            answer = await service.post("ada", query)
            assert not answer.get("data")
            [error] = answer["errors"]
            assert (error["message"], error["extensions"]["code"]) == (SENTENCE, "FORBIDDEN"), query
        assert "errors" not in await service.post("bela", "{ viewer { id } }")
        await block("ada", blocked=False)
        await _until_answer(service, "ada", lambda answer: "errors" not in answer)
        async with watching(service.url, service.token("ada")):
            pass


async def test_neither_a_scope_nor_a_new_token_helps(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        await block("sol")
        await _until_answer(service, "sol", lambda answer: "errors" in answer)
        async with raw_socket(service.url) as socket:
            renewed = service.token("sol", ttl=timedelta(hours=2), scopes=["support", "marketplace"])
            await socket.send(text({"type": "connection_init", "payload": {"authorization": renewed}}))
            assert await socket.close() == (4403, SENTENCE)


async def test_an_order_goes_on_without_the_one_who_is_blocked(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        paid, waiting = await service.started("PAID"), await service.started("WAITING")
        accepted = await service.offer(paid)
        await service.offer(waiting)
        await service.do("ada", "acceptRequest", requestId=accepted)
        await block("ada")
        await _until_answer(service, "ada", lambda answer: "errors" in answer)
        await service.all_paid()
        assert await RefundRow.filter(status=RefundStatus.SUCCEEDED).count() == 1
        service.clock.later(timedelta(hours=49))
        pending = "query($id: ID!) { order(id: $id) { client { name } resolutionCenter { pendingRequests { id } } } }"
        order = await _until_nothing_is_pending(service, pending, waiting)
        assert order["client"] == {"name": "Ada"}
        # The other side may still act on what both have.
        await service.do("farid", "deliverOrder", orderId=waiting, message="Here it is.")


async def _until_nothing_is_pending(service: Service, query: str, order_id: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            order = (await service.ask("farid", query, id=order_id))["order"]
            if not order["resolutionCenter"]["pendingRequests"]:
                return order
            await asyncio.sleep(0.02)


# ---------------------------------------------------------------- on every process


def _token(subject: str, secret: str) -> str:
    return mint(secret, subject, ttl=timedelta(hours=1), now=datetime.now(UTC))


@pytest.mark.slow
async def test_the_command_ends_the_streams_of_every_process_on_one_file(demo: Path) -> None:
    given = {"RESOLUTION_JWT_SECRET": SECRET}
    with serving(demo, **given) as (_, first), serving(demo, **given) as (_, second):
        urls = [re.findall(r"http://[\d.:]+", "\n".join(printed))[0] for printed in (first, second)]
        async with (
            watching(urls[0], _token("client-1", SECRET)) as one,
            watching(urls[1], _token("client-1", SECRET)) as other,
        ):
            said = await asyncio.to_thread(program, demo, "block", "client-1", **given)
            assert said.code == 0, said
            assert await one.close() == await other.close() == (4403, SENTENCE)
    assert POLL < 5


@postgresql_only
@pytest.mark.parametrize("ring", [True, False], ids=["with the ring", "without the ring"])
async def test_the_command_ends_the_streams_of_every_process_on_postgresql(tmp_path: Path, ring: bool) -> None:
    token = _token("ada", SECRET)
    async with on_postgres(tmp_path, 2) as cluster:
        if not ring and cluster.ring:
            await cluster.ring.kill()
        one, other = (server.url for server in cluster.servers)
        async with watching(one, token) as first, watching(other, token) as second:
            given = {"RESOLUTION_DATABASE_URL": cluster.database_url}
            if cluster.ring:
                given["RESOLUTION_BROADCAST_URL"] = cluster.ring.url
            said = await asyncio.to_thread(program, tmp_path, "block", "ada", **given)
            assert (said.code, said.err) == (0, "")
            assert await first.close() == await second.close() == (4403, SENTENCE)


async def test_a_database_that_is_away_for_a_moment_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, away = 0, True
    real = models.block.blocks_after

    async def blocks_after(position: int) -> Any:
        nonlocal asked
        asked += 1
        if away and asked > 1:
            raise ConnectionError("away")
        return await real(position)

    monkeypatch.setattr(api.blocked, "blocks_after", blocks_after)
    monkeypatch.setattr(api.blocked, "PACE", 0.0)
    async with a_database(tmp_path):
        known, told = Blocked(0.01), list[str]()
        known.listen(ADA, lambda: told.append("ada"))
        known.listen(FARID, lambda: told.append("farid"))
        with the_log() as log:
            async with known.running():
                await log_block(ADA, blocked=True, reason=None, now=START)
                await until(lambda: asked > 5)
                assert not told and ADA not in known
                away = False
                await until(lambda: ADA in known)
                await log_block(ADA, blocked=False, reason=None, now=START)
                await until(lambda: ADA not in known)
        assert told == ["ada"]
        assert log.getvalue().count("can't read who is blocked") == 1


# ---------------------------------------------------------------- the commands


def test_who_was_blocked_when_and_why_stays_in_the_database(demo: Path) -> None:
    said = command(demo, "block", "client-1", "--reason", " Stolen account, ticket 4711 ")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Blocked Ada (client-1): ")
    again = command(demo, "block", "client-1", "--reason", "Another")
    assert again.code == 0 and "is blocked already, since 20" in again.out
    assert command(demo, "unblock", "client-1").out == "Ada (client-1) is not blocked any more.\n"
    assert command(demo, "unblock", "client-1").out == "Ada (client-1) is not blocked: nothing to do.\n"
    found = "SELECT position, subject, blocked, reason FROM blocks JOIN users ON users.id = user_id ORDER BY 1"
    assert rows(demo, found) == [(1, "client-1", 1, "Stolen account, ticket 4711"), (2, "client-1", 0, None)]


@pytest.mark.parametrize("name", ["block", "unblock"])
def test_somebody_unknown_is_said_to_be_so(demo: Path, name: str) -> None:
    said = command(demo, name, "clinet-1")
    assert (said.code, said.out) == (1, "")
    assert said.complaint == "Nobody with this subject was ever seen here, or named by an order; is it spelled right?"
    assert rows(demo, "SELECT count(*) FROM blocks") == [(0,)]


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("", "--reason: Write something here: it can't be empty."),
        ("a" * 501, "--reason: This is 501 characters long; at most 500 are taken."),
        ("bell\x07", "--reason: There are control characters in this text; remove them and send it again."),
    ],
)
def test_a_reason_that_is_none_is_refused(demo: Path, reason: str, sentence: str) -> None:
    said = command(demo, "block", "client-1", "--reason", reason)
    assert (said.code, said.complaint) == (1, sentence)
    assert rows(demo, "SELECT count(*) FROM blocks") == [(0,)]


def test_a_broadcast_that_is_away_keeps_nobody_from_being_blocked(demo: Path) -> None:
    said = command(demo, "block", "client-1", RESOLUTION_BROADCAST_URL="redis://127.0.0.1:1")
    assert (said.code, said.err) == (0, "")
    assert rows(demo, "SELECT blocked FROM blocks") == [(1,)]
