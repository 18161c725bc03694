"""Other processes for a test, each with a journal of its own on one database: `python -m tests.processes URL NOW`."""

import asyncio
import pickle
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog

from models.database import opened
from tests.database import HandClock, TestJournal

P = ParamSpec("P")
T = TypeVar("T")


class Process:
    """A process that does what it is told, one call after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def call(
        self, function: Callable[Concatenate[TestJournal, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the function, which must be a module's, answers over there."""
        self.begin(function, *args, **kwargs)
        answer: T = await self.answer()
        return answer

    def begin(
        self, function: Callable[Concatenate[TestJournal, P], Awaitable[object]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Calls without waiting for the answer."""
        assert self._process.stdin
        self._process.stdin.write(b64encode(pickle.dumps((function, args, kwargs))) + b"\n")

    async def answer(self) -> Any:
        assert self._process.stdout
        line = await self._process.stdout.readline()
        assert line, "the process is gone"
        return pickle.loads(b64decode(line))  # noqa: S301 - we wrote it ourselves

    async def kill(self) -> None:
        """As `kill -9` does it: nothing is tidied up."""
        self._process.kill()
        await self._process.wait()

    async def end(self) -> None:
        """It finishes what it does, and goes."""
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()


@asynccontextmanager
async def processes(journal: TestJournal, number: int) -> AsyncIterator[list[Process]]:
    """So many processes on the journal's database, whose clocks stand where the journal's stands now."""
    async with AsyncExitStack() as stack:
        started = await asyncio.gather(*(_start(journal) for _ in range(number)))
        for process in started:
            stack.push_async_callback(process.end)
        for process in started:
            assert await process.answer() == "ready"
        yield started


async def _start(journal: TestJournal) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.processes",
        journal.url,
        journal.clock.now.isoformat(),
        cwd=Path(__file__).parent.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    return Process(process)


async def _serve(url: str, now: datetime) -> None:
    """Answers calls until the other end closes."""
    async with opened(url):
        journal = TestJournal(url, HandClock(now))
        _say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            function, args, kwargs = pickle.loads(b64decode(line))  # noqa: S301 - the test wrote it
            _say(await function(journal, *args, **kwargs))
        await journal.drain()


def _say(answer: object) -> None:
    sys.stdout.write(b64encode(pickle.dumps(answer)).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # Logs must not come between the answers.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_serve(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
