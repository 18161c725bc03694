"""One torture from beginning to end, and its figures."""

import asyncio
import statistics
from dataclasses import dataclass

from tests.torture import verdict
from tests.torture.cluster import Cluster
from tests.torture.people import Reader, Story, Writer

CATCH_UP = 120.0
"""Seconds that readers and refunds have when all is well again."""


@dataclass(frozen=True)
class Figures:
    """What a torture came to."""

    orders: int
    events: int
    mutations: int
    retries: int
    refusals: int
    drops: int
    deeds: dict[str, int]
    slowest_stop: float
    up: list[float]
    down: list[float]

    def __str__(self) -> str:
        deeds = ", ".join(f"{number} {what}" for what, number in sorted(self.deeds.items()))
        return (
            f"{self.orders} orders, {self.events} events, {self.mutations} mutations acknowledged "
            f"({self.retries} tries more, {self.refusals} refused), {self.drops} drops; {deeds}; "
            f"slowest stop {self.slowest_stop:.1f} s\n"
            f"up, mutation to answer:  {_spread(self.up)}\n"
            f"down, event to reader:   {_spread(self.down)}"
        )


async def torture(cluster: Cluster, *, seconds: float, writers: int, readers: int, pause: float) -> Figures:
    """Writers play, readers read, the cluster is tormented; then all must be true. Raises AssertionError if not."""
    story = Story()
    watching = [Reader(_subject(number, writers), cluster) for number in range(readers)]
    await asyncio.gather(*(reader.begin() for reader in watching))
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    tasks = [asyncio.create_task(reader.watch()) for reader in watching]
    try:
        playing = [Writer(number, cluster, story).play(until) for number in range(writers)]
        await asyncio.gather(cluster.torment(until, pause), *playing)
        async with asyncio.timeout(CATCH_UP):
            # Asked from outside, as an operator would: there is nothing to be told by.
            while await verdict.refunds_on_their_way(cluster.database_url):  # noqa: ASYNC110
                await asyncio.sleep(0.5)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    log = await verdict.truth(cluster.database_url)
    await verdict.judge_database(cluster.database_url, story)
    async with asyncio.timeout(CATCH_UP):
        await asyncio.gather(*(reader.catch_up(log.orders.get(reader.subject, {})) for reader in watching))
    for reader in watching:
        verdict.judge_reader(reader, log)
    return _figures(cluster, story, watching, log)


def _subject(number: int, writers: int) -> str:
    side = "client" if number % 2 else "freelancer"
    return f"{side}-{number // 2 % writers}"


def _figures(cluster: Cluster, story: Story, watching: list[Reader], log: verdict.Truth) -> Figures:
    return Figures(
        orders=len(story.orders),
        events=log.events,
        mutations=sum(len(mutations) for mutations in story.acknowledged.values()),
        retries=story.retries,
        refusals=story.refusals,
        drops=sum(reader.drops for reader in watching),
        deeds=cluster.deeds,
        slowest_stop=cluster.slowest_stop,
        up=story.up,
        down=[seconds for reader in watching for seconds in reader.down],
    )


def _spread(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "nothing measured"
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms, most {max(seconds) * 1000:.0f} ms"
