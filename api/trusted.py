"""Trusted documents: the operations that an operator allows, by the manifests that clients' builds write."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError, parse, strip_ignored_characters

from api.errors import Code, coded
from api.http_request import Asked

LARGEST = 20_000_000
"""In bytes. A manifest of a thousand operations is about one megabyte."""
APOLLO = "apollo-persisted-query-manifest"


class ManifestProblem(Exception):
    """The manifest can't be used; one sentence that says why, and begins with the file's name."""


class TrustedDocuments:
    """The documents of manifests, by their ids and by their texts. Where two give one id to different documents, the
    first says what the id means, and the other's is known by its text alone. With `only`, nothing else is executed."""

    def __init__(self, *manifests: Mapping[str, str], only: bool) -> None:
        self._by_id = {id_: text for by_id in reversed(manifests) for id_, text in by_id.items()}
        texts = [text for by_id in manifests for text in by_id.values()]
        self._by_text = {strip_ignored_characters(text): text for text in texts}
        self._longest = max(map(len, texts), default=0)
        self.only = only

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def texts(self) -> Mapping[str, str]:
        """Each document by its id."""
        return self._by_id

    def completed(self, asked: Asked) -> Asked:
        """The operation with its text: that which its id names (`documentId`, or `extensions.persistedQuery.sha256Hash`
        as Apollo's clients send it), or its own. Raises an error with a code that clients know."""
        named = _id_of(asked)
        if named is None:
            return self._by_own_text(asked) if self.only and asked.query else asked
        text = self._by_id.get(named)
        if text is not None:
            return asked.with_query(text)
        if not asked.query:
            # Apollo's clients look for these very words.
            if not self._by_id:
                raise coded(Code.PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")
            raise coded(Code.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
        if not _is_hash_of(named, asked.query):
            raise coded(Code.BAD_REQUEST, "The hash of the persisted query is not that of the query.")
        return self._by_own_text(asked) if self.only else asked

    def _by_own_text(self, asked: Asked) -> Asked:
        """A text is known however it is laid out."""
        text = self._same(asked.query or "")
        if text is None:
            raise coded(
                Code.QUERY_NOT_IN_SAFELIST,
                "This server executes only the operations that its operator allows, and this is none of them.",
            )
        return asked.with_query(text)

    def _same(self, query: str) -> str | None:
        # Whatever is much longer than each of ours is not looked at: it costs time to strip.
        if len(query) > 2 * self._longest + 1_000:
            return None
        try:
            return self._by_text.get(strip_ignored_characters(query))
        except GraphQLSyntaxError:
            return None


NOTHING_TRUSTED = TrustedDocuments(only=False)
"""Without a manifest: every document is judged by itself."""


def _id_of(asked: Asked) -> str | None:
    if asked.document_id is not None:
        return asked.document_id.removeprefix("sha256:")
    persisted = (asked.extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    found = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(found, str):
        raise coded(Code.BAD_REQUEST, "`extensions.persistedQuery` must be an object with the string `sha256Hash`.")
    return found


def _is_hash_of(named: str, text: str) -> bool:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() == named.lower()


# ---------------------------------------------------------------- the file


def read_manifests(*paths: Path, only: bool) -> TrustedDocuments:
    """The manifests in these files, as graphql-codegen (an object of texts by their hashes) or Apollo's tools write
    them. Raises ManifestProblem: a file that can't be read, that is neither, or that holds a text which is no
    document."""
    return TrustedDocuments(*map(_manifest, paths), only=only)


def _manifest(path: Path) -> dict[str, str]:
    try:
        return _documents(_content(path))
    except OSError as error:
        raise ManifestProblem(f"{path} can't be read: {error.strerror or type(error).__name__}.") from None
    except ManifestProblem as problem:
        raise ManifestProblem(f"{path} {problem}.") from None


def _content(path: Path) -> Any:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ManifestProblem(f"is larger than {LARGEST:,} bytes")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ManifestProblem("is not JSON") from None


def _documents(content: Any) -> dict[str, str]:
    if not isinstance(content, dict):
        raise ManifestProblem("holds no JSON object: it is no manifest of graphql-codegen or Apollo")
    pairs = _apollos(content) if "format" in content else list(content.items())
    if not pairs:
        raise ManifestProblem("allows no operation")
    documents: dict[str, str] = {}
    for number, (id_, text) in enumerate(pairs, start=1):
        if not isinstance(id_, str) or not id_ or not isinstance(text, str):
            raise ManifestProblem(f"has no id and text for its operation {number}")
        if documents.get(id_, text) != text:
            raise ManifestProblem(f"gives two operations the id {id_[:80]}")
        _parse(id_, text)
        documents[id_] = text
    return documents


def _apollos(content: dict[str, Any]) -> list[tuple[Any, Any]]:
    if content.get("format") != APOLLO or content.get("version") != 1:
        raise ManifestProblem(f"is not of the format {APOLLO}, version 1")
    operations = content.get("operations")
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise ManifestProblem("has no list of operations")
    return [(each.get("id"), each.get("body")) for each in operations]


def _parse(id_: str, text: str) -> None:
    try:
        parse(text, no_location=True)
    except (GraphQLError, RecursionError):
        raise ManifestProblem(f"holds a text that is no GraphQL document: {id_[:80]}") from None
