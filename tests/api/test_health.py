"""Health and metrics: what an operator's machines ask, and that no label says who or what."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.health import GREATEST_LAG
from api.ids import Kind, uuid_of
from models import EventRow, RefundRow
from models.database import connection
from subscriptions import doorbell
from subscriptions.tail import NAP
from tests.database import a_burst
from tests.proxy import Proxy
from tests.servers import (
    POOL,
    a_migrated_database,
    a_redis,
    needs_postgres,
    needs_redis_server,
    servers,
    talking_to,
    through,
)
from tests.service import PATIENCE, Service, a_service
from workers.refunds import Payout

FINE = {"database": True, "migrations": True, "tail": True, "ring": True}


async def test_a_process_that_can_work_says_so(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        assert (await service.http.get("/health/live")).json() == {"status": "ok"}
        ready = await service.http.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json() == {"status": "ok", "checks": FINE}


async def test_metrics_count_operations_refusals_sockets_and_streams(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.place("SECRET-REFERENCE")
        await service.ask("ada", "query Mine { viewer { name } }")
        await service.ask("ada", "query Mine { viewer { subject } }")
        await service.post("ada", "query Broken { nothing }")
        await service.refused("farid", "deliverOrder", orderId=order_id, message="Here.")
        async with service.socket("ada") as socket:
            watching = await socket.subscribe("subscription { viewerEvents { kind } }")
            await service.do("ada", "submitRequirements", orderId=order_id)
            await watching.take(1)
            text = (await service.http.get("/metrics")).text
    assert 'resolution_operation_seconds_count{operation="Mine",outcome="ok"} 2.0' in text
    assert 'resolution_operation_seconds_count{operation="Broken",outcome="error"} 1.0' in text
    assert 'resolution_refusals_total{code="ORDER_STATUS"} 1.0' in text
    assert "resolution_open_sockets 1.0" in text
    assert "resolution_open_streams 1.0" in text
    assert "resolution_overdue_deadlines 0.0" in text
    assert "resolution_tail_lag_events 0.0" in text
    for private in (order_id, "SECRET-REFERENCE", "ada", "farid"):
        assert private not in text


async def test_an_operation_name_can_not_fill_the_memory(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        for number in range(110):
            await service.post("ada", f"query Q{number} {{ viewerScopes }}")
        await service.post("ada", f"query {'Q' * 65} {{ viewerScopes }}")
        text = (await service.http.get("/metrics")).text
    assert text.count("resolution_operation_seconds_count{") == 101
    assert 'operation="other",outcome="ok"} 11.0' in text


# ---------------------------------------------------------------- what is amiss is said


async def _ready(service: Service) -> tuple[int, str, list[str]]:
    """The answer's status, what it says, and which checks fail."""
    answer = await service.http.get("/health/ready")
    said = answer.json()
    assert said["checks"].keys() == FINE.keys()
    return answer.status_code, said["status"], [name for name, fine in said["checks"].items() if not fine]


async def _until_ready_is(service: Service, *wanted: tuple[int, str, list[str]]) -> None:
    async with asyncio.timeout(6 * PATIENCE):
        while await _ready(service) not in wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


ALL_IS_WELL: tuple[int, str, list[str]] = (200, "ok", [])


async def test_a_tail_that_lags_is_said_until_it_has_caught_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_service(tmp_path, RESOLUTION_TAIL_POLL_SECONDS="60") as service:
        order_id = uuid_of(Kind.ORDER, await service.started())
        assert order_id
        # Nobody listens: the tail looks once more, soon.
        await asyncio.sleep(2 * NAP)
        await _until_ready_is(service, ALL_IS_WELL)
        # Behind the back of the doorbell: nobody is rung.
        await a_burst(order_id, GREATEST_LAG)
        assert await _ready(service) == ALL_IS_WELL
        await a_burst(order_id, 1)
        assert await _ready(service) == (200, "degraded", ["tail"])
        assert f"resolution_tail_lag_events {GREATEST_LAG + 1}.0" in (await service.http.get("/metrics")).text
        await service.place("rings")
        await _until_ready_is(service, ALL_IS_WELL)


async def test_a_database_that_lacks_migrations_is_down_and_one_that_has_more_is_not(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        await _until_ready_is(service, ALL_IS_WELL)
        db = connection()
        await db.execute_query(
            "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('models', '9999_later', CURRENT_TIMESTAMP)"
        )
        assert await _ready(service) == ALL_IS_WELL
        await db.execute_query("DELETE FROM tortoise_migrations WHERE name = '0001_initial'")
        assert await _ready(service) == (503, "down", ["migrations", "tail"])
        await db.execute_query("ALTER TABLE tortoise_migrations RENAME TO elsewhere")
        assert await _ready(service) == (503, "down", ["migrations", "tail"])
        # Whoever asks only whether the process lives need not restart it.
        assert (await service.http.get("/health/live")).status_code == 200


@needs_redis_server
async def test_a_ring_that_is_away_is_degraded_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"PROBE_EVERY": 0.05, "PATIENCE": 0.5, "FIRST_PAUSE": 0.01, "LONGEST_PAUSE": 0.1}.items():
        monkeypatch.setattr(doorbell, name, seconds)
    async with a_redis(tmp_path) as redis, a_service(tmp_path, RESOLUTION_BROADCAST_URL=redis.url) as service:
        await _until_ready_is(service, ALL_IS_WELL)
        await redis.kill()
        await _until_ready_is(service, (200, "degraded", ["ring"]))
        # Everything else goes on.
        await service.started()
        text = (await service.http.get("/metrics")).text
        assert "resolution_ring_works 0.0" in text
        await redis.start()
        await _until_ready_is(service, ALL_IS_WELL)
        text = (await service.http.get("/metrics")).text
        assert "resolution_ring_works 1.0" in text
        assert "resolution_ring_rebuilds_total 0.0" not in text


