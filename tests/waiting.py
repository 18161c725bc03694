"""Waiting for something that nobody announces."""

import asyncio
from collections.abc import Callable

NEVER = 3_600.0
"""Seconds: what is to happen so often happens only when it is called for."""


async def until(true: Callable[[], bool], patience: float = 10.0) -> None:
    """Until it is true; the test fails when that takes more than so many seconds."""
    async with asyncio.timeout(patience):
        while not true():  # noqa: ASYNC110 - whatever is waited for
            await asyncio.sleep(0.005)
