"""The number of SQL statements of an operation does not depend on the number of rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.ids import Kind, event_id, global_id, parsed
from api.view import View
from models import RefundRow, RequestRow, SupportCaseRow
from models.journal import Journal
from rules import commands as c
from rules.policy import DEFAULT
from tests.contract import MUTATIONS, an_input, everything, mutation, root
from tests.database import CLIENT, FREELANCER, TestJournal, a_placed_order, a_started_order, outcome
from tests.sent import noted
from tests.service import NO_LIMITS, Service, a_service
from tests.world import a_call_for_support, a_plea_to_the_freelancer, a_question, an_extension, an_offer

FEW, MANY = range(2), range(2, 40)

PEOPLE = f"client {{ {everything('User')} }} freelancer {{ {everything('User')} }}"
REQUEST = everything("ResolutionRequest", 1)
DOCUMENTS = {
    "orders": f"{{ orders(first: 100) {{ totalCount nodes {{ {everything('Order', 3)} }} }} }}",
    "resolutionRequests": f"""{{ resolutionRequests(first: 100) {{ totalCount
        nodes {{ {everything("ResolutionRequest", 2)} }} }} }}""",
    "supportCases": f"{{ supportCases(first: 100) {{ totalCount nodes {{ {everything('SupportCase', 2)} }} }} }}",
    "viewerEvents": f"{{ viewerEvents(first: 100) {{ totalCount nodes {{ {everything('OrderEvent', 2)} }} }} }}",
    "dashboard": root("dashboard"),
    "lists in lists": f"""{{ orders(first: 100) {{ nodes {{ {PEOPLE}
        firsts: events(first: 2) {{ totalCount nodes {{ {everything("OrderEvent", 1)} }} }}
        lasts: events(last: 2) {{ nodes {{ request {{ {REQUEST} }} order {{ {PEOPLE} }} }} }}
        supportCase {{ order {{ reference events(last: 1) {{ nodes {{ id }} }} }} openedBy {{ name }} }}
        resolutionCenter {{
            pendingRequests {{ {REQUEST} order {{ resolutionCenter {{ actions {{ available }} }} }} }}
            firsts: requests(first: 1) {{ totalCount nodes {{ {REQUEST} }} }}
            lasts: requests(last: 2) {{ nodes {{ order {{ client {{ name }} }} }} }} }} }} }} }}""",
}
NODES = f"""query($ids: [ID!]!) {{ nodes(ids: $ids) {{ __typename id
    ... on Order {{ {PEOPLE} resolutionCenter {{ actions {{ preview {{ completionRateAfter }} }} }} }}
    ... on OrderEvent {{ actor {{ name }} request {{ confidentialNote }} order {{ reference }} }}
    ... on ResolutionRequest {{ order {{ reference }} requestedBy {{ name }} confidentialReason {{ code }} }}
    ... on Refund {{ order {{ reference }} }} ... on SupportCase {{ order {{ reference }} openedBy {{ name }} }}
    ... on User {{ standing {{ completionRate earnings {{ amount }} }} }} }} }}"""

ONE_BY_ONE: dict[str, Any] = {"RESOLUTION_DATABASE_POOL_SIZE": "1"}
"""On PostgreSQL too: which rows are loaded together would else hang on which answer comes first."""

_answering: ContextVar[bool] = ContextVar("answering", default=False)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Every statement that answering operations takes meanwhile, inside transactions and out of them, with the
    beginnings and ends of these; not what the tail and the workers do on their own."""
    statements: list[str] = []
    answer = View.__call__

    async def answering(view: View, *given: Any) -> None:
        _answering.set(True)
        await answer(view, *given)

    def count(statement: str) -> None:
        if _answering.get():
            statements.append(statement)

    with pytest.MonkeyPatch.context() as patch, noted(count):
        patch.setattr(View, "__call__", answering)
        yield statements


async def _statements(service: Service, subject: str, query: str, **variables: Any) -> int:
    """How many an operation takes, once the process knows who asks."""
    with counted() as statements:
        data = await service.ask(subject, query, **variables)
    assert data
    assert statements
    return len(statements)


def _journal(service: Service) -> Journal:
    """A second way to write, faster than by HTTP, that wakes nobody."""
    return TestJournal("", service.clock, DEFAULT)


