"""PostgreSQL's sessions: handed on as they are, seen to when they must be, and nobody's twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tortoise.exceptions import IntegrityError, OperationalError

from models import UserRow
from models.database import connection, in_transaction, opened
from models.outages import DatabaseAway, is_away
from tests.database import a_closed_database
from tests.store import STORE, postgresql_only
from tests.waiting import until
from tests.world import START

pytestmark = postgresql_only

OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are idle after a twentieth of a second."""
    monkeypatch.setattr("models.postgresql.IDLE", 0.05)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A database that is open by a pool of two."""
    async with a_closed_database(tmp_path) as url, opened(url, pool_size=2):
        await connection().execute_query("SELECT 1")
        yield url


def pool() -> Any:
    db: Any = connection()
    return db._pool


async def pid() -> int:
    [row] = (await connection().execute_query("SELECT pg_backend_pid() AS pid"))[1]
    return int(row["pid"])


async def slept() -> None:
    await connection().execute_query("SELECT pg_sleep(0.1)")


async def test_a_session_is_handed_on_as_it_was_given_back(url: str) -> None:
    first = await pid()
    taken = pool().taken()
    assert taken is not None
    assert pool().put_back(taken)
    assert await pid() == first
    assert pool().get_idle_size() == 0
    assert pool().get_size() == 1


async def test_no_two_have_the_same_session(url: str) -> None:
    pids = await asyncio.gather(*(_pid_of_a_while() for _ in range(20)))
    assert len(set(pids)) == 2
    assert pool().get_size() == 2


async def _pid_of_a_while() -> int:
    async with pool().acquire() as session:
        assert not session.is_in_transaction()
        own = await session.fetchval("SELECT pg_backend_pid()")
        async with session.transaction():
            assert await session.fetchval("SELECT pg_backend_pid() FROM pg_sleep(0.01)") == own
        return int(own)


async def test_whoever_waits_gets_what_is_given_back(url: str) -> None:
    async with asyncio.timeout(10):
        await asyncio.gather(*(slept() for _ in range(7)))
    assert len(pool()._ready) <= 2
    assert not pool()._waiting


async def test_sessions_go_to_whoever_waits_longest_whoever_made_them(url: str) -> None:
    """One who waits for a new connection takes what comes back before it, and nobody who comes later overtakes him."""
    order: list[int] = []

    async def ask(number: int) -> None:
        async with pool().acquire() as session:
            order.append(number)
            await session.fetchval("SELECT 1")

    for _ in range(20):
        await pool().expire_connections()
        order.clear()
        async with asyncio.timeout(10):
            await asyncio.gather(*(ask(number) for number in range(12)))
        assert order == list(range(12))


async def test_each_who_takes_another_session_while_he_has_some_gets_it(tmp_path: Path) -> None:
    """Nobody gives one back meanwhile: all must be brought, one after the other."""
    async with a_closed_database(tmp_path) as url, opened(url, pool_size=6):
        await slept()
        for _ in range(10):
            async with asyncio.timeout(10):
                taken = [await pool().acquire() for _ in range(6)]
                assert len({session._con for session in taken}) == 6
                for session in taken:
                    await pool().release(session)
                await pool().expire_connections()


async def test_who_asks_while_the_only_session_is_made_anew_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_closed_database(tmp_path) as url, opened(url, pool_size=1):
        first, its = await pid(), pool()
        connect = its._connect

        async def slow(*given: Any, **named: Any) -> Any:
            await asyncio.sleep(0.3)
            return await connect(*given, **named)

        monkeypatch.setattr(its, "_connect", slow)
        STORE.query(url, OTHERS)
        # asyncpg sees to it that there is one at least, and has the only place for that.
        await until(lambda: its._maintenance_task is not None and its._queue.qsize() == 0)
        async with asyncio.timeout(10):
            assert await pid() != first


async def test_who_gives_up_waiting_holds_nobody_up(url: str) -> None:
    held = [await pool().acquire(), await pool().acquire()]
    waiting = [asyncio.create_task(slept()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait({waiting[0]})
    assert len(pool()._waiting) == 2
    await pool().release(held[0])
    # It was handed over by now, and is not wanted any more.
    waiting[1].cancel()
    async with asyncio.timeout(10):
        await waiting[2]
        await pool().release(held[1])
        assert len({await pid() for _ in range(3)}) == 1
    assert not pool()._waiting


async def test_who_waits_when_the_pool_closes_is_told(tmp_path: Path) -> None:
    async with a_closed_database(tmp_path) as url, opened(url, pool_size=1):
        await slept()
        its = pool()
        held = await its.acquire()
        waiting = asyncio.create_task(slept())
        await asyncio.sleep(0)
        closing = asyncio.create_task(its.close())
        async with asyncio.timeout(5):
            [error] = await asyncio.gather(waiting, return_exceptions=True)
            await its.release(held)
            await closing
        assert isinstance(error, BaseException)
        assert is_away(error)


async def test_whoever_waits_is_told_that_nobody_is_there_any_more(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [await pool().acquire(), await pool().acquire()]

    async def refused(*_: object, **__: object) -> None:
        raise DatabaseAway("Connection refused")

    waiting = [asyncio.create_task(slept()) for _ in range(5)]
    await asyncio.sleep(0)
    monkeypatch.setattr(pool(), "_connect", refused)
    for session in held:
        session.terminate()
        await pool().release(session)
    async with asyncio.timeout(5):
        errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in errors} == {DatabaseAway}
    monkeypatch.undo()
    assert await pid()


async def test_a_session_that_died_is_not_handed_on(url: str) -> None:
    first = await pid()
    STORE.query(url, OTHERS)
    await until(lambda: all(session._con is None or session._con.is_closed() for session in pool()._ready))
    async with asyncio.timeout(10):
        assert await pid() != first
        await asyncio.gather(*(slept() for _ in range(4)))


async def test_a_transaction_that_was_left_open_is_not_handed_on(url: str) -> None:
    session = await pool().acquire()
    await session.execute("BEGIN")
    await session.execute("CREATE TABLE left_open (n int)")
    await pool().release(session)
    for _ in range(3):
        async with pool().acquire() as other:
            assert not other.is_in_transaction()
    [row] = (await connection().execute_query("SELECT to_regclass('left_open') AS found"))[1]
    assert row["found"] is None


async def test_sessions_of_statements_that_were_given_up_come_back(url: str) -> None:
    for _ in range(6):
        task = asyncio.create_task(connection().execute_query("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            assert (await connection().execute_query("SELECT 7 AS n"))[1][0]["n"] == 7


async def test_sessions_that_nobody_wants_go_back_to_the_pool(impatient: None, url: str) -> None:
    await asyncio.gather(slept(), slept())
    await until(lambda: pool().get_idle_size() == 2)
    assert pool()._ready == []
    assert await pid()


async def test_a_session_that_is_always_wanted_stays_ready(impatient: None, url: str) -> None:
    await asyncio.gather(slept(), slept())
    first = await pid()
    for _ in range(30):
        assert await pid() == first
        await asyncio.sleep(0.01)
    # The other one was not needed.
    assert pool().get_idle_size() == 1


async def test_an_old_session_is_seen_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await pid()
    monkeypatch.setattr("models.postgresql._MOST_QUERIES", 1)
    assert await pid() == first
    assert pool()._ready == []


async def test_closing_waits_for_nobody_who_is_not_there(tmp_path: Path) -> None:
    async with a_closed_database(tmp_path) as url:
        async with opened(url, pool_size=3):
            await asyncio.gather(slept(), slept(), slept())
            its = pool()
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 5
        assert its._ready == []
        assert its._look is None


async def test_what_is_given_back_while_the_pool_closes_does_not_hold_it_up(tmp_path: Path) -> None:
    async with a_closed_database(tmp_path) as url, opened(url, pool_size=3):
        await slept()
        its = pool()
        held, *others = [await its.acquire() for _ in range(3)]
        for session in others:
            await its.release(session)
        assert len(its._ready) == 2
        closing = asyncio.create_task(its.close())
        # It is parting with the ready ones by now.
        await asyncio.sleep(0)
        await its.release(held)
        async with asyncio.timeout(5):
            await closing


async def test_sessions_that_have_expired_are_not_handed_on(url: str) -> None:
    first, held = await pid(), await pool().acquire()
    await pool().expire_connections()
    await pool().release(held)
    assert await pid() != first


@pytest.mark.parametrize("inside", [True, False])
async def test_errors_are_as_the_orm_tells_them(url: str, inside: bool) -> None:
    row = UserRow(id=uuid4(), subject="doubled", name="Ada", created_at=START)
    await row.save(force_create=True)
    doubled = (
        "INSERT INTO users SELECT gen_random_uuid(), subject, name, created_at FROM users WHERE subject = 'doubled'"
    )
    for statement, kind in (
        (doubled, IntegrityError),
        ("SELECT nothing", OperationalError),
        ("SELEC", OperationalError),
    ):
        with pytest.raises(kind):
            await _sent(statement, inside)
    assert await UserRow.filter(subject="doubled").count() == 1


async def test_changed_rows_are_counted(url: str) -> None:
    for subject in ("one", "two", "three"):
        await UserRow(id=uuid4(), subject=subject, name="x", created_at=START).save(force_create=True)
    assert await UserRow.filter(name="x").update(name="y") == 3
    assert await UserRow.filter(name="x").update(name="y") == 0
    assert (
        await connection().execute_query(" update users set name = $1 where name = 'y' and subject <> $2", ["z", "one"])
    )[0] == 2
    async with in_transaction():
        assert await UserRow.filter(name="z").delete() == 2


async def _sent(statement: str, inside: bool) -> None:
    if not inside:
        await connection().execute_query(statement)
        return
    async with in_transaction() as db:
        await db.execute_query(statement)
