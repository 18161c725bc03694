"""Documents that a process knows already: answered the same the second time, and kept within bounds."""

from pathlib import Path

from graphql import DocumentNode, parse

from api.schema.documents import KnownDocuments
from tests.service import a_service


async def test_a_document_is_answered_the_same_the_second_time(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service, service.socket("ada") as socket:
        for query in (
            "{ viewer { name } }",
            "{",
            "{ nothing }",
            "query A { viewerScopes } query B { viewerScopes }",
            "",
        ):
            first, second = await service.post("ada", query), await service.post("ada", query)
            assert first == second, query
        for query, code in (("{", "GRAPHQL_PARSE_FAILED"), ("{ nothing }", "GRAPHQL_VALIDATION_FAILED")):
            for _ in range(2):
                assert await (await socket.subscribe(query)).error() == code


async def test_a_known_document_takes_new_variables(tmp_path: Path) -> None:
    query = "query($first: Int) { orders(first: $first) { nodes { reference } } }"
    async with a_service(tmp_path) as service:
        for reference in "ABC":
            await service.place(reference)
        for first in (1, 2, 3):
            assert len((await service.ask("ada", query, first=first))["orders"]["nodes"]) == first
        assert await service.error("ada", query, first="one") == "BAD_USER_INPUT"


def kept(known: KnownDocuments, text: str) -> DocumentNode | None:
    found = known.get(text)
    return found.document if found else None


def test_what_is_kept_is_bounded_and_the_least_used_goes_first() -> None:
    known = KnownDocuments(most=3, most_characters=1_000)
    document = parse("{ a }")
    for text in "abc":
        known.keep(text, document)
    assert kept(known, "a") is document
    known.keep("d", document)
    assert (kept(known, "b"), len(known)) == (None, 3)
    assert kept(known, "a") is document
    known.keep("x" * 101, document)
    assert known.get("x" * 101) is None
