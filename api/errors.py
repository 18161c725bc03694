"""Errors of operations: each with a code that clients know; what nobody expected is masked, with an id for the log."""

import traceback
from enum import StrEnum
from uuid import uuid4

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from models.outages import OutcomeUnknown, is_away

log = structlog.get_logger(__name__)

LONGEST_MESSAGE = 400
"""In characters, of what graphql-core says: it repeats what was sent, at any length."""
SUGGESTION = " Did you mean "


class Code(StrEnum):
    """What stands in `extensions.code`."""

    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CURSOR_INVALID = "CURSOR_INVALID"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    THROTTLED = "THROTTLED"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    QUERY_NOT_IN_SAFELIST = "QUERY_NOT_IN_SAFELIST"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


def coded(code: Code, message: str) -> GraphQLError:
    """An error that a client is meant to read."""
    return GraphQLError(message, extensions={"code": code.value})


def throttled(retry_after: int, message: str | None = None) -> GraphQLError:
    """A budget is spent: `retry_after` seconds from now it will do."""
    seconds = "1 second" if retry_after == 1 else f"{retry_after} seconds"
    return GraphQLError(
        message or f"Too much was asked for within a minute; try again in {seconds}.",
        extensions={"code": Code.THROTTLED.value, "retryAfter": retry_after},
    )


def retry_after(error: object) -> int | None:
    """In how many seconds an error that stands in an answer shall be tried again; None when waiting does not help."""
    match error:
        case {"extensions": {"retryAfter": int() as seconds}}:
            return seconds
    return None


def presentable(error: GraphQLError) -> GraphQLError:
    """The error as a client may see it: with a code; without anything of the server's inside; short."""
    if error.extensions and "code" in error.extensions:
        return error
    original = error.original_error
    if isinstance(original, GraphQLError) and original.extensions and "code" in original.extensions:
        return error
    if original is not None and not isinstance(original, GraphQLError):
        return masked(original, error)
    # graphql-core's own: a document that does not fit the schema has no path yet, a bad variable neither.
    if isinstance(error, GraphQLSyntaxError):
        code = Code.GRAPHQL_PARSE_FAILED
    else:
        code = Code.BAD_USER_INPUT if _is_about_input(error) else Code.GRAPHQL_VALIDATION_FAILED
    error.message = brief(error.message)
    error.extensions = {**(error.extensions or {}), "code": code.value}
    return error


def brief(message: str) -> str:
    """graphql-core's sentence without its suggestions, which name what the schema has (Strawberry's setting takes those
    for fields alone), and without most of an input that it repeats: what is wrong stands at the end."""
    told = message.partition(SUGGESTION)[0]
    if len(told) <= LONGEST_MESSAGE:
        return told
    half = LONGEST_MESSAGE // 2
    return f"{told[:half]} … {told[-half:]}"


def _is_about_input(error: GraphQLError) -> bool:
    return error.path is not None or error.message.startswith("Variable ")


AWAY = "The database can't be reached just now, and nothing was changed. Try again in a moment."
UNKNOWN = (
    "The connection to the database was lost while this was being saved, so it may have been done. Look before you do "
    "it again, or send it again with the same idempotency key."
)


def masked(original: Exception, error: GraphQLError | None = None) -> GraphQLError:
    """What nobody expected, as a client sees it: an id, which the log has too; or that the database is away. `error`
    says where it happened."""
    if isinstance(original, OutcomeUnknown) or is_away(original):
        sentence = UNKNOWN if isinstance(original, OutcomeUnknown) else AWAY
        log.warning("the database is away", error=type(original).__name__, path=error.path if error else None)
        told = coded(Code.SERVICE_UNAVAILABLE, sentence)
        return GraphQLError(sentence, error.nodes, path=error.path, extensions=told.extensions) if error else told
    error_id = str(uuid4())
    # Neither the message nor the locals: either may hold what somebody wrote in confidence.
    stack = "".join(traceback.format_tb(original.__traceback__))
    path = error.path if error else None
    log.error("unexpected error", error_id=error_id, error=type(original).__name__, path=path, stack=stack)
    return GraphQLError(
        f"Something went wrong on our side. Tell support this id: {error_id}",
        nodes=error.nodes if error else None,
        source=error.source if error else None,
        positions=error.positions if error else None,
        path=path,
        extensions={"code": Code.INTERNAL_SERVER_ERROR.value, "id": error_id},
    )
