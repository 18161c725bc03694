"""Writers who play whole orders, and readers who drop rudely and resume elsewhere."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from api.auth import mint
from tests.service import SECRET
from tests.torture.cluster import Cluster

ANSWER_PATIENCE = 20.0
LINE_FAULTS = (OSError, WebSocketException, TimeoutError, httpx.HTTPError)

SUBSCRIPTION = """subscription($after: String) {
  viewerEvents(after: $after) { cursor sequence kind occurredAt order { id } } }"""


def token(subject: str, *scopes: str) -> str:
    return mint(SECRET, subject, name=subject, scopes=scopes, ttl=timedelta(hours=2), now=datetime.now(UTC))


@dataclass
class Story:
    """What the writers know to have been acknowledged, and when what was sent."""

    orders: set[str] = field(default_factory=set)
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    """The mutations that were answered as done, by order."""
    retries: int = 0
    refusals: int = 0
    up: list[float] = field(default_factory=list)
    """Seconds from sending a mutation, over all tries, to its answer."""


TRIED_AGAIN = {"SERVICE_UNAVAILABLE"}
"""What a server may say in the midst of all this: whoever sends the same again with the same key gets it done once."""


class Writer:
    """One client and one freelancer with their orders, which a marketplace places."""

    def __init__(self, number: int, cluster: Cluster, story: Story) -> None:
        self.client, self.freelancer = f"client-{number}", f"freelancer-{number}"
        self._tokens = {
            self.client: token(self.client),
            self.freelancer: token(self.freelancer),
            "market": token("market", "marketplace"),
        }
        self._cluster = cluster
        self._story = story
        self._http = httpx.AsyncClient(timeout=ANSWER_PATIENCE)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def play(self, until: float) -> None:
        """Whole orders, one after the other, until that instant of the event loop's clock."""
        loop = asyncio.get_running_loop()
        async with contextlib.aclosing(self):
            while loop.time() < until:
                await self._play_one()

    async def _play_one(self) -> None:
        await random.choice(self._endings())(await self.place())

    async def place(self) -> str:
        """A new order whose work has started: its id."""
        price = {"amount": "100.00", "currencyCode": "USD"}
        people = {"clientSubject": self.client, "freelancerSubject": self.freelancer}
        given = {"reference": str(uuid4()), "title": "An order", "price": price, "deliveryDays": 3} | people
        placed = await self.do("market", "placeOrder", "order", None, **given)
        assert placed is not None, "a new reference was refused"
        order = str(placed["id"])
        self._story.orders.add(order)
        await self.do(self.client, "submitRequirements", "order", order, orderId=order)
        return order

    def _endings(self) -> list[Callable[[str], Awaitable[None]]]:
        return [self._refunded, self._cancelled, self._quarrelled, self._updated]

    async def _refunded(self, order: str) -> None:
        amount = {"amount": f"{random.randint(1, 60)}.00", "currencyCode": "USD"}
        words = {"explanation": "Sorry.", "confidentialReason": "GOODWILL"}
        offer = await self.do(
            self.freelancer, "offerPartialRefund", "request", order, orderId=order, amount=amount, **words
        )
        if offer:
            # Both at once: exactly one of them is done.
            await asyncio.gather(
                self.do(self.client, "acceptRequest", "request", order, requestId=offer["id"]),
                self.do(self.freelancer, "withdrawRequest", "request", order, requestId=offer["id"]),
            )
        await self.do(self.freelancer, "deliverOrder", "order", order, orderId=order, message="Here it is.")
        await self.do(self.client, "acceptDelivery", "order", order, orderId=order)

    async def _cancelled(self, order: str) -> None:
        words = {"feedback": "No longer needed.", "confidentialReason": "NO_LONGER_NEEDED"}
        asked = await self.do(self.client, "askFreelancerToCancel", "request", order, orderId=order, **words)
        if asked:
            await self.do(self.freelancer, "acceptRequest", "request", order, requestId=asked["id"])

    async def _quarrelled(self, order: str) -> None:
        for number in range(2):
            await self.do(self.freelancer, "deliverOrder", "order", order, orderId=order, message=f"Draft {number}.")
            await self.do(self.client, "requestRevision", "order", order, orderId=order, message="Not yet.")
        asked = await self.do(
            self.freelancer, "askClientToCancel", "request", order, orderId=order, reason="SCOPE_CHANGED"
        )
        if asked:
            await self.do(self.client, "declineRequest", "request", order, requestId=asked["id"], message="No.")

    async def _updated(self, order: str) -> None:
        asked = await self.do(
            self.client, "requestOrderUpdate", "request", order, orderId=order, explanation="How is it?"
        )
        if asked:
            await self.do(self.freelancer, "answerOrderUpdate", "request", order, requestId=asked["id"], answer="Fine.")

    async def do(self, who: str, mutation: str, returns: str, order: str | None, **given: Any) -> dict[str, Any] | None:
        """Sends a mutation until a server says what became of it: what it returned, or None when it was refused."""
        kind = f"{mutation[0].upper()}{mutation[1:]}Input"
        query = (
            f"mutation($input: {kind}!) {{ {mutation}(input: $input) {{ {returns} {{ id }} userErrors {{ code }} }} }}"
        )
        body = {"query": query, "variables": {"input": given | {"idempotencyKey": str(uuid4())}}}
        headers = {"authorization": f"Bearer {self._tokens[who]}"}
        began = time.monotonic()
        while True:
            try:
                url = f"{self._cluster.any_server().url}/graphql"
                answer = (await self._http.post(url, json=body, headers=headers)).json()
            except (*LINE_FAULTS, ValueError):
                answer = {}
            payload = (answer.get("data") or {}).get(mutation)
            if payload is not None:
                break
            codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
            assert codes <= TRIED_AGAIN, answer
            self._story.retries += 1
            await asyncio.sleep(0.1)
        self._story.up.append(time.monotonic() - began)
        if payload["userErrors"]:
            self._story.refusals += 1
            return None
        found: dict[str, Any] = payload[returns]
        self._story.acknowledged.setdefault(order or found["id"], []).append(mutation)
        return found


