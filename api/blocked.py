"""Who is blocked, as this process knows it: read every second, and at once when the doorbell rings."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import UUID

import structlog

from models.block import blocks_after

POLL = 1.0
"""Seconds between two looks. A look is one statement a process, however many are connected."""
PACE = 0.2
"""Seconds at least between two looks: the doorbell rings for everything that happens."""
SENTENCE = "Your account is blocked here. Ask whoever runs this marketplace."
"""What a blocked person is told. The operator's reason is nobody else's business."""

log = structlog.get_logger(__name__)


class Blocked:
    """The people who are blocked now, and whoever wants to hear of it when somebody is."""

    def __init__(self, poll_seconds: float = POLL) -> None:
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._position = 0
        self._user_ids: set[UUID] = set()
        self._listeners: dict[UUID, set[Callable[[], None]]] = {}
        self._works = True

    def __contains__(self, user_id: UUID) -> bool:
        return user_id in self._user_ids

    def wake(self) -> None:
        """Something has happened somewhere; it may be this."""
        self._woken.set()

    def listen(self, user_id: UUID, on_block: Callable[[], None]) -> None:
        """Calls when this person is blocked, until `forget`. `on_block` must neither wait nor fail."""
        self._listeners.setdefault(user_id, set()).add(on_block)

    def forget(self, user_id: UUID, on_block: Callable[[], None]) -> None:
        listening = self._listeners.get(user_id, set())
        listening.discard(on_block)
        if not listening:
            self._listeners.pop(user_id, None)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks for as long as the block runs; whoever is blocked already is known before it begins."""
        await self._look()
        task = asyncio.create_task(self._run(), name="blocked")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - it looks again, whatever it was
                if self._works:
                    log.warning("can't read who is blocked", error=type(error).__name__)
                self._works = False
            else:
                self._works = True
            await asyncio.sleep(PACE)

    async def _look(self) -> None:
        newly: set[UUID] = set()
        for row in await blocks_after(self._position):
            self._position = row.position
            change = set.add if row.blocked else set.discard
            change(self._user_ids, row.user_id)
            change(newly, row.user_id)
        for on_block in list(self._concerned(newly)):
            on_block()

    def _concerned(self, user_ids: set[UUID]) -> Iterator[Callable[[], None]]:
        for user_id in user_ids:
            yield from self._listeners.get(user_id, ())
