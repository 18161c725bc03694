"""`python -m bench`: starts the real server, measures it in interleaved rounds, and prints tables."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import live, load, machine, report, tables, works
from bench.server import Server, serving
from bench.world import World

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. Each round measures every work once; figures are medians over the rounds."""

    orders: int
    rounds: int
    seconds: float
    warm_up: float
    watched: int


FULL = Scale(orders=10_000, rounds=5, seconds=4, warm_up=2, watched=100)
QUICK = Scale(orders=200, rounds=1, seconds=0.3, warm_up=0.1, watched=5)


def main() -> None:
    options = _options()
    scale = QUICK if options.quick else FULL
    load_before = machine.load_average()
    with TemporaryDirectory() as folder, serving(Path(folder), scale.orders) as server, load.generator() as generator:
        results = _measured(server, generator, scale)
        memory = server.memory()
    text = report.text(results, memory, load_before, _command(), _says(scale))
    print(text)
    if options.write:
        tables.write(PAGE, text)
        print(f"Written into docs/{PAGE.name}.", file=sys.stderr)


def _measured(server: Server, generator: load.Generator, scale: Scale) -> report.Results:
    world = World.read(server.url)
    offers = works.Offers(world, parts=scale.rounds + 1)
    jobs = [works.health(), works.page_of_orders(world), works.one_order(world)]
    results = report.Results()
    for turn in range(scale.rounds + 1):
        # The first turn warms up, and is forgotten.
        seconds = scale.seconds if turn else scale.warm_up
        for work in (*jobs, offers.work(turn)):
            _say(f"round {turn} of {scale.rounds}: {work.title}")
            found = generator.run(load.measured, server.url, server.pid, work, seconds)
            if turn:
                results.add(work, found)
        _say(f"round {turn} of {scale.rounds}: live")
        watches = offers.watches(turn, scale.watched)
        delays = generator.run(live.measured, server.url, watches)
        if turn:
            results.add_live(delays)
    return results


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a run of seconds, to see that it works; no figures to keep"
    )
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    return parser.parse_args()


def _command() -> str:
    return " ".join(["python -m bench", *sys.argv[1:]])


def _says(scale: Scale) -> str:
    return (
        f"{scale.orders:,} orders; {scale.rounds} interleaved rounds of {scale.seconds:g} s a work after a warm-up; "
        "medians over the rounds"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
