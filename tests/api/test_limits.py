"""What a document may ask for: each limit told in a sentence, the cost in each answer, and no text that is looked at
twice."""

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    GraphQLSyntaxError,
    Visitor,
    get_introspection_query,
    parse,
    print_ast,
    separate_operations,
    visit,
)

from api.figures import Figures, Measuring
from api.limits import _TOKEN, NESTED, Limits, _outline, too_dear, too_long, too_many_variables
from api.schema import schema
from api.settings import Settings
from bench.limits import LARGEST, SHAPES, generated
from tests.service import a_service

WEB = Path(__file__).parent.parent.parent / "web" / "src"
DEFAULT = Limits()


def figures(text: str) -> Figures:
    return Measuring(schema._schema).figures(parse(text))


def cost(text: str, **variables: object) -> int:
    operation = figures(text).operation(None)
    assert operation
    return operation.cost(variables)


def refusal(text: str, limits: Limits = DEFAULT, **variables: object) -> str | None:
    """As an operation is judged on its way."""
    if wrong := too_long(text, limits):
        return wrong
    found = figures(text)
    return found.too_much(limits) or too_dear(cost(text, **variables), limits)


# ---------------------------------------------------------------- cost


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ viewerScopes }", 1),
        ("{ viewer { id name subject } }", 2),
        # The connection, and 25 nodes; a page of 3; an edge is no object beside its node.
        ("{ orders { nodes { id } } }", 1 + 1 + 25),
        ("{ orders(first: 3) { nodes { id } } }", 1 + 1 + 3),
        ("{ orders(last: 3) { edges { cursor node { id } } pageInfo { endCursor } } }", 1 + 1 + 3),
        ("{ orders(first: null) { nodes { id } } }", 1 + 1 + 25),
        # What is refused where the page is read costs no more than the largest page, and no less than none.
        ("{ orders(first: 1000000) { nodes { id } } }", 1 + 1 + 100),
        ("{ orders(first: " + "9" * 5_000 + ") { nodes { id } } }", 1 + 1 + 100),
        ("{ orders(first: -5) { nodes { id } } }", 1 + 1),
        ("{ orders(first: 2, last: 7) { nodes { id } } }", 1 + 1 + 7),
        # Lists inside lists multiply.
        ("{ orders(first: 3) { nodes { client { id } events(last: 4) { nodes { id } } } } }", 2 + 3 * (1 + 1 + 1 + 4)),
        ("{ orders(first: 3) { nodes { resolutionCenter { pendingRequests { id } } } } }", 2 + 3 * (1 + 1 + 10)),
        # A total is counted over again: as dear as its page.
        ("{ orders(first: 3) { totalCount } }", 1 + 1 + 3),
        ('{ nodes(ids: ["a", "b"]) { id ... on Order { client { id } } } }', 1 + 2 * (1 + 1)),
        ('mutation { acceptRequest(input: {requestId: "a"}) { request { id } userErrors { code } } }', 1 + 11 + 1 + 10),
        ("subscription { viewerEvents { id order { id } } }", 1 + 1 + 1),
        ("{ __schema { types { fields { name } } } }", 1 + 500),
        ("{ __typename nothing { at { all } } }", 1),
        # A fragment costs what it costs, in each of its places.
        ("{ a: viewer { ...F } b: viewer { ...F } } fragment F on User { standing { windowDays } }", 1 + 2 * (1 + 1)),
        ("{ viewer { ...F ...F ... on User { ...F } } } fragment F on User { standing { windowDays } }", 1 + 1 + 3),
    ],
)
def test_a_cost_is_the_number_of_objects_that_an_answer_may_hold(text: str, expected: int) -> None:
    assert cost(text) == expected


