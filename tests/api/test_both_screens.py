"""The main job: two people with two real clients settle a troubled order, and each sees what the other does."""

from pathlib import Path

from tests.service import a_service

WATCH = """subscription($id: ID!, $after: String) { orderEvents(orderId: $id, after: $after) {
    sequence kind cursor actorRole orderStatus requestStatus actor { name }
    request { __typename status ... on PartialRefundOffer { amount { amount currencyCode } explanation } }
    order { status version } } }"""


async def test_an_offer_is_made_seen_accepted_and_seen(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.started()
        async with service.socket("ada") as adas, service.socket("farid") as farids:
            ada, farid = await adas.subscribe(WATCH, id=order_id), await farids.subscribe(WATCH, id=order_id)
            # A subscription says nothing of its own; an answer on the same socket shows that it stands.
            await (await adas.subscribe("{ viewer { name } }")).take(1)
            await (await farids.subscribe("{ viewer { name } }")).take(1)

            request_id = await service.offer(order_id, "20.00")
            for watching in (ada, farid):
                [data] = await watching.take(1)
                event = data["orderEvents"]
                assert (event["sequence"], event["kind"], event["actor"]["name"]) == (3, "REQUEST_OPENED", "Farid")
                assert event["request"]["amount"] == {"amount": "20.00", "currencyCode": "USD"}

            await service.do("ada", "acceptRequest", requestId=request_id)
            for watching in (ada, farid):
                accepted, paid = [data["orderEvents"] for data in await watching.take(2)]
                assert (accepted["kind"], accepted["requestStatus"]) == ("REQUEST_ACCEPTED", "ACCEPTED")
                assert (paid["sequence"], paid["kind"], paid["actorRole"]) == (5, "REFUND_SUCCEEDED", "SYSTEM")
        data = await service.ask(
            "ada", "query($id: ID!) { order(id: $id) { status refunded { amount } } }", id=order_id
        )
        assert data["order"] == {"status": "IN_PROGRESS", "refunded": {"amount": "20.00"}}
