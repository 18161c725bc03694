"""Logging: one pipeline, two layouts, and nothing private in either."""

import asyncio
import contextlib
import io
import json
import logging
import math
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog
import time_machine
from hypothesis import example, given
from hypothesis import strategies as st

from api.logs import OUR_ROOMS, _first_steps, _shown, begin_operation, configure, is_private, redact, tell
from tests.listening import logging_as_before

MARK = "zebra-in-private"
Layout = Literal["readable", "json"]
LAYOUTS: list[Layout] = ["readable", "json"]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    with logging_as_before():
        yield


def started(layout: Layout = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure(level, layout, stream)
    return stream


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_entry_is_one_json_line_with_time_level_and_place() -> None:
    stream = started()
    structlog.get_logger("api.app").info("started", port=8000)
    (entry,) = entries(stream)
    at = datetime.fromisoformat(entry.pop("timestamp"))
    assert at.tzinfo is not None and abs(datetime.now(UTC) - at).total_seconds() < 60
    assert entry == {"event": "started", "level": "info", "logger": "api.app", "port": 8000}


def test_a_readable_entry_is_one_line_without_paint() -> None:
    stream = started("readable")
    structlog.get_logger("api.app").info("started", port=8000)
    line = stream.getvalue()
    assert line.count("\n") == 1 and "\x1b" not in line
    assert "started" in line and "port=8000" in line and "info" in line


def test_the_standard_library_s_loggers_go_the_same_way() -> None:
    stream = started()
    logging.getLogger("api.auth").warning("keys not read by %s", "us", extra={"cause": "status 500", "answer": MARK})
    logging.getLogger("uvicorn.error").error("port taken")
    assert [(entry["logger"], entry["event"], entry.get("cause")) for entry in entries(stream)] == [
        ("api.auth", "keys not read by us", "status 500"),
        ("uvicorn.error", "port taken", None),
    ]
    assert MARK not in stream.getvalue()


def test_the_level_is_for_our_own_rooms_and_other_libraries_are_heard_from_warning_on() -> None:
    stream = started(level="debug")
    for name in (*OUR_ROOMS, "tortoise.db_client", "aiosqlite", "httpx", "uvicorn.error", "websockets.server"):
        logging.getLogger(name).debug("detail of %s", name)
        logging.getLogger(name).info("note of %s", name)
    assert {entry["logger"] for entry in entries(stream)} == set(OUR_ROOMS)


def test_our_own_rooms_keep_silent_below_the_level() -> None:
    stream = started(level="warning")
    structlog.get_logger("models.journal").info("quiet")
    structlog.get_logger("models.journal").warning("loud")
    assert [entry["event"] for entry in entries(stream)] == ["loud"]


def test_access_lines_and_strawberry_s_own_log_of_documents_are_off() -> None:
    stream = started(level="debug")
    logging.getLogger("uvicorn.access").critical("GET /graphql?token=%s", MARK)
    logging.getLogger("strawberry.execution").critical("document with %s", MARK)
    assert stream.getvalue() == ""


def test_a_second_configure_takes_the_place_of_the_first() -> None:
    first, second = started(), started("readable")
    logging.getLogger("api").warning("once")
    assert first.getvalue() == "" and second.getvalue().count("once") == 1


# ---------------------------------------------------------------- the line of an operation


class Refund(StrEnum):
    PARTIAL = "PARTIAL_REFUND"


FIELDS: list[dict[str, Any]] = [
    {
        "operation": "OrderById",
        "kind": "query",
        "hash": "9f" * 32,
        "viewer": str(uuid.UUID(int=7)),
        "cost": 712,
        "duration_ms": 4.1,
        "outcome": "ok",
        "refused": None,
        "transport": "http stream",
    },
    {},
    {
        "zeta": 1,
        "alpha": 2,
        "on": True,
        "odd": math.inf,
        "refund": Refund.PARTIAL,
        "at": datetime(2026, 11, 24, tzinfo=UTC),
    },
    {"operation": "é\u2028\x1b[31m\nforged", "half": "\ud800", "words": ["bearer eyJx", {"note": MARK, "n": 10**30}]},
    {"token": MARK, "note": MARK, "row": object(), "url": f"redis://me:{MARK}@host", "jwt": "eyJhb.eyJzd.c2ln"},
    {"exc_info": ValueError(MARK), "timestamp": "given", "level": "given"},
]
A_LOGGER = "api.schema.extensions"


def line_of(stream: io.StringIO) -> str:
    """What was written since the last time, apart from the instant."""
    text = re.sub(r'("timestamp": ?)"2[^"]*Z"', r'\1"now"', stream.getvalue())
    stream.seek(0)
    stream.truncate()
    return text


@contextlib.contextmanager
def alone(layout: Layout = "json", level: str = "info") -> Iterator[io.StringIO]:
    """As in production, where nobody else listens; and no record is made."""
    stream = started(layout, level)
    root = logging.getLogger()
    root.handlers[:] = root.handlers[-1:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.Logger, "makeRecord", not_to_be_called)
        yield stream


def not_to_be_called(*_: object, **__: object) -> logging.LogRecord:
    raise AssertionError("a record was made")


@pytest.mark.parametrize("fields", FIELDS, ids=range(len(FIELDS)))
def test_a_line_that_goes_the_short_way_is_the_one_of_the_long_way_to_the_byte(fields: dict[str, Any]) -> None:
    long = started()
    structlog.contextvars.bind_contextvars(operation_id="5f" * 8, request="r-1", variables={"note": MARK}, cost=1)
    structlog.get_logger(A_LOGGER).info("operation", **fields)
    with alone() as short:
        tell(logging.getLogger(A_LOGGER), "operation", **fields)
        written = line_of(short)
    assert written == line_of(long)
    assert written.count("\n") == 1 and MARK not in written and "5f5f" in written


def each_of(*entries: dict[str, Any]) -> Callable[[Any], Any]:
    """These entries too, whatever chance finds."""

    def decorate(test: Any) -> Any:
        for entry in entries:
            test = example(entry)(test)
        return test

    return decorate


KEYS = st.sampled_from(["operation", "event", "cost", "exception", "note", "token", "timestamp", "kéy", "n"])
WORDS = st.sampled_from(
    ["bearer x", "Bearer\tx", "eyJ", "eyJa.b", "ey", "Ja.b", "redis://me:", "://", "x@host", " ", "\n"]
)
TEXTS = st.one_of(st.text(max_size=4), WORDS, st.lists(WORDS, max_size=3).map("".join), st.just("5f" * 32))
VALUES = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(), st.floats(), st.lists(TEXTS, max_size=2), st.binary()
)


