"""The arithmetic of a day's orders, and the simulated minute, hold what they must whatever the figures are."""

import random
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bench.capacity import FULL, MINUTE, Figures, Habits, busiest_minute, need

ROOT = Path(__file__).parent.parent.parent
SOME = Figures(
    changes_per_second=500,
    events_per_order=5,
    bytes_per_order=10_000,
    change_ms=4,
    page_ms=5,
    delivery_ms=0.2,
    socket_kib=40,
)


@given(st.integers(1, 10**9), st.floats(1, 1e5))
def test_no_log_is_filled_beyond_what_is_allowed_and_none_is_idle_for_nothing(orders: int, carried: float) -> None:
    figures = Figures(carried, 5, 10_000, 4, 5, 0.2, 40)
    found = need(orders, figures, Habits())
    assert found.events_per_second <= found.logs * carried * FULL * (1 + 1e-9)
    assert found.logs == 1 or found.events_per_second > (found.logs - 1) * carried * FULL * (1 - 1e-9)


def test_a_hundred_times_the_orders_take_about_a_hundred_times_of_all() -> None:
    small, large = need(1_000_000, SOME, Habits()), need(100_000_000, SOME, Habits())
    assert (small.logs, large.logs) == (1, 58)
    assert (small.processes - 1) * 100 < large.processes <= small.processes * 100
    assert large.sockets == 100 * small.sockets


def test_a_log_that_is_asked_for_more_than_it_carries_falls_behind_for_the_whole_minute() -> None:
    chance = random.Random(1)
    too_few = busiest_minute(2 * SOME.changes_per_second, 1, SOME, chance)
    enough = busiest_minute(2 * SOME.changes_per_second, 4, SOME, chance)
    assert too_few.waits[-1] > MINUTE / 2
    assert enough.waits[-1] < 1
    assert too_few.busiest > 1.9
    assert 0.4 < enough.busiest < 0.6


def test_the_same_minute_comes_of_the_same_chance() -> None:
    first, second = (busiest_minute(50, 3, SOME, random.Random(7)) for _ in range(2))
    assert first == second
    assert list(first.waits) == sorted(first.waits)


def test_the_command_prints_a_row_for_each_size() -> None:
    options = "--changes-per-second 500 --events-per-order 5 --bytes-per-order 10000 --change-ms 4 --page-ms 5"
    options += " --delivery-ms 0.2 --socket-kib 40 --orders 10000 1000000"
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "bench.capacity", *options.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    for orders in ("| 10,000 | ", "| 1,000,000 | "):
        assert done.stdout.count(orders) >= 2
