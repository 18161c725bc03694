"""A client's WebSocket connection: uvicorn's, which would wait for ever for a client that does not read."""

import asyncio

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

UNREAD = 20.0
"""Seconds that what we sent may wait, in our own memory, for a client that does not read."""
FAREWELL = 2.0
"""Seconds that a client has to take the close frame of a process that is stopping."""


class Connection(WebSocketsSansIOProtocol):
    """Uvicorn closes a connection once all that was sent has been read, which for a client that has stopped reading is
    never. This one is cut then; the client resumes by its cursor. TCP's own timeout, which `serve` sets on its
    socket, is not enough: it begins anew with every byte that is taken, and not every system has it."""

    _unread: asyncio.TimerHandle | None = None
    _farewell: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """The client reads slower than we write: from now on what is sent waits here."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        self._forget(self._unread)
        super().resume_writing()

    def handle_ping(self) -> None:
        """Answered at once, or not at all: who sends pings and reads nothing must not fill the memory."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)

    def keepalive_timeout(self) -> None:
        """It answers no ping: nobody is there to read why it is closed. Unless the ping itself waits here still, behind
        all that a slow reader has to read first: then that decides."""
        if self.writable.is_set():
            super().keepalive_timeout()
            self.transport.abort()
        else:
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()

    def shutdown(self) -> None:
        """The process stops: 1012, which clients answer by connecting again."""
        super().shutdown()
        self._farewell = self.loop.call_later(FAREWELL, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget(self._unread, self._farewell)
        super().connection_lost(exc)

    @staticmethod
    def _forget(*timers: asyncio.TimerHandle | None) -> None:
        for timer in timers:
            if timer is not None:
                timer.cancel()
