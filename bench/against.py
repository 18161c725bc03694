"""`python -m bench.against`: our server and its peers on one PostgreSQL, one Redis and the same orders, in turns."""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench import fanout, load, machine, postgresql, tables, works
from bench.postgresql import execute, own_database
from bench.server import SECRET, serving
from bench.world import World, asked, token

PEERS = Path(__file__).parent / "peers"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
OURS = "ours"
_REDIS = "RESOLUTION_TEST_REDIS_URL"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|\+00:00)")
_MILLISECONDS = len("2026-11-24T08:00:00.000")
_ANSWERED = """INSERT INTO requests (id, order_id, kind, status, requested_by_id, requested_by_role, created_at,
  respond_by, on_deadline, settled_at, settled_by_role, text, answer, client_id, freelancer_id, placed_by_id)
SELECT gen_random_uuid(), id, 'ORDER_UPDATE', 'ANSWERED', client_id, 'CLIENT', created_at,
  created_at + interval '2 days', 'EXPIRE', created_at + interval '1 minute', 'FREELANCER',
  'How is it going?', 'Well: it is nearly done.', client_id, freelancer_id, placed_by_id
FROM orders CROSS JOIN generate_series(1, 2)
LIMIT (SELECT 2 * (SELECT count(*) FROM orders) - count(*) FROM requests)"""
"""What was asked before and is answered, so that there are twice as many requests as orders; half of the orders have
one that waits. No event tells of them: no work reads those."""
_NODE = ("mercurius", "graphql-yoga", "graphql", "pg", "fastify")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured; each round measures every work at every server once, one after the other."""

    orders: int
    rounds: int
    seconds: float
    warm_up: float
    sockets: int
    live_seconds: float


FULL = Extent(orders=10_000, rounds=5, seconds=3, warm_up=2, sockets=1_000, live_seconds=6)
QUICK = Extent(orders=200, rounds=1, seconds=0.3, warm_up=0.2, sockets=20, live_seconds=1)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers; `writes` unless it is only compared in what it reads."""

    name: str
    url: str
    pid: int
    writes: bool = True


@dataclass
class Results:
    """Every round of every work at every server."""

    titles: dict[str, str] = field(default_factory=dict)
    found: dict[tuple[str, str], list[load.Measured]] = field(default_factory=dict)
    live: dict[tuple[str, str], list[fanout.Delivered]] = field(default_factory=dict)
    live_titles: dict[str, str] = field(default_factory=dict)

    def add(self, work: works.Work, server: Running, measured: load.Measured) -> None:
        self.titles[work.name] = work.title
        self.found.setdefault((work.name, server.name), []).append(measured)

    def add_live(self, plan: fanout.Plan, server: Running, delivered: fanout.Delivered) -> None:
        self.live_titles[plan.name] = plan.title
        self.live.setdefault((plan.name, server.name), []).append(delivered)

    def of_live(self, plan: str, server: str, figure: Callable[[fanout.Delivered], float]) -> float | None:
        rounds = self.live.get((plan, server))
        return median(map(figure, rounds)) if rounds else None

    def rate(self, work: str, server: str) -> float | None:
        rounds = self.found.get((work, server))
        return median(len(each.latencies) / each.seconds for each in rounds) if rounds else None

    def cpu_ms(self, work: str, server: str) -> float | None:
        rounds = self.found.get((work, server))
        return median(each.server_cpu / len(each.latencies) * 1e3 for each in rounds) if rounds else None


def main() -> None:
    options = _options()
    extent = QUICK if options.quick else FULL
    postgres, redis = postgresql.named(options), options.redis or os.environ.get(_REDIS)
    if not redis:
        raise SystemExit(f"Name a Redis server: --redis redis://host:6379, or {_REDIS}.")
    load_before = machine.load_average()
    with ExitStack() as stack:
        servers = _servers(stack, postgres, redis, extent)
        generator = stack.enter_context(load.generator())
        results = _measured(servers, generator, extent)
    text = _text(results, [server.name for server in servers], extent, load_before)
    print(text)
    if options.write:
        tables.write(PAGE, text, "peers")
        print(f"Written into docs/{PAGE.name}.", file=sys.stderr)


