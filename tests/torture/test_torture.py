"""The torture's short form."""

import sys
from pathlib import Path

import pytest

from tests.servers import needs_postgres, needs_redis_server
from tests.store import sqlite_only
from tests.torture.cluster import on_postgres, on_sqlite
from tests.torture.torture import torture

pytestmark = pytest.mark.slow


@sqlite_only
async def test_one_process_on_sqlite_is_killed_and_nobody_misses_or_repeats_an_event(
    tmp_path: Path,
) -> None:
    async with on_sqlite(tmp_path) as cluster:
        figures = await torture(cluster, seconds=12, writers=4, readers=8, pause=1.5)
    sys.stdout.write(f"{figures}\n")
    assert figures.deeds.keys() == {"servers killed", "servers stopped"}
    assert figures.slowest_stop < 10
    assert figures.drops > 0


@needs_postgres
@needs_redis_server
async def test_three_processes_are_tormented_and_nobody_misses_or_repeats_an_event(tmp_path: Path) -> None:
    async with on_postgres(tmp_path, 3) as cluster:
        figures = await torture(cluster, seconds=30, writers=8, readers=20, pause=2)
    sys.stdout.write(f"{figures}\n")
    assert figures.deeds.keys() == {
        "servers killed",
        "servers stopped",
        "rings restarted",
        "databases paused",
        "databases cut off",
    }
    assert figures.slowest_stop < 10
    assert figures.drops > 0
