"""What leaves the product: its log, what its broadcast carries, who got which bytes; and whether a secret is in it."""

import contextlib
import io
import logging
from base64 import b64encode
from collections.abc import Iterable, Iterator

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
        # The test runner's own would hear it too; in production nobody does, and a line goes the short way.
        root = logging.getLogger()
        root.handlers[:] = root.handlers[-1:]
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


def assert_silent(heard: str, what: str, secrets: Iterable[str]) -> None:
    """No secret is in it: not as it is, not in small letters, not within Base64."""
    for secret in secrets:
        for form in forms(secret):
            place = heard.find(form)
            assert place < 0, f"{what} holds {secret}: …{heard[max(0, place - 300) : place + 300]}…"


def forms(secret: str) -> list[str]:
    """A secret in each form in which it might pass unseen. In Base64 it depends on where it begins; the first and the
    last signs there depend on what stands around it."""
    encoded = [b64encode(b"\0" * shift + secret.encode()).decode() for shift in range(3)]
    return [secret, secret.lower(), *(text[4 if shift else 0 : -4] for shift, text in enumerate(encoded))]
