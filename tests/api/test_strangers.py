"""Nobody sees an order that is not theirs, by any path; who has a right sees it in the one role that is theirs."""

import base64
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from api.auth import mint
from api.ids import Kind, event_id, global_id, uuid_of
from tests.contract import (
    ID_FIELDS,
    MUTATIONS,
    QUERIES,
    SUBSCRIPTIONS,
    an_input,
    mutation,
    named_thing,
    root,
)
from tests.service import NO_LIMITS, Service, a_service
from tests.world import DAY

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRANGERS = ["bela", "gita", "souk", "bazaar-without-scope"]
"""Another client, another freelancer, another marketplace, and the marketplace's own token without the scope."""

COUNTS = """query($filter: OrderFilter) { orders(filter: $filter, first: 100) { totalCount nodes { id } }
    resolutionRequests(first: 100) { totalCount nodes { id } } supportCases(first: 100) { totalCount nodes { id } }
    viewerEvents(first: 100) { totalCount nodes { id } } }"""
DASHBOARD = """ordersByStatus { status count } pendingRequestsByKind { kind count } awaitingMe deadlinesNear lateOrders
    openSupportCases"""
ACTING_ON_SOMETHING = [name for name in MUTATIONS if named_thing(name)]
"""All mutations but placeOrder."""


@dataclass
class Stage:
    """A server with one order on which everything happened, of Ada's with Farid, and Sol's support."""

    service: Service
    order: str
    request: str
    support_case: str
    refund: str
    event: str
    cursor: str

    def ids(self) -> dict[str, str]:
        """The id that each input of a mutation takes."""
        return {field: getattr(self, kind) for field, kind in ID_FIELDS.items()}

    def things(self) -> dict[str, str]:
        """Each thing that has an id, by the type of the contract that shows it."""
        return {
            "Order": self.order,
            "ResolutionRequest": self.request,
            "SupportCase": self.support_case,
            "Refund": self.refund,
            "OrderEvent": self.event,
        }

    async def raw(self, subject: str | None, query: str, **variables: Any) -> bytes:
        """What the server answers, byte for byte."""
        headers = {"authorization": f"Bearer {self.token(subject)}"} if subject else {}
        body = {"query": query, "variables": variables}
        return (await self.service.http.post("/graphql", json=body, headers=headers)).content

    def token(self, subject: str) -> str:
        name, _, without = subject.partition("-without-")
        scopes = ["marketplace"] if name == "souk" else [] if without else None
        return self.service.token(name, scopes=scopes)

    async def data(self, subject: str, query: str, **variables: Any) -> Any:
        answer = json.loads(await self.raw(subject, query, **variables))
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with a_service(tmp_path_factory.mktemp("strangers"), **NO_LIMITS) as service:
        order = await service.started("R-1", title="A logo for a bakery")
        request = await service.offer(order)
        await service.do("ada", "acceptRequest", requestId=request)
        case = await service.do("ada", "contactSupport", orderId=order, message="He does not answer.")
        shown = await service.ask(
            "ada",
            """query($id: ID!, $request: ID!) { order(id: $id) { events(first: 1) { nodes { id cursor } } }
            node(id: $request) { ... on PartialRefundOffer { refund { id } } } }""",
            id=order,
            request=request,
        )
        [event] = shown["order"]["events"]["nodes"]
        yield Stage(service, order, request, case["id"], shown["node"]["refund"]["id"], event["id"], event["cursor"])


def never_given(id_: str) -> str:
    """An id of the same kind that was never given to anything."""
    name = base64.urlsafe_b64decode(id_ + "==").decode().split(":")[0]
    kind = Kind(name)
    return event_id(uuid4(), 1) if kind is Kind.EVENT else global_id(kind, uuid4())


# ---------------------------------------------------------------- one thing by its id


def told(answer: bytes) -> Any:
    """All of an answer but what it cost."""
    found: dict[str, Any] = json.loads(answer)
    assert found.pop("extensions").keys() == {"cost"}
    return found