@needs_postgres
async def test_a_database_that_is_away_is_down_and_the_process_recovers_by_itself(tmp_path: Path) -> None:
    async with a_migrated_database() as own, Proxy.before(own) as proxy:
        given = {"RESOLUTION_DATABASE_URL": through(own, proxy.port), "RESOLUTION_DATABASE_POOL_SIZE": POOL}
        async with servers(tmp_path, 1, given) as (server,), talking_to(server) as service:
            order_id = await service.started()
            for gone in (proxy.paused(), proxy.away()):
                await _until_ready_is(service, ALL_IS_WELL)
                async with gone:
                    down = (503, "down", ["database", "migrations", "tail"])
                    await _until_ready_is(service, down, (503, "down", [*down[2], "ring"]))
                    assert (await service.http.get("/health/live")).json() == {"status": "ok"}
                    text = (await service.http.get("/metrics")).text
                    assert "resolution_database_works 0.0" in text
                    assert "resolution_overdue_deadlines" not in text
            await _until_ready_is(service, ALL_IS_WELL)
            await service.do("farid", "deliverOrder", orderId=order_id, message="Here it is.")


# ---------------------------------------------------------------- no label says who or what


async def test_no_label_carries_an_id_or_a_text_after_a_whole_order(tmp_path: Path) -> None:
    words = {
        "title": "An emblem of bread",
        "message": "Here is what I drew.",
        "explanation": "The second draft came late.",
    }
    async with a_service(tmp_path) as service:
        order_id = await service.started("REF-4711", title=words["title"])
        request_id = await service.offer(order_id, "19.99", explanation=words["explanation"])
        await service.ask("ada", f"query Order_{order_id} {{ viewerScopes }}")
        await service.ask(
            "ada", "query Mine($id: ID!) { order(id: $id) { title events(first: 50) { nodes { id } } } }", id=order_id
        )
        await service.do("ada", "acceptRequest", requestId=request_id)
        await service.all_paid()
        await service.do("farid", "deliverOrder", orderId=order_id, message=words["message"])
        await service.refused("farid", "deliverOrder", orderId=order_id, message=words["message"])
        await service.do("ada", "acceptDelivery", orderId=order_id)
        await service.error("ada", 'query Wrong { order(id: "REF-4711") { nothing } }')
        text = (await service.http.get("/metrics")).text
        rows = await EventRow.all().values_list("order_id", "request_id", "client_id", "freelancer_id")
        refunds = await RefundRow.all().values_list("id", flat=True)
    labels = {label for line in text.splitlines() if not line.startswith("#") for label in re.findall(r'"(.*?)"', line)}
    known = {"ok", "error", "other", "anonymous", "Mine", "Wrong", "ORDER_STATUS"}
    assert {label for label in labels if not re.fullmatch(r"\+Inf|[\d.]+", label)} == known
    ids = {str(found) for row in rows for found in row if found} | {str(found) for found in refunds}
    assert len(ids) >= 5
    people = ("ada", "farid", "bazaar", "Ada", "Farid", "Bazaar")
    said = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for private in (*ids, *people, *words.values(), order_id, request_id, "REF-4711", "19.99", "DELIVERY_DELAYED"):
        assert private not in said


async def test_every_figure_moves(tmp_path: Path) -> None:
    async def figures(service: Service) -> dict[str, float]:
        text = (await service.http.get("/metrics")).text
        return {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if not line.startswith("#")}

    gateway_opens = asyncio.Event()

    class Slow:
        async def refund(self, payout: Payout) -> None:
            await gateway_opens.wait()

    settings: dict[str, Any] = {"RESOLUTION_SWEEP_INTERVAL_SECONDS": "3600", "RESOLUTION_TAIL_POLL_SECONDS": "60"}
    async with a_service(tmp_path, gateway=Slow(), **settings) as service:
        before = await figures(service)
        order_id = await service.started()
        request_id = await service.offer(order_id)
        await service.do("ada", "acceptRequest", requestId=request_id)
        await service.offer(await service.started("R-2"))
        uuid = uuid_of(Kind.ORDER, order_id)
        assert uuid
        async with service.socket("ada") as socket:
            await socket.subscribe("subscription { viewerEvents { kind } }")
            await (await socket.subscribe("query Mine { viewerScopes }")).take(1)
            await service.refused("ada", "acceptRequest", requestId=request_id)
            service.clock.later(timedelta(hours=49))
            await a_burst(uuid, 3)
            after = await figures(service)
        gateway_opens.set()
        await service.all_paid()
        await asyncio.sleep(0)
        settled = await figures(service)
    assert after["resolution_open_sockets"] == 1
    assert after["resolution_open_streams"] == 1
    assert after["resolution_tail_lag_events"] == 3
    assert after["resolution_overdue_deadlines"] == 1
    assert (before["resolution_pending_refunds"], after["resolution_pending_refunds"]) == (0, 1)
    assert settled["resolution_pending_refunds"] == 0
    assert after["resolution_database_works"] == after["resolution_ring_works"] == after["resolution_tail_works"] == 1
    assert 'resolution_refusals_total{code="REQUEST_SETTLED"}' in after
    assert 'resolution_operation_seconds_sum{operation="Mine",outcome="ok"}' in after
    assert "resolution_ring_rebuilds_total" in after
