"""What a socket may cost: the time until it says who it is, and how many operations it has at once."""

from datetime import timedelta
from pathlib import Path

import pytest

import api.view
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
