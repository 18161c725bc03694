"""Bad input of every kind gets a clear refusal with the code that fits, and changes nothing."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio
from graphql import get_named_type
from hypothesis import given, settings
from hypothesis import strategies as st

from api.ids import Kind, event_id, global_id
from models import reads
from models.cursors import EventCursors
from tests.contract import MUTATIONS, QUERIES, an_input, mutation, named_thing
from tests.database import dump
from tests.listening import the_log
from tests.service import Service, a_service

USD = {"amount": "5.00", "currencyCode": "USD"}
WHO = {"placeOrder": "bazaar", "decideSupportCase": "sol"} | dict.fromkeys(
    ("deliverOrder", "offerPartialRefund", "askClientToCancel", "answerOrderUpdate", "withdrawRequest"), "farid"
)
"""Whose mutation it is; Ada's when it is not named."""
GOOD: dict[str, dict[str, Any]] = {
    "placeOrder": {"reference": "new", "clientSubject": "ada", "freelancerSubject": "farid"},
    "offerPartialRefund": {"confidentialReason": "GOODWILL", "confidentialNote": "Never mind."},
    "askClientToCancel": {"reason": "DUPLICATE_ORDER", "note": "Twice."},
    "askFreelancerToCancel": {"confidentialReason": "NO_LONGER_NEEDED", "confidentialNote": "Really."},
    "declineRequest": {"message": "No."},
    "decideSupportCase": {"decision": "REFUND_PARTIALLY", "refund": USD},
}
"""Inputs that would be done, but for the thing that they name; where `an_input` does not suffice."""


STRANGE: list[object] = [5, None, [], {}, "text"]


