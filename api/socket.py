"""GraphQL over WebSocket: graphql-transport-ws to the letter, a context for each operation, and the end of the socket
when its token expires or its user is blocked."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol, cast

from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.schema.schema import StreamResult
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    PingMessage,
    SubscribeMessage,
)
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.utils.aio import aclosing

from api import blocked
from api.auth import bearer_or_bare
from api.callers import NOBODY, Caller, Callers
from api.claims import InvalidToken
from api.context import Context, Product
from api.errors import Code, coded, presentable
from api.http_errors import Refused
from api.http_request import Asked
from api.json_text import written
from api.rates import Seat
from api.sharing import SharedData
from api.trusted import TrustedDocuments

LONGEST_ID = 255
"""Characters of an operation's id. Clients send a number or a UUID."""
LONGEST_CLOSE_REASON = 123
"""In bytes, by RFC 6455."""
PATIENCE_TO_CLOSE = 5.0
"""Seconds that saying goodbye may take when the other side does not read."""


class Close(IntEnum):
    """The close codes of graphql-transport-ws, and one of WebSocket's own."""

    TRY_AGAIN_LATER = 1013
    """Clients answer it by connecting again, later each time. The protocol's own «too many», 4429, is final for them; a
    user who closes a tab has room again."""

    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    """Clients answer it by connecting again with fresh connection parameters."""
    NOT_ACCEPTABLE = 4406
    """Strawberry sends it by itself when the handshake does not offer the subprotocol."""
    INIT_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY_INITS = 4429


class Wire(ASGIWebSocketAdapter):
    """Strawberry's adapter, whose reasons to close may repeat what a client sent, at any length, and which breaks when
    something is sent to a socket that has just been closed from elsewhere."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        await self.send_text(written(message))

    async def send_text(self, text: str) -> None:
        """A message that was written already."""
        try:
            await self.ws.send_text(text)
        except RuntimeError:
            if self._is_open:
                raise
            raise WebSocketDisconnected from None
        except WebSocketDisconnect as gone:
            raise WebSocketDisconnected from gone

    async def close(self, code: int, reason: str) -> None:
        if not self._is_open:
            return
        short = reason.encode(errors="replace")[:LONGEST_CLOSE_REASON].decode(errors="ignore")
        # Whoever is gone already, or was told by somebody else meanwhile, need not be told.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await super().close(int(code), short)

    @property
    def _is_open(self) -> bool:
        return bool(self.ws.application_state is not WebSocketState.DISCONNECTED)


@dataclass(slots=True)
class Session:
    """One socket's: who it is, once connection_init has said so."""

    product: Product
    callers: Callers
    seat: Seat
    caller: Caller = NOBODY

    async def introduce(self, params: Mapping[str, object]) -> tuple[Close, str] | None:
        """Learns who it is from the connection parameters; nobody without `authorization`, which may stand in any case.
        Answers why it may not come in, if so: the token is not valid, its user is blocked, or has too many sockets."""
        given = next((value for name, value in params.items() if name.lower() == "authorization"), None)
        try:
            token = bearer_or_bare(given)
        except InvalidToken as invalid:
            return Close.FORBIDDEN, str(invalid)
        caller = await self.callers.caller(token)
        if token is not None and caller.viewer is None:
            return Close.FORBIDDEN, caller.problem
        if caller.viewer and not self.seat.belongs_to(caller.viewer.user_id):
            return Close.TRY_AGAIN_LATER, "Too many sockets of this user are open"
        self.caller = caller
        return None

    def operation(self) -> Context:
        """A context of its own for each operation: what was fetched for one must not grow old in the next."""
        return Context(self.product, self.caller, self.seat.address, "websocket")

    def seconds_left(self) -> float | None:
        """How long the token is still good; None for ever."""
        expires_at = self.caller.expires_at
        return None if expires_at is None else (expires_at - self.product.clock()).total_seconds()


class _WithDocuments(Protocol):
    """What the view of a socket has besides Strawberry's."""

    documents: TrustedDocuments


