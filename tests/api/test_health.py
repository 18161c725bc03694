"""Health and metrics: what an operator's machines ask, and that no label says who or what."""

from pathlib import Path

from tests.service import a_service


async def test_a_process_that_can_work_says_so(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        assert (await service.http.get("/health/live")).json() == {"status": "ok"}
        ready = await service.http.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json() == {"status": "ok", "checks": {"database": True, "tail": True, "ring": True}}


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
