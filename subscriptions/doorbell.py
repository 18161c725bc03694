"""The doorbell: tells every process that the log has grown. The only file that knows broadcaster."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

import structlog
from broadcaster import Broadcast
from broadcaster._base import Subscriber

CHANNEL = "resolution-center"
RING = "ring"
"""How all begins that is ever sent, beside probes: a ring says that something happened, never what, or to whom. It
ends with a word by chance for each process, which has told its own readers long before its own ring comes back."""

PROBE_EVERY = 5.0
"""Seconds between two probes."""
PATIENCE = 2.0
"""Seconds that connecting, publishing, and a probe's way back may take."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds before the first and any later attempt to build it anew."""

BREATH = 0.02
"""Seconds from one ring to the next: those that come in a burst are one. A ring costs a process 180 µs, where a change
costs it some ten times that."""

Send = Callable[[str], Awaitable[None]]
"""Hands one message to the broadcast."""

log = structlog.get_logger(__name__)


class DoorbellSilent(Exception):
    """The broadcast does not carry: a probe did not come back, or nothing can be sent."""


class Doorbell:
    """One broadcaster connection, channel and subscription a process. `on_ring` is called when another process has
    rung, and when rings may have been missed. broadcaster never recovers from a lost backend and says nothing of it, so
    a probe goes round every few seconds, and the whole object is built anew when it does not come back. While it is
    silent nothing is lost: the tail polls regardless."""

    def __init__(self, url: str, on_ring: Callable[[], None]) -> None:
        self._url = url
        self._on_ring = on_ring
        self._wanted = asyncio.Event()
        self._own_ring = f"{RING}:{uuid4()}"
        self._probe = ""
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.works = False
        """Whether the last probe came back."""
        self.rebuilds = 0

    def ring(self) -> None:
        """Rings soon; never waits, never fails. Rings that come while one is on its way, or just after, are
        one."""
        self._wanted.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listens and rings for as long as the block runs."""
        self._task = asyncio.create_task(self._supervise(), name="doorbell")
        try:
            yield
        finally:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _supervise(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                async with _subscribed(self._url) as (broadcast, subscriber):
                    await self._serve(broadcast, subscriber)
            except Exception as error:  # noqa: BLE001 - whatever a backend raises, the mend is the same
                if self._task is None or self._task.cancelling():
                    # broadcaster makes a KeyError of being stopped while it subscribes.
                    return
                if self.works or not self.rebuilds:
                    log.warning("doorbell silent", error=type(error).__name__)
                pause = FIRST_PAUSE if self.works else min(pause * 2, LONGEST_PAUSE)
            self.works = False
            self.rebuilds += 1
            await asyncio.sleep(pause)

    async def _serve(self, broadcast: Broadcast, subscriber: Subscriber) -> None:
        """Listens, rings and probes until one of the three fails."""
        send = _one_at_a_time(broadcast)
        jobs = [
            asyncio.create_task(self._listen(subscriber)),
            asyncio.create_task(self._publish(send)),
            asyncio.create_task(self._keep_probing(send)),
        ]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            await _ended(*jobs)

    async def _listen(self, subscriber: Subscriber) -> None:
        while True:
            message = (await subscriber.get()).message
            if message.startswith(RING):
                if not self._is_own(message):
                    self._on_ring()
            elif message == self._probe:
                self._heard.set()

    def _is_own(self, ring: str) -> bool:
        return ring == self._own_ring

    async def _publish(self, send: Send) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            async with asyncio.timeout(PATIENCE):
                await send(self._own_ring)
            await asyncio.sleep(BREATH)

    async def _keep_probing(self, send: Send) -> None:
        while True:
            self._probe, self._heard = f"probe:{uuid4()}", asyncio.Event()
            async with asyncio.timeout(PATIENCE):
                await send(self._probe)
                await self._heard.wait()
            if not self.works:
                self.works = True
                log.info("doorbell works", rebuilds=self.rebuilds)
                # Whatever rang while nobody could hear it.
                self._on_ring()
            await asyncio.sleep(PROBE_EVERY)


async def check(url: str) -> None:
    """Sends a probe once round. Raises DoorbellSilent with what is wrong, in plain words."""
    try:
        async with _subscribed(url) as (broadcast, subscriber):
            probe = f"probe:{uuid4()}"
            async with asyncio.timeout(PATIENCE):
                await broadcast.publish(CHANNEL, probe)
                while (await subscriber.get()).message != probe:
                    pass
    except TimeoutError:
        raise DoorbellSilent("a message that was sent did not come back") from None
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        raise DoorbellSilent(f"it can't be reached ({type(error).__name__})") from None


async def ring_once(url: str) -> None:
    """Rings, for a program that does nothing else with the doorbell. Takes a few seconds at most, and never fails:
    whoever did not hear it polls. In a process's own memory nobody else could hear it."""
    if url.startswith("memory:"):
        return
    with contextlib.suppress(Exception):
        async with _subscribed(url) as (broadcast, _), asyncio.timeout(PATIENCE):
            await broadcast.publish(CHANNEL, RING)


def _one_at_a_time(broadcast: Broadcast) -> Send:
    """PostgreSQL's backend has one connection, which refuses a second statement while one is under way."""
    free = asyncio.Lock()

    async def send(message: str) -> None:
        async with free:
            await broadcast.publish(CHANNEL, message)

    return send


@contextlib.asynccontextmanager
async def _subscribed(url: str) -> AsyncIterator[tuple[Broadcast, Subscriber]]:
    broadcast, subscription = Broadcast(url), contextlib.AsyncExitStack()
    async with contextlib.AsyncExitStack() as leaving:
        # Not by `broadcast.disconnect`: it leaves the backend open when a listener has failed.
        leaving.push_async_callback(_patiently, broadcast._backend.disconnect)
        leaving.push_async_callback(_end_listeners, broadcast)
        leaving.push_async_callback(_patiently, subscription.aclose)
        async with asyncio.timeout(PATIENCE):
            await broadcast.connect()
            subscriber = await subscription.enter_async_context(broadcast.subscribe(CHANNEL))
        yield broadcast, subscriber


async def _patiently(leave: Callable[[], Awaitable[object]]) -> None:
    """A backend that is gone may raise, or hang, on the way out too. Whoever stops the doorbell meanwhile is heard."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(PATIENCE):
            await leave()


async def _end_listeners(broadcast: Broadcast) -> None:
    found = (getattr(broadcast, "_listener_task", None), getattr(broadcast._backend, "_listener", None))
    await _ended(*(task for task in found if isinstance(task, asyncio.Task)))


async def _ended(*tasks: asyncio.Task[None]) -> None:
    """Ends the tasks, whatever they came to."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
