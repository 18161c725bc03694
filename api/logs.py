"""Logging: one pipeline for all that is logged here, readable or as JSON lines, that private text can't get
through."""

import contextlib
import json
import logging
import math
import os
import re
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from sqlite3 import Error as SqliteError
from time import time_ns
from typing import Any, Literal, TextIO, cast
from uuid import UUID

import orjson
import structlog
from structlog.contextvars import STRUCTLOG_KEY_PREFIX
from structlog.typing import EventDict, Processor, WrappedLogger

OUR_ROOMS = ("api", "models", "subscriptions", "workers", "rules")
_MUTED = ("uvicorn.access", "strawberry.execution")
"""The first prints URLs. The second prints documents with what people wrote in them: `api` logs those errors
by id."""

_PRIVATE = (
    "authorization token secret password passphrase cookie credential jwt apikey "
    "reason note message explanation feedback answer variable payload document body"
).split()
_TOKEN = re.compile(r"(?i:\bbearer\s+\S+)|\beyJ[\w-]+\.[\w-]*(?:\.[\w-]*)?")
_USER_INFO = re.compile(r"(?<=://)[^\s/?#@]*:[^\s/?#@]*@")

_PLAIN_WORDS = (OSError, ImportError, NameError, AttributeError, NotImplementedError, SqliteError)
"""The exceptions whose words come from the code or the system. All others may quote what a person wrote:
PostgreSQL's driver repeats the failing row, a parser the text that it stumbled on. Of those, the kind and the
place are logged."""
_MOST_FRAMES = 40