async def _orders_with_everything(service: Service, numbers: range) -> None:
    """Orders of Ada's with Farid, each with a request of each kind, a refund that was paid, and a case at support."""
    journal = _journal(service)
    for number in numbers:
        order_id = await a_started_order(journal, f"R-{number}")
        offered = await journal.perform(order_id, an_offer(note="Never mind."), FREELANCER)
        accepted = await journal.perform(order_id, c.AcceptRequest(offered.subject_id), CLIENT)
        assert accepted.case
        [refund] = await RefundRow.filter(order_id=order_id)
        # Unless the worker has come first.
        await outcome(journal.perform(order_id, c.SettleRefund(refund.id, None), None))
        await journal.perform(order_id, a_question(), CLIENT)
        await journal.perform(order_id, an_extension(), FREELANCER)
        await journal.perform(order_id, a_plea_to_the_freelancer(), CLIENT)
        await journal.perform(order_id, a_call_for_support(), CLIENT)


async def test_a_list_takes_as_many_statements_for_forty_orders_as_for_two(tmp_path: Path) -> None:
    async with a_service(tmp_path, **NO_LIMITS, **ONE_BY_ONE) as service:
        await _orders_with_everything(service, FEW)
        few = await _all_documents(service)
        await _orders_with_everything(service, MANY)
        many = await _all_documents(service)
    assert many == few, f"for {len(MANY) + 2} orders {many}, for 2 orders {few}"


async def _all_documents(service: Service) -> dict[str, int]:
    found = {}
    for subject in ("ada", "sol", "bazaar"):
        await service.ask(subject, "{ viewer { id } }")
        for name, document in DOCUMENTS.items():
            found[f"{name} of {subject}"] = await _statements(service, subject, document)
    return found


async def test_actions_of_forty_orders_take_two_statements_beyond_the_list(tmp_path: Path) -> None:
    bare = "{ orders(first: 100) { nodes { reference } } }"
    judged = "{ orders(first: 100) { nodes { resolutionCenter { actions { available blockedBy } } } } }"
    async with a_service(tmp_path, **NO_LIMITS, **ONE_BY_ONE) as service:
        await _orders_with_everything(service, range(40))
        await service.ask("farid", bare)
        beyond = await _statements(service, "farid", judged) - await _statements(service, "farid", bare)
    assert beyond == 2


async def test_a_page_of_orders_with_their_people_and_what_waits_takes_one_statement(tmp_path: Path) -> None:
    """And what it shows is what each order shows that is asked for by itself."""
    people = "client { id name } freelancer { id name }"
    shown = f"id {people} resolutionCenter {{ pendingRequests {{ id kind status respondBy }} }}"
    query = f"{{ orders(first: 100) {{ nodes {{ {shown} }} }} }}"
    spread = f"query {{ orders(first: 100) {{ nodes {{ ...Shown }} }} }} fragment Shown on Order {{ {shown} }}"
    async with a_service(tmp_path, **NO_LIMITS, **ONE_BY_ONE) as service:
        journal = _journal(service)
        for number in range(7):
            order_id = await a_started_order(journal, f"R-{number}")
            asks = ((a_question(), CLIENT), (an_extension(), FREELANCER), (a_plea_to_the_freelancer(), CLIENT))
            for command, side in asks[: number % 4]:
                await journal.perform(order_id, command, side)
        await service.ask("ada", "{ viewer { id } }")
        for document in (query, spread):
            assert await _statements(service, "ada", document) == 1
            nodes = (await service.ask("ada", document))["orders"]["nodes"]
            assert sorted(len(node["resolutionCenter"]["pendingRequests"]) for node in nodes) == [0, 0, 1, 1, 2, 2, 3]
            for node in nodes:
                alone = await service.ask("ada", f"query($id: ID!) {{ order(id: $id) {{ {shown} }} }}", id=node["id"])
                assert alone == {"order": node}


async def test_a_hundred_nodes_take_as_many_statements_as_six(tmp_path: Path) -> None:
    async with a_service(tmp_path, **NO_LIMITS, **ONE_BY_ONE) as service:
        await _orders_with_everything(service, range(17))
        ids = await _ids_of_everything(service)
        few = await _statements(service, "ada", NODES, ids=ids[:6])
        many = await _statements(service, "ada", NODES, ids=ids[:100])
    assert many == few, f"for 100 nodes {many}, for 6 nodes {few}"


async def _ids_of_everything(service: Service) -> list[str]:
    """One of each kind, one after the other."""
    nodes = (await service.ask("ada", "{ orders { nodes { id client { id } events { nodes { id } } } } }"))["orders"]
    rows: list[list[str]] = [
        [node["id"] for node in nodes["nodes"]],
        [global_id(Kind.REQUEST, row.id) for row in await RequestRow.filter(kind="PARTIAL_REFUND")],
        [global_id(Kind.REFUND, row.id) for row in await RefundRow.all()],
        [global_id(Kind.SUPPORT_CASE, row.id) for row in await SupportCaseRow.all()],
        [node["events"]["nodes"][2]["id"] for node in nodes["nodes"]],
        [node["client"]["id"] for node in nodes["nodes"]],
    ]
    return [row for together in zip(*rows, strict=True) for row in together]