PUBLIC = st.dictionaries(KEYS.filter(lambda key: not is_private(key)), st.one_of(TEXTS, st.none(), st.floats()))
TELLING = [
    "bearer x",
    "eyJa.b",
    f"redis://me:{MARK}@host",
    "x\ny",
    "\x1b[31m",
    "\ud800",
    "\xa0",
    math.inf,
    math.nan,
    True,
]


@given(st.one_of(PUBLIC, st.dictionaries(KEYS, VALUES)))
@each_of(*({"operation": value, "cost": 1} for value in TELLING), {"exception": "x\ny"}, {"note": "x"})
def test_an_entry_that_is_looked_through_at_once_is_the_one_that_is_looked_through_piece_by_piece(
    entry: dict[str, Any],
) -> None:
    slowly = {key: _shown(value, keep_lines=key == "exception") for key, value in entry.items() if not is_private(key)}
    found = redact(None, "info", dict(entry))
    # By their text, since not-a-number is none of its equals.
    assert repr(found) == repr(slowly) and list(found) == list(slowly)


@pytest.mark.parametrize(
    "at", ["2026-11-24T19:03:32.000001", "2026-11-24T19:03:32.000000", "1999-12-31T23:59:59.999999"]
)
def test_an_instant_is_written_as_structlog_does(at: str) -> None:
    stamper = structlog.processors.TimeStamper(fmt="iso", utc=True)
    with time_machine.travel(datetime.fromisoformat(at).replace(tzinfo=UTC), tick=False):
        given = stamper(None, "info", {})["timestamp"]
        entry: dict[str, Any] = {}
        for step in _first_steps():
            step(logging.getLogger(A_LOGGER), "info", entry)
        with alone() as stream:
            tell(logging.getLogger(A_LOGGER), "operation")
    assert json.loads(stream.getvalue())["timestamp"] == entry["timestamp"] == given


async def test_an_operation_s_id_is_in_all_that_its_task_logs_and_begins_and_in_nothing_else() -> None:
    stream = started()
    logger = structlog.get_logger("api")

    async def begun(number: int) -> None:
        logger.info("begun", number=number)

    async def operation(number: int) -> None:
        begin_operation()
        logging.getLogger("api").warning("standard library", extra={"number": number})
        await asyncio.create_task(begun(number))
        tell(logging.getLogger(A_LOGGER), "operation", number=number)

    await asyncio.gather(*(asyncio.create_task(operation(number)) for number in range(3)))
    logger.info("outside")
    *within, outside = entries(stream)
    assert "operation_id" not in outside
    assert len(within) == 9
    ids = {(entry["number"], entry["operation_id"]) for entry in within}
    assert len(ids) == len({id_ for _, id_ in ids}) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", id_) for _, id_ in ids)


