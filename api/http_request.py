"""GraphQL over HTTP, the question: from a request to the parameters of an operation, or a refusal."""

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any, Self

from starlette.requests import ClientDisconnect, Request

from api.errors import Code
from api.http_errors import Refused
from api.json_text import read
from api.media import is_json

METHODS = "GET, POST"
PATIENCE = 30.0
"""Seconds that a body may take to arrive."""


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


async def asked(request: Request, largest: int) -> Asked:
    """What a request asks. Raises Refused; a body may have `largest` bytes."""
    if request.method == "GET":
        return Asked.of(_from_url(request))
    if not is_json(request.headers.get("content-type")):
        raise Refused(
            415, Code.UNSUPPORTED_MEDIA_TYPE, "Send the operation as application/json, in UTF-8.", accept_post=JSON
        )
    return Asked.of(_object(await _body(request, largest), "The body"))


JSON = "application/json"


def _from_url(request: Request) -> dict[str, Any]:
    """Never a credential: a URL is kept in logs and histories."""
    given = request.query_params
    repeated = [name for name in dict.fromkeys(given) if len(given.getlist(name)) > 1]
    if repeated:
        raise Refused(400, Code.BAD_REQUEST, "A parameter stands in the URL more than once.")
    parameters: dict[str, Any] = {name: value for name, value in given.items() if value}
    for name in ("variables", "extensions"):
        if name in parameters:
            parameters[name] = _object(parameters[name], f"The parameter {name}")
    return parameters


async def _body(request: Request, largest: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > largest:
        raise _too_large(largest)
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > largest:
                    raise _too_large(largest)
    except TimeoutError:
        message = f"The body did not arrive within {PATIENCE:g} seconds."
        raise Refused(408, Code.REQUEST_TIMEOUT, message, connection="close") from None
    except ClientDisconnect:
        raise Refused(400, Code.BAD_REQUEST, "The body broke off.", connection="close") from None
    if not body.strip():
        raise Refused(400, Code.BAD_REQUEST, "The body is empty: send a JSON object with a `query`.")
    return bytes(body)


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
    if not isinstance(value, type_ | None):
        raise Refused(400, Code.BAD_REQUEST, f"`{name}` must be {called} or null.")
    return value