@pytest.mark.parametrize("type_name", ["Order", "ResolutionRequest", "SupportCase", "Refund", "OrderEvent"])
@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_strangers_node_is_not_there(stage: Stage, stranger: str, type_name: str) -> None:
    theirs = stage.things()[type_name]
    one, many = root("node", on=type_name, id=f'"{theirs}"'), root("nodes", on=type_name, ids=f'["{theirs}"]')
    assert told(await stage.raw(stranger, one)) == {"data": {"node": None}}
    assert told(await stage.raw(stranger, many)) == {"data": {"nodes": [None]}}
    for query in (one, many):
        assert await stage.raw(stranger, query) == await stage.raw(stranger, query.replace(theirs, never_given(theirs)))
    # The same question of who may ask it is answered, so the nulls above say something.
    assert (await stage.data("ada", one))["node"]["id"] == theirs
    assert (await stage.data("sol", many))["nodes"][0]["id"] == theirs


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_strangers_order_is_not_there(stage: Stage, stranger: str) -> None:
    query = root("order", id=f'"{stage.order}"')
    never = root("order", id=f'"{never_given(stage.order)}"')
    assert await stage.raw(stranger, never) == await stage.raw(stranger, query)
    assert told(await stage.raw(stranger, query)) == {"data": {"order": None}}
    assert (await stage.data("ada", query))["order"]["id"] == stage.order


@pytest.mark.parametrize("name", ACTING_ON_SOMETHING)
@pytest.mark.parametrize("stranger", STRANGERS)
async def test_no_mutation_tells_a_stranger_that_there_is_an_order(stage: Stage, stranger: str, name: str) -> None:
    path = named_thing(name)
    assert path
    theirs = stage.ids()[path]
    answers = [
        await stage.raw(stranger, mutation(name), input=an_input(name, **{path: given}))
        for given in (theirs, never_given(theirs))
    ]
    assert answers[0] == answers[1]
    [refusal] = json.loads(answers[0])["data"][name]["userErrors"]
    assert (refusal["code"], refusal["path"]) == ("NOT_FOUND", [path])


async def test_who_may_not_place_orders_is_told_so_whatever_the_order(stage: Stage) -> None:
    answers = {
        await stage.raw("gita", mutation("placeOrder"), input=an_input("placeOrder", reference=reference))
        for reference in ("R-1", "never placed")
    }
    [answer] = answers
    assert json.loads(answer)["data"]["placeOrder"]["userErrors"][0]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("name", ACTING_ON_SOMETHING)
async def test_a_used_idempotency_key_tells_a_stranger_nothing(stage: Stage, name: str) -> None:
    path = named_thing(name)
    assert path
    service, key = stage.service, f"of Gita's {name}"
    own = await service.place(f"G-{name}", clientSubject="bela", freelancerSubject="gita")
    await service.do("gita", "askClientToCancel", orderId=own, reason="DUPLICATE_ORDER", idempotencyKey=key)
    theirs = stage.ids()[path]
    answers = [
        await stage.raw("gita", mutation(name), input=an_input(name, idempotencyKey=key, **{path: given}))
        for given in (theirs, never_given(theirs))
    ]
    assert answers[0] == answers[1]
    assert b"NOT_FOUND" in answers[0]


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_strangers_stream_is_an_order_that_is_not_there(stage: Stage, stranger: str) -> None:
    async with stage.service.socket(None, token=stage.token(stranger)) as socket:
        frames = []
        for given in (stage.order, never_given(stage.order)):
            query = root("orderEvents", kind="subscription", orderId=f'"{given}"', after=f'"{stage.cursor}"')
            watching = await socket.subscribe(query)
            assert await watching.error() == "NOT_FOUND"
            frames.append(socket.frames[-1].replace(f'"id":"{watching.id}"', ""))
        assert frames[0] == frames[1]


