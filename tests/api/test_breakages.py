"""When something breaks while a private reason is in flight: nobody is told what it was, not even the log."""

import asyncio
import io
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from tortoise.exceptions import IntegrityError, OperationalError

from models import reads, saving, statements
from tests.contract import an_input, mutation
from tests.listening import assert_silent, the_log
from tests.service import Service, a_service
from tests.waiting import until

SECRETS = ("QUALITY_ISSUE", "MARKOFFARID")
# Apart, since a stack shows the line that raised.
WORDS = "this row can't be kept: {'note': 'MARKOFFARID', 'reason': 'QUALITY_ISSUE'}"
BREAKAGES: list[Callable[[str], Exception]] = [
    RuntimeError,
    KeyError,
    OSError,
    IntegrityError,
    OperationalError,
    sqlite3.OperationalError,
    lambda words: UnicodeDecodeError("utf-8", words.encode(), 0, 1, words),
    lambda words: ExceptionGroup(words, [ValueError(words)]),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def log() -> AsyncIterator[io.StringIO]:
    with the_log() as stream:
        yield stream


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory, log: io.StringIO) -> AsyncIterator[Service]:
    async with a_service(tmp_path_factory.mktemp("breakages")) as service:
        yield service


def offering(order_id: str) -> dict[str, Any]:
    money = {"amount": "20.00", "currencyCode": "USD"}
    private = {"confidentialReason": "QUALITY_ISSUE", "confidentialNote": "MARKOFFARID"}
    return an_input("offerPartialRefund", orderId=order_id, amount=money, **private)


OFFER = mutation("offerPartialRefund", "request { id confidentialReason { code } confidentialNote }")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("place", ["write", "judge", "confidences"])
@pytest.mark.parametrize("made", BREAKAGES, ids=lambda made: getattr(made, "__qualname__", None))
async def test_what_breaks_with_a_secret_in_its_words_tells_nobody(
    service: Service,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    made: Callable[[str], Exception],
    place: str,
) -> None:
    orders = [await service.started(f"{request.node.name[-60:]} {number}") for number in range(2)]

    def breaks(*_: object, **__: object) -> Any:
        raise made(WORDS)

    async def breaks_later(*_: object, **__: object) -> Any:
        breaks()

    match place:
        case "write":
            monkeypatch.setattr(statements.Writing, "write", breaks_later)
        case "judge":
            monkeypatch.setattr("models.journal.judge", breaks)
        case "confidences":
            monkeypatch.setattr(reads, "confidences", breaks_later)
    answer = await service.answer("farid", OFFER, input=offering(orders[0]))
    async with service.socket("farid") as socket:
        message = await socket.next_of((await socket.subscribe(OFFER, input=offering(orders[1]))).id)
    monkeypatch.undo()
    for error in answer.json()["errors"] + message["payload"]["errors"]:
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert error["extensions"]["id"] in log.getvalue()
    assert_silent(answer.text + json.dumps(message), "the error", SECRETS)
    assert_silent(log.getvalue(), "the log", SECRETS)


@pytest.mark.asyncio(loop_scope="module")
async def test_who_hangs_up_while_it_breaks_leaves_nothing_in_the_log(
    service: Service, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await service.started("hung up")
    begun, broken = asyncio.Event(), asyncio.Event()

    async def breaks_late(*_: object, **__: object) -> bool:
        begun.set()
        await asyncio.sleep(0.1)
        broken.set()
        raise OSError(WORDS)

    monkeypatch.setattr(saving, "save", breaks_late)
    async with service.socket("farid") as socket:
        await socket.subscribe(OFFER, input=offering(order_id))
        await begun.wait()
    await broken.wait()
    monkeypatch.undo()
    # The transaction's task has gone by the time of the next one, with whatever its going makes asyncio say.
    await service.offer(order_id)
    await until(lambda: '"event":"broke with nobody waiting"' in log.getvalue())
    assert_silent(log.getvalue(), "the log", SECRETS)