async def test_more_nodes_than_one_condition_holds_are_found(tmp_path: Path) -> None:
    async with a_service(tmp_path, **NO_LIMITS, **ONE_BY_ONE) as service:
        order_id = _uuid(await service.place())
        # Twelve lists of a hundred events each, which are looked for together; only the first one is there.
        ids = {f"l{part}": [event_id(order_id, part * 100 + place) for place in range(1, 101)] for part in range(12)}
        lists = " ".join(f"{name}: nodes(ids: ${name}) {{ id }}" for name in ids)
        given = ", ".join(f"${name}: [ID!]!" for name in ids)
        found = await service.ask("ada", f"query({given}) {{ {lists} }}", **ids)
    assert [node["id"] for nodes in found.values() for node in nodes if node] == [event_id(order_id, 1)]


@pytest.mark.slow
async def test_a_mutation_takes_as_many_statements_among_many_orders_and_requests_as_among_few(tmp_path: Path) -> None:
    async with a_service(tmp_path, **NO_LIMITS, **ONE_BY_ONE) as service:
        await _every_mutation(service, "warm", asked_before=1)
        few = await _every_mutation(service, "few", asked_before=1)
        await _orders_with_everything(service, MANY)
        many = await _every_mutation(service, "many", asked_before=10)
    assert set(many) == set(MUTATIONS)
    assert many == few, f"among many {many}, among few {few}"


async def _every_mutation(service: Service, name: str, *, asked_before: int) -> dict[str, int]:
    """Each mutation once, with everything in its answer, on orders of its own."""
    journal = _journal(service)
    found: dict[str, int] = {}

    async def do(subject: str, mutation_name: str, **given: Any) -> str:
        document, values = mutation(mutation_name), an_input(mutation_name, **given)
        with counted() as statements:
            data = (await service.ask(subject, document, input=values))[mutation_name]
        assert data["userErrors"] == [], data["userErrors"]
        found.setdefault(mutation_name, len(statements))
        return str(next(value["id"] for key, value in data.items() if key not in ("userErrors", "__typename")))

    order = await do("bazaar", "placeOrder", reference=name, clientSubject="ada", freelancerSubject="farid")
    await do("ada", "submitRequirements", orderId=order)
    await _ask_and_withdraw(journal, _uuid(order), asked_before)
    question = await do("ada", "requestOrderUpdate", orderId=order)
    await do("farid", "answerOrderUpdate", requestId=question)
    extension = await do("farid", "requestDeliveryExtension", orderId=order)
    await do("farid", "withdrawRequest", requestId=extension)
    money = {"amount": "2.00", "currencyCode": "USD"}
    offer = await do("farid", "offerPartialRefund", orderId=order, amount=money, confidentialReason="DELIVERY_DELAYED")
    await do("ada", "declineRequest", requestId=offer)
    plea = await do("farid", "askClientToCancel", orderId=order, reason="UNABLE_TO_COMPLETE")
    await do("farid", "withdrawRequest", requestId=plea)
    plea = await do("ada", "askFreelancerToCancel", orderId=order, confidentialReason="NO_LONGER_NEEDED")
    await do("ada", "withdrawRequest", requestId=plea)
    case = await do("ada", "contactSupport", orderId=order)
    await do("sol", "decideSupportCase", caseId=case, decision="CONTINUE_ORDER")
    await do("farid", "deliverOrder", orderId=order)
    await do("ada", "requestRevision", orderId=order)
    extension = await do("farid", "requestDeliveryExtension", orderId=order)
    await do("ada", "acceptRequest", requestId=extension)
    await do("farid", "deliverOrder", orderId=order)
    await do("ada", "acceptDelivery", orderId=order)
    placed = global_id(Kind.ORDER, await a_placed_order(journal, f"{name}-2"))
    await do("ada", "cancelOrder", orderId=placed)
    return found


async def _ask_and_withdraw(journal: Journal, order_id: UUID, times: int) -> None:
    """Something of each kind, taken back again, as often."""
    moves = ((a_question(), CLIENT), (an_extension(), FREELANCER), (an_offer("1.00 USD"), FREELANCER))
    for _ in range(times):
        for command, by in (*moves, (a_plea_to_the_freelancer(), CLIENT)):
            asked = await journal.perform(order_id, command, by)
            await journal.perform(order_id, c.WithdrawRequest(asked.subject_id), by)


def _uuid(node_id: str) -> UUID:
    found = parsed(node_id)
    assert found
    return found[1]
