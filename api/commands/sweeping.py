"""The command sweep: every deadline that is due takes its effect."""

import click

from api.commands import starting
from api.commands.starting import Problem
from api.settings import Settings
from workers.deadlines import DeadlineWorker

AT_ONCE = 500


def sweep_once(given: Settings) -> None:
    """Sweeps until nothing is due, and tells how many orders moved. Raises Problem when some could not."""
    moved, stuck = starting.run(_sweep(given))
    if moved or not stuck:
        click.echo(f"{moved:,} {_orders(moved)} moved." if moved else "No deadline was due.")
    if stuck:
        raise Problem(f"{stuck:,} {_orders(stuck)} could not be moved; the log says why.")


async def _sweep(given: Settings) -> tuple[int, int]:
    async with starting.writing(given) as clock:
        journal = starting.journal(given, clock)
        worker = DeadlineWorker(journal, batch=AT_ONCE)
        moved = 0
        try:
            while True:
                swept = await worker.sweep()
                moved += swept
                if swept < AT_ONCE:
                    return moved, worker.stuck_orders
        finally:
            await journal.drain()


def _orders(count: int) -> str:
    return "order" if count == 1 else "orders"
