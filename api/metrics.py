"""What an operator watches, for Prometheus. No label carries an id or a text."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from subscriptions.doorbell import Doorbell
from subscriptions.tail import Tail

MOST_NAMES = 100
"""Operation names that get a label of their own; clients choose names, and must not be able to fill a memory."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
MOST_DIGITS = 4
"""A name with more of them holds an id, most likely."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class LogFigures:
    """What only the database knows: how far the tail is behind the log, and what is overdue."""

    tail_lag: int
    overdue_deadlines: int
    pending_refunds: int


class Metrics:
    """One process's figures. Counting costs no await and never fails."""

    def __init__(self, tail: Tail, doorbell: Doorbell) -> None:
        self._registry = CollectorRegistry()
        self._names: set[str] = set()
        self._operations = Histogram(
            "resolution_operation_seconds",
            "How long queries and mutations took, by the names of their operations.",
            ["operation", "outcome"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._series: dict[tuple[str, str], Histogram] = {}
        self._refusals = Counter(
            "resolution_refusals", "Mutations that were refused, by code.", ["code"], registry=self._registry
        )
        self.sockets = Gauge("resolution_open_sockets", "WebSockets that are open.", registry=self._registry)
        self._figures = _Figures(tail, doorbell)
        self._registry.register(self._figures)

    def operated(self, name: str | None, seconds: float, outcome: Literal["ok", "error", "gone"]) -> None:
        """An operation is over; "gone": its client left before its answer was there."""
        key = (self._bounded(name), outcome)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._operations.labels(*key)
        series.observe(seconds)

    def refused(self, code: str) -> None:
        """A mutation was refused."""
        self._refusals.labels(code).inc()

    def text(self, log: LogFigures | None) -> bytes:
        """All of it in Prometheus's format. While the database does not answer, what only it knows is left out: a zero
        would say that all is well."""
        self._figures.log = log
        return generate_latest(self._registry)

    def _bounded(self, name: str | None) -> str:
        if name is None:
            return "anonymous"
        if name not in self._names:
            if len(self._names) >= MOST_NAMES or not _may_be_told(name):
                return "other"
            self._names.add(name)
        return name


def _may_be_told(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and sum(map(str.isdigit, name)) <= MOST_DIGITS


class _Figures(Collector):
    """Figures that are read when they are asked for."""

    def __init__(self, tail: Tail, doorbell: Doorbell) -> None:
        self.log: LogFigures | None = None
        self._gauges: tuple[tuple[str, str, Callable[[], float]], ...] = (
            ("resolution_database_works", "1 while the database answers.", lambda: self.log is not None),
            ("resolution_open_streams", "Subscriptions that are open.", lambda: tail.listening),
            ("resolution_tail_works", "1 while the tail reads the log.", lambda: tail.works),
            ("resolution_ring_works", "1 while the doorbell's probe comes back.", lambda: doorbell.works),
        )
        self._of_log: tuple[tuple[str, str, Callable[[LogFigures], int]], ...] = (
            ("resolution_tail_lag_events", "Events of the log not handed on yet.", lambda log: log.tail_lag),
            (
                "resolution_overdue_deadlines",
                "Orders with a deadline that is due.",
                lambda log: log.overdue_deadlines,
            ),
            ("resolution_pending_refunds", "Refunds that are not settled.", lambda log: log.pending_refunds),
        )
        self._doorbell = doorbell

    def collect(self) -> Iterator[Metric]:
        for name, text, value in self._gauges:
            yield GaugeMetricFamily(name, text, value=float(value()))
        if self.log is not None:
            for name, text, of in self._of_log:
                yield GaugeMetricFamily(name, text, value=float(of(self.log)))
        rebuilds = float(self._doorbell.rebuilds)
        yield CounterMetricFamily("resolution_ring_rebuilds", "How often the doorbell was built anew.", value=rebuilds)
