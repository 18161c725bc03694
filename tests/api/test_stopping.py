"""A process that is told to stop: it finishes what it has begun, tells its clients to come again, and is gone soon."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from api.ids import Kind, uuid_of
from models import OrderRow
from tests.database import a_burst
from tests.deaf import a_deaf_client
from tests.proxy import Proxy
from tests.servers import POOL, a_migrated_database, asking, beside, needs_postgres, servers, talking_to, through
from tests.service import Service, Socket

LIVE = "subscription { viewerEvents { sequence message } }"
LISTENING, DEAF = 45, 5
SOON = 10.0
"""Seconds that a process may take to end."""


@asynccontextmanager
async def _sockets(service: Service) -> AsyncIterator[list[Socket]]:
    """Many of Bela's that listen; and some of Ada's that read nothing, to whom much will have happened."""
    async with AsyncExitStack() as stack:
        for _ in range(DEAF):
            await stack.enter_async_context(a_deaf_client(service.url, service.token("ada"), LIVE))
        listening = [await stack.enter_async_context(service.socket("bela")) for _ in range(LISTENING)]
        for socket in listening:
            await socket.subscribe(LIVE)
            await (await socket.subscribe("{ viewerScopes }")).take(1)
        yield listening


async def test_it_finishes_its_writes_closes_its_sockets_and_ends_within_ten_seconds(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'orders.sqlite3'}"
    async with servers(tmp_path, 1, {"RESOLUTION_DATABASE_URL": url}) as (server,), talking_to(server) as service:
        order_id = await service.started()
        uuid = uuid_of(Kind.ORDER, order_id)
        assert uuid
        async with _sockets(service) as listening, _a_half_sent_mutation(service, "farid", order_id) as mutation:
            async with beside(url):
                for _ in range(3):
                    await a_burst(uuid, 100, "😀" * 2_500)
            stopping = asyncio.create_task(server.stop(signal.SIGTERM))
            codes = await asyncio.gather(*(socket.close_code() for socket in listening))
            # It is deaf to whoever is new, and answers whom it had begun to hear.
            with pytest.raises(httpx.ConnectError):
                await _from_outside(service)
            answer = await mutation.finish()
            assert await stopping < SOON
    assert codes == [1012] * LISTENING
    assert answer["data"]["deliverOrder"]["userErrors"] == []
    assert server.process and server.process.returncode == 0
    async with beside(url):
        assert (await OrderRow.get(id=uuid)).status == "DELIVERED"
    assert "Traceback" not in server.log


async def _from_outside(service: Service) -> None:
    async with httpx.AsyncClient() as http:
        await http.get(f"{service.url}/health/live")


class _Mutation:
    """A request whose head the server has read, and whose body has not been sent yet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
        self._reader, self._writer, self._body = reader, writer, body

    async def finish(self) -> dict[str, Any]:
        self._writer.write(self._body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(line.split(b":")[1] for line in head.splitlines() if line.lower().startswith(b"content-length"))
        found: dict[str, Any] = json.loads(await self._reader.readexactly(int(length)))
        return found


@asynccontextmanager
async def _a_half_sent_mutation(service: Service, subject: str, order_id: str) -> AsyncIterator[_Mutation]:
    query = "mutation($input: DeliverOrderInput!) { deliverOrder(input: $input) { userErrors { code } } }"
    given = {"orderId": order_id, "message": "Here it is."}
    body = json.dumps({"query": query, "variables": {"input": given}}).encode()
    address = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {service.token(subject)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    writer.write(head.encode())
    # It says so once the application waits for the body.
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    try:
        yield _Mutation(reader, writer, body)
    finally:
        writer.transport.abort()


@needs_postgres
@pytest.mark.slow
async def test_a_database_that_hangs_does_not_keep_it(tmp_path: Path) -> None:
    """What had been begun is there whole or not at all: it can be sent again under its key."""
    async with a_migrated_database() as own:
        async with Proxy.before(own) as proxy:
            given = {"RESOLUTION_DATABASE_URL": through(own, proxy.port), "RESOLUTION_DATABASE_POOL_SIZE": POOL}
            async with servers(tmp_path, 1, given) as (server,), talking_to(server) as service:
                order_id = await service.started()
                async with service.socket("ada") as socket:
                    await socket.subscribe(LIVE)
                    async with proxy.paused():
                        mutation = asyncio.create_task(
                            service.post(
                                "farid",
                                'mutation($id: ID!) { deliverOrder(input: {orderId: $id, message: "Here."})'
                                " { userErrors { code } } }",
                                id=order_id,
                            )
                        )
                        await asyncio.sleep(0.5)
                        took = await server.stop(signal.SIGTERM)
                    assert await socket.close_code() == 1012
                    await asyncio.gather(mutation, return_exceptions=True)
        assert took < SOON
        async with asking(own) as session:
            version, status = await session.fetchrow("SELECT version, status FROM orders")
            events = await session.fetchval("SELECT count(*) FROM events")
    assert (version, status, events) in ((2, "IN_PROGRESS", 2), (3, "DELIVERED", 3))