@dataclass
class Stage:
    """A server, with an order for each mutation on which it may be done."""

    service: Service
    inputs: dict[str, dict[str, Any]]
    others: list[str]
    """Ids of all kinds, of other things and of nothing."""

    async def outcome(self, name: str, **changes: Any) -> list[tuple[str, list[str] | None]]:
        """The codes of the operation's errors, or the code and the path of each refusal; nothing: it was done."""
        given = self.inputs[name] | changes
        answer = await self.service.post(WHO.get(name, "ada"), mutation(name), input=given)
        if "errors" in answer:
            assert not (answer.get("data") or {}).get(name)
            codes: dict[str, None] = dict.fromkeys(error["extensions"]["code"] for error in answer["errors"])
            return [(code, None) for code in codes]
        return [(refusal["code"], refusal["path"]) for refusal in answer["data"][name]["userErrors"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with the_log() as log:
        async with a_service(tmp_path_factory.mktemp("bad")) as service:
            yield await a_stage(service)
        # Whatever was sent was somebody else's mistake.
        assert '"level":"error"' not in log.getvalue()


async def a_stage(service: Service, prefix: str = "R") -> Stage:
    inputs = {}
    for name in MUTATIONS:
        thing = await an_open_thing(service, name, f"{prefix}-{name}")
        inputs[name] = an_input(name, **GOOD.get(name, {}), **thing)
    inputs["placeOrder"]["reference"] = f"{prefix}-new"
    order, request = inputs["deliverOrder"]["orderId"], inputs["acceptRequest"]["requestId"]
    user = (await service.ask("ada", "{ viewer { id } }"))["viewer"]["id"]
    theirs = await service.started(f"{prefix}-theirs", clientSubject="bela", freelancerSubject="gita")
    nothing = [global_id(kind, uuid4()) for kind in Kind if kind is not Kind.EVENT]
    events = [event_id(uuid4(), sequence) for sequence in (0, 1, 2**31, 10**30)]
    return Stage(
        service, inputs, [order, request, user, theirs, inputs["decideSupportCase"]["caseId"], *nothing, *events]
    )


async def an_open_thing(service: Service, name: str, reference: str) -> dict[str, str]:
    """Whatever the mutation names, on an order of its own, in a status in which it may be done."""
    field = named_thing(name)
    if field is None:
        return {}
    if name in ("submitRequirements", "cancelOrder"):
        return {field: await service.place(reference)}
    order = await service.started(reference)
    if name in ("requestRevision", "acceptDelivery"):
        await service.do("farid", "deliverOrder", orderId=order, message="Here it is.")
    if field == "orderId":
        return {field: order}
    if field == "caseId":
        return {field: (await service.do("ada", "contactSupport", orderId=order, message="Help."))["id"]}
    if name == "answerOrderUpdate":
        asked = await service.do("ada", "requestOrderUpdate", orderId=order, explanation="How is it going?")
        return {field: asked["id"]}
    return {field: await service.offer(order)}


@pytest.mark.asyncio(loop_scope="module")
async def test_the_inputs_that_are_made_worse_here_are_good(stage: Stage) -> None:
    another = await a_stage(stage.service, "good")
    for name in MUTATIONS:
        assert await another.outcome(name) == [], name
    await stage.service.all_paid()


# ---------------------------------------------------------------- every input of every mutation

Row = tuple[object, str, list[str] | None]
"""A value, the code of its refusal, and the refusal's path; None: it is an error of the operation."""

WRONG = "BAD_USER_INPUT"
CONTROLS = ["a\0b", "a\x07b", "a\x1b[31mb", "a\x9fb", "a\ud800", "\udfff"]
LONGEST = {"title": 200, "reference": 100, "clientSubject": 255, "freelancerSubject": 255, "idempotencyKey": 255}
OPTIONAL_TEXTS = {("declineRequest", "message"), ("askClientToCancel", "note")} | {
    (name, "confidentialNote") for name in MUTATIONS
}
REASONS = {"reason", "confidentialReason"}


def rows(name: str, field: str) -> Iterator[Row]:
    """What must be refused in a field of a mutation's input."""
    described = MUTATIONS[name].fields[field]
    kind = get_named_type(described.type).name
    strange: list[object] = [True, 1.5, [], {}, {"a": 1}]
    if field in an_input(name):
        strange.append(None)
    match kind:
        case "ID":
            names_nothing = ["", " ", "garbage", "T3JkZXI6", "é🙂", "A" * 100_000, "\0", "\ud800", 5, -1]
            yield from ((value, "NOT_FOUND", [field]) for value in names_nothing)
        case "String" if field in REASONS:
            unknown = ["", " ", "NOPE", "goodwill", "GOODWILL ", "x" * 100_000, *CONTROLS, "LATE_DELIVERY; --"]
            yield from ((value, "REASON_UNKNOWN", [field]) for value in unknown)
        case "String":
            strange.append(5)
            yield from texts(name, field)
        case "MoneyInput":
            strange += ["5.00", 5, {"amount": "5.00"}, {"currencyCode": "USD"}, USD | {"unit": "cent"}]
            yield from amounts(name, field)
        case "Int":
            strange += [2**31, -(2**31) - 1, 10**30, "3"]
            longest = 365 if field == "deliveryDays" else 30
            yield from ((value, "VALUE_INVALID", [field]) for value in (0, -1, longest + 1, 10**9, 2**31 - 1))
        case "SupportDecision":
            strange += ["NOPE", "cancel_order", "", 5]
        case _:
            raise NotImplementedError(f"say what is bad in {kind}")
    yield from ((value, WRONG, None) for value in strange)


def texts(name: str, field: str) -> Iterator[Row]:
    longest = LONGEST.get(field, 2_500)
    for value in ("x" * (longest + 1), "🙂" * (longest + 1), "x" * 100_000):
        yield value, "TEXT_TOO_LONG", [field]
    for value in CONTROLS + (["a\nb", "a\tb", "a\u2028b"] if field in LONGEST else []):
        yield value, "VALUE_INVALID", [field]
    if (name, field) not in OPTIONAL_TEXTS:
        for value in ("", " ", " \n\t\u00a0\u2003 "):
            yield value, "TEXT_REQUIRED", [field]


def amounts(name: str, field: str) -> Iterator[Row]:
    for amount in ("0", "0.00", "-0", "-1.00", "-0.01"):
        yield USD | {"amount": amount}, "AMOUNT_TOO_SMALL", [field, "amount"]
    for amount in ("1.001", "0.00000000000000000001", "5.0000000000000000001"):
        yield USD | {"amount": amount}, "AMOUNT_PRECISION", [field, "amount"]
    over = {"offerPartialRefund": ["60.01"], "decideSupportCase": ["100.01"]}.get(name, [])
    for amount in (*over, "9" * 20, f"{10**15}.00"):
        yield USD | {"amount": amount}, "AMOUNT_TOO_LARGE", [field, "amount"]
    no_numbers = [
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "1E2",
        "1_0",
        "",
        " 1",
        "1.",
        ".5",
        "0x1",
        "٣",
        "1,5",
    ]
    strange: list[object] = [*no_numbers, "9" * 21, "1" * 100_000, 5.0, 1.5, True, None, [], {}]
    for value in strange:
        yield {"amount": value, "currencyCode": "USD"}, WRONG, None
    code = "VALUE_INVALID" if field == "price" else "CURRENCY_MISMATCH"
    for currency in ("XXQ", "XXX", *(() if field == "price" else ("EUR", "JPY"))):
        yield USD | {"currencyCode": currency}, code, [field, "currencyCode"]
    strange = ["usd", "Usd", "US", "USDD", "", "U D", "ＵＳＤ", "$", 840, None, []]
    for value in strange:
        yield {"amount": "5.00", "currencyCode": value}, WRONG, None


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("name", "field"), [(name, field) for name in MUTATIONS for field in MUTATIONS[name].fields])
async def test_a_bad_value_is_refused_where_it_stands(stage: Stage, name: str, field: str) -> None:
    before = await dump()
    for value, code, path in rows(name, field):
        assert await stage.outcome(name, **{field: value}) == [(code, path)], ascii(value)[:50]
        assert await dump() == before, ascii(value)[:50]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [name for name in MUTATIONS if named_thing(name)])
