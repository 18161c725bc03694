"""Live: streams that miss and repeat nothing, on any socket, from any cursor; and the live dashboard."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from websockets.exceptions import ConnectionClosed

from api.context import Context
from api.ids import Kind, uuid_of
from api.resolvers import things
from models.cursors import EventCursors
from models.event import EventRow
from models.order import OrderRow
from subscriptions.tail import INBOX, Inbox
from tests.database import HandClock, a_burst
from tests.listening import the_log
from tests.service import PATIENCE, Service, Socket, Watching, a_service

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


FIGURES = """subscription { dashboard { at awaitingMe deadlinesNear lateOrders openSupportCases
    ordersByStatus { status count } pendingRequestsByKind { kind count } } }"""


class RunningClock(HandClock):
    """Runs as time does, from the instant that it was set to."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self._started = time.monotonic()

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self._started)


async def _snapshot(watching: Watching) -> dict[str, Any]:
    [data] = await watching.take(1)
    found: dict[str, Any] = data["dashboard"]
    return found


async def _nothing_more(watching: Watching, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await watching.take(1)


async def test_a_dashboard_shows_a_snapshot_at_once_and_then_each_change_of_a_figure(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        async with service.socket("ada") as socket:
            watching = await socket.subscribe(FIGURES)
            first = await _snapshot(watching)
            assert (first["awaitingMe"], first["pendingRequestsByKind"][0]["count"]) == (0, 0)
            await service.offer(order_id)
            second = await _snapshot(watching)
            assert (second["awaitingMe"], second["pendingRequestsByKind"][0]["count"]) == (1, 1)
            await service.do("ada", "contactSupport", orderId=order_id, message="We can't agree.")
            assert (await _snapshot(watching))["openSupportCases"] == 1


async def test_a_dashboard_is_silent_while_no_figure_changes(tmp_path: Path) -> None:
    clock = RunningClock(datetime.now(UTC))
    async with a_service(tmp_path, clock=clock, RESOLUTION_TAIL_POLL_SECONDS="0.05") as service:
        order_id = await service.started()
        async with service.socket("ada") as socket:
            watching = await socket.subscribe(FIGURES)
            first = await _snapshot(watching)
            # Something happens, and leaves every figure but the time as it was; and to others happens a lot.
            await _written(order_id, 1)
            await service.started("R-2", clientSubject="bela")
            await _nothing_more(watching, 1.5)
            assert (await service.ask("ada", "{ dashboard { at } }"))["dashboard"]["at"] > first["at"]


async def test_a_dashboard_shows_at_most_one_snapshot_a_second_and_the_last_state_always(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with a_service(tmp_path) as service, service.socket("bazaar") as socket:
        watching = await socket.subscribe(FIGURES)
        await _snapshot(watching)
        instants = [loop.time()]
        writing = asyncio.create_task(_placed(service, 25))
        count = 0
        while count < 25:
            count = (await _snapshot(watching))["ordersByStatus"][0]["count"]
            instants.append(loop.time())
        await writing
        await _nothing_more(watching, 1.2)
    assert 2 <= len(instants) <= 2 + (instants[-1] - instants[0])
    # One may have been under way for longer than the next.
    assert all(later - sooner > 0.5 for sooner, later in pairwise(instants)), instants


async def _placed(service: Service, number: int) -> None:
    for place in range(number):
        await service.place(f"R-{place}")
        await asyncio.sleep(0.05)


async def test_a_dashboard_moves_when_time_alone_makes_an_order_late_or_a_deadline_near(tmp_path: Path) -> None:
    clock = RunningClock(datetime.now(UTC))
    async with a_service(tmp_path, clock=clock) as service:
        order_id = await service.started(deliveryDays=2)
        await service.do("ada", "requestOrderUpdate", orderId=order_id, explanation="How is it?")
        # The question waits for 48 hours, and is near 4 hours before their end.
        async with service.socket("farid") as socket:
            clock.later(timedelta(hours=44) - timedelta(seconds=1))
            watching = await socket.subscribe(FIGURES)
            first = await _snapshot(watching)
            assert (first["deadlinesNear"], first["lateOrders"]) == (0, 0)
            assert (await _snapshot(watching))["deadlinesNear"] == 1
    async with a_service(tmp_path, clock=clock) as service:
        await service.started(deliveryDays=1)
        async with service.socket("sol") as socket:
            clock.later(timedelta(days=1) - timedelta(seconds=1))
            watching = await socket.subscribe(FIGURES)
            assert (await _snapshot(watching))["lateOrders"] == 0
            assert (await _snapshot(watching))["lateOrders"] == 1


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


async def test_two_streams_a_dashboard_and_queries_share_one_socket(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        one, other = await service.started("A"), await service.started("B")
        async with service.socket("ada") as socket:
            of_one = await socket.subscribe(ORDER_EVENTS, id=one)
            of_all = await socket.subscribe(VIEWER_EVENTS)
            figures = await socket.subscribe(FIGURES)
            assert (await _snapshot(figures))["awaitingMe"] == 0
            for order_id in (other, one):
                await service.offer(order_id)
                query = "query($id: ID!) { order(id: $id) { version } }"
                [answer] = await (await socket.subscribe(query, id=order_id)).take(1)
                assert answer["order"]["version"] == 3
            assert [data["viewerEvents"]["order"]["id"] for data in await of_all.take(2)] == [other, one]
            assert [data["orderEvents"]["sequence"] for data in await of_one.take(1)] == [3]
            assert (await _snapshot(figures))["awaitingMe"] > 0
            # The end of one is not the end of the others.
            await of_one.stop()
            await _until_streams(service, 2)
            await service.do("ada", "requestOrderUpdate", orderId=one, explanation="How is it?")
            assert [data["viewerEvents"]["sequence"] for data in await of_all.take(1)] == [4]


LONG_EVENTS = "subscription { viewerEvents { sequence a: message b: message c: message d: message } }"
LONG = "Ring the bell. " * 166


async def test_a_reader_that_stops_reading_costs_the_others_nothing_and_catches_up_from_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, most, overflowed, put = 2_000, 0, set[Inbox](), Inbox.put

    def watched(inbox: Inbox, row: EventRow) -> None:
        nonlocal most
        put(inbox, row)
        most = max(most, len(inbox._rows))
        if inbox.overflowed:
            overflowed.add(inbox)

    monkeypatch.setattr(Inbox, "put", watched)
    async with a_service(tmp_path, RESOLUTION_TAIL_POLL_SECONDS="0.05") as service:
        order_id = await service.started()
        # Twenty megabytes are for the slow one: more than what lies between two sockets holds.
        async with service.socket("farid", compressed=False) as slow, service.socket("ada") as quick:
            lagging = await slow.subscribe(LONG_EVENTS)
            watching = await quick.subscribe("subscription { viewerEvents { sequence } }")
            await _stands(slow)
            await _stands(quick)
            slow.connection.transport.pause_reading()
            seen: list[int] = []
            for _ in range(number // 100):
                await _written(order_id, 100)
                async with asyncio.timeout(PATIENCE):
                    seen += [data["viewerEvents"]["sequence"] for data in await watching.take(100)]
            assert seen == list(range(3, number + 3))
            assert len(overflowed) == 1, "the slow reader's inbox overflows, and nobody else's"
            assert most <= INBOX
            slow.connection.transport.resume_reading()
            late = [data["viewerEvents"]["sequence"] for data in await lagging.take(number)]
            assert late == seen
            # And it is among the others again.
            await service.do("farid", "deliverOrder", orderId=order_id, message="Here it is.")
            assert (await lagging.take(1))[0]["viewerEvents"]["a"] == "Here it is."


async def test_whoever_leaves_in_the_middle_of_a_sentence_takes_nothing_along_either(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_TAIL_POLL_SECONDS="0.05") as service:
        order_id = await service.started()
        with the_log() as log:
            async with service.socket("ada", compressed=False) as socket:
                await socket.subscribe(LONG_EVENTS)
                await _stands(socket)
                socket.connection.transport.pause_reading()
                await _written(order_id, 1_000)
                await asyncio.sleep(0.5)
                assert await _streams(service) == 1
                socket.connection.transport.abort()
            await _until_streams(service, 0)
    assert "error" not in log.getvalue()


async def _written(order_id: str, number: int) -> None:
    """So many long events; the tail is not told, and polls."""
    found = uuid_of(Kind.ORDER, order_id)
    assert found
    await a_burst(found, number, LONG)


async def _streams(service: Service) -> int:
    text = (await service.http.get("/metrics")).text
    return int(float(next(line for line in text.splitlines() if line.startswith("resolution_open_streams")).split()[1]))


async def _until_streams(service: Service, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await _streams(service) != number:  # noqa: ASYNC110 - asked from outside
            await asyncio.sleep(0.02)


async def test_what_happens_while_a_stream_is_still_beginning_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, may_go_on = asyncio.Event(), asyncio.Event()

    async def slowly(context: Context, order_id: UUID) -> OrderRow | None:
        asked.set()
        await may_go_on.wait()
        return await things.order(context, order_id)

    async with a_service(tmp_path) as service, service.socket("ada") as socket:
        order_id = await service.started()
        monkeypatch.setattr("api.resolvers.live.visible_order", slowly)
        watching = await socket.subscribe(
            "subscription($id: ID!) { orderEvents(orderId: $id) { sequence kind } }", id=order_id
        )
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
        await service.offer(order_id)
        may_go_on.set()
        [data] = await watching.take(1)
        assert data["orderEvents"] == {"sequence": 3, "kind": "REQUEST_OPENED"}
