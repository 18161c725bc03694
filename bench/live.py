"""The live measurement: how long a change takes from the one who makes it to the socket of the other side."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.http import Caller
from bench.works import WATCH, Watch

_PAUSE = 0.01
"""Seconds between an event and the next offer: one change at a time."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Of each change, in seconds: from sending the mutation to its answer, and to the event; from the answer to the
    event, which is negative when the event comes first. The commit lies between sending and either."""

    answer: list[float]
    event: list[float]
    between: list[float]


def measured(url: str, watches: Sequence[Watch]) -> Delays:
    """All the orders are watched at once, each over a socket of its own; the offers are made one after the other."""
    return uvloop.run(_measured(url, watches))


async def _measured(url: str, watches: Sequence[Watch]) -> Delays:
    delays = Delays([], [], [])
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(socket(url)) for _ in watches]
        await asyncio.gather(*(subscribe(each, watch) for each, watch in zip(sockets, watches, strict=True)))
        caller = await Caller.open(url)
        stack.callback(caller.close)
        for each, watch in zip(sockets, watches, strict=True):
            await _one(caller, each, watch, delays)
            await asyncio.sleep(_PAUSE)
    return delays


async def _one(caller: Caller, socket: ClientConnection, watch: Watch, delays: Delays) -> None:
    arrival = asyncio.create_task(_event(socket))
    await asyncio.sleep(0)
    sent = time.perf_counter()
    body = await caller.call(watch.offer)
    answered = time.perf_counter()
    assert b'"userErrors":[]' in body, body
    arrived = await arrival
    delays.answer.append(answered - sent)
    delays.event.append(arrived - sent)
    delays.between.append(arrived - answered)


async def _event(socket: ClientConnection) -> float:
    """When the offer's event has come in."""
    frame = await socket.recv()
    now = time.perf_counter()
    event = json.loads(frame)["payload"]["data"]["orderEvents"]
    assert event["kind"] == "REQUEST_OPENED", event
    return now


def socket(url: str) -> connect:
    """A socket of graphql-transport-ws, to be entered."""
    return connect(
        f"{url.replace('http', 'ws', 1)}/graphql", subprotocols=[Subprotocol("graphql-transport-ws")], compression=None
    )


async def subscribe(connection: ClientConnection, watch: Watch) -> None:
    """Returns when the stream stands. It says nothing of its own, so a query on the same socket has to tell."""
    await _send(connection, {"type": "connection_init", "payload": {"authorization": watch.token}})
    await _receive(connection, "connection_ack")
    await _send(connection, _operation("watch", WATCH, {"id": watch.order_id}))
    await _send(connection, _operation("ask", "{ viewer { name } }", {}))
    await _receive(connection, "next")
    await _receive(connection, "complete")


def _operation(name: str, document: str, variables: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "type": "subscribe", "payload": {"query": document, "variables": variables}}


async def _send(socket: ClientConnection, message: dict[str, Any]) -> None:
    await socket.send(json.dumps(message))


async def _receive(socket: ClientConnection, kind: str) -> None:
    message = json.loads(await socket.recv())
    assert message["type"] == kind, message
