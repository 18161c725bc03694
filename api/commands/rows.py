"""Orders out of a file: JSON Lines or CSV, read as a stream, each row checked for its shape and no more."""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, BinaryIO

from models.journal import PlaceOrder
from rules import texts
from rules.money import AskedAmount
from rules.refusals import Refusal, Refused
from rules.vocabulary import RefusalCode

REQUIRED = ("reference", "title", "amount", "currency", "clientSubject", "freelancerSubject", "deliveryDays")
OPTIONAL = ("clientName", "freelancerName")
_SPELLINGS = {
    spelling: column
    for column in REQUIRED + OPTIONAL
    for spelling in (column, re.sub(r"[A-Z]", lambda capital: f"_{capital[0].lower()}", column))
}
"""As in the GraphQL input, and with underscores."""

LONGEST_LINE = 1_000_000
"""In bytes. An order is far shorter; a line without an end must not fill the memory."""
LONGEST_NAME = 255
_BOM = b"\xef\xbb\xbf"


class FileProblem(Exception):
    """Nothing of this file can be brought in; the message is one line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the order that it asks for with the names that it gives to subjects, or why it asks for none.
    `number` counts rows from 1; `line` is where it begins in the file, `read` how many bytes were read by its end."""

    number: int
    line: int
    read: int
    order: PlaceOrder | None
    names: Mapping[str, str]
    refusals: tuple[Refusal, ...]

    @property
    def place(self) -> str:
        """Where to look: «row 17», with the line where that differs."""
        return f"row {self.number:,}" if self.line == self.number else f"row {self.number:,} (line {self.line:,})"


def rows(path: Path, file: BinaryIO) -> Iterator[Row]:
    """Every row of the file, as it is read. Raises FileProblem before the first row: columns that are unknown, missing
    or there twice."""
    lines = _Lines(file)
    found = _csv_rows(lines) if path.suffix.lower() == ".csv" else _json_rows(lines)
    for number, (line, values, refusals) in enumerate(found, start=1):
        if refusals:
            yield Row(number, line, lines.read, None, {}, refusals)
        else:
            yield _checked(number, line, lines.read, values)


class _Lines:
    """The lines of a file, none longer than LONGEST_LINE, and how far it was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0
        self.read = 0
        self.was_cut = False
        """Whether a line was longer, since somebody last asked."""

    def __iter__(self) -> Iterator[bytes]:
        while line := self._file.readline(LONGEST_LINE):
            self.number += 1
            self.read += len(line)
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                self._skip_rest()
            yield line.removeprefix(_BOM) if self.number == 1 else line

    def _skip_rest(self) -> None:
        while rest := self._file.readline(LONGEST_LINE):
            self.was_cut = True
            self.read += len(rest)
            if rest.endswith(b"\n"):
                return

    def take_cut(self) -> bool:
        was_cut, self.was_cut = self.was_cut, False
        return was_cut


# ---------------------------------------------------------------- JSON Lines

_Read = tuple[int, Mapping[str, Any], tuple[Refusal, ...]]


def _json_rows(lines: _Lines) -> Iterator[_Read]:
    """An empty line is no row. The first row shows the columns: an unknown one there is a mistake in the whole file."""
    first = True
    for line in lines:
        if lines.take_cut():
            yield lines.number, {}, (_bad(f"The line is longer than {LONGEST_LINE:,} bytes."),)
        elif line.strip():
            values, refusals = _json_row(line)
            if first and (problem := _unknown(values)):
                raise FileProblem(problem)
            yield lines.number, values, refusals
        else:
            continue
        first = False


def _json_row(line: bytes) -> tuple[Mapping[str, Any], tuple[Refusal, ...]]:
    try:
        found = json.loads(
            line.decode(), parse_float=_decimal, parse_int=_decimal, parse_constant=_decimal, object_pairs_hook=_fields
        )
    except UnicodeDecodeError:
        return {}, (_bad("The line is not UTF-8."),)
    except json.JSONDecodeError as error:
        return {}, (_bad(f"This is not JSON: {error.msg} at character {error.pos + 1}."),)
    except _Twice as twice:
        return {}, (_bad(f"{_shown(str(twice))} stands there twice."),)
    except (ValueError, RecursionError):
        return {}, (_bad("This is not JSON that can be read."),)
    if not isinstance(found, dict):
        return {}, (_bad('The row must be an object: {"reference": …, "title": …, …}.'),)
    return found, ()


class _Twice(ValueError):
    """A field that an object has twice."""


def _fields(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(name)
        found[name] = value
    return found


def _decimal(text: str) -> Decimal:
    """Exact: a float would round amounts."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None


# ---------------------------------------------------------------- CSV


def _csv_rows(lines: _Lines) -> Iterator[_Read]:
    # Bytes that are no UTF-8 become half surrogates, which no text may hold: the row is refused, and the next one read.
    reader = csv.reader((line.decode(errors="surrogateescape") for line in lines), strict=True)
    header = _header(reader)
    while True:
        begins = lines.number + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            lines.take_cut()
            yield begins, {}, (_bad(f"This is not CSV: {error}."),)
            continue
        if cells is None:
            return
        if lines.take_cut():
            yield begins, {}, (_bad(f"The line is longer than {LONGEST_LINE:,} bytes."),)
        elif any(_is_garbled(cell) for cell in cells):
            yield begins, {}, (_bad("The row is not UTF-8."),)
        elif len(cells) > len(header):
            yield begins, {}, (_bad(f"There are {len(cells)} cells; the header names {len(header)}."),)
        elif cells:
            yield begins, {name: cell for name, cell in zip(header, cells, strict=False) if cell.strip()}, ()


