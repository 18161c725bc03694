"""Gateways for the tests: one does what it is told, one leaves a record, and one calls a provider over HTTP."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from models.journal import Journal
from workers.refunds import GatewayRefused, LedgerGateway, Payout

Behaviour = Exception | Callable[[Payout], Awaitable[None]]
"""What a call comes to: an exception, or whatever this does before it pays."""


class ToldGateway:
    """Behaves as it was told, call by call; then it pays from the ledger. Remembers every call."""

    def __init__(self, journal: Journal, *behaviours: Behaviour) -> None:
        self._ledger = LedgerGateway(journal.clock, journal.new_id)
        self._behaviours = list(behaviours)
        self.calls: list[Payout] = []

    async def refund(self, payout: Payout) -> None:
        self.calls.append(payout)
        behaviour = self._behaviours.pop(0) if self._behaviours else None
        if isinstance(behaviour, Exception):
            raise behaviour
        if behaviour:
            await behaviour(payout)
        await self._ledger.refund(payout)


class RecordingGateway:
    """Pays from the ledger, slowly, and notes the beginning and the end of every call."""

    def __init__(self, journal: Journal, record: Path) -> None:
        self._ledger = LedgerGateway(journal.clock, journal.new_id)
        self._record = record

    async def refund(self, payout: Payout) -> None:
        note(self._record, f"begin {payout.refund_id}")
        await asyncio.sleep(0.01)
        await self._ledger.refund(payout)
        note(self._record, f"end {payout.refund_id}")


class HttpGateway:
    """Asks a provider over HTTP, as a marketplace's own gateway would."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def refund(self, payout: Payout) -> None:
        given = {"key": str(payout.refund_id), "order": payout.order_reference, "amount": str(payout.amount.amount)}
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{self._url}/refunds", json=given, timeout=60)
        if answer.status_code == 409:
            raise GatewayRefused(answer.json()["reason"])
        answer.raise_for_status()


@dataclass
class Provider:
    """A payment provider that pays once for a key, and sees how it is called. An order whose reference begins with
    «refused» is refused for good, one with «broken» never paid; of the others every third breaks down when it is called
    first."""

    url: str = ""
    calls: dict[str, list[float]] = field(default_factory=dict)
    """When each key was called, by the monotonic clock."""
    paid: Counter[str] = field(default_factory=Counter)
    orders: dict[str, str] = field(default_factory=dict)
    """The keys of each order."""
    overlapping: list[str] = field(default_factory=list)
    """Keys that were called while a call was under way."""
    under_way: set[str] = field(default_factory=set)

    async def refund(self, request: Request) -> Response:
        given = await request.json()
        key, order = given["key"], given["order"]
        if key in self.under_way:
            self.overlapping.append(key)
        self.calls.setdefault(key, []).append(time.monotonic())
        assert self.orders.setdefault(order, key) == key, "an order was given a second key"
        self.under_way.add(key)
        try:
            # Whoever called may be killed meanwhile: the provider does not know, and goes on.
            await asyncio.sleep(0.2)
            return self._answer(key, order)
        finally:
            self.under_way.discard(key)

    def _answer(self, key: str, order: str) -> Response:
        if order.startswith("refused"):
            return JSONResponse({"reason": "The card is closed."}, 409)
        number = int(order.rpartition("-")[2])
        if order.startswith("broken") or (number % 3 == 0 and len(self.calls[key]) == 1):
            return Response(status_code=503)
        self.paid[key] = 1
        return JSONResponse({})


@asynccontextmanager
async def a_provider() -> AsyncIterator[Provider]:
    """A provider on a port of its own, for as long as the block runs."""
    provider = Provider()
    app = Starlette(routes=[Route("/refunds", provider.refund, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        provider.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield provider
    finally:
        server.should_exit = True
        await serving


def note(record: Path, line: str) -> None:
    """Appends a line in one write, so that lines of two processes never mix."""
    descriptor = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
