"""What `serve` does to the application that it runs; the command itself is tested in test_cli.py."""

import gc

from starlette.types import Message, Receive, Scope, Send

from api.commands.serving import _config, _Startup
from api.connections import HttpConnection, WebSocketConnection
from api.settings import read_settings


async def test_what_stays_is_kept_from_the_collector_once_the_application_has_started() -> None:
    sent: list[Message] = []
    frozen_before: list[int] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        frozen_before.append(gc.get_freeze_count())
        await send({"type": "lifespan.startup.complete"})

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    try:
        await _Startup(application)({"type": "lifespan"}, receive, send)
        assert sent == [{"type": "lifespan.startup.complete"}]
        assert gc.get_freeze_count() > frozen_before[0]
        assert gc.isenabled(), "what comes after is collected as ever"
    finally:
        gc.unfreeze()


def test_the_server_runs_on_the_fast_loop_and_parser() -> None:
    config = _config(_unused, read_settings({}))
    assert (config.loop, config.http) == ("uvloop", HttpConnection)


def test_a_client_that_answers_no_ping_is_given_up_within_thirty_seconds() -> None:
    config = _config(_unused, read_settings({}))
    assert config.ws is WebSocketConnection
    assert 0 < (config.ws_ping_interval or 0) + (config.ws_ping_timeout or 0) <= 30


async def _unused(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nobody calls it")
