"""`python -m bench.scale`: what a log carries on PostgreSQL, what orders and sockets cost, and what it adds up to."""

import argparse
import asyncio
import multiprocessing
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from bench import capacity, live, load, machine, postgresql, tables, works
from bench.http import Caller
from bench.lives import MIX, Lived, lived, log_position
from bench.postgresql import bare_log, execute, own_database
from bench.server import Server, serving
from bench.world import World

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
_LOADS = ((1, 1), (1, 8), (2, 8), (4, 8))
"""How many processes write, and how many orders each plays side by side."""
_BARE_WRITERS = 8


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    seconds: float
    orders: int
    sockets: int


FULL = Extent(seconds=8, orders=4_000, sockets=1_000)
QUICK = Extent(seconds=0.5, orders=100, sockets=20)


@dataclass(frozen=True, slots=True)
class Log:
    """What one log took from so many writers."""

    processes: int
    at_once: int
    changes_per_second: float
    orders_per_second: float


@dataclass(frozen=True, slots=True)
class Store:
    """What an order leaves in the database."""

    orders: int
    events: int
    bytes_by_table: dict[str, int]

    @property
    def bytes(self) -> int:
        return sum(self.bytes_by_table.values())


@dataclass(frozen=True, slots=True)
class Costs:
    """What one server process pays, in milliseconds of its core and KiB of its memory."""

    change_ms: float
    watched_change_ms: float
    page_ms: float
    order_ms: float
    socket_kib: float


def main() -> None:
    options = _options()
    url = postgresql.named(options)
    extent = QUICK if options.quick else FULL
    load_before = machine.load_average()
    with own_database(url) as database:
        _say("a bare log")
        bare = uvloop.run(bare_log(database, extent.seconds, _BARE_WRITERS))
        logs, store = _logs(database, extent), _store(database)
    with own_database(url) as database:
        costs = _costs(database, extent)
    figures = _figures(logs, store, costs)
    text = "\n\n".join(
        [
            _logs_text(logs, bare),
            _store_text(store),
            _costs_text(costs, extent),
            f"From these figures (`python -m bench.capacity {_as_options(figures)}`):",
            capacity.text(figures, capacity.Habits()),
            tables.listed(
                {
                    "machine": f"{machine.description()}; PostgreSQL, writers and server share it",
                    "versions": f"PostgreSQL {_version(url)}, {machine.versions()}",
                    "load average before the run": f"{load_before:.1f}",
                    "command": f"`python -m bench.scale{' --quick' if options.quick else ''}`",
                }
            ),
        ]
    )
    print(text)
    if options.write:
        tables.write(PAGE, text)
        print(f"Written into docs/{PAGE.name}.", file=sys.stderr)


# ---------------------------------------------------------------- one log


def _logs(database: str, extent: Extent) -> list[Log]:
    url = database.replace("postgres://", "asyncpg://", 1)
    fresh = multiprocessing.get_context("spawn")
    found = []
    for processes, at_once in _LOADS:
        _say(f"one log: {processes} processes, {at_once} orders side by side in each")
        with ProcessPoolExecutor(processes, fresh) as executor:
            names = [f"L{processes}.{at_once}.{number}" for number in range(processes)]
            # They are at work before it counts.
            list(executor.map(time.sleep, [0.2] * processes))
            before = executor.submit(log_position, url).result()
            done: list[Lived] = list(
                executor.map(lived, [url] * processes, [extent.seconds] * processes, [at_once] * processes, names)
            )
            after = executor.submit(log_position, url).result()
        seconds = max(each.seconds for each in done)
        found.append(Log(processes, at_once, (after - before) / seconds, sum(each.orders for each in done) / seconds))
    return found


def _logs_text(logs: list[Log], bare: float) -> str:
    rows = [
        [f"{log.processes} × {log.at_once}", f"{log.changes_per_second:,.0f}", f"{log.orders_per_second:,.0f}"]
        for log in logs
    ]
    rows.append([f"nothing but the log's lock, {_BARE_WRITERS} connections", f"{bare:,.0f}", ""])
    head = ["writing processes × orders side by side in each", "events/s", "whole orders/s"]
    return f"Whole orders, played on the journal without the API ({MIX}):\n\n{tables.table(head, rows)}"


# ---------------------------------------------------------------- what stays


def _store(database: str) -> Store:
    asyncio.run(execute(database, "VACUUM ANALYZE"))
    sizes = asyncio.run(
        execute(
            database,
            "SELECT relname, pg_total_relation_size(relid) AS bytes FROM pg_statio_user_tables ORDER BY 2 DESC",
        )
    )
    [(orders,)] = asyncio.run(execute(database, "SELECT count(*) FROM orders"))
    [(events,)] = asyncio.run(execute(database, "SELECT count(*) FROM events"))
    return Store(orders, events, {row["relname"]: row["bytes"] for row in sizes})


