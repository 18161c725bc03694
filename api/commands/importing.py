"""The command import: orders out of a file, through the journal, each row once however often it is run."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import click

from api.commands import starting
from api.commands.rows import FileProblem, Row, rows
from api.commands.starting import Problem
from api.settings import Settings
from models import OrderRow
from models.database import connection
from models.journal import Journal, PlaceOrder
from models.people import name_the_nameless, seen
from rules import texts
from rules.money import Money
from rules.orders import LONGEST_REFERENCE
from rules.refusals import Refusal, Refused
from rules.visibility import Viewer
from rules.vocabulary import RefusalCode, Role

AT_ONCE = 200
"""Rows that are looked up together."""
NAMES_KEPT = 100_000
"""How many subjects are remembered to have their name; a file may hold millions."""

Say = Callable[[str], None]
Advance = Callable[[int], None]


@dataclass
class Tally:
    """What became of the rows."""

    placed: int = 0
    there: int = 0
    refused: int = 0

    @property
    def rows(self) -> int:
        return self.placed + self.there + self.refused

    def __str__(self) -> str:
        outcome = f"{self.placed:,} placed, {self.there:,} already there, {self.refused:,} refused"
        return f"{self.rows:,} {'row' if self.rows == 1 else 'rows'}: {outcome}"


def import_file(given: Settings, path: Path, subject: str) -> None:
    """Brings the file in and says what became of it. Ends with exit code 1 when a row was refused."""
    tally = Tally()
    try:
        marketplace = texts.text(subject, most=255, lines=False)
        with path.open("rb") as file:
            starting.run(_import(given, path, file, marketplace, tally))
    except Refused as refused:
        raise Problem(f"--as: {refused.refusals[0].message}") from None
    except FileProblem as problem:
        raise Problem(f"{path.name}: {problem}") from None
    except BaseException:
        if tally.rows:
            click.echo(f"Stopped after {tally}. Run it again to go on.")
        raise
    click.echo(str(tally))
    if tally.refused:
        raise click.exceptions.Exit(1)


async def _import(given: Settings, path: Path, file: BinaryIO, subject: str, tally: Tally) -> None:
    read = rows(path, file)
    # The first row is read before the database is opened: whatever is wrong with the columns changes nothing.
    first = list(islice(read, 1))
    async with starting.writing(given) as clock:
        journal = starting.journal(given, clock)
        person = await seen(connection(), subject, None, journal.clock(), journal.new_id)
        marketplace = Viewer(person.id, frozenset({Role.MARKETPLACE}))
        with _progress(os.fstat(file.fileno()).st_size) as (say, advance):
            inflow = _Inflow(journal, marketplace, tally, say)
            try:
                for chunk in _chunks(first, read):
                    await inflow.bring_in(chunk)
                    advance(chunk[-1].read)
            finally:
                await journal.drain()


def _chunks(first: list[Row], rest: Iterator[Row]) -> Iterator[list[Row]]:
    chunk = first + list(islice(rest, AT_ONCE - len(first)))
    while chunk:
        yield chunk
        chunk = list(islice(rest, AT_ONCE))


@contextmanager
def _progress(size: int) -> Iterator[tuple[Say, Advance]]:
    """A bar on stderr when that is a terminal; what is said then stands above it. In a pipe there is no bar."""
    if not sys.stderr.isatty():
        yield click.echo, lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False, transient=True) as progress:
        bar = progress.add_task("importing", total=size)

        def say(line: str) -> None:
            if sys.stdout.isatty():
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                click.echo(line)

        yield say, lambda read: progress.update(bar, completed=read)


# ---------------------------------------------------------------- rows that are brought in


class _Inflow:
    """Brings rows in, in their order, and says which were refused and why."""

    def __init__(self, journal: Journal, marketplace: Viewer, tally: Tally, say: Say) -> None:
        self._journal = journal
        self._marketplace = marketplace
        self._tally = tally
        self._say = say
        self._named: set[str] = set()

    async def bring_in(self, chunk: Sequence[Row]) -> None:
        there = await _there(row.order.reference for row in chunk if row.order)
        for row in chunk:
            refusals = row.refusals
            if row.order is not None:
                refusals = await self._bring_in(row.order, row.names, there)
            if refusals:
                self._tally.refused += 1
                self._say(f"{row.place}: {' · '.join(_sentence(refusal) for refusal in refusals)}")

    async def _bring_in(
        self, order: PlaceOrder, names: Mapping[str, str], there: Mapping[str, "_There"]
    ) -> tuple[Refusal, ...]:
        """Why not, if not."""
        found = there.get(order.reference.strip())
        if found is None:
            try:
                await self._journal.place(order, self._marketplace)
            except Refused as refused:
                if [refusal.code for refusal in refused.refusals] != [RefusalCode.REFERENCE_TAKEN]:
                    return refused.refusals
                # Placed since we looked: by an earlier row, or by another import of the same file.
                found = (await _there([order.reference]))[order.reference.strip()]
        if found is not None and (others := found.other_than(order)):
            sentence = f"There is an order with this reference already, with another {' and '.join(others)}."
            return (Refusal(RefusalCode.REFERENCE_TAKEN, sentence),)
        self._tally.placed += found is None
        self._tally.there += found is not None
        await self._name(names)
        return ()

    async def _name(self, names: Mapping[str, str]) -> None:
        new = {subject: name for subject, name in names.items() if subject not in self._named}
        if new:
            await name_the_nameless(connection(), new)
            if len(self._named) > NAMES_KEPT:
                self._named.clear()
            self._named |= new.keys()


@dataclass(frozen=True, slots=True)
class _There:
    """What an order that is there was placed with."""

    title: str
    price: Money
    client_subject: str
    freelancer_subject: str
    delivery_days: int

    def other_than(self, order: PlaceOrder) -> list[str]:
        """The columns in which a row asks for something else. Amounts are equal when they are worth the same."""
        same = {
            "title": order.title.strip() == self.title,
            "amount": order.price.amount == self.price.amount,
            "currency": order.price.currency == self.price.currency,
            "clientSubject": order.client_subject.strip() == self.client_subject,
            "freelancerSubject": order.freelancer_subject.strip() == self.freelancer_subject,
            "deliveryDays": order.delivery_days == self.delivery_days,
        }
        return [column for column, is_same in same.items() if not is_same]


async def _there(references: Iterable[str]) -> dict[str, _There]:
    """The orders with these references. Those that no order can have are not asked for: some databases can't even read
    them."""
    possible = sorted({reference.strip() for reference in references if _is_possible(reference)})
    found = await OrderRow.filter(reference__in=possible).values(
        "reference", "title", "price_minor", "currency", "client__subject", "freelancer__subject", "delivery_days"
    )
    return {
        row["reference"]: _There(
            title=row["title"],
            price=Money(row["price_minor"], row["currency"]),
            client_subject=row["client__subject"],
            freelancer_subject=row["freelancer__subject"],
            delivery_days=row["delivery_days"],
        )
        for row in found
    }


def _is_possible(reference: str) -> bool:
    try:
        texts.text(reference, most=LONGEST_REFERENCE, lines=False)
    except Refused:
        return False
    return True


_COLUMNS: dict[tuple[str, ...], str] = {("price", "amount"): "amount", ("price", "currencyCode"): "currency"}


def _sentence(refusal: Refusal) -> str:
    """«AMOUNT_PRECISION amount: USD has 2 digits after the point; give no more.»"""
    column = _COLUMNS.get(refusal.path, ".".join(refusal.path))
    return f"{refusal.code} {column}: {refusal.message}" if column else f"{refusal.code} {refusal.message}"
