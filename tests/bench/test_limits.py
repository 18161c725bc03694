"""The bench of the limits runs from beginning to end."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_quick_run_tells_the_worst_of_each_step() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.limits", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.count(" ms at worst ") == 4, done.stdout
