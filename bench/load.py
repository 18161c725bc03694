"""The load generator: a process of its own that keeps connections busy and notes how long each answer took."""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import uvloop

from bench import machine
from bench.http import Connection
from bench.works import Work

P = ParamSpec("P")
_ERRORS = b'"errors":['
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measured:
    """One work in one round. Times in seconds; `latencies` sorted."""

    seconds: float
    latencies: list[float]
    server_cpu: float
    load_cpu: float


class Generator:
    """The process, told what to do by functions of modules."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._executor.submit(function, *args, **kwargs).result()


@contextmanager
def generator() -> Iterator[Generator]:
    """The load generator, kept off the server's core, for as long as the block runs."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh, machine.pin, (0, machine.cores_of_the_load())) as executor:
        yield Generator(executor)


def measured(url: str, server: int, work: Work, seconds: float) -> Measured:
    """Keeps the work's connections busy for so long, or until its requests have run out."""
    return uvloop.run(_Round(work, seconds).run(url, server))


class _Round:
    """Each connection sends its next request when the last one was answered."""

    def __init__(self, work: Work, seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._requests = work.feed()
        self._latencies: list[float] = []
        self._until = 0.0

    async def run(self, url: str, server: int) -> Measured:
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connections = [await self._open(url) for _ in range(self._work.connections)]
        self._busy = len(connections)
        server_before, load_before, start = machine.cpu_seconds(server), time.process_time(), time.perf_counter()
        self._until = start + self._seconds
        for next_request in connections:
            next_request()
        await self._ended
        seconds = time.perf_counter() - start
        server_cpu, load_cpu = machine.cpu_seconds(server) - server_before, time.process_time() - load_before
        return Measured(seconds, sorted(self._latencies), server_cpu, load_cpu)

    async def _open(self, url: str) -> Callable[[], None]:
        sent = 0.0

        def answered(body: bytes) -> None:
            self._latencies.append(time.perf_counter() - sent)
            if self._work.shows not in body or _ERRORS in body:
                self._fail(RuntimeError(f"{self._work.title}: {body[:1000]!r}"))
                return
            next_request()

        def next_request() -> None:
            nonlocal sent
            sent = time.perf_counter()
            request = next(self._requests, None) if sent < self._until else None
            if request is None:
                connection.close()
                self._busy -= 1
                if not self._busy and not self._ended.done():
                    self._ended.set_result(None)
                return
            connection.send(request)

        connection = await Connection.open(url, answered, self._fail)
        return next_request

    def _fail(self, why: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(why)
