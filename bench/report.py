"""The tables: medians over the rounds, what they mean, and on which machine they came about."""

from statistics import median

from bench import machine
from bench.live import Delays
from bench.load import Measured
from bench.tables import listed, table
from bench.works import Work

_READING = """\
In the first table each connection sends its next request when the last one is answered, so that the times hold the
waiting for the others' requests. The load comes from another process on another core; W0 in the same run is what that
process and the server's HTTP can do at most. In the second, each order is watched by its client over a socket of its
own while its freelancer makes an offer. The commit lies between sending the mutation and the event, so that the time
from commit to socket is at most the second row's. The event does not wait for the answer: the third row is negative
where it comes first."""


class Results:
    """All that was measured, round by round."""

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}
        self._rounds: dict[str, list[Measured]] = {}
        self._delays: list[Delays] = []

    def add(self, work: Work, found: Measured) -> None:
        self._works[work.name] = work
        self._rounds.setdefault(work.name, []).append(found)

    def add_live(self, found: Delays) -> None:
        self._delays.append(found)

    def rows(self) -> list[list[str]]:
        """One row a work."""
        return [_row(work, self._rounds[name]) for name, work in self._works.items()]

    def live_rows(self) -> list[list[str]]:
        """One row a delay: the medians of the rounds' p50 and p99, and the worst of all."""
        named = {
            "from sending the mutation to its answer": [delays.answer for delays in self._delays],
            "from sending the mutation to its event on the other side's socket": [d.event for d in self._delays],
            "from the mutation's answer to that event": [delays.between for delays in self._delays],
        }
        return [[f"L: {name}", *_delay_cells([sorted(values) for values in rounds])] for name, rounds in named.items()]


def text(results: Results, memory: int, load_before: float, command: str, says: str) -> str:
    """The whole report, in Markdown."""
    head = ["work", "connections", "requests/s", "p50, ms", "p99, ms", "server CPU, ms each", "server, % of a core"]
    head += ["load, % of a core"]
    return "\n\n".join(
        [
            table(head, results.rows()),
            table(["live: one change at a time", "p50, ms", "p99, ms", "max, ms"], results.live_rows()),
            _READING,
            listed(
                {
                    "what": says,
                    "server": f"`resolution-center serve`, one process on one core, SQLite, production settings; "
                    f"{memory / 2**20:.0f} MiB resident at the end",
                    "machine": machine.description(),
                    "versions": machine.versions(),
                    "load average before the run": f"{load_before:.1f}: the machine is shared and noisy, so compare "
                    "ratios within one run, never figures of two",
                    "command": f"`{command}`",
                }
            ),
        ]
    )


def _row(work: Work, rounds: list[Measured]) -> list[str]:
    def over(figure: list[float], form: str) -> str:
        return format(median(figure), form)

    return [
        f"{work.name}: {work.title}",
        str(work.connections),
        over([len(r.latencies) / r.seconds for r in rounds], ",.0f"),
        over([_quantile(r.latencies, 0.5) * 1e3 for r in rounds], ".2f"),
        over([_quantile(r.latencies, 0.99) * 1e3 for r in rounds], ".2f"),
        over([r.server_cpu / len(r.latencies) * 1e3 for r in rounds], ".2f"),
        over([r.server_cpu / r.seconds * 100 for r in rounds], ".0f"),
        over([r.load_cpu / r.seconds * 100 for r in rounds], ".0f"),
    ]


def _delay_cells(rounds: list[list[float]]) -> list[str]:
    return [
        f"{median(_quantile(values, 0.5) for values in rounds) * 1e3:.2f}",
        f"{median(_quantile(values, 0.99) for values in rounds) * 1e3:.2f}",
        f"{max(values[-1] for values in rounds) * 1e3:.2f}",
    ]


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