# ---------------------------------------------------------------- lists, counts and figures


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize(
    "filter_",
    [
        {},
        {"reference": "R-1"},
        {"search": "bakery"},
        {"search": "r-1"},
        {"search": "%"},
        {"search": "_"},
        {"status": ["IN_PROGRESS"]},
        {"awaitingMe": False, "late": False},
        *({"role": role} for role in ("CLIENT", "FREELANCER", "SUPPORT", "MARKETPLACE", "SYSTEM")),
    ],
    ids=str,
)
async def test_no_list_holds_or_counts_it(stage: Stage, stranger: str, filter_: dict[str, Any]) -> None:
    data = await stage.data(stranger, COUNTS, filter=filter_)
    shown = json.dumps(data)
    for theirs in stage.things().values():
        assert theirs not in shown
    for connection in data.values():
        assert connection["totalCount"] == len(connection["nodes"])
    found = await stage.data("ada", COUNTS, filter={"reference": "R-1"})
    assert found["orders"]["totalCount"] == 1


async def test_who_has_no_order_has_empty_lists_and_a_dashboard_of_zeros(stage: Stage) -> None:
    data = await stage.data("nobody", COUNTS)
    figures = (await stage.data("nobody", f"{{ dashboard {{ {DASHBOARD} }} }}"))["dashboard"]
    assert {connection["totalCount"] for connection in data.values()} == {0}
    assert {row["count"] for row in figures["ordersByStatus"] + figures["pendingRequestsByKind"]} == {0}
    assert [figures[name] for name in ("awaitingMe", "deadlinesNear", "lateOrders", "openSupportCases")] == [0] * 4


async def test_what_happens_on_a_strangers_order_reaches_no_stream_and_no_figure(stage: Stage) -> None:
    service = stage.service
    gita, hugo = service.token("gita"), service.token("hugo")
    async with service.socket(None, token=gita) as gitas, service.socket(None, token=hugo) as hugos:
        events = await gitas.subscribe("subscription { viewerEvents { kind order { reference } } }")
        figures = await hugos.subscribe(f"subscription {{ dashboard {{ {DASHBOARD} }} }}")
        [nothing] = await figures.take(1)
        await (await gitas.subscribe("{ viewer { id } }")).take(1)

        secret = await service.started("R-2")
        await service.offer(secret)
        await service.place("H-1", clientSubject="hugo", freelancerSubject="gita")

        [first] = await events.take(1)
        assert first["viewerEvents"] == {"kind": "ORDER_PLACED", "order": {"reference": "H-1"}}
        [second] = await figures.take(1)
    changed = {row["status"]: row["count"] for row in second["dashboard"]["ordersByStatus"] if row["count"]}
    assert changed == {"AWAITING_REQUIREMENTS": 1}
    assert not any(row["count"] for row in nothing["dashboard"]["ordersByStatus"])


async def test_an_event_cursor_tells_no_position_and_gives_no_right(stage: Stage) -> None:
    service = stage.service
    query = "{ viewerEvents(first: 100) { nodes { cursor } } eventCursor }"
    found = await service.ask("sol", query)
    cursors = [node["cursor"] for node in found["viewerEvents"]["nodes"]]
    assert {len(cursor) for cursor in cursors} == {len(stage.cursor)}
    assert len(set(cursors)) == len(cursors) > 5
    blocks = [base64.urlsafe_b64decode(cursor + "==") for cursor in cursors]
    for position, (block, after) in enumerate(itertools.pairwise(blocks), start=1):
        # Neither the position's bytes nor anything in common with the next one.
        assert position.to_bytes(4, "big") not in block
        assert sum(a == b for a, b in zip(block, after, strict=True)) < 6

    # A stranger who got hold of one may go on from there, over the stranger's own events.
    query = "query($after: String) { viewerEvents(after: $after) { totalCount nodes { order { id } } } }"
    nodes = (await stage.data("gita", query, after=stage.cursor))["viewerEvents"]["nodes"]
    assert stage.order not in {node["order"]["id"] for node in nodes}


