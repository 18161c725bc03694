"""Opening and migrating: what is no database is said, several may begin at once; sessions that need no tidying."""

import asyncio
import sys
from pathlib import Path

import pytest
from tortoise.exceptions import OperationalError
from uuid_utils.compat import uuid7

from models import OrderRow, UserRow
from models.database import connection, in_transaction, migrate, opened, pending_migrations
from tests.database import FREELANCER, HandClock, TestJournal, a_closed_database, a_started_order, outcome
from tests.postgres import a_postgres_database
from tests.sent import noted
from tests.store import STORE, postgresql_only
from tests.world import START, an_offer

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


# ---------------------------------------------------------------- sessions


async def test_a_read_takes_one_statement(journal: TestJournal) -> None:
    sent: list[str] = []
    with noted(sent.append):
        await OrderRow.all()
    assert len(sent) == 1, sent


@postgresql_only
async def test_a_session_keeps_what_it_was_opened_with(tmp_path: Path) -> None:
    settings = {"statement_timeout": "4s", "random_page_cost": "1.1", "application_name": "resolution-center"}

    async def found() -> dict[str, str]:
        rows = [(await connection().execute_query_dict(f"SHOW {name}"))[0] for name in settings]
        return {name: value for row in rows for name, value in row.items()}

    async def fail() -> None:
        async with in_transaction() as db:
            await db.execute_query("SET LOCAL statement_timeout = 1")
            raise ZeroDivisionError

    async with a_closed_database(tmp_path) as url, opened(url, pool_size=1, statement_timeout_ms=4_000):
        journal = TestJournal(url, HandClock())
        order_id = await a_started_order(journal)
        for _ in range(2):
            await outcome(journal.perform(order_id, an_offer(), FREELANCER))
        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await found() == settings
        now = "SELECT now()"
        first, then = [await connection().execute_query_dict(now) for _ in range(2)]
        assert first != then, "a transaction was left open"


@postgresql_only
async def test_a_process_may_open_sqlite_and_then_postgresql_and_sqlite_again(tmp_path: Path) -> None:
    file = f"sqlite://{tmp_path}/first.sqlite3"
    async with a_postgres_database() as url:
        for number, address in enumerate((file, url, file, url)):
            await migrate(address)
            async with opened(address):
                row = UserRow(id=uuid7(), subject=f"ada-{number}", name="Ada", created_at=START)
                await row.save(force_create=True)
                assert await UserRow.get(subject=f"ada-{number}") == row