class Socket(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's handler of graphql-transport-ws, with what it lacks."""

    _timer: asyncio.TimerHandle | None = None
    """Until connection_init: puts out whoever says nothing. After it: ends the socket with its token."""
    _leaving: asyncio.Task[None] | None = None

    @property
    def _documents(self) -> TrustedDocuments:
        return cast("_WithDocuments", self.view).documents

    @property
    def _session(self) -> Session:
        return cast(Session, self.context)

    async def handle(self) -> None:
        with self._session.product.metrics.sockets.track_inprogress():
            await super().handle()

    def on_request_accepted(self) -> None:
        """As Strawberry's, by a timer: a task takes five times the memory, and it is kept for as long as the socket."""
        self._timer = asyncio.get_running_loop().call_later(
            self.connection_init_wait_timeout.total_seconds(), self._put_out
        )

    def _put_out(self) -> None:
        self.connection_timed_out = True
        self._leave(Close.INIT_TIMEOUT, "Connection initialisation timeout")

    async def handle_message(self, message: Message) -> None:
        """Strawberry's raises when a message or its payload has not the shape that the protocol gives it."""
        if wrong := _wrong_shape(message):
            await self.handle_invalid_message(wrong)
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """A token that is not valid closes the socket with 4403, as does a user who is blocked; without a token the
        socket is nobody's."""
        if self.connection_timed_out:
            return
        if self.connection_init_received:
            await self.websocket.close(Close.TOO_MANY_INITS, "Too many initialisation requests")
            return
        self.connection_init_received = True
        self._stop_timer()
        refusal = await self._session.introduce(message.get("payload") or {})
        if refusal is not None:
            await self.websocket.close(*refusal)
            return
        self._watch_rights()
        await self.send_message({"type": "connection_ack"})
        self.connection_acknowledged = True

    def _watch_rights(self) -> None:
        viewer, left = self._session.caller.viewer, self._session.seconds_left()
        if viewer is not None:
            self._session.product.blocked.listen(viewer.user_id, self._on_block)
        if left is not None:
            self._timer = asyncio.get_running_loop().call_later(left, self._on_expiry)

    def _on_expiry(self) -> None:
        """Nothing is sent to whoever may no longer see it, whether or not anything happens."""
        self._leave(Close.FORBIDDEN, "The token has expired")

    def _on_block(self) -> None:
        self._leave(Close.FORBIDDEN, blocked.SENTENCE)

    def _leave(self, code: Close, reason: str) -> None:
        """Ends all operations now, and the socket as soon as the other side reads that."""
        for operation_id in list(self.operations):
            if task := self.operations.pop(operation_id).task:
                task.cancel()
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._say_goodbye(code, reason))

    async def _say_goodbye(self, code: Close, reason: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_TO_CLOSE):
                await self.websocket.close(code, reason)

    async def handle_ping(self, message: PingMessage) -> None:
        """As Strawberry's, but what the ping brought goes back with the pong."""
        payload = message.get("payload")
        try:
            await self.send_message({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})
        except RecursionError:
            await self.handle_invalid_message("The payload is nested too deep")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """As Strawberry's, but one operation too many is refused with a code, as is a document that is not allowed."""
        if self.connection_acknowledged and message["id"] not in self.operations:
            error = self._refusal(message)
            if error is not None:
                await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
                return
        await super().handle_subscribe(message)

    def _refusal(self, message: SubscribeMessage) -> GraphQLError | None:
        """Why this operation may not begin. A document that was named by its id stands in the message after this."""
        most = self.max_subscriptions_per_connection
        if most is not None and len(self.operations) >= most:
            return coded(Code.THROTTLED, f"This socket has {most} operations under way; let some come to an end first.")
        try:
            asked = self._documents.completed(Asked.of(cast(dict[str, Any], message["payload"])))
        except (GraphQLError, Refused) as refused:
            return refused if isinstance(refused, GraphQLError) else coded(refused.code, refused.message)
        message["payload"]["query"] = asked.query or ""
        return None

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """As Strawberry's, with a context of the operation's own; whatever goes wrong ends the operation with an error
        that the client reads, and nothing but the operation."""
        try:
            await self._run(operation)
        except WebSocketDisconnected:
            # Whoever has gone needs no answer, and the handler finds that out by itself.
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is masked and logged with an id
            masked = presentable(GraphQLError("Something went wrong", original_error=error))
            with contextlib.suppress(WebSocketDisconnected):
                await operation.send_initial_errors([masked])

    async def _run(self, operation: Operation[Any, None]) -> None:
        results = await self.schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=self._session.operation(),
            root_value=self.root_value,
            operation_name=operation.operation_name,
        )
        async with aclosing(results):
            await self._send_results(operation, results)
        await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _send_results(self, operation: Operation[Any, None], results: StreamResult) -> None:
        """As Strawberry's; but a result that others get too is encoded once for all of them, with this operation's id
        in front."""
        wire, opening = cast(Wire, self.websocket), f'{{"id":{written(operation.id)},"type":"next","payload":'
        async for result in results:
            assert isinstance(result, ExecutionResult), "nothing here is delivered in increments"
            if isinstance(result, PreExecutionError):
                assert result.errors
                await operation.send_initial_errors(result.errors)
                return
            data = result.data
            if isinstance(data, SharedData) and not result.errors:
                await wire.send_text(f"{opening}{data.encoded(result.extensions, written)}}}")
            else:
                await operation.send_next(result)

    def forget_id(self, id: str) -> None:
        """As Strawberry's, which breaks for whoever was forgotten already."""
        self.operations.pop(id, None)

    async def shutdown(self) -> None:
        self._stop_timer()
        if viewer := self._session.caller.viewer:
            self._session.product.blocked.forget(viewer.user_id, self._on_block)
        await super().shutdown()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:  # noqa: ARG004 - Strawberry's signature
        """A document that can't be executed is that operation's error, no reason to close the others."""
        return None


_TYPES = ("connection_init", "ping", "pong", "subscribe", "complete")
"""What a client may send."""


def _wrong_shape(message: object) -> str | None:
    """What of a message is not as the protocol has it, without repeating any of it; None when all is well."""
    if not isinstance(message, dict):
        return "A message must be an object"
    kind, payload = message.get("type"), message.get("payload")
    if kind not in _TYPES:
        return "The type of a message must be one of the protocol's"
    if kind in ("subscribe", "complete"):
        operation_id = message.get("id")
        if not isinstance(operation_id, str) or not 1 <= len(operation_id) <= LONGEST_ID:
            return f"A message of this type must have an id of 1 to {LONGEST_ID} characters"
    if kind != "subscribe":
        return None if kind == "complete" or isinstance(payload, dict | None) else "The payload must be an object"
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str | None):
        return "The payload must be an object with a query"
    if payload.get("query") is None and not payload.keys() & {"documentId", "extensions"}:
        return "The payload must have a query, or the id of one"
    for name in ("variables", "extensions"):
        if not isinstance(payload.get(name), dict | None):
            return f"The {name} must be an object"
    if not isinstance(payload.get("operationName"), str | None):
        return "The operationName must be a string"
    return None
