"""Pages by keyset: each row once, whatever comes and goes between two pages."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tortoise.queryset import QuerySet
from uuid_utils.compat import uuid7

from models import UserRow
from models.paging import BadPage, Listing, PageArguments, Sources
from tests.database import a_database
from tests.world import START

Slots = list[tuple[int, int]]
"""Rows to be: which source they belong to, and how old they are; many are of one age."""


def _row(source: int, age: int) -> UserRow:
    user_id = uuid7()
    return UserRow(id=user_id, subject=str(user_id), name=f"source {source}", created_at=START + timedelta(seconds=age))


def _listing(*, descending: bool, spoken: bool = True) -> Listing[UserRow]:
    def made() -> list[QuerySet[UserRow]]:
        return [UserRow.filter(name=f"source {source}") for source in range(2)]

    return Listing("rows", Sources(UserRow, made, words=_listing if spoken else None), ("created_at", "id"), descending)


slots = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=25)


@settings(max_examples=15)
@given(slots, slots, st.booleans(), st.booleans(), st.integers(1, 7))
def test_a_row_that_is_there_all_the_time_is_seen_exactly_once(
    staying: Slots, coming: Slots, descending: bool, backward: bool, size: int
) -> None:
    async def scenario() -> None:
        with TemporaryDirectory() as folder:
            async with a_database(Path(folder)):
                await _walk(staying, coming, descending=descending, backward=backward, size=size)

    asyncio.run(scenario())


async def _walk(staying: Slots, coming: Slots, *, descending: bool, backward: bool, size: int) -> None:
    rows = [_row(*slot) for slot in staying]
    await UserRow.bulk_create(rows)
    there = {row.id for row in rows}
    passing: list[UserRow] = []
    listing = _listing(descending=descending)
    seen: list[UUID] = []
    cursor: str | None = None
    while True:
        after, before = (None, cursor) if backward else (cursor, None)
        page = await listing.page(PageArguments(size, backward, after, before))
        seen = [row.id for row in page.rows] + seen if backward else seen + [row.id for row in page.rows]
        if not (page.has_previous if backward else page.has_next):
            break
        cursor = page.cursors[0] if backward else page.cursors[-1]
        if passing:
            await UserRow.filter(id=passing.pop().id).delete()
        if coming:
            passing.append(_row(*coming.pop()))
            await UserRow.bulk_create([passing[-1]])
    assert len(seen) == len(set(seen))
    assert [row_id for row_id in seen if row_id in there] == _sorted(rows, descending=descending)


def _sorted(rows: list[UserRow], *, descending: bool) -> list[UUID]:
    key: Callable[[UserRow], object] = lambda row: (row.created_at, str(row.id))  # noqa: E731
    return [row.id for row in sorted(rows, key=key, reverse=descending)]  # type: ignore[arg-type]  # both compare


async def test_what_lies_beyond_a_page_is_told(tmp_path: Path) -> None:
    async with a_database(tmp_path):
        await UserRow.bulk_create([_row(number % 2, number) for number in range(5)])
        listing = _listing(descending=False)
        first = await listing.page(PageArguments.checked(2, None, None, None))
        assert (first.has_next, first.has_previous, len(first.rows)) == (True, False, 2)
        middle = await listing.page(PageArguments.checked(2, first.cursors[-1], None, None))
        assert (middle.has_next, middle.has_previous) == (True, True)
        last = await listing.page(PageArguments.checked(2, middle.cursors[-1], None, None))
        assert (last.has_next, last.has_previous, len(last.rows)) == (False, True, 1)
        back = await listing.page(PageArguments.checked(None, None, 2, last.cursors[0]))
        assert [row.id for row in back.rows] == [row.id for row in middle.rows]
        assert await listing.count() == 5


@pytest.mark.parametrize("number", [0, -1, 101, 2**31 - 1])
def test_a_page_has_one_to_a_hundred_rows(number: int) -> None:
    for arguments in ((number, None), (None, number)):
        with pytest.raises(BadPage):
            PageArguments.checked(arguments[0], None, arguments[1], None)


def test_first_and_last_together_are_refused() -> None:
    with pytest.raises(BadPage):
        PageArguments.checked(1, None, 1, None)
    assert PageArguments.checked(None, None, None, None).size == 25
