"""Heads of requests and answers as ASGI hands them on, in bytes: Starlette's classes encode and look anew each time."""

from starlette.types import Scope

Header = tuple[bytes, bytes]
"""A name, in lower case by ASGI, and a value."""


def first_values(scope: Scope) -> dict[bytes, bytes]:
    """A request's headers by their names: of several of one name the first, as Starlette has it."""
    return dict(reversed(scope["headers"]))


def put(headers: list[Header], name: bytes, value: bytes) -> None:
    """The answer says this under that name, and nothing else."""
    if any(each[0] == name for each in headers):
        headers[:] = [each for each in headers if each[0] != name]
    headers.append((name, value))


def vary(headers: list[Header], by: bytes) -> None:
    """The answer depends on this header of the request as well; all of them stand in one line."""
    for index, (name, value) in enumerate(headers):
        if name == b"vary":
            headers[index] = (name, value + b", " + by)
            return
    headers.append((b"vary", by))
