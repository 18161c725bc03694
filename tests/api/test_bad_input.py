"""Bad input of every kind gets a clear refusal, and changes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from models import LogRow
from tests.contract import MUTATIONS, an_input, mutation, named_thing
from tests.service import Service, a_service

WHO = {"placeOrder": "bazaar", "decideSupportCase": "sol"} | dict.fromkeys(
    ("deliverOrder", "offerPartialRefund", "askClientToCancel", "answerOrderUpdate"), "farid"
)
NO_IDS = ["", "garbage", "T3JkZXI6", "🙂", "A" * 10_000, "\u0000"]


async def _position() -> int:
    return int((await LogRow.get(id=1)).position)


async def _codes(service: Service, name: str, **given: Any) -> list[str]:
    """The refusals' codes, or the error's, of a mutation by whom it belongs to."""
    answer = await service.post(WHO.get(name, "ada"), mutation(name), input=an_input(name, **given))
    if "errors" in answer:
        return [error["extensions"]["code"] for error in answer["errors"]]
    return [error["code"] for error in answer["data"][name]["userErrors"]]


@pytest.mark.parametrize("name", [name for name in MUTATIONS if named_thing(name)])
async def test_an_id_of_nothing_or_of_something_else_is_not_found(tmp_path: Path, name: str) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        request_id = await service.offer(order_id)
        user_id = (await service.ask("ada", "{ viewer { id } }"))["viewer"]["id"]
        before = await _position()
        field = str(named_thing(name))
        other = request_id if field == "orderId" else order_id
        for wrong in (*NO_IDS, user_id, other):
            assert await _codes(service, name, **{field: wrong}) == ["NOT_FOUND"], wrong
        assert await _position() == before


TEXTS = {"": "TEXT_REQUIRED", " \n\t ": "TEXT_REQUIRED", "x" * 100_000: "TEXT_TOO_LONG"} | dict.fromkeys(
    ("a\u0000b", "a\u0007b", "a\u009fb"), "VALUE_INVALID"
)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("deliverOrder", "message"),
        ("offerPartialRefund", "explanation"),
        ("requestOrderUpdate", "explanation"),
        ("requestDeliveryExtension", "explanation"),
        ("contactSupport", "message"),
    ],
)
async def test_texts_that_can_not_be_are_refused(tmp_path: Path, name: str, field: str) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        before = await _position()
        given = {"orderId": order_id, "confidentialReason": "GOODWILL"}
        for text, code in TEXTS.items():
            assert await _codes(service, name, **given, **{field: text}) == [code], text[:10]
        # Half a surrogate pair, which JSON can say and no database can keep.
        document = {"query": mutation(name), "variables": {"input": an_input(name, **given, **{field: "MARK"})}}
        body = json.dumps(document).replace("MARK", "\\ud800")
        headers = {"authorization": f"Bearer {service.token(WHO.get(name, 'ada'))}", "content-type": "application/json"}
        answer = (await service.http.post("/graphql", content=body, headers=headers)).json()
        found = json.dumps(answer)
        assert "VALUE_INVALID" in found or "BAD_REQUEST" in found
        assert await _position() == before


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("60.01", "USD", "AMOUNT_TOO_LARGE"),
        ("9" * 20, "USD", "AMOUNT_TOO_LARGE"),
        ("0", "USD", "AMOUNT_TOO_SMALL"),
        ("-1.00", "USD", "AMOUNT_TOO_SMALL"),
        ("1.001", "USD", "AMOUNT_PRECISION"),
        ("1.00", "EUR", "CURRENCY_MISMATCH"),
        ("1.00", "XXQ", "CURRENCY_MISMATCH"),
        ("1.00", "usd", "BAD_USER_INPUT"),
        ("NaN", "USD", "BAD_USER_INPUT"),
        ("Infinity", "USD", "BAD_USER_INPUT"),
        ("1e400", "USD", "BAD_USER_INPUT"),
        ("", "USD", "BAD_USER_INPUT"),
        (1.5, "USD", "BAD_USER_INPUT"),
        (True, "USD", "BAD_USER_INPUT"),
        (None, "USD", "BAD_USER_INPUT"),
    ],
)
async def test_amounts_that_can_not_be_are_refused(tmp_path: Path, amount: object, currency: str, code: str) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        before = await _position()
        money = {"amount": {"amount": amount, "currencyCode": currency}}
        given = {"orderId": order_id, "confidentialReason": "GOODWILL"} | money
        assert await _codes(service, "offerPartialRefund", **given) == [code]
        assert await _position() == before


@pytest.mark.parametrize(
    ("name", "given", "codes"),
    [
        ("offerPartialRefund", {"confidentialReason": "NOPE"}, ["REASON_UNKNOWN"]),
        ("offerPartialRefund", {"confidentialReason": "OTHER"}, ["TEXT_REQUIRED"]),
        ("offerPartialRefund", {"confidentialReason": "NOPE", "explanation": ""}, ["TEXT_REQUIRED", "REASON_UNKNOWN"]),
        ("askClientToCancel", {"reason": "LATE_DELIVERY"}, ["REASON_UNKNOWN"]),
        ("askClientToCancel", {"reason": "OTHER", "note": "  "}, ["TEXT_REQUIRED"]),
        ("askFreelancerToCancel", {"confidentialReason": "GOODWILL"}, ["REASON_UNKNOWN"]),
        ("requestDeliveryExtension", {"days": 0}, ["VALUE_INVALID"]),
        ("requestDeliveryExtension", {"days": -1}, ["VALUE_INVALID"]),
        ("requestDeliveryExtension", {"days": 31}, ["VALUE_INVALID"]),
        ("requestDeliveryExtension", {"days": 2**31}, ["BAD_USER_INPUT"]),
        ("requestOrderUpdate", {"idempotencyKey": ""}, ["TEXT_REQUIRED"]),
        ("requestOrderUpdate", {"idempotencyKey": "k" * 256}, ["TEXT_TOO_LONG"]),
        ("placeOrder", {"reference": "R-1"}, ["REFERENCE_TAKEN"]),
        ("placeOrder", {"reference": " "}, ["TEXT_REQUIRED"]),
        ("placeOrder", {"clientSubject": "ada", "freelancerSubject": "ada"}, ["VALUE_INVALID"]),
        ("placeOrder", {"deliveryDays": 0}, ["VALUE_INVALID"]),
        ("placeOrder", {"title": "a\nb"}, ["VALUE_INVALID"]),
        ("placeOrder", {"clientSubject": ""}, ["TEXT_REQUIRED"]),
        ("placeOrder", {"price": {"amount": "1.00", "currencyCode": "XXQ"}}, ["VALUE_INVALID"]),
    ],
)
async def test_other_values_that_can_not_be_are_refused(
    tmp_path: Path, name: str, given: dict[str, Any], codes: list[str]
) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        before = await _position()
        people = {"clientSubject": "ada", "freelancerSubject": "farid"}
        given = ({"orderId": order_id} if name != "placeOrder" else {"reference": "R-2"} | people) | given
        assert await _codes(service, name, **given) == codes
        assert await _position() == before


async def test_a_key_is_good_for_one_thing(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        first = await service.do("ada", "requestOrderUpdate", orderId=order_id, explanation="A?", idempotencyKey="k")
        again = await service.do("ada", "requestOrderUpdate", orderId=order_id, explanation="A?", idempotencyKey="k")
        assert again == first
        before = await _position()
        other = {"orderId": order_id, "idempotencyKey": "k"}
        assert await service.refused("ada", "requestOrderUpdate", explanation="B?", **other) == [
            "IDEMPOTENCY_KEY_REUSED"
        ]
        assert await service.refused("ada", "contactSupport", message="A?", **other) == ["IDEMPOTENCY_KEY_REUSED"]
        assert await _position() == before


async def test_too_many_ids_and_too_long_a_search_are_refused(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
        assert await service.error("ada", nodes, ids=["x"] * 101) == "BAD_USER_INPUT"
        search = "query($s: String) { orders(filter: {search: $s}) { totalCount } }"
        assert await service.error("ada", search, s="x" * 201) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "body", ["5", "null", "[]", '"text"', "{", "", '{"query": 5}', '{"query": ""}', '{"query": "{"}']
)
async def test_a_body_that_is_no_operation_is_an_error_with_a_code(tmp_path: Path, body: str) -> None:
    async with a_service(tmp_path) as service:
        answer = await service.http.post("/graphql", content=body, headers={"content-type": "application/json"})
        assert answer.status_code < 500
        [error] = answer.json()["errors"]
        assert error["extensions"]["code"] in ("BAD_REQUEST", "GRAPHQL_PARSE_FAILED")


INIT = {"type": "connection_init", "payload": {}}
ONE = {"id": "1", "type": "subscribe", "payload": {"query": "subscription { dashboard { at } }"}}


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([5], 4400),
        ([None], 4400),
        ([[]], 4400),
        ([{}], 4400),
        ([{"type": "unknown"}], 4400),
        ([{"type": "connection_init", "payload": 5}], 4400),
        ([INIT, {"type": "subscribe", "payload": {"query": "{ viewerScopes }"}}], 4400),
        ([INIT, {"id": 5, "type": "subscribe", "payload": {"query": "{ viewerScopes }"}}], 4400),
        ([INIT, {"id": "1", "type": "subscribe", "payload": 5}], 4400),
        ([INIT, {"id": "1", "type": "subscribe", "payload": {}}], 4400),
        ([INIT, {"id": "1", "type": "subscribe", "payload": {"query": "{ a }", "variables": []}}], 4400),
        ([INIT, INIT], 4429),
        ([ONE], 4401),
    ],
)
async def test_a_message_that_the_protocol_does_not_know_closes_the_socket(
    tmp_path: Path, messages: list[object], code: int
) -> None:
    async with a_service(tmp_path) as service:
        url = service.url.replace("http", "ws", 1) + "/graphql"
        async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as line:
            for message in messages:
                await line.send(json.dumps(message))
            with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 - whatever comes before the end
                while True:
                    await line.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


async def test_an_operation_that_can_not_be_leaves_the_socket_and_the_others_alone(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service, service.socket("ada") as socket:
        watching = await socket.subscribe("subscription { dashboard { awaitingMe } }")
        await watching.take(1)
        for query, code in (
            ("{", "GRAPHQL_PARSE_FAILED"),
            ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("", "BAD_REQUEST"),
        ):
            assert await (await socket.subscribe(query)).error() == code
        await service.offer(await service.started())
        assert (await watching.take(1))[0]["dashboard"]["awaitingMe"] == 1
