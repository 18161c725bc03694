"""Relay's two specifications, sentence by sentence: global object identification, and cursor connections."""

import itertools
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from api.ids import Kind, global_id
from tests.contract import CONTRACT
from tests.service import Service, a_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

OBJECTS = {name: type_ for name, type_ in CONTRACT.type_map.items() if isinstance(type_, GraphQLObjectType)}
CONNECTIONS = {name: type_ for name, type_ in OBJECTS.items() if name.endswith("Connection")}
EDGES = {name: type_ for name, type_ in OBJECTS.items() if name.endswith("Edge")}
NODES = {name: type_ for name, type_ in OBJECTS.items() if any(each.name == "Node" for each in type_.interfaces)}
LISTS: dict[str, GraphQLField] = {
    f"{name}.{field_name}": field
    for name, type_ in OBJECTS.items()
    for field_name, field in type_.fields.items()
    if get_named_type(field.type).name in CONNECTIONS
}
"""Every field that is a connection."""
PAGE = """{ edges { cursor node { sequence } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A server with one order of Ada's with Farid on which five things happened, and nothing more will."""
    async with a_service(tmp_path_factory.mktemp("relay")) as service:
        order = await service.started("R-1")
        await service.do("ada", "acceptRequest", requestId=await service.offer(order))
        await service.all_paid()
        yield service


# ---------------------------------------------------------------- the Node interface


async def test_the_server_has_an_interface_node_with_exactly_one_field_id() -> None:
    node = CONTRACT.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    assert {name: str(field.type) for name, field in node.fields.items()} == {"id": "ID!"}
    assert NODES


async def test_there_is_a_root_field_node_with_exactly_one_argument_id_and_nodes_beside_it() -> None:
    assert CONTRACT.query_type
    node, nodes = CONTRACT.query_type.fields["node"], CONTRACT.query_type.fields["nodes"]
    assert ({name: str(each.type) for name, each in node.args.items()}, str(node.type)) == ({"id": "ID!"}, "Node")
    assert ({name: str(each.type) for name, each in nodes.args.items()}, str(nodes.type)) == (
        {"ids": "[ID!]!"},
        "[Node]!",
    )


async def test_a_things_id_gives_the_same_thing_again_and_no_two_things_share_one(service: Service) -> None:
    query = """{ viewer { __typename id } orders { nodes { __typename id events { nodes { __typename id } }
        client { __typename id } resolutionCenter { requests { nodes { __typename id } } } } } }"""
    found = list(things(await service.ask("ada", query)))
    ids = [thing["id"] for thing in found]
    assert {thing["__typename"] for thing in found} >= {"User", "Order", "OrderEvent", "PartialRefundOffer"}
    by_id = {thing["id"]: thing["__typename"] for thing in found}
    assert len({(thing["id"], thing["__typename"]) for thing in found}) == len(by_id)
    again = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    assert (await service.ask("ada", again, ids=ids))["nodes"] == found
    for id_, name in by_id.items():
        one = await service.ask("ada", "query($id: ID!) { node(id: $id) { __typename id } }", id=id_)
        assert one == {"node": {"__typename": name, "id": id_}}


def things(data: Any) -> Any:
    """Whatever in an answer has an id."""
    if isinstance(data, dict):
        if "id" in data:
            yield {"__typename": data["__typename"], "id": data["id"]}
        data = list(data.values())
    if isinstance(data, list):
        for part in data:
            yield from things(part)


