"""GraphQL over HTTP and the door to GraphQL over WebSocket: from a request to a caller and a context."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from datetime import timedelta
from functools import partial

from graphql import GraphQLError, get_operation_ast, parse
from graphql import OperationType as OperationKind
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from api import blocked
from api.auth import bearer
from api.callers import Caller, Callers
from api.claims import InvalidToken
from api.context import Context, Product
from api.errors import Code, brief, coded
from api.execution import by_engine
from api.http_answer import Formatted, formatted, whole
from api.http_errors import Refused, refusal, unexpected
from api.http_headers import vary
from api.http_request import Asked, Incoming, asked
from api.json_text import read, written
from api.media import SHAPES, STREAMS, Accepted, Json, accepted
from api.rates import RETRY_AFTER, SEAT, Seat, address_of
from api.schema import schema
from api.socket import Session, Socket, Wire
from api.streaming import Streamed
from api.trusted import NOTHING_TRUSTED, TrustedDocuments

Ending = asyncio.Future[GraphQLError | None]
"""What ends a stream from elsewhere: with an error that its client is told, or without a word."""

INIT_TIMEOUT = timedelta(seconds=10)
"""How long a socket may be open without saying who it is."""
OPERATIONS_PER_SOCKET = 100

_TAKEN_BY: Mapping[str, frozenset[OperationType]] = {
    "GET": frozenset({OperationType.QUERY}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
}
"""What may come by each method of HTTP."""
METHODS = ", ".join(_TAKEN_BY)


class View(GraphQL[Context | Session, None]):
    """The endpoint /graphql. Credentials come in the Authorization header or in connection_init, never in a cookie or
    a URL, so that a foreign page has no rights here."""

    graphql_transport_ws_handler_class = Socket
    websocket_adapter_class = Wire

    def __init__(
        self,
        product: Product,
        callers: Callers,
        allowed_origins: tuple[str, ...],
        *,
        largest_body: int,
        documents: TrustedDocuments = NOTHING_TRUSTED,
    ) -> None:
        super().__init__(
            by_engine(schema),
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=INIT_TIMEOUT,
            max_subscriptions_per_connection=OPERATIONS_PER_SOCKET,
            allowed_origins=allowed_origins,
        )
        self._product = product
        self._callers = callers
        self._largest_body = largest_body
        self._endings: set[Ending] = set()
        self.documents = documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Strawberry's over WebSocket. Over HTTP our own, since Strawberry's knows no media type but one, refuses in
        plain text, and takes what it should not."""
        if scope["type"] != "http":
            # Whoever leaves before the handshake is over is no error of ours.
            with contextlib.suppress(WebSocketDisconnect):
                await super().__call__(scope, receive, send)
            return
        request = Incoming(scope, receive)
        accepts = accepted(request.header(b"accept"))
        try:
            answer = await self._answer(request, accepts)
        except Refused as refused:
            answer = refusal(refused, accepts.json or Json.LEGACY)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is masked and logged
            answer = unexpected(error, accepts.json or Json.LEGACY)
        await answer(scope, receive, _varied(send))

    async def _answer(self, request: Incoming, accepts: Accepted) -> ASGIApp:
        if request.method not in _TAKEN_BY:
            raise Refused(405, Code.METHOD_NOT_ALLOWED, f"Send the operation by {METHODS}.", allow=METHODS)
        if accepts.nothing:
            raise Refused(406, Code.NOT_ACCEPTABLE, f"An answer comes as {', '.join(SHAPES)}.")
        question = await asked(request, self._largest_body)
        caller = await self._caller(request.header(b"authorization"))
        try:
            question = self.documents.completed(question)
        except GraphQLError as error:
            return whole(PreExecutionError(data=None, errors=[error]), accepts.json or Json.GRAPHQL_RESPONSE)
        if accepts.json is None or (accepts.stream and self._is_subscription(question)):
            return self._streamed(request, question, caller, accepts)
        return whole(await self._executed(request, question, caller), accepts.json)

    def _is_subscription(self, question: Asked) -> bool:
        """Asked for a client that takes JSON and streams: one that takes JSON alone is told by the executor."""
        text = question.query or ""
        if "subscription" not in text or len(text) > self._product.limits.characters:
            return False
        try:
            operation = get_operation_ast(parse(text, no_location=True), question.operation_name)
        except (GraphQLError, RecursionError):
            return False
        return operation is not None and operation.operation is OperationKind.SUBSCRIPTION

    async def _executed(self, request: Incoming, question: Asked, caller: Caller) -> ExecutionResult:
        """A query's or a mutation's result."""
        context = Context(self._product, caller, address_of(request.scope))
        try:
            return await self.schema.execute(
                question.query,
                variable_values=question.variables,
                context_value=context,
                operation_name=question.operation_name,
                operation_extensions=question.extensions,
                allowed_operation_types=_TAKEN_BY[request.method],
            )
        except InvalidOperationTypeError:
            if request.method == "GET":
                raise Refused(405, Code.METHOD_NOT_ALLOWED, "Queries alone come by GET.", allow="POST") from None
            message = f"A subscription is answered as {' or as '.join(STREAMS)}, or over WebSocket."
            raise Refused(400, Code.BAD_REQUEST, message) from None
        except CannotGetOperationTypeError as error:
            raise Refused(400, Code.BAD_REQUEST, brief(error.as_http_error_reason())) from None
        except MissingQueryError:
            raise Refused(400, Code.BAD_REQUEST, "There is no `query` in the request.") from None

    # ------------------------------------------------------------ streams

    def _streamed(self, request: Incoming, question: Asked, caller: Caller, accepts: Accepted) -> ASGIApp:
        """Any operation as a stream of its results; a query's has one."""
        if request.method == "GET":
            raise Refused(405, Code.METHOD_NOT_ALLOWED, "Streams are asked for by POST alone.", allow="POST")
        assert accepts.stream
        seat = self._seated(address_of(request.scope), caller)
        ending: Ending = asyncio.get_running_loop().create_future()
        results = self._results(question, Context(self._product, caller, seat.address, "http stream"))
        stream = Streamed(accepts.stream, results, ending)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                with self._until_the_right_ends(caller, ending):
                    await stream(scope, receive, send)
            finally:
                seat.leave()

        return answer

    def _seated(self, address: str, caller: Caller) -> Seat:
        """A stream over HTTP takes a place like a socket: it costs as much."""
        seat = self._product.sockets.taken(address)
        if seat and caller.viewer and not seat.belongs_to(caller.viewer.user_id):
            seat.leave()
            seat = None
        if seat is None:
            message = "Too many streams and sockets are open; close some, and try again."
            raise Refused(429, Code.THROTTLED, message, retry_after=str(RETRY_AFTER))
        return seat

    @contextlib.contextmanager
    def _until_the_right_ends(self, caller: Caller, ending: Ending) -> Iterator[None]:
        """Ends a stream with its token, whether or not anything happens, when its user is blocked, and when the server
        goes."""
        self._endings.add(ending)
        timer, viewer = None, caller.viewer
        on_block = partial(_end, ending, coded(Code.FORBIDDEN, blocked.SENTENCE))
        if viewer:
            self._product.blocked.listen(viewer.user_id, on_block)
        if caller.expires_at is not None:
            left = (caller.expires_at - self._product.clock()).total_seconds()
            expired = coded(Code.UNAUTHENTICATED, "The token has expired; get a new one.")
            timer = asyncio.get_running_loop().call_later(left, _end, ending, expired)
        try:
            yield
        finally:
            self._endings.discard(ending)
            if viewer:
                self._product.blocked.forget(viewer.user_id, on_block)
            if timer:
                timer.cancel()

    def end_streams(self) -> None:
        """Ends all streams over HTTP without a word: their clients resume on another server, or on the next one."""
        for ending in self._endings:
            _end(ending, None)

    async def _results(self, question: Asked, context: Context) -> AsyncGenerator[Formatted, None]:
        results = await self.schema.stream(
            question.query,
            variable_values=question.variables,
            context_value=context,
            operation_name=question.operation_name,
            operation_extensions=question.extensions,
        )
        async with aclosing(results):
            async for result in results:
                assert isinstance(result, ExecutionResult), "nothing here is delivered in increments"
                yield formatted(result)

    # ------------------------------------------------------------ what Strawberry asks

    def decode_json(self, data: str | bytes) -> object:
        return read(data)

    def encode_json(self, data: object) -> str:
        return written(data)

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,  # noqa: ARG002 - Strawberry's signature
    ) -> Context | Session:
        """Over WebSocket: the session, which makes a context for each operation."""
        assert isinstance(request, WebSocket)
        return Session(self._product, self._callers, request.scope[SEAT])

    async def _caller(self, header: str | None) -> Caller:
        try:
            token = bearer(header)
        except InvalidToken as invalid:
            return Caller(None, problem=str(invalid))
        return await self._callers.caller(token)


def _end(ending: Ending, error: GraphQLError | None) -> None:
    if not ending.done():
        ending.set_result(error)


def _varied(send: Send) -> Send:
    """Caches are told not to keep an answer at all, and what it depends on besides."""

    async def with_vary(message: Message) -> None:
        if message["type"] == "http.response.start":
            vary(message["headers"], b"accept")
        await send(message)

    return with_vary
