"""The product as its clients meet it: a real server on a real port, HTTP and WebSocket, with a clock to set."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from api.app import create_app
from api.auth import mint
from api.connections import HttpConnection, WebSocketConnection
from api.settings import read_settings
from models import RefundRow
from rules.vocabulary import RefundStatus
from tests.database import HandClock, a_closed_database
from workers.refunds import RefundGateway

SECRET = "a secret of the tests that is long enough"
PATIENCE = 30.0
"""Seconds after which a test that waits has failed."""

NO_LIMITS: dict[str, Any] = {
    f"RESOLUTION_MAX_{what}": "10000"
    for what in ("ALIASES", "DIRECTIVES", "REPETITIONS", "ROOT_FIELDS", "FRAGMENTS", "FIELDS", "VARIABLES")
} | {
    "RESOLUTION_MAX_DOCUMENT_CHARACTERS": "1000000",
    "RESOLUTION_MAX_DOCUMENT_TOKENS": "100000",
    "RESOLUTION_MAX_COST": "100000000",
}
"""Settings for a test that asks for everything there is."""

NAMES = {"ada": "Ada", "bela": "Bela", "farid": "Farid", "gita": "Gita", "sol": "Sol", "bazaar": "Bazaar"}
SCOPES = {"sol": ["support"], "bazaar": ["marketplace"]}


@dataclass
class Service:
    """A running server, and what it takes to talk to it."""

    url: str
    clock: HandClock
    http: httpx.AsyncClient
    app: Starlette

    def token(self, subject: str, *, ttl: timedelta = timedelta(days=365), scopes: list[str] | None = None) -> str:
        """A token of one of the named people, or of anybody."""
        scopes = SCOPES.get(subject, []) if scopes is None else scopes
        return mint(SECRET, subject, name=NAMES.get(subject, subject), scopes=scopes, ttl=ttl, now=self.clock.now)

    async def post(self, subject: str | None, query: str, **variables: Any) -> dict[str, Any]:
        """What the server answers, errors and all."""
        found: dict[str, Any] = (await self.answer(subject, query, **variables)).json()
        return found

    async def answer(self, subject: str | None, query: str, **variables: Any) -> httpx.Response:
        """The same with its head. The body is such JSON as a browser writes: ASCII, so that it can say anything."""
        headers = {"content-type": "application/json"}
        if subject:
            headers["authorization"] = f"Bearer {self.token(subject)}"
        body = json.dumps({"query": query, "variables": variables})
        return await self.http.post("/graphql", content=body, headers=headers)

    async def ask(self, subject: str | None, query: str, **variables: Any) -> Any:
        """The data; the test fails when there are errors."""
        answer = await self.post(subject, query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def error(self, subject: str | None, query: str, **variables: Any) -> str:
        """The code of the one error that there must be."""
        answer = await self.post(subject, query, **variables)
        [error] = answer["errors"]
        code: str = error["extensions"]["code"]
        return code

    async def do(self, subject: str, mutation: str, returning: str = "", **given: Any) -> Any:
        """A mutation that must be done: what it returned."""
        answer = await self.tried(subject, mutation, returning, **given)
        assert answer["userErrors"] == [], answer["userErrors"]
        return next(value for name, value in answer.items() if name != "userErrors")

    async def refused(self, subject: str, mutation: str, **given: Any) -> list[str]:
        """A mutation that must be refused: the codes."""
        answer = await self.tried(subject, mutation, **given)
        assert answer["userErrors"], f"{mutation} was done"
        return [error["code"] for error in answer["userErrors"]]

    async def tried(self, subject: str, mutation: str, returning: str = "", **given: Any) -> Any:
        """A mutation's payload."""
        subject_field = _SUBJECTS.get(mutation, "request")
        document = (
            f"mutation($input: {mutation[0].upper()}{mutation[1:]}Input!) {{ {mutation}(input: $input) "
            f"{{ {subject_field} {{ id {returning} }} userErrors {{ code message path }} }} }}"
        )
        return (await self.ask(subject, document, input=given))[mutation]

    async def place(self, reference: str = "R-1", price: str = "100.00", currency: str = "USD", **given: Any) -> str:
        """A new order of Ada's with Farid, unless said otherwise: its id."""
        usual: dict[str, Any] = {"title": "A logo", "clientSubject": "ada", "freelancerSubject": "farid"}
        given = usual | {"deliveryDays": 3} | given
        order = await self.do(
            "bazaar", "placeOrder", reference=reference, price={"amount": price, "currencyCode": currency}, **given
        )
        return str(order["id"])

    async def started(self, reference: str = "R-1", **given: Any) -> str:
        """A new order whose work has started."""
        order_id = await self.place(reference, **given)
        await self.do(given.get("clientSubject", "ada"), "submitRequirements", orderId=order_id)
        return order_id

    async def offer(self, order_id: str, amount: str = "20.00", **given: Any) -> str:
        """An offer of a partial refund by Farid: its id."""
        given = {"explanation": "Sorry for the delay.", "confidentialReason": "DELIVERY_DELAYED"} | given
        money = {"amount": amount, "currencyCode": "USD"}
        request = await self.do("farid", "offerPartialRefund", orderId=order_id, amount=money, **given)
        return str(request["id"])

    async def all_paid(self) -> None:
        """Waits until no refund is under way any more."""
        async with asyncio.timeout(PATIENCE):
            while await RefundRow.filter(status=RefundStatus.PENDING).exists():  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def socket(
        self, subject: str | None, *, token: str | None = None, compressed: bool = True
    ) -> AsyncIterator["Socket"]:
        """A socket of graphql-transport-ws that has said who it is."""
        given = token or (self.token(subject) if subject else None)
        async with self.silent_socket(compressed=compressed) as socket:
            await socket.send({"type": "connection_init", "payload": {"authorization": given} if given else {}})
            ack = await socket.receive()
            assert ack["type"] == "connection_ack", ack
            yield socket

    @contextlib.asynccontextmanager
    async def silent_socket(self, query: str = "", *, compressed: bool = True) -> AsyncIterator["Socket"]:
        """A socket of graphql-transport-ws that has said nothing yet."""
        url = f"{self.url.replace('http', 'ws', 1)}/graphql{query}"
        compression = "deflate" if compressed else None
        subprotocols = [Subprotocol("graphql-transport-ws")]
        async with connect(url, subprotocols=subprotocols, compression=compression) as connection:
            yield Socket(connection)


