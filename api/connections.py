"""What uvicorn's connections lack: an end to whoever sends slowly, endlessly, or never reads."""

import asyncio
import json
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected

from api.commands.connection import Connection
from api.errors import Code

HEAD_SECONDS = 10.0
"""For the head of a request, from its first byte or from the connection on."""
BODY_SECONDS = 20.0
"""For the body after it; the largest one takes that at 13 kB/s."""
LARGEST_HEAD = 64 * 1024
"""In bytes. A token takes up to 8 KiB."""
LARGEST_REQUEST = 1024 * 1024
"""In bytes, head, framing and trailers included; what is read of the body is limited by the application."""
LINGER_SECONDS = 2.0
"""How long what still comes in is thrown away after a refusal: a connection that is closed with unread data is reset,
and the refusal may never be seen."""
MOST_FRAGMENTS = 1_024
"""Frames of one WebSocket message: each takes memory, however empty it is."""


class _Stage(Enum):
    """How far a request has come in."""

    NONE = auto()
    HEAD = auto()
    BODY = auto()


_SECONDS = {_Stage.HEAD: HEAD_SECONDS, _Stage.BODY: BODY_SECONDS}


class HttpConnection(HttpToolsProtocol):
    """uvicorn's, which waits for ever for the rest of a request and takes a head of any length."""

    _stage = _Stage.HEAD
    _timed: _Stage = _Stage.NONE
    """The stage that the timer is for."""
    _timer: asyncio.TimerHandle | None = None
    _received = 0
    """Bytes of the request that is coming in."""
    _begun = False
    """Whether there is a cycle: one request at least had a whole head."""
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._keep_time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._received += len(data)
        super().data_received(data)
        if self.transport.get_protocol() is not self or self.transport.is_closing():
            # It has become a WebSocket, or was closed.
            self._stop_timer()
            return
        if self._stage is _Stage.HEAD and self._received > LARGEST_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large.")
        elif self._stage is _Stage.BODY and self._received > LARGEST_REQUEST:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
        else:
            self._keep_time()

    def on_message_begin(self) -> None:
        self._stage = _Stage.HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stage = _Stage.BODY
        self._begun = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stage = _Stage.NONE
        self._received = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """As uvicorn's, in JSON with a code like every other error."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _keep_time(self) -> None:
        """A request that comes in at once, as nearly all do, costs no timer."""
        if self._stage is self._timed:
            return
        self._stop_timer()
        self._timed = self._stage
        if seconds := _SECONDS.get(self._stage):
            self._timer = self.loop.call_later(seconds, self._refuse, HTTPStatus.REQUEST_TIMEOUT, _TOO_SLOW)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._timed = _Stage.NONE

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        """Answers, unless an answer is under way, and reads no more. Who has sent nothing is not answered either."""
        self._stop_timer()
        if self.transport.is_closing():
            return
        self._refused = True
        if not self._may_answer():
            if self.pipeline or not self.cycle.response_complete:
                self.transport.abort()
                return
        elif self._received:
            self.transport.write(_answer(status, sentence))
        if self._begun and not self.cycle.response_complete:
            # Whoever waits for the body is told that nothing more comes.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        _linger(self.transport, self.loop)

    def _may_answer(self) -> bool:
        """Not into the middle of an answer, nor before one that is still to come."""
        if self.pipeline:
            return False
        if self._stage is _Stage.BODY:
            return not self.cycle.response_started
        return not self._begun or self.cycle.response_complete


_TOO_SLOW = "The request did not come in in time."


def _answer(status: HTTPStatus, sentence: str) -> bytes:
    error = {"message": sentence, "extensions": {"code": Code.BAD_REQUEST.value}}
    body = json.dumps({"errors": [error]}, separators=(",", ":")).encode()
    head = b"content-type: application/json\r\ncache-control: no-store\r\nconnection: close\r\ncontent-length: "
    return STATUS_LINE[status] + head + str(len(body)).encode() + b"\r\n\r\n" + body


def _linger(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
    """Says that no more is sent, and closes a little later."""
    if transport.can_write_eof():
        transport.write_eof()
    transport.resume_reading()
    loop.call_later(LINGER_SECONDS, transport.abort)


class WebSocketConnection(Connection):
    """As `Connection`; uvicorn's also leaves a handshake that is too large without an answer, goes on reading whoever
    does not read, keeps any number of fragments, loses the code of a message that is too large, and logs a traceback
    for text that is none."""

    _failed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = LINGER_SECONDS

    def data_received(self, data: bytes) -> None:
        if self._failed:
            return
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._failed = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_parser_exception(self) -> None:
        if self._failed:
            return
        self._failed = True
        self.stop_keepalive()
        sent = self.conn.close_sent
        code, reason = (sent.code, sent.reason) if sent else (1006, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_sent = True
        if self.transport.is_closing():
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        _linger(self.transport, self.loop)

    def handle_ping(self) -> None:
        """As uvicorn's. What had come in behind the frame that failed is nobody's any more."""
        if not self._failed:
            super().handle_ping()

    def handle_cont(self, event: Any) -> None:
        super().handle_cont(event)
        if len(self.frames) >= MOST_FRAGMENTS:
            self._fail(1009, "too many fragments")

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_text(self.frames):
            self._fail(1007, "not UTF-8")
            return
        super().send_receive_event_to_app()
        self._read_or_wait()

    def _fail(self, code: int, reason: str) -> None:
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    async def receive(self) -> Any:
        """As uvicorn's, but who does not read is not read."""
        message = await self.queue.get()
        if self.queue.empty():
            self.read_paused = False
            self._read_or_wait()
        return message

    async def send(self, message: Any) -> None:
        """As uvicorn's, but who sends to a connection that has failed is told that the other side is gone, as always,
        and not that they make a mistake."""
        try:
            await super().send(message)
        except RuntimeError:
            if not self._failed:
                raise
            raise ClientDisconnected from None
        if message["type"] == "websocket.accept":
            self._forget_heads()

    def _forget_heads(self) -> None:
        """Those of the handshake, which nobody reads again: here, in the scope, and in the parser, which keeps the
        request for as long as it reads. Measured: 6 KiB of what a socket takes."""
        self.request.headers.clear()
        self.response.headers.clear()
        cast("list[object]", self.scope["headers"]).clear()
        self.request = self.response = None  # type: ignore[assignment]  # uvicorn has no use for it any more

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read_or_wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_or_wait()

    def _read_or_wait(self) -> None:
        if self.transport.is_closing():
            return
        if self._failed or (self.writable.is_set() and not self.read_paused):
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def keepalive_timeout(self) -> None:
        """Whoever sends between this and the end of the connection is told that the other side is gone."""
        self._failed = self.writable.is_set()
        super().keepalive_timeout()


def _is_text(frames: list[bytes]) -> bool:
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True
