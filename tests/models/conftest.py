"""What tests of the models share: a journal on a database of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.database import TestJournal, a_database


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[TestJournal]:
    async with a_database(tmp_path) as opened:
        yield opened