def _store_text(store: Store) -> str:
    rows = [
        [name, f"{size / store.orders:,.0f}"] for name, size in store.bytes_by_table.items() if size / store.orders >= 1
    ]
    rows.append(["all", f"{store.bytes / store.orders:,.0f}"])
    said = f"What {store.orders:,} such orders with {store.events:,} events left, with indexes, after VACUUM:"
    return f"{said}\n\n{tables.table(['table', 'bytes an order'], rows)}"


# ---------------------------------------------------------------- one server


def _costs(database: str, extent: Extent) -> Costs:
    with (
        TemporaryDirectory() as folder,
        serving(Path(folder), extent.orders, database) as server,
        load.generator() as generator,
    ):
        world = World.read(server.url)
        offers = works.Offers(world, parts=3)

        def cost(work: works.Work) -> float:
            _say(work.title)
            found = generator.run(load.measured, server.url, server.pid, work, extent.seconds)
            return found.server_cpu / len(found.latencies) * 1_000

        pages, orders = works.page_of_orders(world), works.one_order(world)
        cost(pages), cost(orders), cost(offers.work(0))
        page_ms, order_ms, change_ms = cost(pages), cost(orders), cost(offers.work(1))
        _say(f"{extent.sockets} sockets")
        socket_kib, watched_ms = generator.run(_watched, server, offers.watched_with(2)[: extent.sockets])
        return Costs(change_ms, watched_ms, page_ms, order_ms, socket_kib)


def _watched(server: Server, watches: list[works.Watch]) -> tuple[float, float]:
    """KiB a socket, and the CPU of a change when its order is watched by its client."""
    return uvloop.run(_while_watched(server, watches))


async def _while_watched(server: Server, watches: list[works.Watch]) -> tuple[float, float]:
    async with AsyncExitStack() as stack:
        before = server.memory()
        sockets = [await stack.enter_async_context(live.socket(server.url)) for _ in watches]
        for socket, watch in zip(sockets, watches, strict=True):
            await live.subscribe(socket, watch)
        kib = (server.memory() - before) / 1024 / max(len(sockets), 1)
        cpu = machine.cpu_seconds(server.pid)
        caller = await Caller.open(server.url)
        stack.callback(caller.close)
        for watch in watches:
            await caller.call(watch.offer)
        await asyncio.gather(*(socket.recv() for socket in sockets))
        return kib, (machine.cpu_seconds(server.pid) - cpu) / max(len(watches), 1) * 1_000


def _costs_text(costs: Costs, extent: Extent) -> str:
    rows = [
        ["a page of 20 orders (W1): ms of a core", f"{costs.page_ms:.2f}"],
        ["one order by its id (W2): ms of a core", f"{costs.order_ms:.2f}"],
        ["a change that nobody watches (W3): ms of a core", f"{costs.change_ms:.2f}"],
        ["a change that one socket watches: ms of a core", f"{costs.watched_change_ms:.2f}"],
        ["a socket that watches an order: KiB", f"{costs.socket_kib:.0f}"],
    ]
    said = f"One `serve` on one core, with {extent.orders:,} orders in PostgreSQL:"
    return f"{said}\n\n{tables.table(['what', 'cost'], rows)}"


# ---------------------------------------------------------------- what it adds up to


def _figures(logs: list[Log], store: Store, costs: Costs) -> capacity.Figures:
    return capacity.Figures(
        changes_per_second=round(max(log.changes_per_second for log in logs)),
        events_per_order=round(store.events / store.orders, 2),
        bytes_per_order=round(store.bytes / store.orders),
        change_ms=round(costs.change_ms, 2),
        page_ms=round(costs.page_ms, 2),
        delivery_ms=round(max(costs.watched_change_ms - costs.change_ms, 0.01), 2),
        socket_kib=round(costs.socket_kib, 1),
    )


def _as_options(figures: capacity.Figures) -> str:
    return " ".join(f"--{name.replace('_', '-')} {getattr(figures, name):g}" for name in figures.__slots__)


def _version(url: str) -> str:
    [(said,)] = asyncio.run(execute(url, "SHOW server_version"))
    found = re.match(r"[\d.]+", said)
    assert found
    return found[0]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    postgresql.add_option(parser)
    parser.add_argument("--quick", action="store_true", help="a run of seconds, to see that it works")
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
