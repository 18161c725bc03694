"""GraphQL over WebSocket: a context for each operation, and the end of the socket when its token expires."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, Protocol, cast

from graphql import GraphQLError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)
from strawberry.utils.aio import aclosing

from api.auth import bearer_or_bare
from api.callers import NOBODY, Caller
from api.context import Context, Product
from api.errors import Code, coded
from api.http_errors import Refused
from api.http_request import Asked
from api.rates import Seat, TooManySockets
from api.trusted import TrustedDocuments

FORBIDDEN = 4403
"""The close code that clients answer by connecting again with fresh connection parameters."""


TRY_AGAIN_LATER = 1013
"""The close code that clients answer by connecting again, later each time. The protocol's own «too many», 4429, is
final for them; a user who closes a tab has room again."""


@dataclass(slots=True)
class Session:
    """One socket's: who it is, once connection_init has said so."""

    product: Product
    seat: Seat
    connection_params: dict[str, object] | None = None
    caller: Caller = NOBODY

    def token(self) -> str | None:
        """The connection parameter `authorization`, with or without Bearer, in any case. Raises InvalidToken."""
        params = self.connection_params or {}
        given = next((value for name, value in params.items() if name.lower() == "authorization"), None)
        return bearer_or_bare(given)

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

    _expiry: asyncio.Task[None] | None = None

    @property
    def _documents(self) -> TrustedDocuments:
        return cast("_WithDocuments", self.view).documents

    @property
    def _session(self) -> Session:
        return cast(Session, self.context)

    async def handle(self) -> None:
        with self._session.product.metrics.sockets.track_inprogress():
            await super().handle()

    async def handle_message(self, message: Message) -> None:
        """Strawberry's raises when a message or its payload has not the shape that the protocol gives it."""
        if wrong := _wrong_shape(message):
            await self.handle_invalid_message(wrong)
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        try:
            await super().handle_connection_init(message)
        except TooManySockets:
            await self.websocket.close(TRY_AGAIN_LATER, "Too many sockets of this user are open")
            return
        left = self._session.seconds_left()
        if self.connection_acknowledged and left is not None and self._expiry is None:
            self._expiry = asyncio.create_task(self._expire(left))

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """As Strawberry's, but one operation too many is refused with a code."""
        most = self.max_subscriptions_per_connection
        if most is not None and len(self.operations) >= most and message["id"] not in self.operations:
            error = coded(
                Code.THROTTLED, f"This socket has {most} operations under way; let some come to an end first."
            )
            await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
            return
        try:
            asked = self._documents.completed(Asked.of(cast(dict[str, Any], message["payload"])))
        except (GraphQLError, Refused) as refused:
            error = refused if isinstance(refused, GraphQLError) else coded(refused.code, refused.message)
            await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
            return
        message["payload"]["query"] = asked.query or ""
        await super().handle_subscribe(message)

    async def _expire(self, seconds: float) -> None:
        """Nothing is sent to whoever may no longer see it, whether or not anything happens."""
        await asyncio.sleep(seconds)
        with contextlib.suppress(Exception):
            await self.websocket.close(FORBIDDEN, "The token has expired")

    async def shutdown(self) -> None:
        if self._expiry:
            self._expiry.cancel()
        await super().shutdown()

    async def run_operation(self, operation: Operation[Any, None]) -> None:
        """As Strawberry's, with a context of the operation's own."""
        try:
            results = await self.schema.stream(
                operation.query,
                variable_values=operation.variables,
                context_value=self._session.operation(),
                root_value=self.root_value,
                operation_name=operation.operation_name,
            )
            async with aclosing(results):
                await self._send_result_stream(operation, results)
            await operation.send_operation_message({"id": operation.id, "type": "complete"})
        except Exception as error:
            await self.handle_task_exception(error)
            with contextlib.suppress(Exception):
                await operation.send_operation_message({"id": operation.id, "type": "complete"})
            self.operations.pop(operation.id, None)
            raise

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:  # noqa: ARG004 - Strawberry's signature
        """A document that can't be executed is that operation's error, no reason to close the others."""
        return None


def _wrong_shape(message: object) -> str | None:
    if not isinstance(message, dict):
        return "A message must be an object"
    if message.get("type") in ("subscribe", "complete") and not isinstance(message.get("id"), str):
        return "A message of this type must have an id"
    if message.get("type") != "subscribe":
        return None
    payload = message.get("payload")
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str | None):
        return "The payload must be an object with a query"
    if payload.get("query") is None and not payload.keys() & {"documentId", "extensions"}:
        return "The payload must have a query, or the id of one"
    if not isinstance(payload.get("variables"), dict | None):
        return "The variables must be an object"
    if not isinstance(payload.get("operationName"), str | None):
        return "The operationName must be a string"
    return None
