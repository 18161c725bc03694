"""When two answers are the same, though late resolvers leave an executor some freedom in its errors."""

import json
from typing import Any

Answer = dict[str, Any]


def the_same(one: Answer, other: Answer) -> bool:
    """Equal data, to the byte, and equal errors wherever every executor must tell the same. Where several errors make
    the same null, the specification lets each executor tell some of them: graphql-core tells those that come first in
    time, the engine those that stand first in the document."""
    return (
        json.dumps(one.get("data")) == json.dumps(other.get("data"))
        and _certain_errors(one, other) == _certain_errors(other, one)
        and bool(one.get("errors")) == bool(other.get("errors"))
    )


def _certain_errors(answer: Answer, other: Answer) -> list[str]:
    """Those that stand where the answer is null, with none beneath them, in either answer, that makes the same null."""
    paths = [error.get("path") or [] for each in (answer, other) for error in each.get("errors") or []]

    def certain(path: list[str | int]) -> bool:
        beneath = any(len(found) > len(path) and found[: len(path)] == path for found in paths)
        return not beneath and _is_null(path, answer.get("data"))

    return sorted(json.dumps(error) for error in answer.get("errors") or [] if certain(error.get("path") or []))


def _is_null(path: list[str | int], data: Any) -> bool:
    for step in path:
        if data is None or (isinstance(step, str) and step not in data):
            return False
        data = data[step]
    return data is None
