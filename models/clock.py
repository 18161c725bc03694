"""The database's clock, for hosts whose own clocks differ: measured now and then, and read without asking."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import structlog

from models.database import connection

MEASURE_EVERY = 30.0
"""Seconds between two measurements; a quartz clock drifts by about a millisecond meanwhile."""
SAMPLES = 3

log = structlog.get_logger(__name__)


class DatabaseClock:
    """Tells the database's time: this host's monotonic clock, which nobody sets, plus the difference that was measured.
    Hosts whose clocks are a minute apart agree by it to a few milliseconds. Before the first measurement it is the
    host's own time."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(time.monotonic() + self._offset, UTC)

    async def measure(self) -> None:
        """Asks the database for its time, and trusts the answer that came back fastest."""
        samples = [await self._sample() for _ in range(SAMPLES)]
        _, self._offset = min(samples)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Measures at once, and again and again for as long as the block runs."""
        await self.measure()
        task = asyncio.create_task(self._keep_measuring(), name="database clock")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @staticmethod
    async def _sample() -> tuple[float, float]:
        """How long the answer took, and the difference to the middle of that time."""
        sent = time.monotonic()
        rows = await connection().execute_query_dict("SELECT extract(epoch FROM clock_timestamp()) AS seconds")
        came = time.monotonic()
        return came - sent, float(rows[0]["seconds"]) - (sent + came) / 2

    async def _keep_measuring(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(MEASURE_EVERY)
            try:
                await self.measure()
                failing = False
            except Exception as error:  # noqa: BLE001 - the last difference is still good for hours
                if not failing:
                    log.warning("the database's clock can't be read", error=type(error).__name__)
                failing = True
