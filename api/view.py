"""GraphQL over HTTP and the door to GraphQL over WebSocket: from a request to a caller and a context."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError, MissingQueryError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET, UnsetType

from api.auth import InvalidToken, bearer
from api.callers import Caller, Callers
from api.context import Context, Product
from api.errors import Code, retry_after
from api.execution import by_engine
from api.rates import SEAT, TooManySockets, address_of
from api.schema import schema
from api.socket import Session, Socket

INIT_TIMEOUT = timedelta(seconds=10)
"""How long a socket may be open without saying who it is."""
OPERATIONS_PER_SOCKET = 100
LONGEST_CLOSE_REASON = 123
"""In bytes, by the protocol."""


class Wire(ASGIWebSocketAdapter):
    """Strawberry's adapter, whose reasons to close may repeat what a client sent, at any length."""

    async def close(self, code: int, reason: str) -> None:
        short = reason.encode(errors="replace")[:LONGEST_CLOSE_REASON].decode(errors="ignore")
        await super().close(code, short)


class View(GraphQL[Context | Session, None]):
    """The endpoint /graphql. Credentials come in the Authorization header or in connection_init, never in a cookie or
    a URL, so that a foreign page has no rights here."""

    graphql_transport_ws_handler_class = Socket
    websocket_adapter_class = Wire

    def __init__(self, product: Product, callers: Callers, allowed_origins: tuple[str, ...]) -> None:
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Strawberry's, but what it refuses comes as JSON with a code, like every other error."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        try:
            response: Response = await self.run(Request(scope, receive))
        except HTTPException as refused:
            body = {"errors": [{"message": refused.reason, "extensions": {"code": Code.BAD_REQUEST.value}}]}
            response = Response(self.encode_json(body), refused.status_code, media_type="application/json")
        await response(scope, receive, send)

    async def execute_single(
        self,
        request: Request,  # noqa: ARG002 - Strawberry's signature
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,  # noqa: ARG002
        context: Context | Session,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """As Strawberry's, which runs a subscription as if it were a query."""
        reads_only = request_adapter.method == "GET"
        allowed = {OperationType.QUERY} if reads_only else {OperationType.QUERY, OperationType.MUTATION}
        try:
            return await self.schema.execute(
                request_data.query,
                root_value=root_value,
                variable_values=request_data.variables,
                context_value=context,
                operation_name=request_data.operation_name,
                allowed_operation_types=allowed,
            )
        except CannotGetOperationTypeError as error:
            raise HTTPException(400, error.as_http_error_reason()) from None
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                raise HTTPException(400, "Subscriptions are served over WebSocket") from None
            raise HTTPException(405, "Mutations are not allowed when using GET") from None
        except MissingQueryError:
            raise HTTPException(400, "No GraphQL query found in the request") from None

    def parse_json(self, data: str | bytes) -> object:
        """What a request holds. Strawberry's breaks on whatever is neither an object nor a list."""
        found = super().parse_json(data)
        if not isinstance(found, dict | list):
            raise HTTPException(400, "What is sent must be a JSON object")
        return found

    def decode_json(self, data: str | bytes) -> object:
        """Raises JSONDecodeError, which callers expect, for all that is wrong. Half surrogates are taken, as JavaScript
        writes them for broken text: the rules refuse them with the path to the input."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            try:
                return json.loads(data, parse_constant=_no_number)
            except (ValueError, RecursionError) as error:
                raise json.JSONDecodeError(type(error).__name__, "", 0) from None

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,  # noqa: ARG002 - Strawberry's signature
    ) -> Context | Session:
        """One operation's context or, over WebSocket, the session that makes one for each operation."""
        if isinstance(request, WebSocket):
            return Session(self._product, request.scope[SEAT])
        caller = await self._caller(request.headers.get("authorization"))
        # One answer is given to whom the token was good for when it was asked, leeway and all; streams are watched.
        return Context(self._product, replace(caller, expires_at=None), address_of(request.scope))

    async def on_ws_connect(self, context: Context | Session) -> UnsetType | dict[str, object] | None:
        """Says who the socket is. A token that is not valid closes it with 4403, which clients answer by connecting
        again with fresh parameters; without a token it is nobody's."""
        assert isinstance(context, Session)
        try:
            token = context.token()
        except InvalidToken as invalid:
            raise ConnectionRejectionError from invalid
        caller = await self._callers.caller(token)
        if token is not None and caller.viewer is None:
            raise ConnectionRejectionError
        if caller.viewer and not context.seat.belongs_to(caller.viewer.user_id):
            raise TooManySockets
        context.caller = caller
        nothing: UnsetType = UNSET
        return nothing

    async def _caller(self, header: str | None) -> Caller:
        try:
            token = bearer(header)
        except InvalidToken as invalid:
            return Caller(None, problem=str(invalid))
        return await self._callers.caller(token)

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        response = super().create_response(response_data, sub_response)
        response.headers["cache-control"] = "no-store"
        errors = response_data.get("errors") if isinstance(response_data, dict) else None
        if errors and (seconds := retry_after(errors[0])):
            response.status_code = 429
            response.headers["retry-after"] = str(seconds)
        return response

    def encode_json(self, data: Mapping[str, object] | object) -> str:
        """Text, not bytes: bytes would become binary frames over WebSocket. An error may repeat a half surrogate that
        the client sent, which orjson does not write."""
        try:
            return orjson.dumps(data).decode()
        except TypeError:
            return json.dumps(data, separators=(",", ":"))


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")
