"""The command line as a test uses it: within this process, or as a program of its own."""

import contextlib
import logging
import os
import signal
import sqlite3
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
from models.database import opened

DATABASE = "resolution-center.sqlite3"
"""Where the commands keep everything when nothing is set."""
ROOT = Path(__file__).parent.parent
WAIT = 20.0


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
    """Runs it in this process, as if started in that folder with these settings alone."""
    with contextlib.chdir(folder), _log_as_before():
        given: dict[str, str | None] = {name: None for name in os.environ if name.startswith("RESOLUTION_")}
        result = CliRunner().invoke(cli, list(args), env=given | environ, prog_name="resolution-center")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.stderr
    return Said(result.exit_code, result.stdout, result.stderr)


_templates: dict[tuple[str, ...], bytes] = {}
"""Databases that commands left, made once a process: copying one is far faster than making it."""


def prepared(folder: Path, *args: str) -> Path:
    """The folder, with the database as this command leaves it in an empty one."""
    if args not in _templates:
        with TemporaryDirectory() as made:
            assert command(Path(made), *args).code == 0
            with contextlib.closing(sqlite3.connect(Path(made) / DATABASE)) as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            _templates[args] = (Path(made) / DATABASE).read_bytes()
    (folder / DATABASE).write_bytes(_templates[args])
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
        env=_environ(environ),
        stdout=subprocess.PIPE,
        stderr=stderr,
        stdin=subprocess.DEVNULL,
        text=True,
    )


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
    """What a query of the commands' database gives."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE, timeout=10)) as db:
        return db.execute(sql).fetchall()


def change(folder: Path, *statements: str) -> None:
    """Does to the database what no command would."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE, timeout=10)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def dump(folder: Path) -> list[str]:
    """Every row of every table."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as db:
        return list(db.iterdump())


def until(folder: Path, sql: str) -> None:
    """Waits until the query's first value is true."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        with contextlib.suppress(sqlite3.OperationalError):
            if rows(folder, sql)[0][0]:
                return
        time.sleep(0.02)
    raise AssertionError(f"never true: {sql}")


@asynccontextmanager
async def within(folder: Path) -> AsyncIterator[None]:
    """The commands' database, open in this process."""
    async with opened(f"sqlite://{folder / DATABASE}"):
        yield
