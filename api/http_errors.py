"""What HTTP refuses: a status, a code and one sentence, as JSON like every other error."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.errors import Code, coded, masked
from api.json_text import written
from api.media import Json

STATUSES: Mapping[str, int] = {
    Code.THROTTLED: 429,
    Code.INTERNAL_SERVER_ERROR: 500,
    Code.SERVICE_UNAVAILABLE: 503,
}
"""Of an operation that was not executed, whatever media type the client takes; all others are 400 or, in the legacy
media type, 200."""


class Refused(Exception):
    """A request that never becomes an operation."""

    def __init__(self, status: int, code: Code, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def refusal(refused: Refused, json: Json = Json.LEGACY) -> Response:
    """The refusal as an answer."""
    error = coded(refused.code, refused.message).formatted
    headers = {"cache-control": "no-store", "content-type": json.header, **refused.headers}
    return Response(written({"errors": [error]}), refused.status, headers)


def unavailable() -> Refused:
    """Before the server is ready, and while it goes."""
    return Refused(503, Code.SERVICE_UNAVAILABLE, "The server is not ready; try again in a moment.", retry_after="2")


def unexpected(error: Exception, json: Json = Json.LEGACY) -> Response:
    """Whatever nobody expected: masked, with an id that the log has too; 503 when the database is away."""
    shown = masked(error).formatted
    headers = {"cache-control": "no-store", "content-type": json.header}
    away = shown["extensions"]["code"] == Code.SERVICE_UNAVAILABLE.value
    return Response(written({"errors": [shown]}), 503 if away else 500, headers)


async def of_route(_: Request, error: Exception) -> Response:
    """For Starlette: what its routes refuse."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        message, code = "This address does not take this method.", Code.METHOD_NOT_ALLOWED
    elif error.status_code == 404:
        message, code = "There is nothing at this address.", Code.NOT_FOUND
    else:
        message, code = str(error.detail), Code.BAD_REQUEST
    answer = refusal(Refused(error.status_code, code, message))
    answer.headers.update(error.headers or {})
    return answer
