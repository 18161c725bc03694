"""People: made the first time that they are seen or named, once, however many see them at the same moment."""

import asyncio
from random import Random

from uuid_utils.compat import uuid7

from models import UserRow
from models.database import connection, in_transaction
from models.people import ensure_users, name_the_nameless, seen
from tests.database import MARKETPLACE, PEOPLE, TestJournal, a_new_order
from tests.world import ADA, START


async def _see(subject: str, name: str | None) -> UserRow:
    return await seen(connection(), subject, name, START, uuid7)


async def test_who_is_seen_for_the_first_time_is_made(journal: TestJournal) -> None:
    hana = await _see("hana", "Hana")
    row = await UserRow.get(subject="hana")
    assert (row.id, row.name, row.created_at) == (hana.id, "Hana", START)


async def test_who_has_no_name_is_called_by_the_subject_until_one_is_known(journal: TestJournal) -> None:
    assert (await _see("hana", None)).name == "hana"
    assert (await _see("hana", "Hana")).name == "Hana"
    assert (await _see("hana", None)).name == "Hana"


async def test_the_newest_name_is_the_one_that_is_shown(journal: TestJournal) -> None:
    before = await UserRow.all().count()
    ada = await _see("ada", "Ada L.")
    assert (ada.id, ada.name) == (ADA, "Ada L.")
    assert (await UserRow.get(id=ADA)).name == "Ada L."
    assert await UserRow.all().count() == before


async def test_two_who_see_somebody_at_once_make_one(journal: TestJournal) -> None:
    rows = await asyncio.gather(*(_see("hana", "Hana") for _ in range(10)))
    assert len({row.id for row in rows}) == 1
    assert await UserRow.filter(subject="hana").count() == 1


async def test_seeing_and_naming_at_once_make_one(journal: TestJournal) -> None:
    async def name() -> None:
        async with in_transaction() as db:
            await ensure_users(db, {"hana": "hana", "ada": "ada"}, START, uuid7)

    await asyncio.gather(_see("hana", "Hana"), name(), _see("hana", None), name())
    assert await UserRow.filter(subject="hana").count() == 1
    assert (await UserRow.get(id=ADA)).name == "Ada"


async def test_naming_tells_the_ids_of_all_and_renames_nobody(journal: TestJournal) -> None:
    async with in_transaction() as db:
        ids = await ensure_users(db, {"ada": "somebody", "hana": "Hana"}, START, uuid7)
    assert ids == {"ada": ADA, "hana": (await UserRow.get(subject="hana")).id}
    assert (await UserRow.get(id=ADA)).name == "Ada"


async def test_only_the_nameless_are_named_afterwards(journal: TestJournal) -> None:
    hana = await _see("hana", None)
    assert hana.name == "hana"
    await name_the_nameless(connection(), {"hana": "Hana", "ada": "Somebody"})
    assert (await UserRow.get(subject="hana")).name == "Hana"
    assert (await UserRow.get(id=ADA)).name == "Ada"


async def test_who_hangs_up_while_being_seen_leaves_nothing_open(journal: TestJournal) -> None:
    chance = Random(11)
    for number in range(100):
        task = asyncio.create_task(_see(f"caller {number % 40}", f"Caller {number}"))
        await asyncio.sleep(chance.random() * 0.001)
        task.cancel()
        await asyncio.wait({task})
    async with asyncio.timeout(5):
        await journal.place(a_new_order(), MARKETPLACE)
    assert len(PEOPLE) <= await UserRow.all().count() <= len(PEOPLE) + 40