# ---------------------------------------------------------------- the servers


def _servers(stack: ExitStack, postgres: str, redis: str, extent: Extent) -> list[Running]:
    """All of them at once: who is not measured is idle."""
    _install()
    database = stack.enter_context(own_database(postgres))
    folder = Path(stack.enter_context(TemporaryDirectory()))
    ours = stack.enter_context(serving(folder, extent.orders, database, RESOLUTION_BROADCAST_URL=redis))
    # As a database is that has been there for a while: else it would see to itself in the middle of a round.
    for statement in (_ANSWERED, "VACUUM ANALYZE"):
        asyncio.run(execute(database, statement))
    environ = {"DATABASE_URL": database, "REDIS_URL": redis, "JWT_SECRET": SECRET, "NODE_ENV": "production"}
    return [
        Running(OURS, ours.url, ours.pid),
        stack.enter_context(_peer("Mercurius + JIT", ["node", str(PEERS / "mercurius.mjs")], environ)),
        stack.enter_context(_peer("GraphQL Yoga", ["node", str(PEERS / "yoga.mjs")], environ)),
        stack.enter_context(
            _peer("plain Strawberry", [sys.executable, "-m", "bench.peers.plain_strawberry"], environ, writes=False)
        ),
    ]


def _install() -> None:
    if not (PEERS / "node_modules" / ".package-lock.json").exists():
        _say("installing the peers")
        subprocess.run(["npm", "ci", "--silent"], cwd=PEERS, check=True)  # noqa: S607 - as whoever runs it has it


@contextmanager
def _peer(name: str, command: Sequence[str], environ: dict[str, str], *, writes: bool = True) -> Iterator[Running]:
    process = subprocess.Popen(
        command, cwd=PEERS.parent.parent, env=os.environ | environ, stdout=subprocess.PIPE, text=True
    )
    machine.pin(process.pid, machine.core_of_the_server())
    try:
        assert process.stdout
        port = process.stdout.readline().strip()
        if not port.isdigit():
            raise RuntimeError(f"{name} did not start")
        yield Running(name, f"http://127.0.0.1:{port}", process.pid, writes)
    finally:
        process.kill()
        process.wait()


