"""Opening and migrating: what is no database is said, and several may begin at once."""

import asyncio
import sys
from pathlib import Path

import pytest
from tortoise.exceptions import OperationalError

from models.database import migrate, pending_migrations
from tests.store import STORE

ROOT = Path(__file__).parent.parent.parent
MIGRATING = "import asyncio, sys; from models.database import migrate; asyncio.run(migrate(sys.argv[1]))"


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Ada, this is no database at all.", "utf-8")
    with pytest.raises(OperationalError, match=r"letter\.txt is no SQLite database"):
        await migrate(f"sqlite://{path}")
    assert path.read_text("utf-8").startswith("Dear Ada")


async def test_several_processes_may_migrate_a_new_database_at_once(tmp_path: Path) -> None:
    url = STORE.new(tmp_path)
    begun = [await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATING, url, cwd=ROOT) for _ in range(3)]
    assert [await process.wait() for process in begun] == [0, 0, 0]
    assert await pending_migrations(url) == []
