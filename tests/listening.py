"""What leaves the product by the side: its log, what its broadcast carries, and who got which bytes over HTTP."""

import contextlib
import io
import logging
from collections.abc import Iterator

import httpx
import jwt
import pytest
import structlog
from broadcaster._backends.memory import MemoryBackend

from api.logs import OUR_ROOMS, configure

_REWIRED = ("", *OUR_ROOMS, "uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access", "strawberry.execution")


@contextlib.contextmanager
def logging_as_before() -> Iterator[None]:
    """Leaves the logging of the test process as it was."""
    before = {name: (logging.getLogger(name).level, list(logging.getLogger(name).handlers)) for name in _REWIRED}
    raising = logging.raiseExceptions
    try:
        yield
    finally:
        for name, (level, handlers) in before.items():
            logging.getLogger(name).setLevel(level)
            logging.getLogger(name).handlers[:] = handlers
        logging.raiseExceptions = raising
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


@contextlib.contextmanager
def the_log() -> Iterator[io.StringIO]:
    """All that the product logs, at the level debug."""
    stream = io.StringIO()
    with logging_as_before():
        configure("debug", "json", stream)
        yield stream


@contextlib.contextmanager
def the_broadcast() -> Iterator[list[str]]:
    """All that is handed to the broadcast's backend, each as channel and message."""
    carried: list[str] = []
    publish = MemoryBackend.publish

    async def heard(backend: MemoryBackend, channel: str, message: object) -> None:
        carried.append(f"{channel} {message}")
        await publish(backend, channel, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryBackend, "publish", heard)
        yield carried


def note_answers(http: httpx.AsyncClient) -> dict[str | None, list[bytes]]:
    """From now on every answer to this client, head and body, by the subject that asked; None: without a token."""
    answers: dict[str | None, list[bytes]] = {}

    async def note(answer: httpx.Response) -> None:
        token = answer.request.headers.get("authorization", "").removeprefix("Bearer ")
        subject = jwt.decode(token, options={"verify_signature": False})["sub"] if token else None
        head = b"\n".join(name + b": " + value for name, value in answer.headers.raw)
        answers.setdefault(subject, []).append(head + b"\n\n" + await answer.aread())

    http.event_hooks["response"].append(note)
    return answers
