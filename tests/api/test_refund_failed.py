"""A refund that can't be paid: both sides and support are told at once, with the reason that they may read."""

from contextlib import AsyncExitStack
from pathlib import Path

from models import RefundRow
from rules.vocabulary import RefundStatus
from tests.service import a_service
from workers.refunds import GatewayRefused, Payout

LIVE = """subscription { viewerEvents { kind actorRole
    request { ... on PartialRefundOffer { refund { status failure amount { amount } } } } } }"""


class ClosedCard:
    """A gateway whose answer is no."""

    async def refund(self, payout: Payout) -> None:
        raise GatewayRefused("The card is closed.")


async def test_both_sides_and_support_hear_that_a_refund_failed_and_why(tmp_path: Path) -> None:
    async with a_service(tmp_path, gateway=ClosedCard()) as service, AsyncExitStack() as stack:
        order_id = await service.started()
        listening = []
        for subject in ("ada", "farid", "sol", "gita"):
            socket = await stack.enter_async_context(service.socket(subject))
            listening.append(await socket.subscribe(LIVE))
            await (await socket.subscribe("{ viewerScopes }")).take(1)
        *concerned, stranger = listening
        request_id = await service.offer(order_id, "20.00")
        await service.do("ada", "acceptRequest", requestId=request_id)
        for watching in concerned:
            *_, last = await watching.take(3)
            assert last["viewerEvents"] == {
                "kind": "REFUND_FAILED",
                "actorRole": "SYSTEM",
                "request": {
                    "refund": {"status": "FAILED", "failure": "The card is closed.", "amount": {"amount": "20.00"}}
                },
            }
        assert await RefundRow.filter(status=RefundStatus.FAILED, failure="The card is closed.").count() == 1
        # Who has no part in it hears of the next order of her own, and of nothing before.
        await service.place("R-2", freelancerSubject="gita")
        [heard] = await stranger.take(1)
        assert heard["viewerEvents"]["kind"] == "ORDER_PLACED"
