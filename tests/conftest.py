"""What all tests share: how hypothesis looks for counterexamples, and that no database outlives its test."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import store

# The same examples on every run, so that a red build is never chance. `HYPOTHESIS_PROFILE=explore` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", max_examples=2_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_configure() -> None:
    store.check()


@pytest.fixture(autouse=True, scope="session")
def _no_database_outlives_its_run() -> Iterator[None]:
    yield
    store.STORE.close()


@pytest.fixture(autouse=True)
def _no_database_outlives_its_test() -> Iterator[None]:
    """Those of a wider fixture were made before, and go with it."""
    made = store.STORE.made()
    yield
    store.STORE.drop_since(made)
