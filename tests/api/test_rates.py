"""Budgets and sockets: who is refused, for how long, in which words; and that a Redis that is away stops nobody."""

import asyncio
import contextlib
import shutil
import socket as sockets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from limits import RateLimitItemPerMinute
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from websockets.exceptions import InvalidStatus

from api.budgets import seconds_until
from api.rates import Counters, OpenSockets, Rates, address_of
from tests.listening import the_log
from tests.service import PATIENCE, a_service

ORDERS = "query($first: Int) { orders(first: $first) { nodes { id } } }"
"""Costs 2 more than it asks for; its text, when it is new, 3."""
NEW = len(ORDERS) // 20


# ---------------------------------------------------------------- budgets


async def test_a_viewer_whose_budget_is_spent_is_refused_with_429_and_others_are_not(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_RATE_VIEWER="100") as service:
        await service.ask("ada", ORDERS, first=90 - NEW)
        refused = await service.answer("ada", ORDERS, first=50)
        assert refused.status_code == 429
        [error] = refused.json()["errors"]
        seconds = error["extensions"]["retryAfter"]
        assert error["extensions"] == {"code": "THROTTLED", "retryAfter": seconds}
        assert error["message"] == f"Too much was asked for within a minute; try again in {seconds} seconds."
        assert 1 <= seconds <= 120 and refused.headers["retry-after"] == str(seconds)
        # What is small enough still passes, and nobody else is meant.
        await service.ask("ada", ORDERS, first=2)
        await service.ask("bela", ORDERS, first=50)
        await service.ask("ada", "{ __typename }")
        assert (await service.answer("ada", ORDERS, first=50)).status_code == 429


async def test_over_websocket_the_operation_is_refused_and_the_socket_lives(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_RATE_VIEWER="100") as service, service.socket("ada") as socket:
        stream = await socket.subscribe("subscription { viewerEvents { kind } }")
        await (await socket.subscribe(ORDERS, first=80)).take(1)
        for _ in range(2):
            asked = await socket.subscribe(ORDERS, first=50)
            message = await socket.next_of(asked.id)
            assert message["type"] == "error"
            [error] = message["payload"]
            assert error["extensions"]["code"] == "THROTTLED" and error["extensions"]["retryAfter"] >= 1
        await (await socket.subscribe(ORDERS, first=1)).take(1)
        await service.place()
        assert await stream.take(1) == [{"viewerEvents": {"kind": "ORDER_PLACED"}}]


async def test_a_stream_too_is_paid_for(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_RATE_VIEWER="20") as service, service.socket("ada") as socket:
        text = "subscription { viewerEvents { kind order { id } } }"
        for _ in range(6):
            await socket.subscribe(text)
        watching = await socket.subscribe(text)
        assert await watching.error() == "THROTTLED"


async def test_strangers_share_the_budget_of_their_address_whatever_token_they_make_up(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_RATE_ADDRESS="50", RESOLUTION_FORWARDED_ALLOW_IPS="127.0.0.1") as service:
        headers = {"content-type": "application/json"}
        body = {"query": "{ viewerScopes }"}
        codes = [
            (await service.http.post("/graphql", json=body, headers=headers | {"authorization": f"Bearer x{n}"}))
            for n in range(60)
        ]
        assert [answer.status_code for answer in codes][-1] == 429
        assert (await service.answer(None, "{ viewerScopes }")).status_code == 429
        # Somebody with a token has a budget of her own.
        assert (await service.answer("ada", "{ viewerScopes }")).status_code == 200


async def test_a_text_that_is_not_known_is_paid_for_before_it_is_parsed(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_RATE_ADDRESS="1000") as service:
        wrong = "{ " + "viewer " * 700
        answers = [await service.answer(None, wrong + str(n)) for n in range(6)]
        assert [answer.json()["errors"][0]["extensions"]["code"] for answer in answers] == [
            *["GRAPHQL_PARSE_FAILED"] * 4,
            *["THROTTLED"] * 2,
        ]
        assert answers[-1].status_code == 429