async def test_a_page_of_another_orders_requests_goes_nowhere(stage: Stage) -> None:
    service = stage.service
    page = """query($id: ID!, $after: String) { order(id: $id) { resolutionCenter { requests(after: $after) {
        edges { cursor node { id } } } } } }"""
    shown = await service.ask("ada", page, id=stage.order)
    [edge] = shown["order"]["resolutionCenter"]["requests"]["edges"]
    own = await service.started("G-requests", clientSubject="bela", freelancerSubject="gita")
    assert await service.error("gita", page, id=own, after=edge["cursor"]) == "CURSOR_INVALID"


# ---------------------------------------------------------------- who has a right, and which


async def test_support_sees_every_order_as_support(stage: Stage) -> None:
    query = """query($id: ID!, $request: ID!) { order(id: $id) { viewerRole resolutionCenter { actions { action } } }
        node(id: $request) { ... on PartialRefundOffer { confidentialReason { code } } } viewerScopes
        orders(filter: {role: SUPPORT}) { totalCount } dashboard { openSupportCases } }"""
    data = await stage.data("sol", query, id=stage.order, request=stage.request)
    assert data["order"] == {"viewerRole": "SUPPORT", "resolutionCenter": {"actions": []}}
    assert data["node"]["confidentialReason"] == {"code": "DELIVERY_DELAYED"}
    assert data["viewerScopes"] == ["SUPPORT"]
    assert data["orders"]["totalCount"] >= 1
    assert data["dashboard"]["openSupportCases"] == 1


async def test_support_staff_who_trade_are_a_party_on_their_own_orders(stage: Stage) -> None:
    service = stage.service
    own = await service.started("S-1", clientSubject="sol")
    offer = await service.offer(own, confidentialNote="Sol would not like this.")
    query = """query($id: ID!, $request: ID!) { order(id: $id) { viewerRole resolutionCenter { actions { action } } }
        node(id: $request) { ... on PartialRefundOffer { confidentialReason { code } confidentialNote } } }"""
    data = await service.ask("sol", query, id=own, request=offer)
    assert data["order"]["viewerRole"] == "CLIENT"
    assert {"action": "CANCEL_ORDER"} in data["order"]["resolutionCenter"]["actions"]
    assert data["node"] == {"confidentialReason": None, "confidentialNote": None}
    lists = await service.ask(
        "sol",
        """{ orders(filter: {role: CLIENT}) { nodes { reference } }
        others: orders(filter: {role: SUPPORT, reference: "S-1"}) { totalCount }
        resolutionRequests { nodes { id confidentialNote } } }""",
    )
    assert lists["orders"]["nodes"] == [{"reference": "S-1"}]
    assert lists["others"]["totalCount"] == 0
    assert {"id": offer, "confidentialNote": None} in lists["resolutionRequests"]["nodes"]
    case = await service.do("sol", "contactSupport", orderId=own, message="I am the client here.")
    refusal = await service.refused("sol", "decideSupportCase", **an_input("decideSupportCase", caseId=case["id"]))
    assert refusal == ["FORBIDDEN"]


async def test_a_marketplace_sees_what_it_placed_without_confidences_and_without_actions(stage: Stage) -> None:
    service = stage.service
    query = """query($id: ID!, $request: ID!) { order(id: $id) { viewerRole resolutionCenter { actions { action } } }
        node(id: $request) { id ... on PartialRefundOffer { explanation confidentialReason { code } } } viewerScopes
        orders(filter: {role: MARKETPLACE}) { totalCount } }"""
    data = await service.ask("bazaar", query, id=stage.order, request=stage.request)
    assert data["order"] == {"viewerRole": "MARKETPLACE", "resolutionCenter": {"actions": []}}
    assert data["node"]["explanation"] == "Sorry for the delay."
    assert data["node"]["confidentialReason"] is None
    assert data["viewerScopes"] == ["MARKETPLACE"]
    assert data["orders"]["totalCount"] >= 1
    for name in MUTATIONS:
        path = named_thing(name)
        if path is not None:
            codes = await service.refused("bazaar", name, **an_input(name, **{path: stage.ids()[path]}))
            assert codes == ["FORBIDDEN"], name