def test_a_line_goes_the_long_way_where_others_listen_or_a_filter_stands_in_between() -> None:
    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record)

    heard: list[logging.LogRecord] = []
    logger, handler = logging.getLogger(A_LOGGER), Heard()
    ours = started()
    [root_handler] = [each for each in logging.getLogger().handlers if each.__class__.__name__ == "_OneHandler"]
    logging.getLogger("api").addHandler(handler)
    try:
        tell(logger, "operation", cost=1)
    finally:
        logging.getLogger("api").removeHandler(handler)
    assert len(heard) == 1 and json.loads(line_of(ours))["cost"] == 1
    logging.getLogger().handlers[:] = [root_handler]
    for filtered in (logger, root_handler):
        filtered.addFilter(nothing := lambda _: False)
        try:
            tell(logger, "operation", cost=1)
        finally:
            filtered.removeFilter(nothing)
    root_handler.setLevel("WARNING")
    tell(logger, "operation", cost=1)
    root_handler.setLevel("INFO")
    assert line_of(ours) == ""
    tell(logger, "operation", cost=1)
    assert json.loads(line_of(ours))["cost"] == 1


def test_a_line_obeys_the_level_and_the_layout() -> None:
    with alone(level="warning") as stream:
        tell(logging.getLogger(A_LOGGER), "operation", cost=1)
        assert stream.getvalue() == ""
    with alone("readable") as stream:
        tell(logging.getLogger(A_LOGGER), "operation", cost=1, note=MARK)
        assert "operation" in stream.getvalue() and "cost=1" in stream.getvalue() and MARK not in stream.getvalue()


def test_a_line_whose_stream_is_closed_is_lost_like_any_other() -> None:
    with alone() as stream:
        stream.close()
        tell(logging.getLogger(A_LOGGER), "operation", cost=1)


# ---------------------------------------------------------------- private text


@pytest.mark.parametrize(
    "key",
    [
        *"authorization Authorization token access_token idempotencyToken secret jwt_secret password cookie".split(),
        *"reason confidentialReason confidential_note note message declineMessage explanation feedback".split(),
        *"answer variables variableValues variable_values api-key credentials payload document body".split(),
    ],
)
def test_a_key_that_sounds_private_is_never_logged(key: str) -> None:
    assert is_private(key)
    for layout in LAYOUTS:
        stream = started(layout)
        structlog.get_logger("api").info("seen", **{key: MARK}, kept={key: MARK, "deeper": [{key: MARK}], "order": 7})
        assert MARK not in stream.getvalue() and "order" in stream.getvalue()


@pytest.mark.parametrize("key", ["event", "order", "sequence", "error_id", "duration_ms", "viewer", "cause", "context"])
def test_a_key_that_tells_what_happened_is_kept(key: str) -> None:
    assert not is_private(key)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_object_is_logged_as_the_name_of_its_type(layout: Layout) -> None:
    class Request:
        def __repr__(self) -> str:
            return MARK

    stream = started(layout)
    structlog.get_logger("api").info("seen", row=Request(), rows=[Request()], error=ValueError(MARK), raw=MARK.encode())
    assert MARK not in stream.getvalue()
    assert stream.getvalue().count("<Request>") == 2 and "<ValueError>" in stream.getvalue()


