"""The works that are measured: what is asked, by whom, over how many connections, and how a right answer is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from bench.http import get, post
from bench.world import Order, World, token

CONNECTIONS = 8

PERSON = "id subject name"
LEAVES = """id reference title status version price { amount currencyCode } refunded { amount currencyCode }
  createdAt deliveryDueAt deliveredAt autoCompletesAt completedAt cancelledAt viewerRole isLate"""

PAGE_OF_ORDERS = f"""query($first: Int!) {{ orders(first: $first) {{
  edges {{ cursor node {{ {LEAVES} client {{ {PERSON} }} freelancer {{ {PERSON} }}
    resolutionCenter {{ pendingRequests {{ id kind status requestedByRole createdAt respondBy onDeadline
      ... on PartialRefundOffer {{ amount {{ amount currencyCode }} }} }} }} }} }}
  pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"""
"""All that a list shows, with both people and what is pending between them."""

ONE_ORDER = f"""query($id: ID!) {{ order(id: $id) {{ {LEAVES}
  client {{ {PERSON} }} freelancer {{ {PERSON} }} }} }}"""

OFFER = """mutation($input: OfferPartialRefundInput!) { offerPartialRefund(input: $input) {
  request { id status createdAt respondBy amount { amount currencyCode } } userErrors { code message path } } }"""

WATCH = """subscription($id: ID!) { orderEvents(orderId: $id) {
  cursor sequence kind occurredAt actorRole orderStatus requestStatus actor { name } } }"""


@dataclass(frozen=True, slots=True)
class Work:
    """Requests as they go over the wire. `shows` stands in every right answer. With `once` each is sent only once."""

    name: str
    title: str
    requests: Sequence[bytes]
    shows: bytes
    once: bool = False
    connections: int = CONNECTIONS

    def feed(self) -> Iterator[bytes]:
        return iter(self.requests) if self.once else cycle(self.requests)


def health() -> Work:
    """A bare route: what the server's HTTP and the load generator can do at most."""
    return Work("W0", "a bare route, /health/live", [get("/health/live")], b'"ok"')


def page_of_orders(world: World, clients: Sequence[str] | None = None) -> Work:
    """Each client's newest 20 orders, or those of some."""
    requests = [post(token(client), PAGE_OF_ORDERS, {"first": 20}) for client in clients or world.clients]
    return Work(
        "W1", "a page of 20 orders with both people and their requests", requests, b'"data":{"orders":{"edges":[{'
    )


def one_order(world: World) -> Work:
    """Orders by their ids, each asked for by its client."""
    # In another order than they are stored in.
    some = world.orders[::7]
    requests = [post(token(order.client), ONE_ORDER, {"id": order.id}) for order in some]
    return Work("W2", "one order by its id, with both people", requests, b'"data":{"order":{"id"')


@dataclass(frozen=True, slots=True)
class Watch:
    """An order that its client watches over a socket while its freelancer makes an offer."""

    token: str
    order_id: str
    offer: bytes


@dataclass(frozen=True, slots=True)
class Changing:
    """An order whose freelancer makes offers and takes them back, again and again."""

    token: str
    order_id: str
    offer: bytes


class Offers:
    """The orders that take an offer, shared out over the rounds: each takes one, once. The `kept` are nobody's, and
    watched by both of their sides."""

    def __init__(self, world: World, parts: int, *, kept: int = 0) -> None:
        free = [order for order in world.orders if order.takes_an_offer]
        self._kept, shared = free[:kept], free[kept:]
        self._parts = [shared[start::parts] for start in range(parts)]

    def watches(self, part: int, number: int) -> list[Watch]:
        """Some of the orders of a part, for the live measurement. Asked for after `work` was done."""
        some = self._parts[part][: self._reserved(part)][:number]
        return [Watch(token(order.client), order.id, _offer(order)) for order in some]

    def watched_with(self, part: int) -> list[Watch]:
        """All the orders of a part, for whoever watches them and makes the offers himself."""
        return [Watch(token(order.client), order.id, _offer(order)) for order in self._parts[part]]

    def watched_by_both(self) -> list[tuple[Changing, Watch, Watch]]:
        """The orders that are kept, to be changed while both sides watch."""
        return [
            (
                Changing(token(order.freelancer), order.id, _offer(order)),
                Watch(token(order.client), order.id, _offer(order)),
                Watch(token(order.freelancer), order.id, _offer(order)),
            )
            for order in self._kept
        ]

    def work(self, part: int) -> Work:
        """The others, to be offered as fast as can be."""
        requests = [_offer(order) for order in self._parts[part][self._reserved(part) :]]
        return Work("W3", "offering a refund: transaction, event, ring", requests, b'"userErrors":[]', once=True)

    def _reserved(self, part: int) -> int:
        return min(100, len(self._parts[part]) // 4)


def _offer(order: Order) -> bytes:
    given = {
        "orderId": order.id,
        "amount": {"amount": "1.00", "currencyCode": order.currency},
        "explanation": "The second draft came later than I promised.",
        "confidentialReason": "DELIVERY_DELAYED",
    }
    return post(token(order.freelancer), OFFER, {"input": given})