def configure(level: str, layout: Literal["readable", "json"], stream: TextIO) -> None:
    """Sends everything that is logged in this process to `stream`, one line an entry. `level` is for our own
    rooms; other libraries are heard from WARNING on, since below they print statements, frames and addresses.
    May be called again. uvicorn must be started with `log_config=None, access_log=False`, else it sets up its
    own."""
    steps = [_first_line_of_asyncio, render_exceptions, redact, *_last_steps(layout)]
    handler = _OneHandler(stream, _short_steps(layout))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_first_steps(), structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *steps],
        )
    )
    _rewire(handler, level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_first_steps(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


_OPERATION_ID: ContextVar[str] = ContextVar(f"{STRUCTLOG_KEY_PREFIX}operation_id")
"""By its name structlog merges it into each entry, like what it binds itself. Measured: half the time to bind an id."""


def begin_operation() -> None:
    """All that this task logs from now on, and what it begins, carries an id of the operation's own."""
    _OPERATION_ID.set(os.urandom(8).hex())


def tell(logger: logging.Logger, event: str, **fields: object) -> None:
    """Logs an entry at the level info: what structlog's logger does, for the one line that each operation has. The
    entry goes through the same sieve, but not through the standard library's hands, which look for its caller, and wrap
    and copy it: measured, a fifth of the time. Where anybody besides our handler listens, or a filter stands in
    between, it goes the long way."""
    if not logger.isEnabledFor(logging.INFO):
        return
    handler = _the_only_handler(logger)
    if handler is None:
        structlog.get_logger(logger.name).info(event, **fields)
        return
    fields["event"] = event
    handler.tell(logger, fields)


def _the_only_handler(logger: logging.Logger) -> "_OneHandler | None":
    """Ours, if all that this logger is told would reach it, and nobody else."""
    if logger.filters:
        return None
    found: _OneHandler | None = None
    each: logging.Logger | None = logger
    while each is not None:
        for handler in each.handlers:
            if found is not None or not isinstance(handler, _OneHandler):
                return None
            found = handler
        each = each.parent if each.propagate else None
    return found if found is not None and not found.filters and found.level <= logging.INFO else None


class _OneHandler(logging.StreamHandler[TextIO]):
    """Ours, so that a second `configure` can tell it from those of others. `steps` make an entry a line."""

    def __init__(self, stream: TextIO, steps: Sequence[Processor]) -> None:
        super().__init__(stream)
        self._steps = steps

    def tell(self, logger: logging.Logger, entry: EventDict) -> None:
        """Writes an entry's line; one that can't be written is lost, as everywhere here."""
        with contextlib.suppress(Exception):
            line: Any = entry
            for step in self._steps:
                line = step(logger, "info", line)
            self.acquire()
            try:
                self.stream.write(line + self.terminator)
                self.stream.flush()
            finally:
                self.release()


def _first_steps() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _stamp,
    ]


def _short_steps(layout: Literal["readable", "json"]) -> list[Processor]:
    """The same, in fewer words, for what is told of ourselves at the level info."""
    return [structlog.contextvars.merge_contextvars, _placed, render_exceptions, redact, *_last_steps(layout)]


def _placed(logger: logging.Logger, method: str, entry: EventDict) -> EventDict:  # noqa: ARG001 - structlog's signature
    entry["level"] = "info"
    entry["logger"] = logger.name
    entry["timestamp"] = _instant()
    return entry


def _stamp(logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:  # noqa: ARG001 - structlog's signature
    entry["timestamp"] = _instant()
    return entry


def _instant() -> str:
    """Now, in UTC, as structlog's stamper has it. Measured: 0.5 µs for 2."""
    second, microsecond = divmod(time_ns() // 1_000, 1_000_000)
    text = _second(second)
    return f"{text}.{microsecond:06d}Z" if microsecond else f"{text}Z"


@lru_cache(maxsize=1)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")


def _last_steps(layout: Literal["readable", "json"]) -> list[Processor]:
    if layout == "json":
        return [_json]
    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]


def _json(logger: WrappedLogger, method: str, entry: EventDict) -> str:  # noqa: ARG001 - structlog's signature
    """All that is in an entry is plain by now, but for half surrogates, which orjson does not write."""
    try:
        return orjson.dumps(entry).decode()
    except TypeError:
        return json.dumps(entry, ensure_ascii=True)


def _rewire(handler: logging.Handler, level: str) -> None:
    # A handler that fails would print the entry, arguments and all, past this pipeline.
    logging.raiseExceptions = False
    root = logging.getLogger()
    for earlier in [known for known in root.handlers if isinstance(known, _OneHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for room in OUR_ROOMS:
        logging.getLogger(room).setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi", *_MUTED):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.CRITICAL + 1 if name in _MUTED else logging.WARNING)


# ---------------------------------------------------------------- what an entry may hold


def redact(logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:  # noqa: ARG001 - structlog's signature
    """Drops each key, however deep, that sounds like a credential or like what a person wrote; blots tokens
    and passwords out of texts; turns objects into the name of their type, since nobody knows what their
    `repr` tells."""
    if _are_public(tuple(entry)) and _are_plain(entry.values()):
        return entry
    return {key: _shown(value, keep_lines=key == "exception") for key, value in entry.items() if not is_private(key)}


def _are_plain(values: Iterable[object]) -> bool:
    """Whether `_shown` would leave them all as they are: numbers, and texts of one word. A token needs a blank before
    it, or signs of its own, as do passwords in URLs; so the texts are looked through as one. Measured: 3 µs for 9, for
    an operation's entry."""
    texts: list[str] = []
    for value in values:
        kind = type(value)
        if kind is str:
            texts.append(cast(str, value))
        elif not (value is None or kind is int or (kind is float and math.isfinite(cast(float, value)))):
            return False
    text = "".join(texts)
    return " " not in text and "eyJ" not in text and "://" not in text and text.isprintable()


@lru_cache(maxsize=1_000)
def _are_public(keys: tuple[str, ...]) -> bool:
    return not any(map(is_private, keys))


@lru_cache(maxsize=1_000)
def is_private(key: str) -> bool:
    """Whether a value under this key is never logged. Case, `_` and `-` do not matter, nor what stands around
    the word."""
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    return any(word in plain for word in _PRIVATE)


def _shown(value: Any, *, keep_lines: bool = False) -> Any:
    # Nearly all values are of these, and no others' subclasses: half the time of an entry.
    if type(value) is str:
        return _blotted(value) if keep_lines else _on_one_line(_blotted(value))
    if value is None or type(value) is int:
        return value
    match value:
        case None | bool():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Enum():
            return _shown(value.value)
        case int():
            return value
        case str():
            return _blotted(value) if keep_lines else _on_one_line(_blotted(value))
        case Mapping():
            return {
                _on_one_line(_blotted(str(key))): _shown(inner)
                for key, inner in value.items()
                if not is_private(str(key))
            }
        case list() | tuple() | set() | frozenset():
            return [_shown(inner) for inner in value]
        case UUID() | datetime() | date() | time() | timedelta() | Decimal() | PurePath():
            return str(value)
        case _:
            return f"<{type(value).__name__}>"


def _blotted(text: str) -> str:
    # Most texts hold neither, and what an operation logs is paid for by each operation.
    if "://" not in text and "eyJ" not in text and "bearer" not in text.lower():
        return text
    return _USER_INFO.sub("…@", _TOKEN.sub("[token]", text))


def _on_one_line(text: str) -> str:
    """An entry is one line, and no value can paint the operator's terminal."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text.strip())


def _first_line_of_asyncio(logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:  # noqa: ARG001
    """The lines after the first one repeat the exception with its words."""
    if entry.get("logger") == "asyncio":
        entry["event"] = str(entry.get("event", "")).partition("\n")[0]
    return entry


# ---------------------------------------------------------------- exceptions


def render_exceptions(logger: WrappedLogger, method: str, entry: EventDict) -> EventDict:  # noqa: ARG001
    """Puts the stack of `exc_info` under `exception`: files, lines and functions, no local variables, and the
    words of an exception only where they can't quote anybody."""
    if "exc_info" not in entry:
        return entry
    given = entry.pop("exc_info")
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        entry["exception"] = "\n".join(_told(error, seen=set()))
    return entry


def _told(error: BaseException, seen: set[int]) -> list[str]:
    seen.add(id(error))
    lines = []
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen:
        lines += [*_told(earlier, seen), "which led to:"]
    lines += [line.rstrip("\n") for line in traceback.format_tb(error.__traceback__, limit=-_MOST_FRAMES)]
    lines.append(f"{_kind(error)}{_words(error)}")
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            if id(part) not in seen:
                lines += ["made of:", *_told(part, seen)]
    return lines


def _kind(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def _words(error: BaseException) -> str:
    if isinstance(error, _PLAIN_WORDS):
        return f": {_on_one_line(str(error))}"
    # PostgreSQL's driver names what was broken apart from the row that broke it.
    names = (getattr(error, name, None) for name in ("sqlstate", "constraint_name", "table_name", "column_name"))
    known = [name for name in names if isinstance(name, str)]
    return f" ({', '.join(known)})" if known else ""