def _header(reader: Iterator[list[str]]) -> list[str]:
    """The columns as they are spelled here."""
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise FileProblem(f"The first line is not CSV: {error}.") from None
    if not any(names):
        raise FileProblem(f"The first line must name the columns: {', '.join(REQUIRED)}.")
    if any(_is_garbled(name) for name in names):
        raise FileProblem("The file is not UTF-8.")
    if len(names) == 1 and (other := next((sign for sign in ";\t" if sign in names[0]), None)):
        raise FileProblem(
            f"The columns are separated by «{'tabs' if other == chr(9) else other}»: save the file with commas."
        )
    if problem := _unknown(dict.fromkeys(names)):
        raise FileProblem(problem)
    columns = [_SPELLINGS[name] for name in names]
    if twice := next((column for column in columns if columns.count(column) > 1), None):
        raise FileProblem(f"The column {twice} is there twice.")
    if missing := [column for column in REQUIRED if column not in columns]:
        raise FileProblem(f"The column {missing[0]} is missing; there must be {', '.join(REQUIRED)}.")
    return columns


def _is_garbled(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text)


# ---------------------------------------------------------------- from values to an order


def _unknown(values: Mapping[str, Any]) -> str | None:
    name = next((name for name in values if name not in _SPELLINGS), None)
    if name is None:
        return None
    return f"There is no column {_shown(name)}; there are {', '.join(REQUIRED + OPTIONAL)}."


def _shown(name: str) -> str:
    """A name from a file, fit for a terminal."""
    short = name if len(name) <= 40 else f"{name[:40]}…"
    return f"«{''.join(sign if sign.isprintable() else '?' for sign in short)}»"


def _checked(number: int, line: int, read: int, values: Mapping[str, Any]) -> Row:
    if problem := _unknown(values):
        return Row(number, line, read, None, {}, (_bad(problem),))
    cells = _Cells({_SPELLINGS[name]: value for name, value in values.items() if value is not None})
    if len(cells.values) < sum(value is not None for value in values.values()):
        cells.refusals.append(_bad("A field is there in both spellings."))
    order = PlaceOrder(
        reference=cells.text("reference"),
        title=cells.text("title"),
        price=AskedAmount(cells.number("amount"), cells.text("currency").strip()),
        client_subject=cells.text("clientSubject"),
        freelancer_subject=cells.text("freelancerSubject"),
        delivery_days=cells.whole("deliveryDays"),
    )
    people = {order.client_subject.strip(): "clientName", order.freelancer_subject.strip(): "freelancerName"}
    names = {subject: name for subject, column in people.items() if (name := cells.name(column))}
    if cells.refusals:
        return Row(number, line, read, None, {}, tuple(cells.refusals))
    return Row(number, line, read, order, names, ())


class _Cells:
    """The cells of one row; remembers all that is wrong with them. What it gives then is never used."""

    _NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
    _WHOLE = re.compile(r"[+-]?[0-9]{1,9}")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.refusals: list[Refusal] = []

    def text(self, column: str) -> str:
        value = self.values.get(column)
        if value is None:
            self._refuse(RefusalCode.TEXT_REQUIRED, "This is missing.", column)
        elif not isinstance(value, str):
            self._refuse(RefusalCode.VALUE_INVALID, "This must be a text, in quotes.", column)
        else:
            return value
        return ""

    def number(self, column: str) -> Decimal:
        value = self.values.get(column)
        if isinstance(value, Decimal):
            return value
        if isinstance(value, str) and self._NUMBER.fullmatch(value.strip()):
            return Decimal(value.strip())
        sentence = "This is missing." if value is None else "This must be a plain number, like 1250.00."
        self._refuse(RefusalCode.VALUE_INVALID, sentence, column)
        return Decimal(0)

    def whole(self, column: str) -> int:
        value = self.values.get(column)
        # As it was written: 3.0 and 3e0 are no count of days. The length is bounded before it becomes a number.
        written = str(value).strip() if isinstance(value, Decimal | str) else ""
        if self._WHOLE.fullmatch(written):
            return int(written)
        sentence = "This is missing." if value is None else "This must be a whole number, like 3."
        self._refuse(RefusalCode.VALUE_INVALID, sentence, column)
        return 0

    def name(self, column: str) -> str | None:
        value = self.values.get(column)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self._refuse(RefusalCode.VALUE_INVALID, "This must be a text, in quotes.", column)
            return None
        try:
            return texts.text(value, column, most=LONGEST_NAME, lines=False) if value.strip() else None
        except Refused as refused:
            self.refusals += refused.refusals
            return None

    def _refuse(self, code: RefusalCode, sentence: str, column: str) -> None:
        self.refusals.append(Refusal(code, sentence, (column,)))


def _bad(sentence: str) -> Refusal:
    return Refusal(RefusalCode.VALUE_INVALID, sentence)