async def test_without_a_budget_nothing_is_counted(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        for _ in range(5):
            await service.ask("ada", "{ orders(first: 100) { nodes { events(first: 90) { nodes { id } } } } }")


class Hand:
    """A clock to set."""

    now = 1_000_000_020.0

    def __call__(self) -> float:
        return self.now


async def test_a_minute_slides_and_the_wait_is_exact() -> None:
    """What was refused passes when it was said, and not a second before."""
    clock = Hand()
    counters = Counters(clock)
    limiter = SlidingWindowCounterRateLimiter(counters)
    item = RateLimitItemPerMinute(100)
    for cost, later in ((80, 0.0), (30, 0.0), (30, 30.0), (100, 45.0), (1, 300.0), (100, 1.0), (60, 59.0)):
        clock.now += later
        if await limiter.hit(item, "ada", cost=cost):
            continue
        wait = seconds_until(await counters.get_sliding_window(item.key_for("ada"), 60), 100, cost, 60)
        then = clock.now
        clock.now = then + wait - 1.01
        assert not await limiter.test(item, "ada", cost=cost), (cost, wait)
        clock.now = then + wait
        assert await limiter.hit(item, "ada", cost=cost), (cost, wait)


async def test_what_is_counted_in_memory_is_bounded() -> None:
    counters = Counters(most=3)
    taken = [await counters.acquire_sliding_window_entry(name, 10, 60, 4) for name in ("a", "b", "c", "a", "d", "a")]
    assert taken == [True, True, True, True, True, False]
    # The one that was quiet longest is forgotten.
    assert set(counters._windows) == {"a", "c", "d"}


async def test_an_operation_dearer_than_the_whole_budget_passes_when_nothing_was_spent() -> None:
    rates = Rates(viewer=10, address=0, url=None)
    ada = uuid4()
    assert await rates.charge(ada, "", 500) is None
    assert await rates.charge(ada, "", 1) is not None
    assert await rates.charge(None, "192.0.2.1", 10**9) is None


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::9", 1), "2001:db8:1:2::/64"),
        (("no address", 1), "unknown"),
        (("", 0), "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_is_a_host_s(client: object, address: str) -> None:
    assert address_of({"client": client}) == address


async def test_a_header_is_believed_from_the_proxies_that_the_settings_name_alone(tmp_path: Path) -> None:
    body = {"query": "{ viewerScopes }"}
    for trusted, passes in (("", False), ("127.0.0.1", True)):
        folder = tmp_path / (trusted or "none")
        folder.mkdir()
        async with a_service(folder, RESOLUTION_RATE_ADDRESS="10", RESOLUTION_FORWARDED_ALLOW_IPS=trusted) as service:
            answers = [
                await service.http.post("/graphql", json=body, headers={"x-forwarded-for": f"192.0.2.{number}"})
                for number in range(12)
            ]
            assert (answers[-1].status_code == 200) is passes


# ---------------------------------------------------------------- sockets


async def test_sockets_that_nobody_named_are_bounded_by_address_at_the_handshake(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_SOCKETS_PER_ADDRESS="2") as service:
        async with service.silent_socket(), service.socket(None):
            with pytest.raises(InvalidStatus) as refused:
                async with service.silent_socket():
                    pass
            response = refused.value.response
            assert (response.status_code, response.headers["retry-after"]) == (429, "10")
            assert b'"code":"THROTTLED"' in response.body.replace(b": ", b":")
        async with (
            service.socket("bela"),
            service.socket("bela"),
            service.socket("farid"),
            service.socket("ada") as ada,
        ):
            # Each has said whose it is: the address has room again.
            assert await (await ada.subscribe("{ viewerScopes }")).take(1)


async def test_one_socket_too_many_of_a_viewer_is_told_to_come_again(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_SOCKETS_PER_VIEWER="2") as service:
        async with service.socket("ada") as first, service.socket("ada"), service.socket("bela"):
            async with service.silent_socket() as third:
                await third.send({"type": "connection_init", "payload": {"authorization": service.token("ada")}})
                assert await third.close_code() == 1013
                assert third.frames == []
            assert await (await first.subscribe("{ viewerScopes }")).take(1) == [{"viewerScopes": []}]
        async with service.socket("ada"), service.socket("ada"):
            pass


def test_seats_are_given_back() -> None:
    open_ = OpenSockets(by_viewer=1, by_address=1)
    ada = UUID(int=1)
    first = open_.taken("a")
    assert first and open_.taken("a") is None
    assert first.belongs_to(ada)
    second = open_.taken("a")
    assert second and not second.belongs_to(ada)
    assert open_.taken("a") is None
    for seat in (second, first, first):
        seat.leave()
    assert open_._numbers == {}


# ---------------------------------------------------------------- Redis


@contextlib.asynccontextmanager
async def a_redis(port: int) -> AsyncIterator[None]:
    """A Redis of this test's own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server here")
    options = ["--port", str(port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
    process = await asyncio.create_subprocess_exec(program, *options, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.02)
        yield
    finally:
        process.kill()
        await process.wait()


def free_port() -> int:
    with sockets.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def test_processes_that_share_a_redis_share_a_budget() -> None:
    port = free_port()
    one, other = (Rates(100, 0, f"redis://127.0.0.1:{port}") for _ in range(2))
    ada = uuid4()
    async with a_redis(port), one.running(), other.running():
        assert await one.charge(ada, "", 60) is None
        wait = await other.charge(ada, "", 60)
        assert wait is not None and 1 <= wait <= 120
        assert await other.charge(ada, "", 40) is None
        assert await one.charge(ada, "", 1) is not None


async def test_a_redis_that_is_away_stops_nobody_is_told_once_and_is_taken_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.rates.REST", 0.0)
    port = free_port()
    rates = Rates(100, 0, f"redis://127.0.0.1:{port}")
    ada = uuid4()
    with the_log() as log:
        async with rates.running():
            for _ in range(3):
                assert await rates.charge(ada, "", 30) is None
            # This process still counts.
            assert await rates.charge(ada, "", 30) is not None
            assert log.getvalue().count("rates are counted by this process alone") == 1
            async with a_redis(port):
                async with asyncio.timeout(PATIENCE):
                    while "together again" not in log.getvalue():
                        await rates.charge(ada, "", 1)
                assert await rates.charge(ada, "", 30) is None
            assert await rates.charge(uuid4(), "", 30) is None
    assert log.getvalue().count("rates are counted by this process alone") == 2


async def test_a_redis_that_does_not_answer_is_waited_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rates = Rates(1_000_000, 0, f"redis://127.0.0.1:{port}")
    with the_log() as log:
        async with server, rates.running():
            for _ in range(50):
                assert await rates.charge(uuid4(), "", 30) is None
            assert asked <= 3, asked
    assert log.getvalue().count("rates are counted by this process alone") == 1


async def test_a_server_without_its_redis_serves(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"RESOLUTION_RATE_URL": f"redis://127.0.0.1:{free_port()}"}
    async with a_service(tmp_path, RESOLUTION_RATE_VIEWER="1000", **settings) as service:
        assert await service.ask("ada", "{ viewerScopes }") == {"viewerScopes": []}
