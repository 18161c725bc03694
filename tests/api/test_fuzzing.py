"""Documents by chance over the whole schema, by everybody: nothing is masked, nothing hangs, nothing piles up."""

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.core.result import Err
from schemathesis.graphql import nodes

from api.auth import mint
from api.demo_people import ADA, BAZAAR, FARID, SOL, Person
from tests.command_line import ended, start
from tests.servers import Server
from tests.service import SECRET
from tests.torture.cluster import on_sqlite

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
EXPLORING = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
EXAMPLES = 80 if EXPLORING else 8
"""Documents for each field of Query and Mutation; each is sent by each of the callers."""
CALLERS: dict[str, Person | None] = {
    "client": ADA,
    "freelancer": FARID,
    "support": SOL,
    "marketplace": BAZAAR,
    "nobody": None,
}
PATIENCE = 30.0
"""Seconds for one answer on a slow machine; a server that takes longer hangs."""
GROWTH = 32 * 1024
"""KiB by which the server's memory may grow once each field has been asked for."""

TEXTS = st.sampled_from(["", " ", "DEMO-1", "client-1", "x" * 2_501, "a\0b", "\u202e", "\uffff", "𝄞", "'; --", "%_\\"])
"""Beside hypothesis' own: empty, far too long, and what databases and terminals take amiss."""
AMOUNTS = st.sampled_from(["5.00", "0", "-1", "1.001", "1e3", "1e999999", "NaN", "Infinity", "9" * 400])
INSTANTS = st.sampled_from(
    ["2026-11-24T12:00:00Z", "2026-11-24T12:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31", "x"]
)
CURRENCIES = st.sampled_from(["USD", "JPY", "usd", "XXX", ""])
NUMBERS = st.one_of(st.sampled_from([-(2**31), -1, 0, 1, 100, 101, 2**31 - 1, 2**31]), st.integers())


async def test_a_document_by_chance_is_answered_or_refused_in_words(tmp_path: Path) -> None:
    async with a_demo(tmp_path) as demo:
        documents = list(drawn(await demo.ids()))
        await demo.send([of_field[0] for of_field in documents])
        before = demo.memory()
        await demo.send([document for of_field in documents for document in of_field[1:]])
        grown = demo.memory() - before

        assert demo.masked == []
        assert demo.outcomes["data"] > demo.sent / 3, f"what is refused shows little: {demo.outcomes}"
        assert grown < GROWTH, f"the server grew by {grown} KiB"
        assert "Traceback" not in demo.log()


def drawn(ids: list[str]) -> Iterator[list[str]]:
    """Documents for each field of Query and Mutation: in every run the same but for the ids, unless it explores."""
    for name, values in {
        "ID": st.one_of(st.sampled_from(ids), TEXTS),
        "String": st.one_of(TEXTS, st.text()),
        "Decimal": st.one_of(AMOUNTS, st.text()),
        "DateTime": st.one_of(INSTANTS, st.text()),
        "CurrencyCode": st.one_of(CURRENCIES, st.text()),
    }.items():
        schemathesis.graphql.scalar(name, values.map(nodes.String))
    schemathesis.graphql.scalar("Int", NUMBERS.map(nodes.Int))
    schema = schemathesis.graphql.from_path(ROOT / "schema.graphql")
    schema.location = "/graphql"
    for operation in schema.get_all_operations():
        assert not isinstance(operation, Err), operation
        yield _examples(operation.ok().as_strategy())


def _examples(cases: st.SearchStrategy[schemathesis.Case[Any]]) -> list[str]:
    found: list[str] = []

    @seed(random.randrange(2**32) if EXPLORING else 2026)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def draw(case: schemathesis.Case[Any]) -> None:
        found.append(str(case.body))

    draw()
    return found


@dataclass
class Demo:
    """A server with the demo's orders, and everything that it answered."""

    server: Server
    http: httpx.AsyncClient
    sent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    masked: list[tuple[str, str]] = field(default_factory=list)
    """Who, and with which document."""

    async def send(self, documents: list[str]) -> None:
        """Each by all callers at once."""
        for document in documents:
            await asyncio.gather(*(self._ask(caller, document) for caller in CALLERS))

    async def ids(self) -> list[str]:
        """Of some things of each type that support may see."""
        query = """{
          orders(first: 4) { nodes { id client { id } resolutionCenter { requests(first: 3) { nodes { id } } } } }
          supportCases(first: 2) { nodes { id } }
          viewerEvents(first: 2) { nodes { id } }
        }"""
        answer = await self.http.post("/graphql", json={"query": query}, headers=_headers("support"))
        assert "errors" not in answer.json(), answer.text
        return sorted(set(re.findall(r'"id":"([^"]+)"', answer.text)))

    def memory(self) -> int:
        """The server's, in KiB."""
        assert self.server.process is not None
        status = Path(f"/proc/{self.server.process.pid}/status").read_text("ascii")
        [resident] = re.findall(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        return int(resident)

    def log(self) -> str:
        return (self.server.folder / f"server-{self.server.port}.log").read_text("utf-8")

    async def _ask(self, caller: str, document: str) -> None:
        answer = await self.http.post("/graphql", json={"query": document}, headers=_headers(caller))
        self.sent += 1
        codes = [error["extensions"]["code"] for error in answer.json().get("errors", [])]
        self.outcomes.update(set(codes) or {"data"})
        if answer.status_code >= 500 or "INTERNAL_SERVER_ERROR" in codes:
            self.masked.append((caller, document))


@asynccontextmanager
async def a_demo(folder: Path) -> AsyncIterator[Demo]:
    seeding = start(folder, "seed", RESOLUTION_DATABASE_URL=f"sqlite://{folder / 'torture.sqlite3'}")
    assert (await asyncio.to_thread(ended, seeding, 4 * PATIENCE)).code == 0
    async with on_sqlite(folder) as cluster:
        [server] = cluster.servers
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as http:
            yield Demo(server, http)


def _headers(caller: str) -> dict[str, str]:
    who = CALLERS[caller]
    if who is None:
        return {}
    token = mint(SECRET, who.subject, name=who.name, scopes=who.scopes, ttl=timedelta(hours=1), now=datetime.now(UTC))
    return {"authorization": f"Bearer {token}"}
