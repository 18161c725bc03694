"""The command line as a test uses it: within this process, or as a program of its own."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner

from api.cli import cli
from api.settings import without_password
from models.database import opened
from tests.store import FILE, ON_POSTGRESQL, STORE, Template

ROOT = Path(__file__).parent.parent
WAIT = 60.0
"""Seconds after which a test that waits has failed."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def complaint(self) -> str:
        """The only line on stderr."""
        (line,) = self.err.splitlines()
        return line


def command(folder: Path, *args: str, **environ: str) -> Said:
    """Runs it in this process, as if started in that folder with these settings alone. On PostgreSQL the folder's own
    database is one of them, unless it says otherwise."""
    with contextlib.chdir(folder), _log_as_before():
        given: dict[str, str | None] = {name: None for name in os.environ if name.startswith("RESOLUTION_")}
        result = CliRunner().invoke(
            cli, list(args), env=given | _settings(folder) | environ, prog_name="resolution-center"
        )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.stderr
    return Said(result.exit_code, result.stdout, result.stderr)


def _settings(folder: Path) -> dict[str, str]:
    return {"RESOLUTION_DATABASE_URL": STORE.url(folder)} if ON_POSTGRESQL else {}


def shown_url(folder: Path) -> str:
    """How the commands name the folder's database to people."""
    return without_password(STORE.url(folder)) if ON_POSTGRESQL else f"sqlite://{FILE}"


_templates: dict[tuple[str, ...], Template] = {}
"""Databases that commands left, made once a process: copying one is far faster than making it."""


def an_empty_one(folder: Path) -> Path:
    """The folder, with a database that no command has touched: on SQLite none, since commands make it."""
    STORE.new(folder)
    return folder


def prepared(folder: Path, *args: str) -> Path:
    """The folder, with the database as `migrate` and this command leave it in an empty one."""
    if args not in _templates:
        with TemporaryDirectory() as name:
            made = an_empty_one(Path(name))
            assert command(made, "migrate").code == 0
            assert command(made, *args).code == 0
            _templates[args] = STORE.keep(made)
    STORE.copy(_templates[args], folder)
    return folder


@contextmanager
def _log_as_before() -> Iterator[None]:
    """Commands set the log up for their own process; here others come after them."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def start(folder: Path, *args: str, stderr: Any = subprocess.PIPE, **environ: str) -> subprocess.Popen[str]:
    """Starts it as a program of its own."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "api.cli", *args],
        cwd=folder,
        env=_environ(_settings(folder) | environ),
        stdout=subprocess.PIPE,
        stderr=stderr,
        stdin=subprocess.DEVNULL,
        text=True,
        # Where the tests run in the background of a shell, Ctrl-C is ignored, by whatever they start too.
        preexec_fn=_hear_ctrl_c,  # noqa: PLW1509 - it calls one function of C
    )


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def program(folder: Path, *args: str, **environ: str) -> Said:
    """Runs it as a program of its own."""
    return ended(start(folder, *args, **environ))


def ended(process: subprocess.Popen[str], patience: float = WAIT) -> Said:
    """What it said, once it has ended, which may take so many seconds."""
    try:
        out, err = process.communicate(timeout=patience)
    finally:
        process.kill()
    return Said(process.returncode, out, err or "")


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESOLUTION_")}
    return kept | {"PYTHONPATH": str(ROOT), **environ}


@contextmanager
def serving(folder: Path, *args: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A server on a free port, and the lines that it printed; ended by SIGTERM if it still runs."""
    process = start(folder, "serve", "--port", "0", *args, **environ)
    assert process.stdout is not None
    printed: list[str] = []
    try:
        while not printed or printed[-1] != "Ctrl-C stops it.":
            line = process.stdout.readline()
            assert line, ended(process)
            printed.append(line.rstrip("\n"))
        yield process, printed
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        ended(process)


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a query of the folder's database gives."""
    return STORE.query(STORE.url(folder), sql)


def change(folder: Path, *statements: str) -> None:
    """Does to the database what no command would."""
    STORE.query(STORE.url(folder), *statements)


def dump(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    tables = sorted(STORE.tables(STORE.url(folder)))
    return {table: rows(folder, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}  # noqa: S608


def untouched(folder: Path) -> bool:
    """Whether there is no database for the folder, or an empty one."""
    return STORE.tables(STORE.url(folder)) == []


def until(folder: Path, sql: str) -> None:
    """Waits until the query's first value is true."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        if not untouched(folder) and rows(folder, sql)[0][0]:
            return
        time.sleep(0.02)
    raise AssertionError(f"never true: {sql}")


@asynccontextmanager
async def within(folder: Path) -> AsyncIterator[None]:
    """The commands' database, open in this process."""
    async with opened(STORE.url(folder)):
        yield
