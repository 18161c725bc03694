"""`python -m bench.capacity`: from what one log and one process carry to what a day of orders takes, by arithmetic and
by a simulation of its busiest minute."""

import argparse
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.tables import table

SIZES = (10_000, 1_000_000, 100_000_000)
"""Orders a day."""
PEAK = 3.0
"""How many times the day's mean its busiest minute has."""
FULL = 0.6
"""How far logs and cores are filled at the peak: the rest is for what nobody foresaw."""
DAYS_KEPT = 365
SECONDS_A_DAY = 86_400
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured."""

    changes_per_second: float
    """That one log carries."""
    events_per_order: float
    bytes_per_order: float
    change_ms: float
    """Of a server's core, for one mutation with its event."""
    page_ms: float
    """Of a server's core, for a page of 20 orders."""
    delivery_ms: float
    """Of a server's core, for one event at one more socket."""
    socket_kib: float
    """Of a server's memory, for a socket that watches."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What people do, assumed: change them to yours."""

    pages_per_order: float = 20.0
    """Lists and orders that are looked at, over an order's life."""
    watchers_per_event: float = 2.0
    sockets_per_daily_order: float = 0.2
    """Screens that are open at the peak."""
    process_memory_gib: float = 2.0


@dataclass(frozen=True, slots=True)
class Need:
    """What a day of so many orders takes."""

    orders: int
    events_per_second: float
    logs: int
    cores: int
    sockets: int
    processes: int
    terabytes: float
    rings_per_second: float


def need(orders: int, figures: Figures, habits: Habits) -> Need:
    """The arithmetic, at the day's peak."""
    events = orders * figures.events_per_order / SECONDS_A_DAY * PEAK
    logs = math.ceil(events / (figures.changes_per_second * FULL))
    pages = orders * habits.pages_per_order / SECONDS_A_DAY * PEAK
    deliveries = events * habits.watchers_per_event
    busy = (events * figures.change_ms + pages * figures.page_ms + deliveries * figures.delivery_ms) / 1_000
    cores = math.ceil(busy / FULL)
    sockets = round(orders * habits.sockets_per_daily_order)
    for_memory = math.ceil(sockets * figures.socket_kib / 2**20 / habits.process_memory_gib)
    return Need(
        orders=orders,
        events_per_second=events,
        logs=logs,
        cores=cores,
        sockets=sockets,
        processes=max(cores, for_memory),
        terabytes=orders * figures.bytes_per_order * DAYS_KEPT / 1e12,
        rings_per_second=events / logs,
    )


@dataclass(frozen=True, slots=True)
class Minute:
    """How the busiest minute went, with so many logs."""

    logs: int
    events: int
    busiest: float
    """Share of the minute for which the busiest log was at work."""
    waits: Sequence[float]
    """Sorted, in seconds: from wanting to append to the log until the commit."""

    def wait(self, share: float) -> float:
        return self.waits[min(int(len(self.waits) * share), len(self.waits) - 1)]


def busiest_minute(events_per_second: float, logs: int, figures: Figures, chance: random.Random) -> Minute:
    """Changes come as they please (Poisson), each to the log of its order, which takes them one after the other; how
    long each takes is drawn around what was measured (gamma, with half its mean as deviation)."""
    mean = 1 / figures.changes_per_second
    free_at, worked = [0.0] * logs, [0.0] * logs
    waits: list[float] = []
    now = 0.0
    while (now := now + chance.expovariate(events_per_second)) < MINUTE:
        log = chance.randrange(logs)
        takes = chance.gammavariate(4.0, mean / 4.0)
        free_at[log] = max(free_at[log], now) + takes
        worked[log] += takes
        waits.append(free_at[log] - now)
    return Minute(logs, len(waits), max(worked) / MINUTE, sorted(waits))


def text(figures: Figures, habits: Habits, sizes: Sequence[int] = SIZES) -> str:
    """Both tables, in Markdown."""
    needs = [need(orders, figures, habits) for orders in sizes]
    # The same minute on every run.
    chance = random.Random(20)
    minutes = [
        (each, busiest_minute(each.events_per_second, logs, figures, chance))
        for each in needs
        for logs in sorted({each.logs, max(1, math.ceil(each.logs * FULL * 1.1)), each.logs * 2})
    ]
    head = ["orders a day", "events/s at the peak", "logs (PostgreSQL partitions)", "serve processes, one core each"]
    head += ["open sockets", "TB a year", "rings/s a log"]
    rows = [
        [
            f"{each.orders:,}",
            f"{each.events_per_second:,.1f}",
            f"{each.logs:,}",
            f"{each.processes:,}",
            f"{each.sockets:,}",
            f"{each.terabytes:,.2f}",
            f"{each.rings_per_second:,.1f}",
        ]
        for each in needs
    ]
    simulated = [
        [
            f"{each.orders:,}",
            f"{minute.logs:,}",
            f"{minute.events:,}",
            f"{minute.busiest * 100:.0f} %",
            f"{minute.wait(0.5) * 1e3:,.1f}",
            f"{minute.wait(0.99) * 1e3:,.1f}",
            f"{minute.waits[-1] * 1e3:,.1f}",
        ]
        for each, minute in minutes
    ]
    busy = ["orders a day", "logs", "events in the minute", "busiest log at work", "p50, ms", "p99, ms", "max, ms"]
    return "\n\n".join([table(head, rows), "The busiest minute, simulated:", table(busy, simulated)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    for name in Figures.__slots__:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, required=True)
    parser.add_argument("--orders", type=int, nargs="+", default=SIZES, help="orders a day")
    options = vars(parser.parse_args())
    sizes = options.pop("orders")
    print(text(Figures(**options), Habits(), sizes))


if __name__ == "__main__":
    main()
