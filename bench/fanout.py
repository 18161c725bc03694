"""Live fan-out: many sockets watch orders that change at a steady pace; how late events come, and what each costs."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count

import uvloop
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from bench import live, machine
from bench.http import Caller, post
from bench.works import Changing, Watch

_WITHDRAW = """mutation($input: WithdrawRequestInput!) { withdrawRequest(input: $input) {
  request { id status } userErrors { code message path } } }"""
_CALLERS = 16
_SETTLE = 1.0
"""Seconds for what is still on its way, before the first change and after the last one was answered."""
_OPENING_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """So many changes a second for so long, spread over the orders; each is to reach every watcher of its order."""

    name: str
    title: str
    orders: Sequence[Changing]
    watches: Sequence[Watch]
    changes_per_second: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of it. `lateness`: seconds from sending a change until its event came in at one socket, sorted."""

    lateness: list[float]
    expected: int
    changes: int
    seconds: float
    server_cpu: float
    socket_bytes: float
    """Of the server's memory, for each socket."""


def measured(url: str, server: int, plan: Plan) -> Delivered:
    return uvloop.run(_Fanout(url, server, plan).run())


@dataclass
class _Fanout:
    url: str
    server: int
    plan: Plan
    _sent: dict[str, list[float]] = field(default_factory=dict)
    """When each change of an order was sent, in the order of its events."""
    _came: list[tuple[str, int, float]] = field(default_factory=list)

    async def run(self) -> Delivered:
        async with AsyncExitStack() as stack:
            before = machine.resident_bytes(self.server)
            sockets = await self._open(stack)
            memory = (machine.resident_bytes(self.server) - before) / max(1, len(sockets))
            listening = [
                asyncio.create_task(self._listen(socket, watch.order_id))
                for socket, watch in zip(sockets, self.plan.watches, strict=True)
            ]
            await asyncio.sleep(_SETTLE)
            cpu, begun = machine.cpu_seconds(self.server), time.perf_counter()
            changes = await self._change(stack)
            seconds = time.perf_counter() - begun
            await asyncio.sleep(_SETTLE)
            cpu = machine.cpu_seconds(self.server) - cpu
            for task in listening:
                task.cancel()
        watchers: dict[str, int] = {}
        for watch in self.plan.watches:
            watchers[watch.order_id] = watchers.get(watch.order_id, 0) + 1
        expected = sum(len(sent) * watchers.get(order_id, 0) for order_id, sent in self._sent.items())
        return Delivered(self._lateness(), expected, changes, seconds, cpu, memory)

    async def _open(self, stack: AsyncExitStack) -> list[ClientConnection]:
        gate = asyncio.Semaphore(_OPENING_AT_ONCE)

        async def one(watch: Watch) -> ClientConnection:
            async with gate:
                socket = await stack.enter_async_context(live.socket(self.url))
                await live.subscribe(socket, watch)
                return socket

        return await asyncio.gather(*map(one, self.plan.watches))

    async def _listen(self, socket: ClientConnection, order_id: str) -> None:
        try:
            for place in count():
                frame = await socket.recv(decode=False)
                self._came.append((order_id, place, time.perf_counter()))
                assert b'"next"' in frame, frame
        except ConnectionClosed:
            return

    async def _change(self, stack: AsyncExitStack) -> int:
        """Each caller has orders of its own, so that an order's changes come one after the other."""
        callers = min(_CALLERS, len(self.plan.orders))
        made = await asyncio.gather(*(self._keep_changing(stack, number, callers) for number in range(callers)))
        return sum(made)

    async def _keep_changing(self, stack: AsyncExitStack, number: int, callers: int) -> int:
        caller = await Caller.open(self.url)
        stack.callback(caller.close)
        orders = self.plan.orders[number::callers]
        pace = callers / self.plan.changes_per_second
        open_offers: dict[str, str] = {}
        begun = time.perf_counter() + number / self.plan.changes_per_second
        turns = int(self.plan.seconds / pace)
        for turn in range(turns):
            await asyncio.sleep(max(0.0, begun + turn * pace - time.perf_counter()))
            await self._one(caller, orders[turn % len(orders)], open_offers)
        # Whoever comes next finds the orders as they were.
        left = [order for order in orders if order.order_id in open_offers]
        for order in left:
            await self._one(caller, order, open_offers)
        return turns + len(left)

    async def _one(self, caller: Caller, order: Changing, open_offers: dict[str, str]) -> None:
        """An offer where none is open; else it is taken back."""
        self._sent.setdefault(order.order_id, []).append(time.perf_counter())
        request_id = open_offers.pop(order.order_id, None)
        answer = json.loads(await caller.call(order.offer if request_id is None else _withdraw(order, request_id)))
        [payload] = answer["data"].values()
        assert payload["userErrors"] == [], payload
        if request_id is None:
            open_offers[order.order_id] = payload["request"]["id"]

    def _lateness(self) -> list[float]:
        return sorted(came - self._sent[order_id][place] for order_id, place, came in self._came)


def _withdraw(order: Changing, request_id: str) -> bytes:
    return post(order.token, _WITHDRAW, {"input": {"requestId": request_id}})


def plans(orders: Sequence[tuple[Changing, Watch, Watch]], sockets: int, seconds: float) -> list[Plan]:
    """W4a and W4b, each over orders of its own. An order comes with what its client and its freelancer watch."""
    many, one = orders[: sockets // 2], orders[-1]
    return [
        Plan(
            "W4a",
            f"{len(many) * 2:,} sockets over {len(many):,} orders, 200 changes/s",
            [changing for changing, _, _ in many],
            [watch for _, *both in many for watch in both],
            200,
            seconds,
        ),
        Plan(
            "W4b",
            f"{sockets:,} sockets at one order, 5 changes/s",
            [one[0]],
            [one[1], one[2]] * (sockets // 2),
            5,
            seconds,
        ),
    ]
