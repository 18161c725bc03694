"""What clients are told while the database is away: one sentence with a code, and nothing of its inside."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tortoise.backends.asyncpg.client import TransactionWrapper

from api.errors import AWAY, UNKNOWN
from tests.contract import an_input, mutation
from tests.database import a_closed_database
from tests.listening import the_log
from tests.outages import lost_at_once
from tests.proxy import Proxy
from tests.service import Service, a_service
from tests.store import STORE, postgresql_only

pytestmark = postgresql_only

ORDERS = "{ orders { nodes { reference } } }"
INSIDE = ("SELECT", "INSERT", "UPDATE", "Traceback", "asyncpg", "File ", "127.0.0.1", "resolution_test_")


@pytest.fixture
def log() -> Iterator[StringIO]:
    with the_log() as stream:
        yield stream


@asynccontextmanager
async def through_a_proxy(folder: Path) -> AsyncIterator[tuple[Service, Proxy, str]]:
    """A service whose way to its database can be cut; and the database's own address."""
    async with a_closed_database(folder / "own") as url:
        parts = urlsplit(url)
        proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5432)
        async with proxy.running():
            login = parts.netloc.rpartition("@")[0]
            through = parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}").geturl()
            async with a_service(folder, RESOLUTION_DATABASE_URL=through) as service:
                yield service, proxy, url


def the_outage(answer: dict[str, Any], sentence: str = AWAY) -> None:
    """The answer is one error with the code and that sentence."""
    [error] = answer["errors"]
    assert error["message"] == sentence
    assert error["extensions"] == {"code": "SERVICE_UNAVAILABLE"}
    assert not any(word in str(answer) for word in INSIDE), answer


async def test_while_the_database_is_away_clients_are_told_and_afterwards_served(tmp_path: Path, log: StringIO) -> None:
    async with through_a_proxy(tmp_path) as (service, proxy, url):
        order_id = await service.started()
        await service.ask("farid", ORDERS)
        await service.ask("ada", ORDERS)
        given = an_input("requestOrderUpdate", orderId=order_id)
        async with proxy.away():
            the_outage(await service.post("ada", ORDERS))
            stranger = await service.answer("somebody new", ORDERS)
            assert stranger.status_code == 503
            the_outage(stranger.json())
            the_outage(await service.post("ada", mutation("requestOrderUpdate", "request { id }"), input=given))
            async with service.socket("ada") as socket:
                message = await socket.next_of((await socket.subscribe(ORDERS)).id)
                the_outage({"errors": message["payload"]["errors"]})
            assert (await service.http.get("/health/ready")).status_code == 503
        assert (await service.ask("ada", ORDERS))["orders"]["nodes"] == [{"reference": "R-1"}]
        await service.do("ada", "requestOrderUpdate", **given)
        assert STORE.query(url, "SELECT count(*) FROM requests") == [(1,)]
    assert "the database is away" in log.getvalue()


async def test_whoever_lost_the_answer_to_a_commit_is_told_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing tells whether it was done: no order was there before, and no key."""
    async with through_a_proxy(tmp_path) as (service, proxy, url):
        await service.place("R-1")
        real = TransactionWrapper.commit

        async def commit(transaction: TransactionWrapper) -> None:
            await real(transaction)
            proxy.cut()
            await transaction._connection.execute("SELECT 1")

        price = {"amount": "10.00", "currencyCode": "USD"}
        people = {"clientSubject": "ada", "freelancerSubject": "farid"}
        given = {"reference": "R-2", "title": "A logo", "price": price, "deliveryDays": 3, **people}
        monkeypatch.setattr(TransactionWrapper, "commit", commit)
        answer = await service.post("bazaar", mutation("placeOrder", "order { id }"), input=given)
        monkeypatch.undo()
        the_outage(answer, UNKNOWN)
        await asyncio.sleep(0)
        assert await service.refused("bazaar", "placeOrder", **given) == ["REFERENCE_TAKEN"]
        assert STORE.query(url, "SELECT count(*) FROM orders") == [(2,)]


@pytest.mark.parametrize("is_done", [True, False])
async def test_whoever_would_have_lost_the_answer_to_a_change_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    """The order's version tells whether it was done."""
    async with through_a_proxy(tmp_path) as (service, proxy, url):
        order_id = await service.started()
        lost_at_once(monkeypatch, proxy.cut, is_done=is_done)
        given = an_input("requestOrderUpdate", orderId=order_id)
        request_id = (await service.do("ada", "requestOrderUpdate", **given))["id"]
        await service.do("ada", "withdrawRequest", requestId=request_id)
        assert STORE.query(url, "SELECT count(*) FROM requests") == [(1,)]
