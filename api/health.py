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
from models.database import lacks_migrations
from subscriptions.doorbell import Doorbell
from subscriptions.tail import Tail

PATIENCE = 2.0
"""Seconds that the database has to answer a question of health."""
GREATEST_LAG = 5_000
"""Events that the tail may be behind the log before streams count as degraded."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the database says of itself; without an answer, nothing."""

    migrated: bool = False
    log: LogFigures | None = None


class Health:
    """Answers /health/live, /health/ready and /metrics."""

    def __init__(self, tail: Tail, doorbell: Doorbell, clock: Callable[[], datetime]) -> None:
        self._tail = tail
        self._doorbell = doorbell
        self._clock = clock
        self._question: asyncio.Task[Answer] | None = None

    async def live(self, _: Request) -> Response:
        """The process runs. Nothing else is asked, so that a database that is away restarts nobody."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        """200 with «ok», or «degraded» while streams are only slower; 503 with «down» when work can't be done."""
        answer = await self._answer()
        log = answer.log if answer else None
        checks = {
            "database": answer is not None,
            "migrations": answer is not None and answer.migrated,
            "tail": self._tail.works and log is not None and log.tail_lag <= GREATEST_LAG,
            "ring": self._doorbell.works,
        }
        if all(checks.values()):
            return JSONResponse({"status": "ok", "checks": checks})
        works = checks["database"] and checks["migrations"]
        return JSONResponse({"status": "degraded" if works else "down", "checks": checks}, 200 if works else 503)

    def metrics(self, metrics: Metrics) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint for Prometheus."""

        async def endpoint(_: Request) -> Response:
            answer = await self._answer()
            text = metrics.text(answer.log if answer else None)
            return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})

        return endpoint

    async def _answer(self) -> Answer | None:
        """None when the database gives none in time. A question that hangs is left hanging, and none is asked beside
        it: to call it off would wait for the database too."""
        if self._question is None or self._question.done():
            self._question = asyncio.create_task(self._ask(), name="health")
        answered, _ = await asyncio.wait({self._question}, timeout=PATIENCE)
        if not answered or self._question.cancelled() or self._question.exception():
            return None
        return self._question.result()

    async def _ask(self) -> Answer:
        if await lacks_migrations():
            return Answer()
        head = await reads.log_position()
        overdue, refunds = await reads.overdue(self._clock())
        return Answer(migrated=True, log=LogFigures(max(0, head - self._tail.position), overdue, refunds))
