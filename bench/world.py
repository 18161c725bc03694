"""The orders that were seeded, as the API tells them to support, and tokens of their people."""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any

from api.auth import mint
from bench.server import SECRET

_ORDERS = """query($after: String, $named: String!) { orders(first: 100, after: $after, filter: {search: $named}) {
  nodes { id status price { currencyCode } client { subject } freelancer { subject }
    resolutionCenter { requests(first: 20) { nodes { kind status } } } }
  pageInfo { endCursor hasNextPage } } }"""
_OPEN_TO_OFFERS = {"IN_PROGRESS", "DELIVERED", "IN_REVISION"}
_IN_THE_WAY = {"PENDING", "ACCEPTED", "AUTO_ACCEPTED"}
"""Of another offer: there is one at a time, and none after one that was accepted."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the works need to know of an order."""

    id: str
    currency: str
    client: str
    freelancer: str
    takes_an_offer: bool


@dataclass(frozen=True, slots=True)
class World:
    """Orders, the newest first."""

    orders: Sequence[Order]

    @classmethod
    def read(cls, url: str, named: str = "BENCH-", most: int | None = None) -> "World":
        """All orders whose references say so, or the newest ones of them."""
        return cls([_order(node) for node in islice(_nodes(url, named), most)])

    @property
    def clients(self) -> list[str]:
        return sorted({order.client for order in self.orders})


@cache
def token(subject: str, *scopes: str) -> str:
    """A bearer token of somebody, good for the whole run."""
    return mint(SECRET, subject, scopes=scopes, ttl=timedelta(hours=2), now=datetime.now(UTC))


def asked(url: str, subject_token: str, document: str, variables: dict[str, Any]) -> Any:
    """The data of an answer that must have no errors."""
    body = json.dumps({"query": document, "variables": variables}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {subject_token}"}
    request = urllib.request.Request(f"{url}/graphql", body, headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        answer = json.load(response)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def _nodes(url: str, named: str) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        page = asked(url, token("bench-support", "support"), _ORDERS, {"after": after, "named": named})["orders"]
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _order(node: dict[str, Any]) -> Order:
    requests = node["resolutionCenter"]["requests"]["nodes"]
    offered = any(each["kind"] == "PARTIAL_REFUND" and each["status"] in _IN_THE_WAY for each in requests)
    return Order(
        id=node["id"],
        currency=node["price"]["currencyCode"],
        client=node["client"]["subject"],
        freelancer=node["freelancer"]["subject"],
        takes_an_offer=node["status"] in _OPEN_TO_OFFERS and not offered,
    )
