"""What a socket may cost: the time until it says who it is, its silence, and how many operations it has at once."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

import api.view
from tests.frames import PING, PONG, TEXT, RawSocket, frame, raw_socket, text
from tests.service import a_service

LIVE = "subscription { viewerEvents { id } }"


async def test_who_says_nothing_is_put_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.view, "INIT_TIMEOUT", timedelta(seconds=0.1))
    async with a_service(tmp_path) as service:
        async with service.silent_socket() as socket:
            assert await socket.close_code() == 4408
        async with service.silent_socket() as socket:
            await socket.send({"type": "ping"})
            assert await socket.close_code() == 4408
            assert socket.frames == ['{"type":"pong"}']


async def test_one_operation_too_many_is_refused_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.view, "OPERATIONS_PER_SOCKET", 2)
    async with a_service(tmp_path) as service, service.socket("ada") as socket:
        watching = [await socket.subscribe(LIVE) for _ in range(2)]
        assert await (await socket.subscribe("{ viewerScopes }")).error() == "THROTTLED"
        await service.place()
        for stream in watching:
            await stream.take(1)
        await watching[0].stop()
        assert await (await socket.subscribe("{ viewerScopes }")).take(1) == [{"viewerScopes": []}]


async def test_who_says_nothing_is_closed_with_4408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.view, "INIT_TIMEOUT", timedelta(seconds=0.1))
    async with a_service(tmp_path) as hasty, raw_socket(hasty.url) as socket:
        assert await socket.close() == (4408, "Connection initialisation timeout")
        # It does not answer that either, and is cut off.
        await socket.ended()


async def test_the_server_pings_and_cuts_off_who_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hasty(uvicorn.Config):
        def __init__(self, *args: Any, **given: Any) -> None:
            super().__init__(*args, **given | {"ws_ping_interval": 0.3, "ws_ping_timeout": 0.3})

    monkeypatch.setattr(uvicorn, "Config", Hasty)
    async with a_service(tmp_path) as hasty, raw_socket(hasty.url) as dead, raw_socket(hasty.url) as alive:
        for _ in range(4):
            opcode, data = await alive.frame()
            assert opcode == PING
            await alive.send(frame(PONG, data))
        assert (await dead.frame())[0] == PING
        await dead.ended()
        await alive.send(text({"type": "ping"}))
        assert await _next_message(alive) == {"type": "pong"}


async def _next_message(socket: RawSocket) -> object:
    while True:
        opcode, data = await socket.frame()
        if opcode == TEXT:
            return json.loads(data)
        await socket.send(frame(PONG, data))
