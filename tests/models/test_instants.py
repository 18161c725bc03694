"""Instants come back from the database as they went in, to the microsecond and of UTC, and sort as time does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import IdempotencyRow, UserRow
from models.database import connection, migrate, opened
from models.instants import DatetimeField
from tests.database import a_database
from tests.postgres import a_postgres_database
from tests.store import postgresql_only, sqlite_only

FIELD = DatetimeField()
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# Within the years that every time zone has.
FIRST, LAST = datetime.fromisoformat("0001-01-02"), datetime.fromisoformat("9999-12-30")
INSTANTS = st.datetimes(FIRST, LAST, timezones=ZONES | st.just(UTC))
NAIVE = "2026-03-02 09:00:00"


def _in_sqlite(instant: datetime) -> str:
    """As SQLite's driver is told to write it."""
    written = FIELD.to_db_value(instant, IdempotencyRow)
    assert written is not None
    return written.isoformat(" ")


@given(INSTANTS)
def test_an_instant_comes_back_from_its_text(instant: datetime) -> None:
    found = FIELD.to_python_value(_in_sqlite(instant))
    assert found == instant
    assert found.tzinfo is UTC


@given(INSTANTS)
def test_an_instant_as_postgresql_gives_it_is_of_utc(instant: datetime) -> None:
    found = FIELD.to_python_value(instant)
    assert found == instant
    assert found.tzinfo is UTC


@given(INSTANTS, INSTANTS)
def test_texts_sort_as_instants_do(one: datetime, other: datetime) -> None:
    assert (_in_sqlite(one) < _in_sqlite(other)) == (one < other)


@pytest.mark.parametrize("read_or_write", [FIELD.to_python_value, lambda v: FIELD.to_db_value(v, IdempotencyRow)])
@pytest.mark.parametrize("naive", [datetime.fromisoformat(NAIVE), NAIVE, f"{NAIVE}.500000"])
def test_an_instant_without_a_time_zone_is_refused(read_or_write: object, naive: object) -> None:
    assert callable(read_or_write)
    with pytest.raises(ValueError, match="time zone"):
        read_or_write(naive)


def test_no_instant_stays_none() -> None:
    assert DatetimeField(null=True).to_python_value(None) is None
    assert DatetimeField(null=True).to_db_value(None, IdempotencyRow) is None


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[None]:
    async with a_database(tmp_path):
        yield


TRIED = [
    datetime(2026, 3, 2, 9, tzinfo=UTC),
    datetime(2026, 3, 2, 9, microsecond=1, tzinfo=UTC),
    datetime(2026, 3, 2, 9, microsecond=999_999, tzinfo=UTC),
    datetime(2026, 3, 2, 11, 30, tzinfo=timezone(timedelta(hours=2, minutes=30))),
    datetime(1, 1, 2, tzinfo=UTC),
    # The last microsecond of all is what PostgreSQL's driver calls infinity.
    datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC),
]


@sqlite_only
async def test_instants_come_back_from_sqlite(people: None) -> None:
    await _try_instants()
    written = await connection().execute_query_dict("SELECT subject, created_at FROM users WHERE subject LIKE 'u-%'")
    assert {row["subject"]: row["created_at"] for row in written}["u-3"] == "2026-03-02 09:00:00+00:00"


@postgresql_only
async def test_instants_come_back_from_postgresql() -> None:
    async with a_postgres_database() as url:
        await migrate(url)
        async with opened(url):
            await _try_instants()


async def _try_instants() -> None:
    for number, instant in enumerate(TRIED):
        row = UserRow(id=UUID(int=1_000 + number), subject=f"u-{number}", name="U", created_at=instant)
        await row.save(force_create=True)
        read = (await UserRow.get(id=row.id)).created_at
        assert (read, read.tzinfo) == (instant, UTC)
        found = await UserRow.filter(created_at__lte=instant, created_at__gte=instant).order_by("-id")
        assert found[0].subject == f"u-{number}"
    in_order = [row.created_at for row in await UserRow.filter(subject__startswith="u-").order_by("created_at")]
    assert in_order == sorted(TRIED)