async def test_nodes_are_as_many_as_the_ids_in_their_order_and_null_where_there_is_none(service: Service) -> None:
    [order] = (await service.ask("ada", "{ orders { nodes { id } } }"))["orders"]["nodes"]
    unknown = global_id(Kind.ORDER, uuid4())
    ids = [unknown, order["id"], "", "malformed", order["id"], "é", order["id"] + "="]
    answer = await service.ask("ada", "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert answer["nodes"] == [None, order, None, None, order, None, None]


@pytest.mark.parametrize("subject", ["ada", "gita", "bazaar", "sol"])
async def test_an_unknown_a_foreign_and_a_malformed_id_are_null_alike(service: Service, subject: str) -> None:
    [order] = (await service.ask("ada", "{ orders { nodes { id } } }"))["orders"]["nodes"]
    given = [global_id(Kind.ORDER, uuid4()), "malformed", ""] + ([order["id"]] if subject == "gita" else [])
    query = "query($id: ID!) { node(id: $id) { id } }"
    answers = {(await service.answer(subject, query, id=id_)).content for id_ in given}
    [answer] = answers
    assert answer.startswith(b'{"data":{"node":null}')
    assert b"errors" not in answer


# ---------------------------------------------------------------- connections: the types


@pytest.mark.parametrize("name", CONNECTIONS)
async def test_a_connection_has_edges_and_a_page_info(name: str) -> None:
    fields = CONNECTIONS[name].fields
    assert is_list_type(get_nullable_type(fields["edges"].type))
    assert get_named_type(fields["edges"].type).name in EDGES
    assert str(fields["pageInfo"].type) == "PageInfo!"


@pytest.mark.parametrize("name", EDGES)
async def test_an_edge_has_a_node_that_is_no_list_and_a_cursor_that_is_a_string(name: str) -> None:
    fields = EDGES[name].fields
    assert not is_list_type(get_nullable_type(fields["node"].type))
    assert str(fields["cursor"].type) == "String!"


async def test_a_page_info_says_what_lies_beyond_and_the_cursors_of_both_ends() -> None:
    assert {name: str(field.type) for name, field in OBJECTS["PageInfo"].fields.items()} == {
        "hasNextPage": "Boolean!",
        "hasPreviousPage": "Boolean!",
        "startCursor": "String",
        "endCursor": "String",
    }


@pytest.mark.parametrize("name", LISTS)
async def test_every_connection_takes_both_directions(name: str) -> None:
    arguments = {each: str(argument.type) for each, argument in LISTS[name].args.items()}
    wanted = {"first": "Int", "after": "String", "last": "Int", "before": "String"}
    assert {each: arguments.get(each) for each in wanted} == wanted


async def test_whatever_is_a_connection_is_named_so() -> None:
    alike = {name for name, type_ in OBJECTS.items() if {"edges", "pageInfo"} <= type_.fields.keys()}
    assert alike == set(CONNECTIONS)


# ---------------------------------------------------------------- connections: the pages


async def page(service: Service, **arguments: Any) -> tuple[list[int], list[str], dict[str, Any]]:
    """The sequences, the cursors and the page info of a page of the order's events, of which there are few."""
    query = f"""query($first: Int, $after: String, $last: Int, $before: String) {{
        viewerEvents(first: $first, after: $after, last: $last, before: $before) {PAGE} }}"""
    found = (await service.ask("ada", query, **arguments))["viewerEvents"]
    edges = found["edges"]
    return [edge["node"]["sequence"] for edge in edges], [edge["cursor"] for edge in edges], found["pageInfo"]


async def test_the_four_arguments_slice_the_list_as_the_specification_has_it(service: Service) -> None:
    every, cursors, _ = await page(service)
    assert every == list(range(1, len(every) + 1))
    places: list[int | None] = [None, *range(len(every))]
    for after, before, size in itertools.product(places, places, (1, 2, len(every) + 1)):
        # ApplyCursorsToEdges: what stands before `after`, and `after` itself, is removed; likewise from `before` on.
        # (An edge of `after` that `before` has removed is not there any more, and the other way round.)
        low = 0 if after is None else after + 1
        high = len(every) if before is None else before
        between = every[low:high]
        given = {
            "after": None if after is None else cursors[after],
            "before": None if before is None else cursors[before],
        }
        forward, _, info = await page(service, first=size, **given)
        assert forward == between[:size]
        # HasNextPage: with `first`, whether more remain; HasPreviousPage: with `after`, whether elements precede it.
        # The element at `after` does.
        if len(between) > size or before is None:
            assert info["hasNextPage"] == (len(between) > size)
        assert info["hasPreviousPage"] == (after is not None)
        backward, _, info = await page(service, last=size, **given)
        assert backward == between[-size:]
        if len(between) > size or after is None:
            assert info["hasPreviousPage"] == (len(between) > size)
        assert info["hasNextPage"] == (before is not None)


async def test_the_page_infos_cursors_are_those_of_the_first_and_the_last_edge(service: Service) -> None:
    _, cursors, info = await page(service, first=2)
    assert [info["startCursor"], info["endCursor"]] == cursors
    _, _, info = await page(service, first=2, before=cursors[0])
    assert [info["startCursor"], info["endCursor"]] == [None, None]


async def test_the_order_of_edges_is_the_same_in_both_directions(service: Service) -> None:
    forward, cursors, _ = await page(service, first=100)
    backward, cursors_backward, _ = await page(service, last=100)
    assert (forward, cursors) == (backward, cursors_backward)


@pytest.mark.parametrize(
    "arguments", [{"first": -1}, {"first": 0}, {"last": -1}, {"first": 101}, {"first": 1, "last": 1}]
)
async def test_a_number_that_can_not_be_is_an_error(service: Service, arguments: dict[str, int]) -> None:
    query = "query($first: Int, $last: Int) { viewerEvents(first: $first, last: $last) { totalCount } }"
    assert await service.error("ada", query, **arguments) == "BAD_USER_INPUT"