async def test_an_id_of_another_thing_or_of_nothing_is_not_found(stage: Stage, name: str) -> None:
    field = named_thing(name)
    assert field
    fitting = {given.get(field) for given in stage.inputs.values()}
    before = await dump()
    for other in stage.others:
        if other not in fitting:
            assert await stage.outcome(name, **{field: other}) == [("NOT_FOUND", [field])], other
    assert await dump() == before


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", MUTATIONS)
async def test_an_input_with_a_field_too_many_or_too_few_is_refused(stage: Stage, name: str) -> None:
    before = await dump()
    assert await stage.outcome(name, unheardOf="text") == [(WRONG, None)]
    assert await stage.outcome(name, **{"half \ud800": "text"}) == [(WRONG, None)]
    for field in an_input(name):
        given = {key: value for key, value in stage.inputs[name].items() if key != field}
        answer = await stage.service.post(WHO.get(name, "ada"), mutation(name), input=given)
        assert [error["extensions"]["code"] for error in answer["errors"]] == [WRONG]
    for strange in STRANGE:
        answer = await stage.service.post(WHO.get(name, "ada"), mutation(name), input=strange)
        assert {error["extensions"]["code"] for error in answer["errors"]} == {WRONG}
    assert await dump() == before


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "given", "refusals"),
    [
        ("offerPartialRefund", {"confidentialReason": "OTHER", "confidentialNote": None}, ["TEXT_REQUIRED"]),
        ("offerPartialRefund", {"confidentialReason": "OTHER", "confidentialNote": " "}, ["TEXT_REQUIRED"]),
        (
            "offerPartialRefund",
            {
                "amount": USD | {"amount": "0"},
                "explanation": "",
                "confidentialReason": "NOPE",
                "confidentialNote": "\0",
            },
            ["AMOUNT_TOO_SMALL", "TEXT_REQUIRED", "REASON_UNKNOWN", "VALUE_INVALID"],
        ),
        ("askClientToCancel", {"reason": "OTHER", "note": ""}, ["TEXT_REQUIRED"]),
        ("askClientToCancel", {"reason": "LATE_DELIVERY"}, ["REASON_UNKNOWN"]),
        ("askFreelancerToCancel", {"confidentialReason": "GOODWILL"}, ["REASON_UNKNOWN"]),
        ("requestDeliveryExtension", {"days": 0, "explanation": ""}, ["VALUE_INVALID", "TEXT_REQUIRED"]),
        ("decideSupportCase", {"refund": None}, ["VALUE_INVALID"]),
        ("decideSupportCase", {"decision": "CONTINUE_ORDER"}, ["VALUE_INVALID"]),
        ("decideSupportCase", {"message": "", "refund": USD | {"amount": "0"}}, ["TEXT_REQUIRED", "AMOUNT_TOO_SMALL"]),
        ("placeOrder", {"reference": "R-deliverOrder"}, ["REFERENCE_TAKEN"]),
        ("placeOrder", {"reference": " R-deliverOrder\n"}, ["REFERENCE_TAKEN"]),
        ("placeOrder", {"clientSubject": "farid"}, ["VALUE_INVALID"]),
        ("placeOrder", {"clientSubject": "new-1", "freelancerSubject": " new-1 "}, ["VALUE_INVALID"]),
        ("placeOrder", {"clientSubject": "new-2", "deliveryDays": 0, "title": ""}, ["TEXT_REQUIRED", "VALUE_INVALID"]),
    ],
)
async def test_values_that_do_not_go_together_are_refused_all_at_once(
    stage: Stage, name: str, given: dict[str, Any], refusals: list[str]
) -> None:
    before = await dump()
    assert [code for code, _ in await stage.outcome(name, **given)] == refusals
    assert await dump() == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.asyncio(loop_scope="module")
