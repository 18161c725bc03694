"""`resolution-center seed`: the demo that people meet first, and the made-up orders of benches."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.commands import seeding
from api.commands.demo import STORIES
from models import ConfidenceRow, EventRow, OrderRow, RefundRow, RequestRow, SupportCaseRow, UserRow
from models.loading import whole_case
from models.reads import tallies
from rules.actions import why_not
from rules.case import Case, Request
from rules.decide import as_of
from rules.policy import DEFAULT
from rules.standing import Tally
from rules.vocabulary import (
    CancellationCause,
    OrderStatus,
    RefundStatus,
    RequestKind,
    RequestStatus,
    ResolutionAction,
    Role,
    SupportCaseStatus,
    SupportDecision,
)
from tests.command_line import command, dump, ended, prepared, rows, start, until, within
from tests.database import assert_sound

HOUR = timedelta(hours=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a migrated database."""
    return prepared(tmp_path, "migrate")


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder with the demo in its database, made a moment ago."""
    return prepared(tmp_path, "seed")


async def case(reference: str) -> Case:
    return await whole_case((await OrderRow.get(reference=reference)).id)


async def pending(reference: str) -> Request:
    """The only request that waits on this order."""
    (request,) = (await case(reference)).pending()
    return request


async def parties(reference: str) -> tuple[str, str]:
    row = await OrderRow.get(reference=reference).prefetch_related("client", "freelancer")
    return row.client.name, row.freelancer.name


def now() -> datetime:
    return datetime.now(UTC)


# ---------------------------------------------------------------- what is in it


def test_it_says_what_it_made(folder: Path) -> None:
    said = command(folder, "seed")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "Made the demo: 31 orders (1 awaiting requirements, 8 in progress, 2 delivered, 2 in revision, 14 completed, "
        "4 cancelled) of Ada, Bela, Farid and Gita, with Sol at support.\n"
    )


async def test_the_people_are_there_by_name(demo: Path) -> None:
    async with within(demo):
        people = {row.subject: row.name for row in await UserRow.all()}
    assert people == {
        "client-1": "Ada",
        "client-2": "Bela",
        "freelancer-1": "Farid",
        "freelancer-2": "Gita",
        "support-1": "Sol",
        "marketplace": "Bazaar",
    }


async def test_there_are_orders_in_every_status_and_all_is_sound(demo: Path) -> None:
    async with within(demo):
        orders = await OrderRow.all()
        await assert_sound()
    assert {order.status for order in orders} == set(OrderStatus)
    assert sorted(order.reference for order in orders) == [f"DEMO-{1001 + number}" for number in range(31)]
    assert {order.currency for order in orders} == {"USD", "EUR", "JPY", "KWD"}


async def test_every_kind_of_request_waits_for_an_answer(demo: Path) -> None:
    async with within(demo):
        offer, farid_offers = await pending("DEMO-1003"), await parties("DEMO-1003")
        plea = await pending("DEMO-1004")
        farewell = await pending("DEMO-1005")
        question = await pending("DEMO-1006")
        extension = await pending("DEMO-1007")
    assert farid_offers == ("Ada", "Farid")
    assert (offer.kind, offer.requested_by_role) == (RequestKind.PARTIAL_REFUND, Role.FREELANCER)
    assert (plea.kind, plea.requested_by_role) == (RequestKind.CANCELLATION, Role.FREELANCER)
    assert (farewell.kind, farewell.requested_by_role) == (RequestKind.CANCELLATION, Role.CLIENT)
    assert question.kind is RequestKind.ORDER_UPDATE
    assert 2.5 * HOUR < question.respond_by - now() <= 3 * HOUR
    assert question.reminded == 4 * HOUR
    assert extension.kind is RequestKind.DELIVERY_EXTENSION
    assert all(request.respond_by > now() + 2 * HOUR for request in (offer, plea, farewell, question, extension))


async def test_a_private_reason_is_kept_in_its_place_alone(demo: Path) -> None:
    async with within(demo):
        request = await pending("DEMO-1005")
        kept = await ConfidenceRow.get(request_id=request.id)
        events = await EventRow.filter(order_id=(await case("DEMO-1005")).order.id)
    assert kept.reason == "EXPECTATIONS_NOT_MET"
    assert kept.note
    told = "".join(f"{event.changes}{event.message}" for event in events)
    assert kept.note not in told
    assert kept.reason not in told


async def test_the_client_may_cancel_alone_what_is_two_days_late(demo: Path) -> None:
    async with within(demo):
        found = as_of(await case("DEMO-1008"), now(), DEFAULT)
        assert await parties("DEMO-1008") == ("Ada", "Gita")
    due = found.order.delivery_due_at
    assert due is not None
    assert timedelta(days=2) <= now() - due < timedelta(days=2, hours=1)
    assert why_not(ResolutionAction.CANCEL_ORDER, found, Role.CLIENT, now(), DEFAULT) is None
    assert [(r.kind, r.status) for r in found.requests] == [(RequestKind.ORDER_UPDATE, RequestStatus.EXPIRED)]


async def test_a_delivery_is_about_to_complete_by_silence(demo: Path) -> None:
    async with within(demo):
        order = (await case("DEMO-1009")).order
    assert order.status is OrderStatus.DELIVERED
    assert order.auto_completes_at is not None
    assert 0.5 * HOUR < order.auto_completes_at - now() <= HOUR


async def test_one_order_is_at_support_and_others_were_decided(demo: Path) -> None:
    async with within(demo):
        (opened,) = await SupportCaseRow.filter(status=SupportCaseStatus.OPEN)
        decided = await SupportCaseRow.filter(status=SupportCaseStatus.RESOLVED)
        frozen = await OrderRow.filter(frozen_at__isnull=False)
    assert opened.message
    assert [order.id for order in frozen] == [opened.order_id]
    assert {row.decision for row in decided} == {SupportDecision.CONTINUE_ORDER, SupportDecision.REFUND_PARTIALLY}
    assert all(row.decision_message for row in decided)


async def test_cancelled_orders_are_paid_back_in_the_ledger_too(demo: Path) -> None:
    async with within(demo):
        cancelled = await OrderRow.filter(status=OrderStatus.CANCELLED)
        refunds = await RefundRow.all()
    assert {order.cancellation_cause for order in cancelled} == {
        CancellationCause.FREELANCER_ASKED,
        CancellationCause.CLIENT_ASKED,
        CancellationCause.CLIENT_ALONE_OVERDUE,
        CancellationCause.CLIENT_ALONE_UNSTARTED,
    }
    assert {refund.status for refund in refunds} == {RefundStatus.SUCCEEDED}
    paid = Counter({refund.order_id: refund.amount_minor for refund in refunds})
    assert all(paid[order.id] == order.price_minor for order in cancelled)
    assert all(refund.settled_at and refund.settled_at < now() - HOUR for refund in refunds)
    due = rows(demo, "SELECT sum(amount_minor) FROM ledger_entries WHERE account = 'REFUND_DUE'")
    assert due == [(0,)]


async def test_farid_completed_nine_of_ten_and_gita_fewer(demo: Path) -> None:
    async with within(demo):
        farid, gita = await UserRow.get(name="Farid"), await UserRow.get(name="Gita")
        found = await tallies([farid.id, gita.id], now(), DEFAULT)
    assert found[farid.id] == Tally(completed=9, cancelled=1)
    assert found[gita.id] == Tally(completed=5, cancelled=2)


async def test_the_log_reads_in_the_order_of_time_and_nothing_lies_ahead(demo: Path) -> None:
    async with within(demo):
        events = await EventRow.all().order_by("position")
        requests = await RequestRow.all()
    # A reminder or a silence is written down with the next thing that happens to its order, at its own instant.
    acted = [event.occurred_at for event in events if event.actor_id]
    assert acted == sorted(acted)
    assert acted[-1] <= now()
    assert all(request.created_at <= now() for request in requests)


def test_no_deadline_is_overdue_after_it(demo: Path) -> None:
    assert command(demo, "sweep").out == "No deadline was due.\n"


# ---------------------------------------------------------------- again, cut short, in the way


def test_a_second_run_changes_nothing_and_says_so(demo: Path) -> None:
    before = dump(demo)
    said = command(demo, "seed")
    assert (said.code, said.out) == (0, "The demo is there already (31 orders): nothing to do.\n")
    assert dump(demo) == before


def test_it_stays_as_it_is_when_its_keys_are_long_forgotten(demo: Path) -> None:
    _age(demo, hours=30)
    before = dump(demo)
    assert command(demo, "seed").out == "The demo is there already (31 orders): nothing to do.\n"
    assert dump(demo) == before


def _age(folder: Path, hours: int) -> None:
    """As if the demo had been made so long ago; keys are kept for a while only."""
    from tests.command_line import change

    columns = rows(folder, "SELECT reference, created_at FROM orders")
    for reference, created_at in columns:
        earlier = datetime.fromisoformat(str(created_at)) - timedelta(hours=hours)
        change(folder, f"UPDATE orders SET created_at = '{earlier}' WHERE reference = '{reference}'")  # noqa: S608
    change(folder, "DELETE FROM idempotency_keys")


@pytest.mark.parametrize("steps", [1, 40, 85])
async def test_a_seed_that_was_cut_short_is_gone_on_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    take = seeding._Seeding._take
    taken = 0

    async def fail_later(self: seeding._Seeding, moment: seeding._Moment) -> None:
        nonlocal taken
        taken += 1
        if taken > steps:
            raise ZeroDivisionError
        await take(self, moment)

    with monkeypatch.context() as patch:
        patch.setattr(seeding._Seeding, "_take", fail_later)
        assert (await asyncio.to_thread(command, folder, "seed")).code == 1
    said = await asyncio.to_thread(command, folder, "seed")
    assert said.out.startswith("Made the demo: 31 orders (1 awaiting requirements, 8 in progress, 2 delivered, ")
    async with within(folder):
        await assert_sound()


def test_two_seeds_at_once_make_one_demo(folder: Path) -> None:
    both = [ended(process) for process in [start(folder, "seed") for _ in range(2)]]
    assert [said.code for said in both] == [0, 0], both
    assert rows(folder, "SELECT count(*) FROM orders") == [(31,)]
    assert rows(folder, "SELECT count(*) FROM idempotency_keys") == [(sum(1 + len(story.steps) for story in STORIES),)]


def test_a_policy_that_refuses_a_step_is_told_and_the_rest_is_made(folder: Path) -> None:
    (folder / "policy.toml").write_text('[reasons]\nrefund = [{ code = "GOODWILL", label = "Goodwill" }]\n')
    said = command(folder, "seed", RESOLUTION_POLICY_FILE="policy.toml")
    assert said.code == 0
    assert "DEMO-1003, step 4: REASON_UNKNOWN " in said.err
    assert said.out.startswith("Made the demo: 31 orders ")


def test_a_name_that_somebody_has_is_not_taken_from_them(folder: Path) -> None:
    (folder / "one.jsonl").write_text(
        '{"reference": "B-1", "title": "A logo", "amount": 1, "currency": "USD", "clientSubject": "client-1", '
        '"clientName": "Adele", "freelancerSubject": "freelancer-1", "deliveryDays": 3}'
    )
    assert command(folder, "import", "one.jsonl").code == 0
    assert command(folder, "seed").code == 0
    assert rows(folder, "SELECT name FROM users WHERE subject LIKE '%-1' ORDER BY subject") == [
        ("Adele",), ("Farid",), ("Sol",)
    ]  # fmt: skip


# ---------------------------------------------------------------- made-up orders


def contents(folder: Path) -> Iterable[tuple[object, ...]]:
    return rows(
        folder,
        "SELECT reference, title, status, price_minor, currency, delivery_days, c.subject, f.subject, version "
        "FROM orders JOIN users c ON c.id = client_id JOIN users f ON f.id = freelancer_id "
        "WHERE reference LIKE 'BENCH-%' ORDER BY reference",
    )


def test_made_up_orders_are_the_same_wherever_they_are_made(
    demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = prepared(tmp_path_factory.mktemp("other"), "seed")
    said = command(demo, "seed", "--orders", "40")
    assert said.lines[1].startswith("Made 40 orders in ")
    assert said.lines[1].endswith(" changes/s.")
    assert command(other, "seed", "--orders", "40").code == 0
    made = list(contents(demo))
    assert made == list(contents(other))
    assert [row[0] for row in made] == [f"BENCH-{number:06d}" for number in range(1, 41)]
    asyncio.run(_sound(demo))


async def _sound(folder: Path) -> None:
    async with within(folder):
        await assert_sound()


def test_made_up_orders_have_many_people_and_requests_that_wait(demo: Path) -> None:
    assert command(demo, "seed", "--orders", "100").code == 0
    made = list(contents(demo))
    assert len({row[6] for row in made}) == 100
    assert len({row[7] for row in made}) > 50
    assert {row[2] for row in made} == {"AWAITING_REQUIREMENTS", "IN_PROGRESS", "DELIVERED"}
    waiting = rows(
        demo,
        "SELECT r.kind, count(*) FROM requests r JOIN orders o ON o.id = r.order_id "
        "WHERE r.status = 'PENDING' AND o.reference LIKE 'BENCH-%' GROUP BY r.kind ORDER BY r.kind",
    )
    assert waiting == [("CANCELLATION", 10), ("DELIVERY_EXTENSION", 10), ("ORDER_UPDATE", 10), ("PARTIAL_REFUND", 20)]


def test_made_up_orders_are_added_to_and_a_second_run_changes_nothing(demo: Path) -> None:
    assert command(demo, "seed", "--orders", "10").code == 0
    assert command(demo, "seed", "--orders", "25").lines[1].startswith("Made 15 orders in ")
    before = dump(demo)
    said = command(demo, "seed", "--orders", "25")
    assert said.lines[1] == "All 25 made-up orders are there already: nothing to do."
    assert dump(demo) == before


@pytest.mark.slow
def test_made_up_orders_that_were_cut_short_are_gone_on_with(
    demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    process = start(demo, "seed", "--orders", "60")
    until(demo, "SELECT count(*) > 4 FROM orders WHERE reference LIKE 'BENCH-%'")
    process.send_signal(signal.SIGKILL)
    ended(process)
    assert command(demo, "seed", "--orders", "60").code == 0
    whole = prepared(tmp_path_factory.mktemp("whole"), "seed", "--orders", "60")
    assert list(contents(demo)) == list(contents(whole))
    asyncio.run(_sound(demo))


@pytest.mark.parametrize("count", ["-1", "many", "10000001"])
def test_a_count_that_can_not_be_is_a_misuse(folder: Path, count: str) -> None:
    said = command(folder, "seed", "--orders", count)
    assert said.code == 2
    assert said.complaint.startswith("resolution-center seed: Invalid value for '--orders': ")
