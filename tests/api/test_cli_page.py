"""docs/cli.md: its examples are run, and say what the page says."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.command_line import ROOT, command
from tests.store import sqlite_only

PAGE = ROOT / "docs" / "cli.md"
COMMANDS = ("serve", "migrate", "import", "seed", "token", "schema", "block", "unblock", "sweep", "doctor")


def test_every_command_has_its_part() -> None:
    assert sorted(re.findall(r"^## (\w+)$", PAGE.read_text(), re.MULTILINE)) == sorted(COMMANDS)


@pytest.mark.slow
@sqlite_only
def test_the_examples_say_what_the_page_says(tmp_path: Path) -> None:
    for line, expected in _examples():
        said = _run(line, tmp_path).splitlines()
        assert len(said) == len(expected), (line, said)
        for shown, real in zip(expected, said, strict=True):
            assert re.fullmatch(re.escape(shown).replace("…", ".*"), real), (line, real)


def _examples() -> list[tuple[str, list[str]]]:
    """Each command of the page with what it prints there; … stands for anything."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def _run(line: str, folder: Path) -> str:
    """Ours run within this process, which is a lot faster; the others by a shell."""
    name, *args = shlex.split(line)
    if name != "resolution-center":
        return subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=True).stdout  # noqa: S602
    into = args[-1] if ">" in args else None
    said = command(folder, *(args[:-2] if into else args))
    assert said.err == ""
    if into is None:
        return said.out
    (folder / into).write_text(said.out)
    return ""