@settings(max_examples=60)
@given(data=st.data())
async def test_no_value_whatever_breaks_a_mutation(stage: Stage, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(MUTATIONS)))
    fields = data.draw(st.sets(st.sampled_from(sorted(MUTATIONS[name].fields)), min_size=1, max_size=3))
    before = await dump()
    # With the thing's own id, a value that happens to be good would be done.
    thing = {field: "nothing" for field in [named_thing(name)] if field} or {"reference": ""}
    outcome = await stage.outcome(name, **{field: data.draw(json_values, label=field) for field in fields} | thing)
    assert outcome
    assert "INTERNAL_SERVER_ERROR" not in [code for code, _ in outcome]
    assert await dump() == before


# ---------------------------------------------------------------- idempotency keys


@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_is_good_for_one_thing(stage: Stage) -> None:
    reused = [("IDEMPOTENCY_KEY_REUSED", ["idempotencyKey"])]
    service = stage.service
    stage, key = await a_stage(service, "keys"), "one key for all"
    price = {"amount": "1000000000.00", "currencyCode": "USD"}
    assert await stage.outcome("placeOrder", idempotencyKey=key, price=price) == []
    assert await stage.outcome("requestOrderUpdate", idempotencyKey=key) == []
    assert await stage.outcome("offerPartialRefund", idempotencyKey=key) == []
    before = await dump()
    # The same again, however it is written, gives the first outcome again.
    assert await stage.outcome("requestOrderUpdate", idempotencyKey=key) == []
    assert await stage.outcome("offerPartialRefund", idempotencyKey=key, amount=USD | {"amount": "5"}) == []
    assert await stage.outcome("placeOrder", idempotencyKey=key, price=price) == []
    # Another input, another mutation, another order: all of them something else.
    assert await stage.outcome("requestOrderUpdate", idempotencyKey=key, explanation="And?") == reused
    assert await stage.outcome("contactSupport", idempotencyKey=key) == reused
    assert await stage.outcome("askClientToCancel", idempotencyKey=key) == reused
    assert await stage.outcome("offerPartialRefund", idempotencyKey=key, confidentialNote="\ud800") == reused
    assert await stage.outcome("placeOrder", idempotencyKey=key, title="Another") == reused
    other = price | {"amount": "1000000000.00000000000000000001"}
    assert await stage.outcome("placeOrder", idempotencyKey=key, price=other) == reused
    assert await dump() == before
    # Somebody else's key is another one.
    theirs = stage.inputs["requestDeliveryExtension"] | {"idempotencyKey": key}
    assert (await service.tried("sol", "requestDeliveryExtension", **theirs))["userErrors"][0]["code"] == "FORBIDDEN"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", MUTATIONS)
async def test_no_mutation_takes_a_key_that_was_used_for_another(stage: Stage, name: str) -> None:
    service, who, key = stage.service, WHO.get(name, "ada"), f"used before {name}"
    if who == "bazaar":
        await service.place("used.1", idempotencyKey=key)
    else:
        people = {"freelancerSubject" if who == "farid" else "clientSubject": who}
        own = await service.started(f"used.{name}", **people)
        await service.do(who, "contactSupport", orderId=own, message="Mine.", idempotencyKey=key)
    before = await dump()
    assert await stage.outcome(name, idempotencyKey=key) == [("IDEMPOTENCY_KEY_REUSED", ["idempotencyKey"])]
    assert await dump() == before


@pytest.mark.asyncio(loop_scope="module")
async def test_a_refusal_takes_no_key(stage: Stage) -> None:
    stage, key = await a_stage(stage.service, "refused"), "a key that is free"
    assert await stage.outcome("offerPartialRefund", idempotencyKey=key, explanation="") != []
    assert await stage.outcome("offerPartialRefund", idempotencyKey=key) == []


# ---------------------------------------------------------------- lists

