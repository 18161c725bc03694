"""GraphiQL in a real browser, which `make browser` sets up; without one it is skipped."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.service import Service, a_service

HERE = Path(__file__).parent
BROWSER = os.environ.get("RESOLUTION_TEST_BROWSER", "")
TIMEOUT = 120.0


def _missing() -> str | None:
    """Why it can't run here."""
    if not BROWSER:
        return "RESOLUTION_TEST_BROWSER names no Chromium; `make browser` sets one up"
    if not Path(BROWSER).exists():
        return f"there is no {BROWSER}"
    if not shutil.which("node"):
        return "there is no Node to drive the browser"
    if not (HERE / "node_modules" / "playwright-core").exists():
        return "tests/browser has no packages; `make browser` installs them"
    return None


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_missing() is not None, reason=f"no browser: {_missing()}"),
]


async def test_graphiql_asks_changes_and_watches_with_a_token(tmp_path: Path) -> None:
    # The page that is served where the web app is not built; GraphiQL 5 has its test in web/e2e.
    async with a_service(tmp_path, RESOLUTION_WEB_FOLDER=str(tmp_path / "not-built")) as service:
        order_id = await service.started("R-1")
        tokens = [service.token("ada"), service.token("farid")]
        seen = await _drive(service, tmp_path, order_id, *tokens)

    assert {"Query", "Mutation", "Subscription"} <= set(seen["documentation"])
    assert [error["extensions"]["code"] for error in seen["refusal"]["errors"]] == ["UNAUTHENTICATED"]
    assert seen["query"]["data"]["order"] == {"reference": "R-1", "status": "IN_PROGRESS", "viewerRole": "FREELANCER"}
    assert seen["mutation"]["data"]["offerPartialRefund"] == {
        "request": {"status": "PENDING", "amount": {"amount": "20.00", "currencyCode": "USD"}},
        "userErrors": [],
    }
    assert seen["event"]["data"]["orderEvents"] == {
        "sequence": 3,
        "kind": "REQUEST_OPENED",
        "actor": {"name": "Farid"},
        "request": {"status": "PENDING"},
    }
    assert seen["complaints"] == []
    for kept in seen["kept"]:
        assert "orderEvents" in kept or "offerPartialRefund" in kept, "the query is kept: this looks at the right place"
        assert not any(private in kept for private in (*tokens, "DELIVERY_DELAYED"))
    assert "PASTE-A-TOKEN" in seen["headersAfterReload"]


async def _drive(service: Service, folder: Path, order_id: str, ada: str, farid: str) -> dict[str, Any]:
    """What the two people saw."""
    offer = {
        "orderId": order_id,
        "amount": {"amount": "20.00", "currencyCode": "USD"},
        "explanation": "Sorry for the delay.",
        "confidentialReason": "DELIVERY_DELAYED",
    }
    task = {
        "url": service.url,
        "chromium": BROWSER,
        "profile": str(folder / "profile"),
        "pictures": os.environ.get("RESOLUTION_TEST_PICTURES", str(folder)),
        "order": order_id,
        "offer": offer,
        "ada": ada,
        "farid": farid,
    }
    process = await asyncio.create_subprocess_exec(
        "node",
        str(HERE / "graphiql.mjs"),
        json.dumps(task),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    found: dict[str, Any] = json.loads(out)
    return found
