"""`python -m bench.growth`: what a page, an order and a change cost among few and among very many orders, and beside
thousands of open sockets."""

import argparse
import asyncio
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import fanout, idle, load, machine, postgresql, tables, works
from bench.crowd import Crowd
from bench.loading import into_postgres
from bench.postgresql import own_database
from bench.server import Server, serving
from bench.world import World, asked, token

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_NEWEST = 1_000
"""So many of the newest orders are asked for, and so are their clients' pages."""
_FULL_PAGE = 20
_CHANGES_PER_SECOND = 50
_TOGETHER = 200
_PENDING = """query($first: Int!) { orders(first: $first) {
  nodes { resolutionCenter { pendingRequests { id } } } } }"""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured; each round measures each place once, in turns."""

    orders: tuple[int, ...]
    sockets: int
    rounds: int
    seconds: float


FULL = Extent(orders=(1_000, 1_000_000), sockets=10_000, rounds=5, seconds=3)
QUICK = Extent(orders=(500, 1_000), sockets=20, rounds=1, seconds=0.4)


@dataclass
class Place:
    """One server among so many orders, and what each work took of its CPU there, in ms, round by round."""

    title: str
    server: Server
    world: World
    clients: Sequence[str]
    """Whose pages are asked for."""
    taken: dict[str, list[float]] = field(default_factory=dict)

    def add(self, work: str, milliseconds: float) -> None:
        self.taken.setdefault(work, []).append(milliseconds)


def main() -> None:
    options = _options()
    extent = QUICK if options.quick else FULL
    postgres = postgresql.named(options)
    load_before = machine.load_average()
    idle.allow_files(extent.sockets * 2 + idle.SPARE_FILES)
    with ExitStack() as stack:
        generator = stack.enter_context(load.generator())
        places = [_place(stack, postgres, orders) for orders in extent.orders]
        _make_alike(places)
        _measure(generator, places, extent)
        # The same server once more, with sockets beside.
        first = places[0]
        crowded = Place(f"{first.title}, {extent.sockets:,} sockets", first.server, first.world, first.clients)
        with _open_sockets(first.server, extent.sockets):
            _measure(generator, [crowded], extent)
    text = _text([*places, crowded], extent, load_before)
    print(text)
    if options.write:
        tables.write(PAGE, text, "growth")


def _place(stack: ExitStack, postgres: str, orders: int) -> Place:
    database = stack.enter_context(own_database(postgres))
    _say(f"writing {orders:,} orders")
    asyncio.run(into_postgres(database, Crowd(orders, datetime.now(UTC))))
    asyncio.run(_analyzed(database))
    folder = Path(stack.enter_context(TemporaryDirectory()))
    server = stack.enter_context(serving(folder, None, database))
    world = World.read(server.url, "CROWD-", _NEWEST)
    return Place(f"{orders:,} orders", server, world, world.clients)


def _make_alike(places: Sequence[Place]) -> None:
    """As many clients everywhere, whose full pages hold as many pending requests. Else what is compared is what a page
    holds, and how many ask for one, as much as among how many orders it lies."""
    found = [_by_pending_requests(place) for place in places]
    for place, clients in zip(places, found, strict=True):
        place.clients = [
            client for number in sorted(clients) for client in clients[number][: min(len(one[number]) for one in found)]
        ]
        assert place.clients, "no page is like one among the other orders"


def _by_pending_requests(place: Place) -> Mapping[int, list[str]]:
    """The clients with a full page, by how many requests are pending on it."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for client in place.clients:
        nodes = asked(place.server.url, token(client), _PENDING, {"first": _FULL_PAGE})["orders"]["nodes"]
        if len(nodes) == _FULL_PAGE:
            found[sum(len(node["resolutionCenter"]["pendingRequests"]) for node in nodes)].append(client)
    return found