NESTED = {
    "events": "query($id: ID!, {head}) {{ order(id: $id) {{ list: events({call}) {{ edges {{ cursor }} }} }} }}",
    "requests": """query($id: ID!, {head}) {{ order(id: $id) {{ resolutionCenter {{
        list: requests({call}) {{ edges {{ cursor }} }} }} }} }}""",
}
OWN = {
    "orders by price": "query({head}) {{ list: orders(orderBy: {{field: PRICE, direction: ASC}}, {call}) "
    "{{ edges {{ cursor }} }} }}",
    "orders the other way": "query({head}) {{ list: orders(orderBy: {{field: CREATED_AT, direction: ASC}}, {call}) "
    "{{ edges {{ cursor }} }} }}",
}
LISTS = (
    {
        name: f"query({{head}}) {{{{ list: {name}({{call}}) {{{{ edges {{{{ cursor }}}} }}}} }}}}"
        for name, described in QUERIES.items()
        if "first" in described.args
    }
    | OWN
    | NESTED
)
"""A document for each list of the contract, and for lists in another order."""
OF_EVENTS = {"viewerEvents", "events"}
PAGE = {"first": "Int", "last": "Int", "after": "String", "before": "String"}


def listed(name: str, **given: Any) -> tuple[str, dict[str, Any]]:
    head = ", ".join(f"${argument}: {PAGE[argument]}" for argument in given)
    call = ", ".join(f"{argument}: ${argument}" for argument in given)
    return LISTS[name].format(head=head, call=call), given


async def page_error(stage: Stage, name: str, order_id: str, **given: Any) -> str:
    document, variables = listed(name, **given)
    nested = {"id": order_id} if name in NESTED else {}
    return await stage.service.error("ada", document, **variables, **nested)


async def a_cursor(stage: Stage, name: str, order_id: str) -> str:
    document, variables = listed(name, first=1)
    nested = {"id": order_id} if name in NESTED else {}
    data = await stage.service.ask("ada", document, **variables, **nested)
    while "list" not in data:
        [data] = data.values()
    cursor: str = data["list"]["edges"][0]["cursor"]
    return cursor


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", LISTS)
async def test_a_page_that_can_not_be_is_refused(stage: Stage, name: str) -> None:
    order = stage.inputs["contactSupport"]["orderId"]
    sizes: list[Any] = [0, -1, 101, 2**31, -(2**31) - 1, 1.5, "5", True]
    pages = [{argument: size} for argument in ("first", "last") for size in sizes]
    pages += [{"first": 1, "last": 1}, {"first": 0, "last": 0}, {"after": 5}, {"before": ["a"]}]
    for page in pages:
        assert await page_error(stage, name, order, **page) == WRONG, page


def forged(*values: object) -> list[str]:
    """Cursors of the right list with values that it can't have given."""
    lists = ["orders:CREATED_AT:desc", "requests", "support-cases"]
    return [urlsafe_b64encode(orjson.dumps([name, values])).rstrip(b"=").decode() for name in lists]