_SUBJECTS = {
    **dict.fromkeys(
        ("placeOrder", "submitRequirements", "requestRevision", "acceptDelivery", "deliverOrder", "cancelOrder"),
        "order",
    ),
    **dict.fromkeys(("contactSupport", "decideSupportCase"), "supportCase"),
}


@dataclass
class Socket:
    """One socket of a client, which keeps every frame that it got."""

    connection: ClientConnection
    frames: list[str] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: itertools.count(1))
    _waiting: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    async def send(self, message: Mapping[str, Any]) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            frame = await self.connection.recv(decode=True)
        self.frames.append(str(frame))
        found: dict[str, Any] = json.loads(frame)
        return found

    async def close_code(self) -> int | None:
        """With which code the server closes; what it sends before that is kept."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.receive()
        return self.connection.close_code

    async def subscribe(self, query: str, **variables: Any) -> "Watching":
        """Starts an operation."""
        operation = str(next(self._ids))
        await self.send({"id": operation, "type": "subscribe", "payload": {"query": query, "variables": variables}})
        return Watching(self, operation)

    async def next_of(self, operation: str) -> dict[str, Any]:
        """The next message of one operation; those of others wait for their turn."""
        waiting = self._waiting.setdefault(operation, [])
        while not waiting:
            message = await self.receive()
            self._waiting.setdefault(message.get("id", ""), []).append(message)
        return waiting.pop(0)


@dataclass
class Watching:
    """One operation on a socket."""

    socket: Socket
    id: str

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        message = await self.socket.next_of(self.id)
        if message["type"] == "complete":
            raise StopAsyncIteration
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def take(self, number: int) -> list[Any]:
        """The next results."""
        return [await anext(self) for _ in range(number)]

    async def error(self) -> str:
        """The code of the error that the operation must end with."""
        message = await self.socket.next_of(self.id)
        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        code: str = errors[0]["extensions"]["code"]
        return code

    async def stop(self) -> None:
        await self.socket.send({"id": self.id, "type": "complete"})


@contextlib.asynccontextmanager
async def a_service(
    folder: Path, *, clock: HandClock | None = None, gateway: RefundGateway | None = None, **settings: str
) -> AsyncIterator[Service]:
    """A server on a free port with a new database in the folder, for as long as the block runs. Its sweep and its
    worker of refunds run as in life; its clock stands still until it is set."""
    async with a_closed_database(folder) as url, _serving(url, clock, gateway, settings) as service:
        yield service


@contextlib.asynccontextmanager
async def _serving(
    database_url: str, clock: HandClock | None, gateway: RefundGateway | None, settings: dict[str, str]
) -> AsyncIterator[Service]:
    clock = clock or HandClock(datetime.now(UTC).replace(microsecond=0))
    environ = {
        "RESOLUTION_DATABASE_URL": database_url,
        "RESOLUTION_JWT_SECRET": SECRET,
        "RESOLUTION_SWEEP_INTERVAL_SECONDS": "0.05",
    } | settings
    given = read_settings(environ)
    app = create_app(given, clock=clock, gateway=gateway)
    config = uvicorn.Config(
        app,
        port=0,
        http=HttpConnection,
        ws=WebSocketConnection,
        ws_max_size=given.largest_message_bytes,
        ws_per_message_deflate=False,
        proxy_headers=bool(given.forwarded_allow_ips),
        forwarded_allow_ips=list(given.forwarded_allow_ips),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                assert not serving.done(), serving.exception()
                await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
            yield Service(url, clock, http, app)
    finally:
        server.should_exit = True
        await serving
