"""The audit of GraphQL over HTTP by npm's graphql-http, on a real server; skipped without Node and its packages."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.service import Service, a_service

HERE = Path(__file__).parent
TIMEOUT = 60.0
CHECKS = 61
INTROSPECTING = {"28B9", "6A70", "2EA1", "D6D5"}
"""They ask for `__type`, without a token. A server in production shows its schema to nobody whom it does not know."""


def _missing() -> str | None:
    """Why it can't run here."""
    if not shutil.which("node"):
        return "there is no Node to run it"
    if not (HERE / "node_modules" / "graphql-http").exists():
        return "tests/audit has no packages; `make audit` installs them"
    return None


pytestmark = pytest.mark.skipif(_missing() is not None, reason=f"no audit: {_missing()}")


async def test_every_check_of_the_audit_passes_in_development(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        assert await failed(service) == {}


async def test_every_check_but_those_of_introspection_passes_in_production(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_ENVIRONMENT="production") as service:
        assert set(await failed(service)) == INTROSPECTING


async def failed(service: Service) -> dict[str, str]:
    """The checks that did not pass, by their ids, and why."""
    process = await asyncio.create_subprocess_exec(
        "node", str(HERE / "audit.mjs"), f"{service.url}/graphql", stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    found = json.loads(out)
    assert len(found) == CHECKS
    return {check["id"]: f"{check['name']}: {check['reason']}" for check in found if check["status"] != "ok"}