GARBAGE = ["", " ", "garbage", "é🙂", "\ud800", "\0", "A" * 22, "A" * 100_000, "bnVsbA", "W10", "[]"]
FORGED = [
    *forged(["v", "x"], ["v", "y"]),
    *forged(["v", 5], ["v", str(uuid4())]),
    *forged(["t", "2026-11-24T08:00:00+00:00"], ["v", "no uuid"]),
    *forged(["t", "2026-11-24T08:00:00"], ["v", str(uuid4())]),
    *forged(["v", None], ["v", None]),
    *forged(["v", True], ["v", {}]),
    *forged(["v", 2**63], ["v", 1]),
    *forged(["t", "2026-11-24T08:00:00+00:00"]),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", LISTS)
async def test_a_cursor_that_this_list_never_gave_is_refused(stage: Stage, name: str) -> None:
    order, another = stage.inputs["acceptRequest"], stage.inputs["contactSupport"]["orderId"]
    parent = await stage.service.ask(
        "ada", "query($id: ID!) { node(id: $id) { ... on ResolutionRequest { order { id } } } }", id=order["requestId"]
    )
    own = parent["node"]["order"]["id"]
    foreign = [await a_cursor(stage, other, own) for other in LISTS if {other, name} - OF_EVENTS and other != name]
    log = EventCursors(await reads.log_secret())
    beyond = [EventCursors(b"another database").write(1), log.write(10**6), log.write(2**63)]
    for cursor in (*GARBAGE, *FORGED, *foreign, *beyond):
        for argument in ("after", "before"):
            assert await page_error(stage, name, own, **{argument: cursor}) == "CURSOR_INVALID", ascii(cursor)[:50]
    # The same cursors are good where they came from, or this would show nothing.
    document, variables = listed(name, after=await a_cursor(stage, name, own))
    await stage.service.ask("ada", document, **variables, **({"id": own} if name in NESTED else {}))
    if name == "requests":
        assert await page_error(stage, name, another, after=await a_cursor(stage, name, own)) == "CURSOR_INVALID"


@pytest.mark.asyncio(loop_scope="module")
async def test_too_many_ids_are_refused_and_strange_ones_are_nothing(stage: Stage) -> None:
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert await stage.service.error("ada", query, ids=["x"] * 101) == WRONG
    assert (await stage.service.ask("ada", query, ids=["x"] * 100))["nodes"] == [None] * 100
    assert (await stage.service.ask("ada", query, ids=[]))["nodes"] == []
    for strange in ([None], None, 5.5, {"a": 1}, [["x"]]):
        assert await stage.service.error("ada", query, ids=strange) == WRONG
    strange_ids = ["", "\0", "\ud800", "é🙂", "A" * 100_000, 5]
    one = "query($id: ID!) { node(id: $id) { id } order(id: $id) { id } }"
    for id_ in strange_ids:
        assert await stage.service.ask("ada", one, id=id_) == {"node": None, "order": None}


FILTER = "query($f: OrderFilter) { orders(filter: $f) { totalCount nodes { title } } }"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "filter_",
    [
        {"search": "x" * 201},
        {"search": "x" * 100_000},
        *({"search": text} for text in CONTROLS),
        {"search": 5},
        {"reference": "x" * 101},
        *({"reference": text} for text in CONTROLS),
        {"role": "NOBODY"},
        {"role": ["CLIENT"]},
        {"status": ["OPEN"]},
        {"status": [None]},
        {"late": "true"},
        {"awaitingMe": 1},
        {"unheardOf": True},
    ],
    ids=lambda given: ascii(given)[:40],
)
async def test_a_filter_that_can_not_be_is_refused(stage: Stage, filter_: dict[str, Any]) -> None:
    assert await stage.service.error("ada", FILTER, f=filter_) == WRONG


@pytest.mark.asyncio(loop_scope="module")
async def test_the_signs_of_a_pattern_are_searched_for_as_they_are(stage: Stage) -> None:
    titles = ["100% wool", "snake_case", "back\\slash", "it's «quoted»", "Straße", "plain"]
    for number, title in enumerate(titles):
        await stage.service.place(f"signs.{number}", title=title, clientSubject="bela")
    for search, expected in {
        "%": ["100% wool"],
        "0%": ["100% wool"],
        "_": ["snake_case"],
        "e_c": ["snake_case"],
        "s_c": [],
        "\\": ["back\\slash"],
        "\\%": [],
        "'": ["it's «quoted»"],
        "STRASSE": ["Straße"],
        "PLAIN": ["plain"],
        "x" * 200: [],
    }.items():
        orders = (await stage.service.ask("bela", FILTER, f={"search": search}))["orders"]
        assert ([node["title"] for node in orders["nodes"]], orders["totalCount"]) == (expected, len(expected)), search


# ---------------------------------------------------------------- bodies