async def _analyzed(database: str) -> None:
    """As autovacuum would leave it soon."""
    import asyncpg  # type: ignore[import-untyped]  # an extra, and without types

    session = await asyncpg.connect(database)
    try:
        await session.execute("VACUUM ANALYZE")
    finally:
        await session.close()


# ---------------------------------------------------------------- the measuring


def _measure(generator: load.Generator, places: Sequence[Place], extent: Extent) -> None:
    for turn in range(extent.rounds + 1):
        for work, measured in _WORKS.items():
            for place in places:
                _say(f"{work} among {place.title}")
                milliseconds = measured(generator, place, extent.seconds)
                # The first turn warms up, and is forgotten.
                if turn:
                    place.add(work, milliseconds)


def _page(generator: load.Generator, place: Place, seconds: float) -> float:
    return _cpu(generator, place, works.page_of_orders(place.world, place.clients), seconds)


def _order(generator: load.Generator, place: Place, seconds: float) -> float:
    return _cpu(generator, place, works.one_order(place.world), seconds)


def _cpu(generator: load.Generator, place: Place, work: works.Work, seconds: float) -> float:
    found = generator.run(load.measured, place.server.url, place.server.pid, work, seconds)
    return found.server_cpu / len(found.latencies) * 1e3


def _change(generator: load.Generator, place: Place, seconds: float) -> float:
    """Offers that are taken back, so that the orders are never used up."""
    changing = [found for found, *_ in works.Offers(place.world, 1, kept=len(place.world.orders)).watched_by_both()]
    plan = fanout.Plan("W3", "", changing, [], _CHANGES_PER_SECOND, seconds)
    found = generator.run(fanout.measured, place.server.url, place.server.pid, plan)
    return found.server_cpu / found.changes * 1e3


_WORKS: dict[str, Callable[[load.Generator, Place, float], float]] = {
    "W1: a page of 20 orders": _page,
    "W2: one order by its id": _order,
    "W3: a change": _change,
}


@contextmanager
def _open_sockets(server: Server, number: int) -> Iterator[None]:
    """So many sockets, each of another user with one stream that has nothing to tell. They answer pings."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        _say(f"opening {number:,} sockets")
        opening = asyncio.run_coroutine_threadsafe(_opened(server, number), loop)
        tasks = opening.result()
        yield
        assert not any(task.done() for task in tasks), "sockets were cut off while the others were measured"
        asyncio.run_coroutine_threadsafe(_ended(tasks), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _opened(server: Server, number: int) -> list[asyncio.Task[None]]:
    """What keeps each of them open."""
    tasks: list[asyncio.Task[None]] = []
    for start in range(0, number, _TOGETHER):
        sockets = await idle.opened(server, idle.subscribed, range(start, min(start + _TOGETHER, number)))
        tasks += [asyncio.create_task(socket.answer_pings()) for socket in sockets]
    return tasks


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# ---------------------------------------------------------------- the page


def _text(places: Sequence[Place], extent: Extent, load_before: float) -> str:
    first = places[0]
    rows = [
        [
            work,
            *(f"{median(place.taken[work]):.2f}" for place in places),
            *(f"{median(place.taken[work]) / median(first.taken[work]):.2f}" for place in places[1:]),
        ]
        for work in _WORKS
    ]
    head = ["server CPU, ms", *(place.title for place in places), *(f"ratio, {place.title}" for place in places[1:])]
    facts = {
        "what": f"crowds of made-up orders in PostgreSQL; {extent.rounds} rounds of {extent.seconds:g} s, in turns, "
        f"after a warm-up; medians; pages of {len(first.clients)} clients, with as many pending requests everywhere; "
        "the sockets' column was measured after the others",
        "machine": machine.description(),
        "versions": machine.versions(),
        "load average before the run": f"{load_before:.1f}",
        "command": "`python -m bench.growth --write`",
    }
    return f"{tables.table(head, rows)}\n\n{tables.listed(facts)}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    postgresql.add_option(parser)
    parser.add_argument("--quick", action="store_true", help="a run of seconds, to see that it works")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
