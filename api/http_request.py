"""GraphQL over HTTP, the question: from a request to the parameters of an operation, or a refusal."""

import json
from dataclasses import dataclass, replace
from typing import Any, Self

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope

from api.errors import Code
from api.http_errors import Refused
from api.http_headers import first_values
from api.json_text import read
from api.media import is_json
from api.patience import within

PATIENCE = 30.0
"""Seconds that a body may take to arrive."""


class Incoming:
    """A request: Starlette's makes a mapping of its headers for each one that is asked for, and looks through it."""

    __slots__ = ("_headers", "method", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.method: str = scope["method"]
        self._headers = first_values(scope)

    def header(self, name: bytes) -> str | None:
        """The first of that name, which is in lower case."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of one operation (GraphQL over HTTP, «Request Parameters»); `document_id` names a document that
    the server has."""

    query: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None
    document_id: str | None = None

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Self:
        """Raises Refused for a parameter of the wrong type. Those that nobody knows are passed over, by the
        specification."""
        return cls(
            query=_of_type(parameters, "query", str, "a string"),
            operation_name=_of_type(parameters, "operationName", str, "a string"),
            variables=_of_type(parameters, "variables", dict, "an object"),
            extensions=_of_type(parameters, "extensions", dict, "an object"),
            document_id=_of_type(parameters, "documentId", str, "a string"),
        )

    def with_query(self, text: str) -> Self:
        return replace(self, query=text)


async def asked(request: Incoming, largest: int) -> Asked:
    """What a request asks. Raises Refused; a body may have `largest` bytes."""
    if request.method == "GET":
        return Asked.of(_from_url(request))
    if not is_json(request.header(b"content-type")):
        raise Refused(
            415, Code.UNSUPPORTED_MEDIA_TYPE, "Send the operation as application/json, in UTF-8.", accept_post=JSON
        )
    return Asked.of(_object(await _body(request, largest), "The body"))


JSON = "application/json"


def _from_url(request: Incoming) -> dict[str, Any]:
    """Never a credential: a URL is kept in logs and histories."""
    given = QueryParams(request.scope["query_string"])
    repeated = [name for name in dict.fromkeys(given) if len(given.getlist(name)) > 1]
    if repeated:
        raise Refused(400, Code.BAD_REQUEST, "A parameter stands in the URL more than once.")
    parameters: dict[str, Any] = {name: value for name, value in given.items() if value}
    for name in ("variables", "extensions"):
        if name in parameters:
            parameters[name] = _object(parameters[name], f"The parameter {name}")
    return parameters


async def _body(request: Incoming, largest: int) -> bytes:
    declared = request.header(b"content-length") or ""
    if declared.isdecimal() and int(declared) > largest:
        raise _too_large(largest)
    try:
        body = await within(PATIENCE, _received(request.receive, largest))
    except TimeoutError:
        message = f"The body did not arrive within {PATIENCE:g} seconds."
        raise Refused(408, Code.REQUEST_TIMEOUT, message, connection="close") from None
    if not body or body.isspace():
        raise Refused(400, Code.BAD_REQUEST, "The body is empty: send a JSON object with a `query`.")
    return body


async def _received(receive: Receive, largest: int) -> bytes:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, Code.BAD_REQUEST, "The body broke off.", connection="close")
        if message["type"] == "http.request":
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > largest:
                raise _too_large(largest)
            more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(largest: int) -> Refused:
    # The connection stays: to close it while the client still sends would cost the client this answer.
    return Refused(413, Code.PAYLOAD_TOO_LARGE, f"The body is larger than {largest:,} bytes.")


def _object(text: str | bytes, what: str) -> dict[str, Any]:
    try:
        found = read(text)
    except json.JSONDecodeError:
        raise Refused(400, Code.BAD_REQUEST, f"{what} is not JSON.") from None
    if isinstance(found, list):
        raise Refused(400, Code.BAD_REQUEST, f"{what} is a list: operations are not taken in batches.")
    if not isinstance(found, dict):
        raise Refused(400, Code.BAD_REQUEST, f"{what} must be a JSON object.")
    return found


def _of_type(parameters: dict[str, Any], name: str, type_: type, called: str) -> Any:
    value = parameters.get(name)
    if value is not None and not isinstance(value, type_):
        raise Refused(400, Code.BAD_REQUEST, f"`{name}` must be {called} or null.")
    return value
