"""The contract's lists: filters, sorting and counts."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models import reads
from models.event import EventRow
from tests.service import Service, a_service

ORDERS = """query($filter: OrderFilter, $orderBy: OrderSort, $first: Int, $after: String, $last: Int) {
    orders(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last) {
        totalCount nodes { reference } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
REQUESTS = """query($filter: ResolutionRequestFilter) { resolutionRequests(filter: $filter) {
    totalCount nodes { kind status } } }"""


async def _found(service: Service, subject: str, **variables: Any) -> list[str]:
    orders = (await service.ask(subject, ORDERS, **variables))["orders"]
    found = [node["reference"] for node in orders["nodes"]]
    assert orders["totalCount"] == len(found)
    return found


async def _world(service: Service) -> None:
    """A: awaiting requirements. B: late. C: with an offer of Farid's. D: Farid orders of Gita himself."""
    await service.place("A", title="Ein Ärmel, 100%_neu")
    await service.started("B", deliveryDays=1)
    offered = await service.started("C", title="Straße")
    await service.offer(offered)
    await service.place("D", clientSubject="farid", freelancerSubject="gita")
    service.clock.later(timedelta(days=1))


async def test_orders_are_filtered(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        await _world(service)
        for subject, wanted, references in (
            ("ada", {}, "CBA"),
            ("farid", {}, "DCBA"),
            ("sol", {}, "DCBA"),
            ("bazaar", {}, "DCBA"),
            ("bela", {}, ""),
            ("farid", {"role": "CLIENT"}, "D"),
            ("farid", {"role": "FREELANCER"}, "CBA"),
            ("farid", {"role": "SUPPORT"}, ""),
            ("ada", {"status": ["AWAITING_REQUIREMENTS"]}, "A"),
            ("ada", {"status": ["AWAITING_REQUIREMENTS", "IN_PROGRESS"]}, "CBA"),
            ("ada", {"status": []}, ""),
            ("ada", {"awaitingMe": True}, "C"),
            ("farid", {"awaitingMe": True}, ""),
            ("ada", {"awaitingMe": False}, "BA"),
            ("sol", {"awaitingMe": True}, ""),
            ("ada", {"late": True}, "B"),
            ("ada", {"late": False}, "CA"),
            ("ada", {"search": "äRMEL"}, "A"),
            ("ada", {"search": "STRASSE"}, "C"),
            ("ada", {"search": "0%_n"}, "A"),
            ("ada", {"search": "%"}, "A"),
            ("ada", {"search": "_"}, "A"),
            ("ada", {"search": "\\"}, ""),
            ("ada", {"reference": "B"}, "B"),
            ("ada", {"reference": "D"}, ""),
            ("ada", {"reference": "b"}, ""),
        ):
            assert await _found(service, subject, filter=wanted) == list(references), (subject, wanted)


async def test_orders_are_sorted_and_those_without_a_due_date_are_latest(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        await service.place("A", price="30.00")
        await service.started("B", price="20.00", deliveryDays=2)
        await service.started("C", price="20", currency="JPY", deliveryDays=1)
        await service.started("D", price="19.999", currency="KWD", deliveryDays=2)
        for field, references in (("CREATED_AT", "ABCD"), ("DELIVERY_DUE_AT", "CBDA"), ("PRICE", "DBCA")):
            rising = await _found(service, "ada", orderBy={"field": field, "direction": "ASC"})
            assert rising == list(references), field
            falling = await _found(service, "ada", orderBy={"field": field, "direction": "DESC"})
            assert falling == list(references)[::-1], field


async def test_pages_lead_through_the_whole_list_and_back(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        for letter in "ABCDE":
            await service.place(letter)
        first = (await service.ask("ada", ORDERS, first=2))["orders"]
        assert [node["reference"] for node in first["nodes"]] == ["E", "D"]
        assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (5, True)
        second = (await service.ask("ada", ORDERS, first=3, after=first["pageInfo"]["endCursor"]))["orders"]
        assert [node["reference"] for node in second["nodes"]] == ["C", "B", "A"]
        assert not second["pageInfo"]["hasNextPage"]
        last = (await service.ask("ada", ORDERS, last=2))["orders"]
        assert [node["reference"] for node in last["nodes"]] == ["B", "A"]
        assert last["pageInfo"]["hasPreviousPage"]


async def test_requests_and_support_cases_are_filtered(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        await service.offer(order_id)
        request = await service.do("ada", "requestOrderUpdate", orderId=order_id, explanation="How is it?")
        await service.do("farid", "answerOrderUpdate", requestId=request["id"], answer="Fine.")
        case = await service.do("ada", "contactSupport", orderId=order_id, message="We can't agree.")
        for subject, wanted, kinds in (
            ("ada", {}, ["ORDER_UPDATE", "PARTIAL_REFUND"]),
            ("ada", {"kind": ["PARTIAL_REFUND"]}, ["PARTIAL_REFUND"]),
            ("ada", {"status": ["ANSWERED"]}, ["ORDER_UPDATE"]),
            ("ada", {"awaitingMe": True}, ["PARTIAL_REFUND"]),
            ("ada", {"awaitingMe": False}, ["ORDER_UPDATE"]),
            ("farid", {"awaitingMe": True}, []),
            ("farid", {"role": "CLIENT"}, []),
            ("sol", {"kind": ["ORDER_UPDATE"], "status": ["ANSWERED"]}, ["ORDER_UPDATE"]),
        ):
            found = (await service.ask(subject, REQUESTS, filter=wanted))["resolutionRequests"]
            assert [node["kind"] for node in found["nodes"]] == kinds, (subject, wanted)
            assert found["totalCount"] == len(kinds)
        query = "query($status: SupportCaseStatus) { supportCases(status: $status) { totalCount nodes { id } } }"
        for status, number in (("OPEN", 1), ("RESOLVED", 0), (None, 1)):
            assert (await service.ask("sol", query, status=status))["supportCases"]["totalCount"] == number
        await service.do("sol", "decideSupportCase", caseId=case["id"], decision="CONTINUE_ORDER", message="Go on.")
        assert (await service.ask("ada", query, status="RESOLVED"))["supportCases"]["totalCount"] == 1


@pytest.mark.parametrize("given", [{"first": 0}, {"first": -1}, {"first": 101}, {"last": 0}, {"first": 1, "last": 1}])
async def test_pages_that_can_not_be_are_refused(tmp_path: Path, given: dict[str, int]) -> None:
    async with a_service(tmp_path) as service:
        assert await service.error("ada", ORDERS, **given) == "BAD_USER_INPUT"


async def test_a_cursor_of_another_list_is_refused(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        await service.place()
        cursor = (await service.ask("ada", ORDERS, first=1))["orders"]["pageInfo"]["endCursor"]
        by_price = {"field": "PRICE", "direction": "ASC"}
        assert await service.error("ada", ORDERS, after=cursor, orderBy=by_price) == "CURSOR_INVALID"
        query = "query($after: String) { resolutionRequests(after: $after) { totalCount } }"
        for foreign in (cursor, "garbage", ""):
            assert await service.error("ada", query, after=foreign) == "CURSOR_INVALID"


SORTED = """query($orderBy: OrderSort, $first: Int, $after: String, $last: Int, $before: String) {
    orders(orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { reference } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


async def _walked(service: Service, subject: str, order_by: dict[str, str], size: int, *, backward: bool) -> list[str]:
    """All references, page by page, in the list's order."""
    found: list[str] = []
    cursor = None
    while True:
        window = {"last": size, "before": cursor} if backward else {"first": size, "after": cursor}
        page = (await service.ask(subject, SORTED, orderBy=order_by, **window))["orders"]
        edges, info = page["edges"], page["pageInfo"]
        assert [info["startCursor"], info["endCursor"]] == [edges[0]["cursor"], edges[-1]["cursor"]]
        # What lies on the side that the walk came from is known as soon as there is a cursor of it.
        assert info["hasNextPage" if backward else "hasPreviousPage"] == (cursor is not None)
        references = [edge["node"]["reference"] for edge in edges]
        found = references + found if backward else found + references
        if not info["hasPreviousPage" if backward else "hasNextPage"]:
            return found
        assert len(edges) == size
        cursor = info["startCursor" if backward else "endCursor"]


async def test_orders_of_one_age_price_and_due_date_are_each_met_once_from_both_ends(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        # Farid delivers three and has ordered three himself: two parts of one list, in turn.
        for number, sides in enumerate(({}, {"clientSubject": "farid", "freelancerSubject": "gita"}) * 3):
            await service.started(f"{number}", **sides)
        for field in ("CREATED_AT", "DELIVERY_DUE_AT", "PRICE"):
            for direction, expected in (("ASC", list("012345")), ("DESC", list("543210"))):
                order_by = {"field": field, "direction": direction}
                for subject, size in (("farid", 1), ("farid", 4), ("sol", 2), ("bazaar", 2)):
                    for backward in (False, True):
                        found = await _walked(service, subject, order_by, size, backward=backward)
                        assert found == expected, (field, direction, subject, size, backward)


async def test_a_list_is_empty_without_cursors_where_there_is_nothing(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        page = (await service.ask("bela", ORDERS, first=1))["orders"]
    info = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert page == {"totalCount": 0, "nodes": [], "pageInfo": info}


async def test_a_title_is_found_in_any_case_and_its_signs_are_no_wildcards(tmp_path: Path) -> None:
    titles = {
        "1": "İstanbul",
        "2": "GROSSE Fuge",
        "3": "große fuge",
        "4": "back\\slash",
        "5": "50% off",
        "6": "50 _off",
    }
    async with a_service(tmp_path) as service:
        for reference, title in titles.items():
            await service.place(f"R-{reference}", title=title)
        for search, references in (
            ("istanbul", ""),
            ("i\u0307stanbul", "1"),
            ("İSTAN", "1"),
            ("groSSe", "32"),
            ("GROẞE", "32"),
            ("k\\s", "4"),
            ("\\", "4"),
            ("0%", "5"),
            ("50%off", ""),
            ("_o", "6"),
            ("5__", ""),
            ("'", ""),
            ("r-5", "5"),
            ("   ", "654321"),
        ):
            found = [name.removeprefix("R-") for name in await _found(service, "ada", filter={"search": search})]
            assert found == list(references), search


async def test_an_order_at_support_is_late_only_if_it_was_before(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        early, late = await service.started("EARLY", deliveryDays=2), await service.started("LATE", deliveryDays=1)
        service.clock.later(timedelta(days=1))
        for order_id in (early, late):
            await service.do("ada", "contactSupport", orderId=order_id, message="We can't agree.")
        service.clock.later(timedelta(days=3))
        assert await _found(service, "ada", filter={"late": True}) == ["LATE"]
        assert await _found(service, "ada", filter={"late": False}) == ["EARLY"]
        shown = await service.ask("ada", "{ orders { nodes { reference isLate } } dashboard { lateOrders } }")
    assert {node["reference"]: node["isLate"] for node in shown["orders"]["nodes"]} == {"EARLY": False, "LATE": True}
    assert shown["dashboard"]["lateOrders"] == 1


async def test_lists_inside_a_list_have_pages_of_their_own(tmp_path: Path) -> None:
    query = """query($after: String, $before: String) { orders { nodes { reference
        from: events(first: 2, after: $after) { ...page } to: events(last: 2, before: $before) { ...page }
        between: events(first: 1, after: $after, before: $before) { ...page }
        resolutionCenter { first: requests(first: 1) { ...asked } last: requests(last: 2) { ...asked } } } } }
        fragment page on OrderEventConnection { totalCount nodes { sequence } edges { cursor node { cursor } }
            pageInfo { hasNextPage hasPreviousPage } }
        fragment asked on ResolutionRequestConnection { totalCount nodes { kind } pageInfo { hasNextPage hasPreviousPage
            startCursor } }"""
    async with a_service(tmp_path) as service:
        ids = [await service.started("A"), await service.started("B")]
        for order_id in ids:
            await service.do("ada", "requestOrderUpdate", orderId=order_id, explanation="How is it?")
            await service.offer(order_id)
            await service.do("farid", "requestDeliveryExtension", orderId=order_id, days=2, explanation="Rain.")
        events = (await service.ask("ada", "{ viewerEvents { nodes { cursor } } }"))["viewerEvents"]["nodes"]
        # The log: A1 A2 B1 B2, then A3 A4 A5, then B3 B4 B5.
        data = await service.ask("ada", query, after=events[3]["cursor"], before=events[8]["cursor"])
        b, a = data["orders"]["nodes"]
        assert [_sequences(order[part]) for order in (a, b) for part in ("from", "to", "between")] == [
            ([3, 4], True, True),
            ([4, 5], True, True),
            ([3], True, True),
            ([3, 4], True, True),
            ([2, 3], True, True),
            ([3], False, True),
        ]
        for order in (a, b):
            assert order["from"]["totalCount"] == 5
            assert all(edge["cursor"] == edge["node"]["cursor"] for edge in order["from"]["edges"])
            first, last = order["resolutionCenter"]["first"], order["resolutionCenter"]["last"]
            assert first["totalCount"] == 3
            assert [node["kind"] for node in first["nodes"]] == ["ORDER_UPDATE"]
            assert [node["kind"] for node in last["nodes"]] == ["PARTIAL_REFUND", "DELIVERY_EXTENSION"]
            assert (first["pageInfo"]["hasNextPage"], last["pageInfo"]["hasPreviousPage"]) == (True, True)
        # A cursor of A's requests is good there, and no cursor of B's.
        cursor = a["resolutionCenter"]["first"]["pageInfo"]["startCursor"]
        rest = "resolutionCenter { requests(after: $c) { nodes { kind } } }"
        beyond = f"query($c: String) {{ orders {{ nodes {{ {rest} }} }} }}"
        answer = await service.post("ada", beyond, c=cursor)
        [error] = answer["errors"]
        assert (error["path"][:3], error["extensions"]["code"]) == (["orders", "nodes", 0], "CURSOR_INVALID")
        one = f"query($id: ID!, $c: String) {{ order(id: $id) {{ {rest} }} }}"
        order = (await service.ask("ada", one, id=ids[0], c=cursor))["order"]
        assert [node["kind"] for node in order["resolutionCenter"]["requests"]["nodes"]] == [
            "PARTIAL_REFUND",
            "DELIVERY_EXTENSION",
        ]


def _sequences(page: Any) -> tuple[list[int], bool, bool]:
    info = page["pageInfo"]
    return [node["sequence"] for node in page["nodes"]], info["hasNextPage"], info["hasPreviousPage"]


async def test_who_polls_events_misses_none_that_came_while_a_page_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "query($after: String) { viewerEvents(after: $after) { edges { cursor node { order { reference } } } } }"
    async with a_service(tmp_path) as service:
        # Farid's events are two parts of the log, read one after the other: what he ordered, and what he delivers.
        async def read_slowly(queries: reads.EventQueries, *given: Any, **named: Any) -> list[EventRow]:
            rows = await read(queries[:1], *given, **named)
            await service.place("ORDERED", clientSubject="farid", freelancerSubject="gita")
            await service.place("DELIVERS")
            return rows + await read(queries[1:], *given, **named)

        read = reads.events_between
        cursor = (await service.ask("farid", "{ eventCursor }"))["eventCursor"]
        with monkeypatch.context() as patch:
            patch.setattr(reads, "events_between", read_slowly)
            edges = (await service.ask("farid", query, after=cursor))["viewerEvents"]["edges"]
        cursor = edges[-1]["cursor"] if edges else cursor
        edges += (await service.ask("farid", query, after=cursor))["viewerEvents"]["edges"]
    assert [edge["node"]["order"]["reference"] for edge in edges] == ["ORDERED", "DELIVERS"]