AN_INFINITE_AMOUNT = (
    json.dumps(
        {
            "query": mutation("placeOrder"),
            "variables": {"input": an_input("placeOrder", price=USD | {"amount": "HERE"})},
        }
    )
    .encode()
    .replace(b'"HERE"', b"1e400")
)
BODIES: dict[str, tuple[bytes, int, str]] = {
    **{
        body.decode(): (body, 400, "BAD_REQUEST")
        for body in (b"5", b"null", b'"text"', b"[]", b'[{"query": "{ viewerScopes }"}]', b"{", b"", b"{}", b"true")
    },
    "a query that is no text": (b'{"query": 5}', 400, "BAD_REQUEST"),
    "an empty query": (b'{"query": ""}', 400, "BAD_REQUEST"),
    "variables that are no object": (b'{"query": "{ viewerScopes }", "variables": [1]}', 400, "BAD_REQUEST"),
    "a name that is no text": (b'{"query": "{ viewerScopes }", "operationName": 5}', 400, "BAD_REQUEST"),
    "an unknown name": (b'{"query": "query A { viewerScopes }", "operationName": "B"}', 400, "BAD_REQUEST"),
    "half a name": (b'{"query": "query A { viewerScopes }", "operationName": "\\ud800"}', 400, "BAD_REQUEST"),
    "bad UTF-8": (b'{"query": "\xff"}', 400, "BAD_REQUEST"),
    "NaN": (b'{"query": "{ viewerScopes }", "variables": {"a": NaN}}', 400, "BAD_REQUEST"),
    "a number of 5,000 digits": (b'{"query": "{ a }", "variables": {"a": ' + b"9" * 5_000 + b"}}", 400, "BAD_REQUEST"),
    "JSON 100,000 deep": (b"[" * 100_000, 400, "BAD_REQUEST"),
    "a stream by HTTP": (b'{"query": "subscription { viewerEvents { id } }"}', 400, "BAD_REQUEST"),
    "bad grammar": (b'{"query": "{"}', 200, "GRAPHQL_PARSE_FAILED"),
    "half a text": (b'{"query": "{ node(id: \\"\\\\ud800\\") { id } }"}', 200, "GRAPHQL_PARSE_FAILED"),
    "a document 3,000 deep": (b'{"query": "' + b"{a" * 3_000 + b'"}', 200, "QUERY_TOO_COMPLEX"),
    "a document 400 deep": (b'{"query": "' + b"{a" * 400 + b'"}', 200, "QUERY_TOO_COMPLEX"),
    "a document 100 deep": (b'{"query": "' + b"{a" * 100 + b'"}', 200, "GRAPHQL_PARSE_FAILED"),
    "an unknown field": (b'{"query": "{ nothing }"}', 200, "GRAPHQL_VALIDATION_FAILED"),
    "a number that is infinite": (
        b'{"query": "query($n: Int) { orders(first: $n) { totalCount } }", "variables": {"n": 1e400}}',
        200,
        "BAD_USER_INPUT",
    ),
    "an amount that is infinite": (AN_INFINITE_AMOUNT, 200, "BAD_USER_INPUT"),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("body", BODIES)
async def test_a_body_that_is_no_operation_is_an_error_with_a_code(stage: Stage, body: str) -> None:
    content, status, code = BODIES[body]
    headers = {"content-type": "application/json", "authorization": f"Bearer {stage.service.token('ada')}"}
    answer = await stage.service.http.post("/graphql", content=content, headers=headers)
    assert answer.status_code == status
    assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {code}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_larger_than_256_kib_is_refused_and_a_mutation_by_get_too(stage: Stage) -> None:
    http = stage.service.http
    before = await dump()
    too_large = await http.post(
        "/graphql", content=b" " * (256 * 1024 + 1), headers={"content-type": "application/json"}
    )
    assert too_large.status_code == 413
    headers = {"authorization": f"Bearer {stage.service.token('ada')}"}
    order = stage.inputs["contactSupport"]["orderId"]
    query = f'mutation {{ contactSupport(input: {{orderId: "{order}", message: "Help."}}) {{ supportCase {{ id }} }} }}'
    by_get = await http.get("/graphql", params={"query": query}, headers=headers)
    assert by_get.status_code == 405
    assert by_get.json()["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"
    assert await dump() == before


# ---------------------------------------------------------------- sockets

INIT: dict[str, Any] = {"type": "connection_init", "payload": {}}


def subscribing(query: str = "{ viewerScopes }", *, id: object = "1", **more: object) -> dict[str, Any]:
    return {"id": id, "type": "subscribe", "payload": {"query": query} | more}


LIVE = "subscription { viewerEvents { id } }"
PAYLOADS: list[object] = [5, None, [], {}, "text"]
WITH_STRANGE_PARTS: list[object] = [
    *STRANGE,
    *({"type": word} for word in STRANGE),
    *({"type": word} for word in ("", "start", "next", "x" * 100_000, "é" * 200, "\ud800")),
    *(INIT | {"payload": payload} for payload in STRANGE if payload not in ({}, None)),
]
AFTER_INIT_WITH_STRANGE_PARTS: list[object] = [
    *(subscribing(id=id_) for id_ in STRANGE if id_ != "text"),
    *(subscribing() | {"payload": payload} for payload in [*STRANGE, {"query": 5}]),
    *(subscribing(variables=variables) for variables in STRANGE if variables is not None and variables != {}),
    subscribing(operationName=5),
    {"id": "1", "type": "subscribe"},
    {"type": "complete"},
]
MESSAGES: list[tuple[list[object], int]] = [
    *(([message], 4400) for message in WITH_STRANGE_PARTS),
    *(([INIT, message], 4400) for message in AFTER_INIT_WITH_STRANGE_PARTS),
    ([subscribing()], 4401),
    ([subscribing(LIVE)], 4401),
    ([INIT, INIT], 4429),
    ([INIT, subscribing(LIVE), subscribing(LIVE)], 4409),
    ([INIT, subscribing(LIVE, id="é" * 255), subscribing(id="é" * 255)], 4409),
    ([INIT, subscribing(LIVE, id="é" * 256)], 4400),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("messages", "code"), MESSAGES, ids=lambda value: ascii(value)[-60:])
async def test_a_message_that_the_protocol_does_not_know_closes_the_socket(
    stage: Stage, messages: list[object], code: int
) -> None:
    token = stage.service.token("ada")
    async with stage.service.silent_socket() as socket:
        for message in messages:
            known = message is INIT
            await socket.connection.send(json.dumps(INIT | {"payload": {"authorization": token}} if known else message))
        assert await socket.close_code() == code


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x00\x01", 4400),
        (b'{"type": "ping"}', 4400),
        ("", 4400),
        ("{", 4400),
        ("[" * 100_000, 4400),
        ('{"type": ' + "9" * 5_000 + "}", 4400),
        ('{"type": NaN}', 4400),
        ("x" * (256 * 1024 + 1), 1009),
    ],
    ids=lambda value: ascii(value)[:20],
)
async def test_a_frame_that_is_no_message_closes_the_socket(stage: Stage, frame: str | bytes, code: int) -> None:
    async with stage.service.socket("ada") as socket:
        await socket.connection.send(frame)
        assert await socket.close_code() == code


