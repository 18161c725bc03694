"""What a client's process and the test's tell each other, as stage.mjs does it for Node."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx

URL = os.environ.get("GRAPHQL_URL", "")


async def new_token() -> str:
    """From the test, as elsewhere from an identity provider."""
    async with httpx.AsyncClient() as http:
        return (await http.get(os.environ["TOKEN_URL"])).text


async def play(
    order: Callable[[str], Awaitable[Any]],
    submit: Callable[[str], Awaitable[Any]],
    watch: Callable[[str], AsyncIterator[Any]],
) -> None:
    """Does what the test asks for: `order` and `submit` answer, `watch` goes on."""
    watching: set[asyncio.Task[None]] = set()
    while line := await asyncio.to_thread(sys.stdin.readline):
        wish = json.loads(line)
        if wish["ask"] == "watch":
            watching.add(asyncio.create_task(_tell(watch(wish["given"]))))
            continue
        _say({"answer": await (order if wish["ask"] == "order" else submit)(wish["given"])})
    for task in watching:
        task.cancel()


async def _tell(events: AsyncIterator[Any]) -> None:
    try:
        async for event in events:
            _say({"event": event})
    except Exception as error:
        _say({"ended": repr(error)})
        raise


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
