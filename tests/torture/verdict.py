"""What must be true when the torture is over."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from api.ids import Kind, global_id, uuid_of
from models import EventRow, LedgerEntryRow, LogRow, RefundRow, UserRow
from models.database import opened
from models.loading import replayed, whole_case
from rules.case import Case
from rules.ledger import Account
from rules.vocabulary import RefundStatus
from tests.torture.people import Reader, Story

CAUSED = {
    "placeOrder": "ORDER_PLACED",
    "submitRequirements": "REQUIREMENTS_SUBMITTED",
    "deliverOrder": "ORDER_DELIVERED",
    "requestRevision": "REVISION_REQUESTED",
    "acceptDelivery": "ORDER_COMPLETED",
    "acceptRequest": "REQUEST_ACCEPTED",
    "withdrawRequest": "REQUEST_WITHDRAWN",
    "declineRequest": "REQUEST_DECLINED",
    "answerOrderUpdate": "REQUEST_ANSWERED",
    **dict.fromkeys(
        ("offerPartialRefund", "askFreelancerToCancel", "askClientToCancel", "requestOrderUpdate"), "REQUEST_OPENED"
    ),
}


@dataclass(frozen=True)
class Truth:
    """The log as the database holds it."""

    events: int
    orders: dict[str, dict[str, int]]
    """How many events each order has, by the subject of either side."""


async def truth(url: str) -> Truth:
    """Reads the log, straight from the database."""
    async with opened(_address(url)):
        rows = await EventRow.all().order_by("position")
        assert [row.position for row in rows] == list(range(1, len(rows) + 1)), "the log has a gap"
        assert (await LogRow.get(id=1)).position == len(rows), "the counter and the log disagree"
        subjects = {user.id: user.subject for user in await UserRow.all()}
    numbers: dict[str, Counter[str]] = {}
    for row in rows:
        for party in (row.client_id, row.freelancer_id):
            numbers.setdefault(subjects[party], Counter())[global_id(Kind.ORDER, row.order_id)] += 1
    return Truth(len(rows), {subject: dict(counted) for subject, counted in numbers.items()})


async def refunds_on_their_way(url: str) -> int:
    """How many refunds the gateway has not settled yet."""
    async with opened(_address(url)):
        return await RefundRow.filter(status=RefundStatus.PENDING).count()


async def judge_database(url: str, story: Story) -> None:
    """Every row equals the replay of its log, the ledger sums to zero, nothing was paid twice, and no mutation that
    was acknowledged is missing."""
    async with opened(_address(url)):
        for order, mutations in story.acknowledged.items():
            order_id = uuid_of(Kind.ORDER, order)
            assert order_id is not None
            assert _sorted(await whole_case(order_id)) == _sorted(await replayed(order_id))
            happened = Counter(row.kind.value for row in await EventRow.filter(order_id=order_id))
            for kind, number in Counter(CAUSED[mutation] for mutation in mutations).items():
                assert happened[kind] >= number, f"{kind}: {number} acknowledged, {happened[kind]} there"
        await _judge_money()


async def _judge_money() -> None:
    entries = await LedgerEntryRow.all()
    for cause, total in _sums((entry.cause, entry.amount_minor) for entry in entries).items():
        assert total == 0, f"{cause} does not balance"
    paid = Counter(e.cause for e in entries if e.account is Account.CLIENT and e.cause.startswith("paid:"))
    assert all(number == 1 for number in paid.values()), "a refund was paid twice"
    refunds = await RefundRow.all()
    assert set(paid) == {f"paid:{refund.id}" for refund in refunds}, "paid and owed are not the same refunds"
    assert all(refund.status is RefundStatus.SUCCEEDED for refund in refunds)


def judge_reader(reader: Reader, log: Truth) -> None:
    """The reader has seen exactly 1..N of each of its orders, in order, and no other order."""
    wanted = {order: list(range(1, number + 1)) for order, number in log.orders.get(reader.subject, {}).items()}
    assert reader.seen == wanted, f"{reader.subject} missed, repeated or mixed events"


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, number in pairs:
        found[key] = found.get(key, 0) + number
    return found


def _sorted(case: Case) -> tuple[object, ...]:
    """The case, whatever the order within its lists."""
    lists = (case.requests, case.support_cases, case.refunds)
    return (case.order, *(sorted(things, key=lambda thing: thing.id) for things in lists))


def _address(url: str) -> str:
    return url.replace("postgres://", "asyncpg://", 1)
