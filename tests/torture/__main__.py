"""`make torture`: the long form, on the PostgreSQL of RESOLUTION_TEST_POSTGRES_URL or else on SQLite."""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.torture.cluster import on_postgres, on_sqlite
from tests.torture.torture import torture


async def _main() -> None:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--writers", type=int, default=20)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--pause", type=float, default=4.0, help="seconds between two deeds")
    given = parser.parse_args()
    url = os.environ.get("RESOLUTION_TEST_POSTGRES_URL")
    if url and not shutil.which("redis-server"):
        parser.error("redis-server is not installed: on PostgreSQL a Redis of its own is killed too")
    with tempfile.TemporaryDirectory() as folder:
        setting = on_postgres(Path(folder), given.servers) if url else on_sqlite(Path(folder))
        async with setting as cluster:
            numbers = {"writers": given.writers, "readers": given.readers}
            figures = await torture(cluster, seconds=given.seconds, pause=given.pause, **numbers)
            sys.stdout.write(f"{figures}\n")


if __name__ == "__main__":
    asyncio.run(_main())
