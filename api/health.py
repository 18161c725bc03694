"""Whether a process is alive, whether it can do its work, and its figures."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.metrics import LogFigures, Metrics
from models import reads
from subscriptions.doorbell import Doorbell
from subscriptions.tail import Tail

PATIENCE = 2.0
"""Seconds that the database has to answer a question of health."""
GREATEST_LAG = 5_000
"""Events that the tail may be behind the log before streams count as degraded."""


@dataclass(frozen=True, slots=True)
class Health:
    """Answers /health/live, /health/ready and /metrics."""

    tail: Tail
    doorbell: Doorbell
    clock: Callable[[], datetime]

    async def live(self, _: Request) -> Response:
        """The process runs. Nothing else is asked, so that a database that is away restarts nobody."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        """200 with «ok», or «degraded» while streams are only slower; 503 with «down» when work can't be done."""
        log = await self._figures()
        checks = {
            "database": log is not None,
            "tail": self.tail.works and log is not None and log.tail_lag <= GREATEST_LAG,
            "ring": self.doorbell.works,
        }
        if all(checks.values()):
            return JSONResponse({"status": "ok", "checks": checks})
        status = "degraded" if checks["database"] else "down"
        return JSONResponse({"status": status, "checks": checks}, 200 if checks["database"] else 503)

    def metrics(self, metrics: Metrics) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint for Prometheus."""

        async def endpoint(_: Request) -> Response:
            text = metrics.text(await self._figures() or LogFigures(0, 0, 0))
            return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})

        return endpoint

    async def _figures(self) -> LogFigures | None:
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reads.log_position()
                overdue, refunds = await reads.overdue(self.clock())
        except Exception:  # noqa: BLE001 - whatever it is, the database does not answer
            return None
        return LogFigures(max(0, head - self.tail.position), overdue, refunds)
