"""The bench runs from beginning to end. How fast anything was is no test's business."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import SERVER, needs_postgres

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent


def test_a_quick_run_prints_a_row_for_every_work() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    for row in ("| W0: ", "| W1: ", "| W2: ", "| W3: ", "| L: from the mutation's answer to that event |"):
        assert done.stdout.count(row) == 1, row
    assert "- command: `python -m bench --quick`" in done.stdout
    # What figures of a Python are worth depends on how it was built.
    assert re.search(r"^- versions: Python [\d.]+, built with(out)? optimisation, ", done.stdout, re.MULTILINE)


def test_the_engine_is_measured_beside_what_it_replaces() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.engine", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    for way in ("its floor", "  engine, everything in memory", "  Strawberry's execute\n", "with batches"):
        assert done.stdout.count(way) == 1, way


def test_idle_sockets_are_measured_at_each_step_of_their_life() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.idle", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    for step in ("connected, nothing sent", "open, no connection_init", "acknowledged", "with one subscription"):
        assert done.stdout.count(f"| {step}") == 1, step


@needs_postgres
def test_growth_is_told_for_every_work() -> None:
    done = subprocess.run(  # noqa: S603 - our own database server
        [sys.executable, "-m", "bench.growth", "--quick", "--postgres", SERVER],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    for row in ("| W1: ", "| W2: ", "| W3: "):
        assert done.stdout.count(row) == 1, row


@needs_postgres
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")
def test_instructions_are_counted_for_every_work() -> None:
    done = subprocess.run(  # noqa: S603 - our own database server
        [sys.executable, "-m", "bench.instructions", "--orders", "400", "--requests", "5", "--postgres", str(SERVER)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
    )
    rows = dict(re.findall(r"^\| (W[123]): .* \| ([\d,]+) \|$", done.stdout, re.MULTILINE))
    counted = {name: int(number.replace(",", "")) for name, number in rows.items()}
    assert sorted(counted) == ["W1", "W2", "W3"]
    assert min(counted.values()) > 100_000