def _compare(servers: Sequence[Running], world: World) -> None:
    """Nobody is measured who answers something else than we do."""
    order = world.orders[len(world.orders) // 2]
    asks: tuple[tuple[str, dict[str, Any]], ...] = (
        (works.PAGE_OF_ORDERS, {"first": 20}),
        (works.ONE_ORDER, {"id": order.id}),
    )
    for document, variables in asks:
        ours, *others = [_comparable(asked(server.url, token(order.client), document, variables)) for server in servers]
        for server, other in zip(servers[1:], others, strict=True):
            if other != ours:
                raise RuntimeError(f"{server.name} answers {other}, and not {ours}")


def _comparable(value: Any) -> Any:
    """Cursors are each server's own, and instants have no microseconds where JavaScript writes them."""
    match value:
        case dict():
            return {key: None if "cursor" in key.lower() else _comparable(inner) for key, inner in value.items()}
        case list():
            return list(map(_comparable, value))
        case str() if _INSTANT.fullmatch(value):
            return value[:_MILLISECONDS]
    return value


# ---------------------------------------------------------------- the measuring


def _measured(servers: Sequence[Running], generator: load.Generator, extent: Extent) -> Results:
    world = World.read(servers[0].url)
    _compare(servers, world)
    writers = [server for server in servers if server.writes]
    # Each order takes one offer: each round of each server has orders of its own, beside those that are watched.
    offers = works.Offers(world, parts=(extent.rounds + 1) * len(writers), kept=extent.sockets // 2 + 1)
    plans = fanout.plans(offers.watched_by_both(), extent.sockets, extent.live_seconds)
    reads = [works.health(), works.page_of_orders(world), works.one_order(world)]
    results = Results()
    for turn in range(extent.rounds + 1):
        # The first turn warms up, and is forgotten.
        seconds = extent.seconds if turn else extent.warm_up
        for work in reads:
            for server in servers:
                _one(results if turn else None, generator, work, server, seconds)
        for number, server in enumerate(writers):
            _one(results if turn else None, generator, offers.work(turn * len(writers) + number), server, seconds)
    for _ in range(min(extent.rounds, LIVE_ROUNDS)):
        for plan in plans:
            for server in writers:
                _say(f"{plan.name} at {server.name}")
                results.add_live(plan, server, generator.run(fanout.measured, server.url, server.pid, plan))
    return results


def _one(results: Results | None, generator: load.Generator, work: works.Work, server: Running, seconds: float) -> None:
    _say(f"{work.name} at {server.name}")
    found = generator.run(load.measured, server.url, server.pid, work, seconds)
    if results:
        results.add(work, server, found)


# ---------------------------------------------------------------- the page


LIVE_ROUNDS = 3
LIVE_FIGURES: dict[str, Callable[[fanout.Delivered], float]] = {
    "p50, ms": lambda found: _quantile(found.lateness, 0.5) * 1e3,
    "p99, ms": lambda found: _quantile(found.lateness, 0.99) * 1e3,
    "delivered, % of what was to be": lambda found: len(found.lateness) / found.expected * 100,
    "server, % of a core": lambda found: found.server_cpu / found.seconds * 100,
    "server CPU, µs a delivery": lambda found: found.server_cpu / max(len(found.lateness), 1) * 1e6,
}


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def _text(results: Results, servers: Sequence[str], extent: Extent, load_before: float) -> str:
    writers = [server for server in servers if any((plan, server) in results.live for plan in results.live_titles)]
    rates = [
        [f"{name}: {title}", *(_figure(results.rate(name, server), ",.0f") for server in servers)]
        for name, title in results.titles.items()
    ]
    ratios = [
        [name, *(_ratio(results.rate(name, OURS), results.rate(name, server)) for server in servers[1:])]
        for name in results.titles
    ]
    cpu = [[name, *(_figure(results.cpu_ms(name, server), ".2f") for server in servers)] for name in results.titles]
    live = [
        [f"{name}: {what}", *(_figure(results.of_live(name, server, figure), ",.1f") for server in writers)]
        for name in results.live_titles
        for what, figure in LIVE_FIGURES.items()
    ]
    return "\n\n".join(
        [
            tables.table(["requests/s", *servers], rates),
            tables.table(["ours, as a multiple of", *servers[1:]], ratios),
            tables.table(["server CPU, ms a request", *servers], cpu),
            tables.listed(results.live_titles),
            tables.table(["live", *writers], live),
            tables.listed(
                {
                    "what": f"{extent.orders:,} orders and {extent.orders * 2:,} requests in PostgreSQL; "
                    f"{extent.rounds} rounds of {extent.seconds:g} s a work and server, in turns, after a warm-up; "
                    f"medians; {works.CONNECTIONS} connections",
                    "servers": "one process on one core each; PostgreSQL, Redis and the load on the other",
                    "machine": machine.description(),
                    "versions": f"{machine.versions()}; {_node_versions()}",
                    "load average before the run": f"{load_before:.1f}",
                    "command": "`python -m bench.against --write`",
                }
            ),
        ]
    )


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _ratio(ours: float | None, theirs: float | None) -> str:
    return "" if ours is None or theirs is None else f"{ours / theirs:.2f}"


def _node_versions() -> str:
    def version(package: str) -> str:
        text = (PEERS / "node_modules" / package / "package.json").read_text()
        return f"{package} {json.loads(text)['version']}"

    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)  # noqa: S607
    return ", ".join([f"Node {node.stdout.strip().removeprefix('v')}", *map(version, _NODE)])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.against", description=__doc__)
    postgresql.add_option(parser)
    parser.add_argument("--redis", metavar="URL", help=f"a Redis server to ring through; else {_REDIS}")
    parser.add_argument("--quick", action="store_true", help="a run of seconds, to see that it works")
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