async def test_a_user_is_a_profile_page_whose_earnings_are_private(stage: Stage) -> None:
    query = (
        "query($id: ID!) { node(id: $id) { ... on User { name standing { completedOrders earnings { amount } } } } }"
    )
    farid = (await stage.data("farid", "{ viewer { id } }"))["viewer"]["id"]
    assert uuid_of(Kind.USER, farid)
    for viewer, earnings in (("farid", []), ("sol", []), ("ada", None), ("gita", None), ("bazaar", None)):
        data = await stage.data(viewer, query, id=farid)
        assert data["node"] == {"name": "Farid", "standing": {"completedOrders": 0, "earnings": earnings}}


# ---------------------------------------------------------------- nobody

SEND_A_TOKEN = (
    "Send a token: the header Authorization: Bearer …, or over WebSocket the connection parameter authorization."
)


def anonymous(service: Service) -> dict[str, tuple[dict[str, str], str]]:
    """Headers that make nobody known, each with the sentence that says why."""
    expired = service.token("ada", ttl=timedelta(seconds=1))
    foreign = mint("another secret that is long enough", "sol", scopes=["support"], ttl=DAY, now=service.clock.now)
    service.clock.later(timedelta(seconds=10))
    return {
        "no token": ({}, SEND_A_TOKEN),
        "expired": ({"authorization": f"Bearer {expired}"}, "The token has expired; get a new one."),
        "garbage": ({"authorization": "Bearer garbage"}, "This is not a JSON Web Token."),
        "another secret": ({"authorization": f"Bearer {foreign}"}, "The signature of the token is not right."),
        "another scheme": (
            {"authorization": "Basic YWRhOmFkYQ=="},
            "The Authorization header must be the word Bearer, a space, and the token.",
        ),
    }


async def test_without_a_valid_token_there_is_nobody_and_nothing(stage: Stage) -> None:
    service = stage.service
    for headers, sentence in anonymous(service).values():

        async def post(query: str, headers: dict[str, str] = headers, **variables: Any) -> Any:
            body = {"query": query, "variables": variables}
            answer = await service.http.post("/graphql", json=body, headers=headers)
            assert answer.status_code == 200
            return answer.json()

        who = await post("{ viewer { id } viewerScopes __typename }")
        assert who["data"] == {"viewer": None, "viewerScopes": [], "__typename": "Query"}
        unauthenticated = {(name, root(name)) for name in QUERIES if name not in ("viewer", "viewerScopes")}
        unauthenticated |= {
            ("order", root("order", id=f'"{stage.order}"')),
            ("node", root("node", id=f'"{stage.order}"', on="Order")),
        }
        for name, query in sorted(unauthenticated):
            answer = await post(query)
            assert not (answer["data"] or {}).get(name), name
            errors = {(error["message"], error["extensions"]["code"]) for error in answer["errors"]}
            assert errors == {(sentence, "UNAUTHENTICATED")}, name
        for name in MUTATIONS:
            given = an_input(name, **stage.ids())
            answer = await post(mutation(name), input={k: v for k, v in given.items() if k in MUTATIONS[name].fields})
            errors = {(error["message"], error["extensions"]["code"]) for error in answer["errors"]}
            assert errors == {(sentence, "UNAUTHENTICATED")}, name


async def test_a_socket_of_nobody_may_watch_nothing(stage: Stage) -> None:
    async with stage.service.socket(None) as socket:
        for name in SUBSCRIPTIONS:
            arguments: dict[str, Any] = {}
            if "orderId" in SUBSCRIPTIONS[name].args:
                arguments = {"orderId": f'"{stage.order}"'}
            watching = await socket.subscribe(root(name, kind="subscription", **arguments))
            assert await watching.error() == "UNAUTHENTICATED"
            assert SEND_A_TOKEN in socket.frames[-1]
