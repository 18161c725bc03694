"""Loaders look for what is asked in one turn together, each key once, and tell all who asked what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import pytest

from api.batching import Loader
from api.loaders import Loaders
from rules.policy import DEFAULT

Find = Callable[[list[int]], Awaitable[Mapping[int, str]]]


def _known(searches: list[list[int]]) -> Find:
    """Finds even numbers alone, and notes every search."""

    async def find(keys: list[int]) -> dict[int, str]:
        searches.append(keys)
        await asyncio.sleep(0)
        return {key: f"number {key}" for key in keys if key % 2 == 0}

    return find


async def test_what_is_asked_in_one_turn_is_one_search_and_no_key_is_asked_twice() -> None:
    searches: list[list[int]] = []
    loader = Loader(_known(searches))
    found = await asyncio.gather(loader.load(2), loader.load_many([4, 2, 3, 4]), loader.load(2), loader.load(5))
    assert [*found] == ["number 2", ["number 4", "number 2", None, "number 4"], "number 2", None]
    assert searches == [[2, 4, 3, 5]]


async def test_nothing_is_kept_for_the_next_turn() -> None:
    searches: list[list[int]] = []
    loader = Loader(_known(searches))
    assert [await loader.load(2), await loader.load(2)] == ["number 2", "number 2"]
    assert searches == [[2], [2]]


async def test_what_is_asked_while_a_search_is_under_way_is_the_next_one() -> None:
    searches: list[list[int]] = []
    loader = Loader(_known(searches))
    first = asyncio.create_task(loader.load(2))
    while not searches:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0)
    assert [*await asyncio.gather(first, loader.load(4))] == ["number 2", "number 4"]
    assert searches == [[2], [4]]


async def test_no_keys_are_no_search() -> None:
    searches: list[list[int]] = []
    assert await Loader(_known(searches)).load_many([]) == []
    assert searches == []


async def test_an_error_reaches_all_who_asked_and_the_next_search_is_a_new_one() -> None:
    tries = 0

    async def find(keys: list[int]) -> dict[int, str]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("away")
        return dict.fromkeys(keys, "there")

    loader = Loader(find)
    failed = await asyncio.gather(loader.load(1), loader.load_many([1, 2]), loader.load(3), return_exceptions=True)
    assert [(type(error), str(error)) for error in failed] == [(OSError, "away")] * 3
    assert await loader.load(1) == "there"


async def test_who_is_cancelled_takes_nothing_from_the_others() -> None:
    searches: list[list[int]] = []
    loader = Loader(_known(searches))
    leaving, staying = asyncio.create_task(loader.load(2)), asyncio.create_task(loader.load(4))
    while not searches:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "number 4"
    with pytest.raises(asyncio.CancelledError):
        await leaving


@pytest.mark.parametrize("turns", range(6))
async def test_a_search_for_which_nobody_waits_any_more_ends_and_the_next_one_is_answered(turns: int) -> None:
    ended: list[str] = []
    begun = 0

    async def find(keys: list[int]) -> dict[int, str]:
        nonlocal begun
        begun += 1
        if keys == [1]:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")
        return dict.fromkeys(keys, "there")

    loader = Loader(find)
    asking = [asyncio.create_task(loader.load(1)) for _ in range(2)]
    for _ in range(turns):
        await asyncio.sleep(0)
    were_begun = begun
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    # At whatever step they left, the loader is as good as new.
    async with asyncio.timeout(5):
        assert await loader.load(2) == "there"
    assert ended == ["cancelled"] * were_begun


async def test_an_operation_has_each_loader_once_and_makes_none_before_it_is_wanted() -> None:
    one, other = (Loaders(lambda: None, lambda: datetime.now(UTC), DEFAULT) for _ in range(2))
    assert not any(isinstance(value, Loader) for value in vars(one).values())
    assert one.users is one.users
    assert one.orders is one.orders
    assert one.users is not other.users
    assert [name for name, value in vars(one).items() if isinstance(value, Loader)] == ["users", "orders"]
