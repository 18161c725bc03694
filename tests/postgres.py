"""Empty PostgreSQL databases of a test's own, on the server of RESOLUTION_TEST_POSTGRES_URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

from bench.postgresql import execute
from tests.store import POSTGRES_URL, postgresql_only

SERVER = POSTGRES_URL or ""
needs_postgres = postgresql_only


@asynccontextmanager
async def a_postgres_database() -> AsyncIterator[str]:
    """The address of a new, empty database, dropped afterwards."""
    name = f"test_{uuid4().hex}"
    await execute(SERVER, f"CREATE DATABASE {name}")
    try:
        yield urlsplit(SERVER)._replace(path=f"/{name}").geturl()
    finally:
        await execute(SERVER, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