def test_plain_values_are_kept_as_they_are() -> None:
    class Kind(Enum):
        REFUND = "PARTIAL_REFUND"

    stream = started()
    order = uuid.UUID(int=7)
    values = {"order": order, "at": datetime(2026, 11, 24, tzinfo=UTC), "kind": Kind.REFUND, "file": Path("a/b")}
    structlog.get_logger("api").info("seen", **values, rate=0.5, odd=float("nan"), on=True, none=None)
    (entry,) = entries(stream)
    assert {key: entry[key] for key in ("order", "at", "kind", "file", "rate", "odd", "on", "none")} == {
        "order": str(order),
        "at": "2026-11-24 00:00:00+00:00",
        "kind": "PARTIAL_REFUND",
        "file": "a/b",
        "rate": 0.5,
        "odd": "nan",
        "on": True,
        "none": None,
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tokens_and_passwords_are_blotted_out_of_texts(layout: Layout) -> None:
    stream = started(layout)
    logging.getLogger("api").warning("refused bearer %s", MARK)
    logging.getLogger("api").warning("refused %s", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ6In0.c2lnbg")
    structlog.get_logger("api").warning("lost", database=f"asyncpg://app:{MARK}@db/center")
    assert MARK not in stream.getvalue() and "eyJ" not in stream.getvalue()
    assert "asyncpg://…@db/center" in stream.getvalue()


def test_the_context_of_an_operation_goes_through_the_same_sieve() -> None:
    stream = started()
    structlog.contextvars.bind_contextvars(operation="offerPartialRefund", variables={"note": MARK})
    structlog.get_logger("api").info("done")
    assert entries(stream)[0]["operation"] == "offerPartialRefund"
    assert MARK not in stream.getvalue()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_value_can_begin_a_line_or_paint_the_terminal(layout: Layout) -> None:
    stream = started(layout)
    structlog.get_logger("api").info("seen\nlevel=forged", agent="x\n2026 forged\x1b[31m", kéy="é")
    assert stream.getvalue().count("\n") == 1 and "\x1b" not in stream.getvalue() and "é" in stream.getvalue()


# ---------------------------------------------------------------- exceptions


def stumble(private: str) -> None:
    kept_in_a_local = private
    raise ValueError(f"bad input: {kept_in_a_local}")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_exception_carries_its_stack_without_local_variables_and_without_words_that_may_quote(
    layout: Layout,
) -> None:
    stream = started(layout)
    try:
        try:
            stumble(MARK)
        except ValueError as error:
            raise RuntimeError(MARK) from error
    except RuntimeError:
        structlog.get_logger("api").exception("failed", error_id="e1")
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    text = stream.getvalue()
    assert MARK not in text
    for part in ("in stumble", "test_logs.py", "ValueError", "which led to:", "RuntimeError", "e1"):
        assert part in text


def test_an_exception_that_is_given_is_told_as_one_that_is_caught() -> None:
    stream = started()
    structlog.get_logger("api").error(
        "failed", exc_info=ExceptionGroup(MARK, [OSError(5, "disk gone"), KeyError(MARK)])
    )
    assert entries(stream)[0]["exception"].splitlines() == [
        "ExceptionGroup",
        "made of:",
        "OSError: [Errno 5] disk gone",
        "made of:",
        "KeyError",
    ]


def test_words_that_come_from_the_system_or_the_code_are_kept() -> None:
    stream = started()
    for error in (sqlite3.OperationalError("database is locked"), AttributeError("no attribute 'x'"), OSError("full")):
        structlog.get_logger("api").error("failed", exc_info=error)
    assert [entry["exception"] for entry in entries(stream)] == [
        "sqlite3.OperationalError: database is locked",
        "AttributeError: no attribute 'x'",
        "OSError: full",
    ]


def test_a_database_error_tells_the_constraint_and_not_the_row() -> None:
    class CheckViolationError(Exception):
        sqlstate = "23514"
        constraint_name = "refund_cap"
        table_name = "request"
        column_name = None

    stream = started()
    structlog.get_logger("models").error("failed", exc_info=CheckViolationError(f"Failing row contains ({MARK})"))
    assert MARK not in stream.getvalue()
    assert entries(stream)[0]["exception"].endswith("CheckViolationError (23514, refund_cap, request)")


def test_exceptions_that_name_each_other_as_their_cause_are_told_once() -> None:
    stream = started()
    first, second = OSError("first"), OSError("second")
    first.__cause__, second.__cause__ = second, first
    structlog.get_logger("api").error("failed", exc_info=first)
    assert entries(stream)[0]["exception"].splitlines() == ["OSError: second", "which led to:", "OSError: first"]


async def test_a_task_that_nobody_awaited_is_logged_without_its_words() -> None:
    stream = started()

    async def fail() -> None:
        stumble(MARK)

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    loop = asyncio.get_running_loop()
    loop.default_exception_handler(
        {"message": "Task exception was never retrieved", "exception": task.exception(), "task": task}
    )
    (entry,) = entries(stream)
    assert entry["event"] == "Task exception was never retrieved"
    assert "in stumble" in entry["exception"] and MARK not in stream.getvalue()


def test_an_entry_that_can_not_be_made_prints_nothing_past_the_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    stream = started()
    logging.getLogger("api").warning("%d apples", MARK)
    assert MARK not in stream.getvalue() + "".join(capsys.readouterr())