@pytest.mark.asyncio(loop_scope="module")
async def test_an_operation_that_can_not_be_leaves_the_socket_and_the_others_alone(stage: Stage) -> None:
    service = stage.service
    async with service.socket("ada") as socket:
        watching = await socket.subscribe("subscription { viewerEvents { kind } }")
        wrong: list[tuple[dict[str, Any], str]] = [
            (subscribing("{"), "GRAPHQL_PARSE_FAILED"),
            (subscribing(""), "BAD_REQUEST"),
            (subscribing("query A { viewerScopes }", operationName="B" * 1_000), "BAD_REQUEST"),
            (subscribing("{ nothing nowhere }"), "GRAPHQL_VALIDATION_FAILED"),
            (subscribing("subscription { nothing }"), "GRAPHQL_VALIDATION_FAILED"),
            (subscribing("subscription { viewerEvents { id } dashboard { at } }"), "GRAPHQL_VALIDATION_FAILED"),
            (subscribing("query($n: Int!) { orders(first: $n) { totalCount } }"), WRONG),
            (subscribing("query($n: Int!) { orders(first: $n) { totalCount } }", variables={"n": 0}), WRONG),
            (subscribing('subscription { orderEvents(orderId: "nothing") { id } }'), "NOT_FOUND"),
            (subscribing('subscription { viewerEvents(after: "nothing") { id } }'), "CURSOR_INVALID"),
            (subscribing('{ orders(filter: {search: "\\u0007"}) { totalCount } }'), WRONG),
        ]
        for number, (message, code) in enumerate(wrong):
            id_ = f"wrong {number}"
            await socket.send(message | {"id": id_})
            answer = await socket.next_of(id_)
            errors = answer["payload"] if answer["type"] == "error" else answer["payload"]["errors"]
            assert {error["extensions"]["code"] for error in errors} == {code}, message
        await socket.send({"id": "never heard of", "type": "complete"})
        await socket.send({"type": "ping", "payload": {"any": "thing"}})
        await service.place("R-still-there")
        assert await watching.take(1) == [{"viewerEvents": {"kind": "ORDER_PLACED"}}]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_mutation_by_socket_is_refused_as_by_http(stage: Stage) -> None:
    before = await dump()
    async with stage.service.socket("farid") as socket:
        for field in ("explanation", "confidentialReason"):
            [value, code, path] = next(iter(rows("offerPartialRefund", field)))
            wrong = stage.inputs["offerPartialRefund"] | {field: value}
            [data] = await (await socket.subscribe(mutation("offerPartialRefund"), input=wrong)).take(1)
            [refusal] = data["offerPartialRefund"]["userErrors"]
            assert (refusal["code"], refusal["path"]) == (code, path)
    assert await dump() == before
