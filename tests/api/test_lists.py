"""The contract's lists: filters, sorting and counts."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

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