def test_a_page_s_size_may_come_from_a_variable_or_from_its_default() -> None:
    text = "query($n: Int = 7) { orders(first: $n) { nodes { id } } }"
    assert [cost(text, n=n) for n in (1, 100, 10_000, -1)] == [3, 102, 102, 2]
    assert cost(text) == 9
    # What is no number is refused elsewhere, and costs what is usual until then.
    strange: list[object] = [None, "3", True, 1.5, {}]
    assert [cost(text, n=n) for n in strange] == [9] * 5
    assert cost("query($n: Int) { orders(first: $n) { nodes { id } } }") == 27
    assert cost("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["a", "b", "c"]) == 4
    assert cost("query($ids: [ID!]!) { nodes(ids: $ids) { id } }") == 101


def test_each_operation_of_a_document_has_a_cost_and_defaults_of_its_own() -> None:
    found = figures(
        "query A($n: Int = 2) { ...F } query B($n: Int = 4) { ...G } query C { viewerScopes } "
        "fragment F on Query { orders(first: $n) { nodes { id } } } fragment G on Query { viewer { id } }"
    )
    costs = {name: operation.cost({}) for name in "ABC" if (operation := found.operation(name))}
    assert costs == {"A": 4, "B": 2, "C": 1}
    assert found.operation("D") is None


async def test_the_cost_is_told_over_http_and_websocket_and_once_in_a_stream(tmp_path: Path) -> None:
    query = "query($n: Int) { orders(first: $n) { nodes { id } } }"
    async with a_service(tmp_path) as service, service.socket("ada") as socket:
        for _ in range(2):
            answer = await service.post("ada", query, n=5)
            assert answer["extensions"] == {"cost": {"requested": 7, "limit": 10_000}}
        asked = await socket.subscribe(query, n=6)
        assert (await socket.next_of(asked.id))["payload"]["extensions"] == {"cost": {"requested": 8, "limit": 10_000}}
        stream = await socket.subscribe("subscription { viewerEvents { kind } }")
        await service.started()
        told = [(await socket.next_of(stream.id))["payload"].get("extensions") for _ in range(2)]
        assert told == [{"cost": {"requested": 2, "limit": 10_000}}, None]


# ---------------------------------------------------------------- what is refused

TOO_MUCH: dict[str, tuple[str, str]] = {
    "characters": ("#" + "x" * 10_000, "The document has 10,001 characters; at most 10,000 are allowed."),
    "tokens": ("{" + "a " * 1_000 + "}", "The document has 1,002 tokens; at most 1,000 are allowed."),
    "comments": ("#\n" * 1_001, "The document has 1,001 tokens; at most 1,000 are allowed."),
    "operations and fragments": (
        "query A { viewerScopes } " * 71,
        "The document has 71 operations and fragments; at most 70 are allowed.",
    ),
    "selections": ("{a" * 201, "The document has 201 levels of selections; at most 200 are allowed."),
    "depth": ("{a" * 21 + "}" * 21, "The document has 21 levels of fields; at most 20 are allowed."),
    "operations": (
        " ".join(f"query Q{n} {{ viewerScopes }}" for n in range(21)),
        "The document has 21 operations; at most 20 are allowed.",
    ),
    "fragments": (
        "{ viewer { id } }" + " ".join(f"fragment F{n} on User {{ id }}" for n in range(51)),
        "The document has 51 fragments; at most 50 are allowed.",
    ),
    "root fields": (
        "{ ...A ... on Query { ...B } ...B }" + "".join(f" fragment {f} on Query {{ {'a ' * 11}}}" for f in "AB"),
        "The document has 22 root fields; at most 20 are allowed.",
    ),
    "fields": (
        "{ viewer { " + "...A " * 30 + "} } fragment A on User { " + "...B " * 17 + "} fragment B on User { id name }",
        "The document has 1,021 fields, with each fragment in its places; at most 1,000 are allowed.",
    ),
    "aliases": (
        "{ viewer { ...A ...A ...A } } fragment A on User { " + " ".join(f"a{n}: id" for n in range(17)) + " }",
        "The document has 51 aliases, with each fragment in its places; at most 50 are allowed.",
    ),
    "directives": (
        "{ viewer { id " + "@include(if: true) " * 51 + "} }",
        "The document has 51 directives; at most 50 are allowed.",
    ),
    "repetitions": (
        "{ viewer { ...A ... { id } ...A } } fragment A on User { " + "id " * 50 + "}",
        "The document has 101 repetitions of a field; at most 100 are allowed.",
    ),
    "repetitions in what is merged": (
        "{" + ("viewer { " + "id " * 11 + "} ") * 10 + "}",
        "The document has 110 repetitions of a field; at most 100 are allowed.",
    ),
    "cost": (
        "{ orders(first: 100) { nodes { events(first: 100) { nodes { id } } } } }",
        "The operation costs 10,202; at most 10,000 is allowed. Ask for smaller pages or fewer lists inside lists.",
    ),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_is_too_much_is_said_in_one_sentence_with_both_numbers(what: str) -> None:
    text, sentence = TOO_MUCH[what]
    assert refusal(text) == sentence


async def test_a_refusal_is_the_same_over_http_websocket_and_for_a_stream(tmp_path: Path) -> None:
    sentences = dict(TOO_MUCH.values())
    event = "id order { events(first: 100) { nodes { order { events(first: 100) { nodes { id } } } } } }"
    sentences[f"subscription {{ viewerEvents {{ {event} }} }}"] = (
        "The operation costs 10,304; at most 10,000 is allowed. Ask for smaller pages or fewer lists inside lists."
    )
    async with a_service(tmp_path) as service, service.socket("ada") as socket:
        for text, sentence in sentences.items():
            if not text.startswith("subscription"):
                answer = await service.post("ada", text)
                [error] = answer["errors"]
                assert (error["message"], error["extensions"]) == (sentence, {"code": "QUERY_TOO_COMPLEX"})
                assert answer.get("data") is None
            asked = await socket.subscribe(text)
            message = await socket.next_of(asked.id)
            assert message["type"] == "error", message
            assert (message["payload"][0]["message"], message["payload"][0]["extensions"]["code"]) == (
                sentence,
                "QUERY_TOO_COMPLEX",
            )
        # The socket has lived through it.
        assert await (await socket.subscribe("{ viewerScopes }")).take(1) == [{"viewerScopes": []}]


async def test_an_operator_may_set_each_limit(tmp_path: Path) -> None:
    settings = {
        "DOCUMENT_CHARACTERS": ("100", "{ viewerScopes }" + " " * 100),
        "DOCUMENT_TOKENS": ("10", "{ viewer { a:id b:id } }"),
        "DEPTH": ("1", "{ viewer { id } }"),
        "FIELDS": ("2", "{ viewer { id name } }"),
        "ALIASES": ("0", "{ me: viewerScopes }"),
        "ROOT_FIELDS": ("1", "{ viewerScopes eventCursor }"),
        "REPETITIONS": ("1", "{ viewerScopes viewerScopes }"),
        "DIRECTIVES": ("0", "{ viewerScopes @include(if: true) }"),
        "OPERATIONS": ("1", "query A { viewerScopes } query B { viewerScopes }"),
        "FRAGMENTS": ("0", "{ ...F } fragment F on Query { viewerScopes }"),
        "COST": ("1", "{ viewer { id } } # dear"),
    }
    for name, (value, text) in settings.items():
        folder = tmp_path / name
        folder.mkdir()
        async with a_service(folder, **{f"RESOLUTION_MAX_{name}": value}) as service:  # type: ignore[arg-type]  # settings
            body = {"query": text, "operationName": "A"} if "query A" in text else {"query": text}
            answer = (await service.http.post("/graphql", json=body)).json()
            assert answer["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX", name
            assert await service.ask("ada", "{viewerScopes}") == {"viewerScopes": []}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_variables_are_bounded_in_number_and_depth() -> None:
    assert too_many_variables(None, DEFAULT) is None
    assert too_many_variables({"a": deep(9)}, DEFAULT) is None
    for value in (deep(10), deep(500)):
        assert too_many_variables({"a": value}, DEFAULT) == (
            "The variables are nested too deeply; at most 10 levels are allowed."
        )
    assert too_many_variables({"a": list(range(999))}, DEFAULT) is None
    for given in ({"a": list(range(1_000))}, {"a": {str(n): [n] for n in range(500)}}, dict.fromkeys("abc", [0] * 400)):
        assert too_many_variables(given, DEFAULT) == ("The variables hold too many values; at most 1,000 are allowed.")


async def test_variables_that_are_too_deep_are_refused_over_http_and_websocket(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service, service.socket("ada") as socket:
        assert await service.error("ada", "{ viewerScopes }", a=deep(11)) == "BAD_USER_INPUT"
        assert await (await socket.subscribe("{ viewerScopes }", a=deep(11))).error() == "BAD_USER_INPUT"


async def test_a_message_over_websocket_is_bounded_by_the_settings(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_LARGEST_MESSAGE_BYTES="2000") as service, service.socket("ada") as socket:
        await socket.subscribe("{ viewerScopes }" + " " * 3_000)
        assert await socket.close_code() == 1009
    (tmp_path / "b").mkdir()
    async with a_service(tmp_path / "b", RESOLUTION_LARGEST_BODY_BYTES="2000") as service:
        assert (await service.answer("ada", "{ viewerScopes }" + " " * 3_000)).status_code == 413


# ---------------------------------------------------------------- what must pass


def test_the_introspection_of_graphiql_passes() -> None:
    full = get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    assert refusal(full) is None


def test_every_document_of_the_web_app_passes_with_its_largest_pages() -> None:
    text = (WEB / "operations.graphql").read_text("utf-8")
    assert too_long(text, Limits(characters=20_000, tokens=2_000)) is None
    operations = separate_operations(parse(text))
    assert len(operations) > 20
    for name, document in operations.items():
        assert refusal(print_ast(document), first=25, events=50, last=50) is None, name


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_look_at_a_text_counts_what_the_parser_finds(shape: Callable[..., str]) -> None:
    """So that nothing is refused unparsed that would be let through parsed."""
    for name, text in generated(4 * len(SHAPES)):
        if name != shape.__name__ or len(text) > 5_000:
            continue
        with contextlib.suppress(GraphQLSyntaxError):
            document = parse(text)
            definitions, nested = _outline(_TOKEN.findall(text))
            assert definitions == len(document.definitions)
            assert nested == levels(document)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ a }", (1, 1)),
        ("query Q($in: I = {a: {b: {}}}) { a(in: {b: [{}]}) { c } }", (1, 2)),
        ('query { a(text: "{ ) {") @x(y: "(") { b } } # { {', (1, 2)),
        ('fragment F on T { a(text: """ { ( \\""" """) ... { b } } { F }', (2, 2)),
    ],
)
def test_braces_in_values_texts_and_comments_are_no_selections(text: str, expected: tuple[int, int]) -> None:
    assert _outline(_TOKEN.findall(text)) == expected


# ---------------------------------------------------------------- one pass


class Counting(Visitor):
    """Counts selections as they are written."""

    number = 0

    def enter_field(self, *_: Any) -> None:
        self.number += 1

    enter_fragment_spread = enter_inline_fragment = enter_field


class Nesting(Visitor):
    """How deep selections stand in each other as they are written."""

    now = deepest = 0

    def enter_selection_set(self, *_: Any) -> None:
        self.now += 1
        self.deepest = max(self.deepest, self.now)

    def leave_selection_set(self, *_: Any) -> None:
        self.now -= 1


def levels(document: DocumentNode) -> int:
    nesting = Nesting()
    visit(document, nesting)
    return nesting.deepest


def nodes(document: DocumentNode) -> int:
    counting = Counting()
    visit(document, counting)
    return counting.number


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_no_node_is_looked_at_twice(shape: Callable[..., str]) -> None:
    """However often a fragment is spread, and wherever fragments come back to where they began."""
    for name, text in generated(4 * len(SHAPES)):
        if name != shape.__name__ or len(text) > 5_000:
            continue
        with contextlib.suppress(GraphQLSyntaxError):
            document = parse(text)
            found = Measuring(schema._schema).figures(document)
            assert found.visited == nodes(document) or found.depth == NESTED


def test_what_was_measured_is_known_for_as_long_as_the_document_is_kept() -> None:
    measuring = Measuring(schema._schema)
    document = parse("{ viewer { id } }")
    first = measuring.figures(document)
    assert measuring.figures(document) is first
    assert measuring.figures(parse("{ viewer { id } }")) is not first
    del document
    assert measuring._known == {}


def test_a_document_of_doubling_fragments_is_refused_at_once() -> None:
    chain = " ".join(f"fragment F{n} on User {{ ...F{n + 1} ...F{n + 1} }}" for n in range(45))
    text = f"{{ viewer {{ ...F0 }} }} {chain} fragment F45 on User {{ name }}"
    assert refusal(text) == (
        "The document has more than a billion fields, with each fragment in its places; at most 1,000 are allowed."
    )


def test_fragments_nested_too_deeply_are_refused_before_python_says_so() -> None:
    chain = " ".join(f"fragment F{n} on User {{ ...F{n + 1} }}" for n in range(3_000))
    found = figures(f"{{ viewer {{ ...F0 }} }} {chain} fragment F3000 on User {{ name }}")
    assert found.depth == 200
    assert found.too_much(Limits(fragments=10_000)) == "The document has 200 levels of fields; at most 20 are allowed."


def test_fragments_in_a_circle_are_left_to_the_validation() -> None:
    assert refusal("{ viewer { ...A } } fragment A on User { ...B } fragment B on User { id ...A }") is None


def test_a_text_is_counted_in_one_go_whatever_it_looks_like() -> None:
    """A pattern that tried again from each sign would take minutes for these."""
    wide = Limits(characters=LARGEST, tokens=LARGEST * 2)
    for text in ('"', '"""', '"\\', '""" ', '"""\\"""', "#", "-1.e", "\\", "\ufeff", '"" '):
        assert too_long((text * LARGEST)[:LARGEST], wide) is None


# ---------------------------------------------------------------- the page


async def test_the_example_of_the_page_costs_what_the_page_says(tmp_path: Path) -> None:
    page = (WEB.parent.parent / "docs" / "limits.md").read_text("utf-8")
    [text] = re.findall(r"```graphql\n(.*?)```", page, re.DOTALL)
    assert cost(text) == sum(int(number) for number in re.findall(r"# (\d+)", text))
    assert f"costs {cost(text, first=5)}." in page
    answer, refused = (json.loads(found) for found in re.findall(r"```json\n(.*?)```", page, re.DOTALL))
    async with a_service(tmp_path) as service:
        assert (await service.post("ada", text))["extensions"] == answer["extensions"]
        [error] = (await service.post("ada", TOO_MUCH["depth"][0]))["errors"]
    assert refused == {"errors": [{key: error[key] for key in ("message", "extensions")}]}


def test_the_page_tells_the_limits_that_there_are() -> None:
    page = (WEB.parent.parent / "docs" / "limits.md").read_text("utf-8")
    told: dict[str, str] = {}
    for row in re.findall(r"^\| (.*RESOLUTION_MAX_.*) \|$", page, re.MULTILINE):
        _, most, names = row.split(" | ")
        numbers = [number.replace(",", "") for number in most.split(", ")]
        told |= dict(zip(re.findall(r"`RESOLUTION_(MAX_\w+)`", names), numbers, strict=True))
    defaults = Settings()
    limits = [name for name in Settings.model_fields if name.startswith("max_")]
    assert {name: told[name.upper()] for name in limits} == {name: str(getattr(defaults, name)) for name in limits}
