"""Live: streams that miss and repeat nothing, on any socket, from any cursor; and the live dashboard."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from models.cursors import EventCursors
from tests.service import PATIENCE, Service, Socket, a_service

VIEWER_EVENTS = "subscription($after: String) { viewerEvents(after: $after) { cursor sequence kind order { id } } }"
ORDER_EVENTS = "subscription($id: ID!, $after: String) { orderEvents(orderId: $id, after: $after) { cursor sequence } }"


async def _stands(socket: Socket) -> None:
    """A subscription says nothing of its own; an answer on the same socket shows that it stands."""
    await (await socket.subscribe("{ viewer { name } }")).take(1)


async def _asked_and_withdrawn(service: Service, order_id: str, times: int) -> None:
    for _ in range(times):
        request = await service.do("ada", "requestOrderUpdate", orderId=order_id, explanation="How is it?")
        await service.do("ada", "withdrawRequest", requestId=request["id"])


async def test_who_drops_and_resumes_at_its_cursor_sees_each_event_once(tmp_path: Path) -> None:
    chance = random.Random(1)
    async with a_service(tmp_path) as service:
        cursor = (await service.ask("ada", "{ eventCursor }"))["eventCursor"]
        order_id = await service.started()
        writing = asyncio.create_task(_asked_and_withdrawn(service, order_id, 20))
        seen: list[int] = []
        async with asyncio.timeout(6 * PATIENCE):
            while len(seen) < 42:
                async with service.socket("ada") as socket:
                    watching = await socket.subscribe(VIEWER_EVENTS, after=cursor)
                    for data in await watching.take(min(chance.randint(1, 5), 42 - len(seen))):
                        seen.append(data["viewerEvents"]["sequence"])
                        cursor = data["viewerEvents"]["cursor"]
        await writing
    assert seen == list(range(1, 43))


async def test_a_cursor_is_good_wherever_it_came_from(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        document = """query($id: ID!) { eventCursor
            order(id: $id) { events(first: 1) { edges { cursor node { cursor } } } }
            viewerEvents(last: 1) { pageInfo { endCursor } } }"""
        found = await service.ask("ada", document, id=order_id)
        [edge] = found["order"]["events"]["edges"]
        assert edge["cursor"] == edge["node"]["cursor"]
        assert found["eventCursor"] == found["viewerEvents"]["pageInfo"]["endCursor"]
        async with service.socket("ada") as socket:
            one = await socket.subscribe(ORDER_EVENTS, id=order_id, after=edge["cursor"])
            assert [data["orderEvents"]["sequence"] for data in await one.take(1)] == [2]
            all_of_them = await socket.subscribe(VIEWER_EVENTS, after=edge["cursor"])
            assert [data["viewerEvents"]["sequence"] for data in await all_of_them.take(1)] == [2]
            none = await socket.subscribe(ORDER_EVENTS, id=order_id, after=found["eventCursor"])
            await _stands(socket)
            await service.do("farid", "deliverOrder", orderId=order_id, message="Here it is.")
            assert [data["orderEvents"]["sequence"] for data in await none.take(1)] == [3]
        page = "query($after: String) { viewerEvents(after: $after) { nodes { sequence } } }"
        rest = await service.ask("ada", page, after=edge["cursor"])
        assert [node["sequence"] for node in rest["viewerEvents"]["nodes"]] == [2, 3]


async def test_a_cursor_that_this_database_never_gave_is_refused(tmp_path: Path) -> None:
    elsewhere = EventCursors(b"another database").write(1)
    async with a_service(tmp_path) as service:
        order_id = await service.place()
        service_cursor = (await service.ask("ada", "{ eventCursor }"))["eventCursor"]
        for cursor in ("", "garbage", elsewhere, service_cursor[:-1], "A" * 22):
            async with service.socket("ada") as socket:
                assert await (await socket.subscribe(VIEWER_EVENTS, after=cursor)).error() == "CURSOR_INVALID"
                on_order = await socket.subscribe(ORDER_EVENTS, id=order_id, after=cursor)
                assert await on_order.error() == "CURSOR_INVALID"
                await _stands(socket)
            page = "query($after: String) { viewerEvents(after: $after) { nodes { sequence } } }"
            assert await service.error("ada", page, after=cursor) == "CURSOR_INVALID"


async def test_without_a_cursor_only_what_happens_from_then_on(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        async with service.socket("ada") as socket:
            watching = await socket.subscribe(VIEWER_EVENTS)
            await _stands(socket)
            await service.do("farid", "deliverOrder", orderId=order_id, message="Here it is.")
            [data] = await watching.take(1)
    assert (data["viewerEvents"]["sequence"], data["viewerEvents"]["kind"]) == (3, "ORDER_DELIVERED")


async def test_who_asks_where_the_log_stands_beside_the_state_loses_nothing_in_between(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        document = "query($id: ID!) { order(id: $id) { version } eventCursor }"
        writing = asyncio.create_task(_asked_and_withdrawn(service, order_id, 5))
        await asyncio.sleep(0.02)
        found = await service.ask("ada", document, id=order_id)
        await writing
        async with service.socket("ada") as socket:
            watching = await socket.subscribe(ORDER_EVENTS, id=order_id, after=found["eventCursor"])
            first = (await watching.take(1))[0]["orderEvents"]["sequence"]
    assert first <= found["order"]["version"] + 1


async def test_a_strangers_order_has_no_stream(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.place()
        async with service.socket("bela") as socket:
            assert await (await socket.subscribe(ORDER_EVENTS, id=order_id)).error() == "NOT_FOUND"
        async with service.socket(None) as socket:
            assert await (await socket.subscribe(ORDER_EVENTS, id=order_id)).error() == "UNAUTHENTICATED"
            assert await (await socket.subscribe("subscription { dashboard { at } }")).error() == "UNAUTHENTICATED"


async def test_a_dashboard_shows_a_snapshot_at_once_and_then_each_change(tmp_path: Path) -> None:
    query = "subscription { dashboard { awaitingMe ordersByStatus { status count } } }"
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        async with service.socket("ada") as socket:
            watching = await socket.subscribe(query)
            [first] = await watching.take(1)
            assert first["dashboard"]["awaitingMe"] == 0
            await service.offer(order_id)
            [second] = await watching.take(1)
            assert second["dashboard"]["awaitingMe"] == 1


async def test_a_dashboard_moves_when_time_alone_makes_an_order_late(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        await service.started(deliveryDays=1)
        service.clock.later(timedelta(days=1) - timedelta(seconds=0.5))
        async with service.socket("farid") as socket:
            watching = await socket.subscribe("subscription { dashboard { lateOrders at } }")
            [first] = await watching.take(1)
            assert first["dashboard"]["lateOrders"] == 0
            service.clock.later(timedelta(seconds=1))
            [second] = await watching.take(1)
            assert second["dashboard"]["lateOrders"] == 1


async def test_a_socket_is_closed_when_its_token_expires(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        token = service.token("ada", ttl=timedelta(seconds=1))
        async with service.socket("ada", token=token) as socket:
            await socket.subscribe(VIEWER_EVENTS)
            with pytest.raises(ConnectionClosed) as closed:
                await socket.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403


async def test_nothing_comes_from_a_stream_whose_token_has_expired(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        async with service.socket("ada", token=service.token("ada", ttl=timedelta(hours=1))) as socket:
            watching = await socket.subscribe(VIEWER_EVENTS)
            await _stands(socket)
            service.clock.later(timedelta(hours=1))
            await service.do("farid", "deliverOrder", orderId=order_id, message="Here it is.")
            assert await watching.error() == "UNAUTHENTICATED"


async def test_a_token_that_is_not_valid_closes_the_socket_with_a_code_that_clients_retry(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        with pytest.raises(ConnectionClosed) as closed:
            async with service.socket("ada", token="garbage"):
                pass
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403


async def test_whoever_leaves_takes_nothing_along(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        async with service.socket("ada") as socket:
            watching = await socket.subscribe(VIEWER_EVENTS)
            await _stands(socket)
            assert await _streams(service) == 1
            await watching.stop()
            await _until_streams(service, 0)
            await socket.subscribe(VIEWER_EVENTS)
            await _stands(socket)
            socket.connection.transport.abort()
        await _until_streams(service, 0)


async def test_a_reader_that_stops_reading_costs_the_others_nothing(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        async with service.socket("farid") as slow, service.socket("ada") as quick:
            lagging = await slow.subscribe(VIEWER_EVENTS)
            watching = await quick.subscribe(VIEWER_EVENTS)
            await _stands(slow)
            await _stands(quick)
            slow.connection.transport.pause_reading()
            await _asked_and_withdrawn(service, order_id, 30)
            seen = [data["viewerEvents"]["sequence"] for data in await watching.take(60)]
            assert seen == list(range(3, 63))
            slow.connection.transport.resume_reading()
            late = [data["viewerEvents"]["sequence"] for data in await lagging.take(60)]
            assert late == seen


async def _streams(service: Service) -> int:
    text = (await service.http.get("/metrics")).text
    return int(float(next(line for line in text.splitlines() if line.startswith("resolution_open_streams")).split()[1]))


async def _until_streams(service: Service, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await _streams(service) != number:  # noqa: ASYNC110 - asked from outside
            await asyncio.sleep(0.02)