@dataclass
class Reader:
    """Watches all orders of one person, and remembers each event that it got."""

    subject: str
    cluster: Cluster
    seen: dict[str, list[int]] = field(default_factory=dict)
    kinds: dict[str, list[str]] = field(default_factory=dict)
    down: list[float] = field(default_factory=list)
    """Seconds from an event's instant to its arrival, while this reader was connected before it."""
    drops: int = 0
    _cursor: str | None = None

    async def begin(self) -> None:
        """Where the log stands before anything happens: from here on nothing may be missing."""
        headers = {"authorization": f"Bearer {token(self.subject)}"}
        async with httpx.AsyncClient(timeout=ANSWER_PATIENCE) as http:
            url = f"{self.cluster.any_server().url}/graphql"
            answer = (await http.post(url, json={"query": "{ eventCursor }"}, headers=headers)).json()
        self._cursor = answer["data"]["eventCursor"]

    async def watch(self) -> None:
        """Connects, reads for a while, drops without a word, and resumes on any server; until it is cancelled."""
        while True:
            with contextlib.suppress(*LINE_FAULTS):
                await self._connected(random.uniform(0.5, 6))
            self.drops += 1
            await asyncio.sleep(random.uniform(0, 0.3))

    async def catch_up(self, wanted: dict[str, int]) -> None:
        """Reads on until it has seen that many events of each order."""
        while any(len(self.seen.get(order, [])) < number for order, number in wanted.items()):
            with contextlib.suppress(*LINE_FAULTS):
                await self._connected(1.0)

    async def _connected(self, seconds: float) -> None:
        url = self.cluster.any_server().url.replace("http", "ws", 1) + "/graphql"
        async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], open_timeout=5) as line:
            try:
                async with asyncio.timeout(seconds):
                    await self._read(line)
            finally:
                line.transport.abort()

    async def _read(self, line: ClientConnection) -> None:
        """Says who reads, subscribes after the last event seen, and takes what comes until the stream ends."""
        began = time.time()
        params = {"authorization": token(self.subject)}
        await line.send(json.dumps({"type": "connection_init", "payload": params}))
        if json.loads(await line.recv())["type"] != "connection_ack":
            return
        payload = {"query": SUBSCRIPTION, "variables": {"after": self._cursor}}
        await line.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        while (message := json.loads(await line.recv()))["type"] == "next" and message["payload"].get("data"):
            self._take(message["payload"]["data"]["viewerEvents"], began)

    def _take(self, event: dict[str, Any], began: float) -> None:
        self._cursor = event["cursor"]
        order = event["order"]["id"]
        self.seen.setdefault(order, []).append(event["sequence"])
        self.kinds.setdefault(order, []).append(event["kind"])
        occurred = datetime.fromisoformat(event["occurredAt"]).timestamp()
        if occurred > began:
            self.down.append(time.time() - occurred)
