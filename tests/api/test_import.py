"""`resolution-center import`: files that integrators have, good and bad, once, again, and at once."""

import asyncio
import io
import json
import os
import pty
import signal
import subprocess
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.commands.rows import LONGEST_LINE, FileProblem, Row, rows
from rules.vocabulary import RefusalCode
from tests.command_line import command, dump, ended, prepared, program, start, until, untouched, within
from tests.command_line import rows as query
from tests.database import assert_sound

HEADER = "reference,title,amount,currency,clientSubject,freelancerSubject,deliveryDays"
LOGO = {
    "reference": "B-1",
    "title": "A logo for a bakery",
    "amount": "100.00",
    "currency": "USD",
    "clientSubject": "ada",
    "freelancerSubject": "farid",
    "deliveryDays": 3,
}


def a_file(folder: Path, *rows: dict[str, Any] | str, name: str = "orders.jsonl") -> str:
    """JSON Lines; a text stands as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name


def a_table(folder: Path, *lines: str, header: str = HEADER, name: str = "orders.csv") -> str:
    (folder / name).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return name


def an_order(number: int = 1, **changes: Any) -> dict[str, Any]:
    return LOGO | {"reference": f"B-{number}"} | changes


def read(content: bytes, name: str = "orders.jsonl") -> list[Row]:
    return list(rows(Path(name), io.BytesIO(content)))


def codes(row: Row) -> list[tuple[str, tuple[str, ...]]]:
    return [(refusal.code, refusal.path) for refusal in row.refusals]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a migrated database."""
    return prepared(tmp_path, "migrate")


# ---------------------------------------------------------------- good files


def test_an_order_comes_in_with_all_that_its_row_says_and_its_event(folder: Path) -> None:
    said = command(folder, "import", a_file(folder, LOGO))
    assert (said.code, said.out, said.err) == (0, "1 row: 1 placed, 0 already there, 0 refused\n", "")
    assert query(
        folder,
        "SELECT reference, title, price_minor, currency, delivery_days, status, c.subject, f.subject, m.subject "
        "FROM orders JOIN users c ON c.id = client_id JOIN users f ON f.id = freelancer_id "
        "JOIN users m ON m.id = placed_by_id",
    ) == [("B-1", "A logo for a bakery", 10_000, "USD", 3, "AWAITING_REQUIREMENTS", "ada", "farid", "marketplace")]
    assert query(folder, "SELECT position, kind, actor_role FROM events") == [(1, "ORDER_PLACED", "MARKETPLACE")]


def test_the_same_order_comes_out_of_json_and_csv_in_both_spellings(folder: Path) -> None:
    snake = {
        "client_subject": "ada",
        "freelancer_subject": "farid",
        "delivery_days": 3,
    } | {name: LOGO[name] for name in ("reference", "title", "amount", "currency")}
    cells = "B-1,A logo for a bakery,100.00,USD,ada,farid,3"
    (expected,) = read(json.dumps(LOGO).encode())
    contents = {
        "a.jsonl": json.dumps(snake).encode(),
        "b.csv": f"{HEADER}\n{cells}\n".encode(),
        "c.CSV": f'\ufeff{HEADER}\r\n"B-1","A logo for a bakery",100.00,USD,ada,farid, 3 \r\n'.encode(),
        "d.csv": f"{HEADER.replace('deliveryDays', 'delivery_days')}\n{cells}".encode(),
        "e.ndjson": b"\xef\xbb\xbf" + json.dumps(LOGO).encode(),
    }
    for name, content in contents.items():
        (row,) = read(content, name)
        assert row.order == expected.order, name


def test_amounts_in_json_are_exact_whether_they_are_numbers_or_texts() -> None:
    for written in ("0.1", '"0.1"', "1e-1", '" 0.1 "'):
        (row,) = read(json.dumps(LOGO).replace('"100.00"', written).encode())
        assert row.order is not None
        assert row.order.price.amount == Decimal("0.1")
    (row,) = read(json.dumps(LOGO).replace('"100.00"', "9007199254740993.01").encode())
    assert row.order is not None
    assert str(row.order.price.amount) == "9007199254740993.01"


def test_names_are_given_to_those_who_have_none(folder: Path) -> None:
    file = a_file(
        folder,
        an_order(1, clientName="Ada Byron", freelancerName=" "),
        an_order(2, clientName="Somebody Else", freelancerName="Farid"),
    )
    assert command(folder, "import", file).code == 0
    assert query(folder, "SELECT subject, name FROM users ORDER BY subject") == [
        ("ada", "Ada Byron"),
        ("farid", "Farid"),
        ("marketplace", "marketplace"),
    ]


def test_another_marketplace_places_them_when_it_is_named(folder: Path) -> None:
    assert command(folder, "import", a_file(folder, LOGO), "--as", " bazaar ").code == 0
    assert query(folder, "SELECT subject FROM users JOIN orders ON placed_by_id = users.id") == [("bazaar",)]


@pytest.mark.parametrize("subject", ["", "  ", "a\nb", "x" * 256])
def test_a_marketplace_that_nobody_can_be_is_refused(tmp_path: Path, subject: str) -> None:
    said = command(tmp_path, "import", a_file(tmp_path, LOGO), "--as", subject)
    assert said.code == 1
    assert said.complaint.startswith("--as: ")
    assert untouched(tmp_path)


def test_an_empty_file_brings_nothing_in(folder: Path) -> None:
    (folder / "none.jsonl").write_text("\n\n")
    said = command(folder, "import", "none.jsonl")
    assert (said.code, said.out) == (0, "0 rows: 0 placed, 0 already there, 0 refused\n")


# ---------------------------------------------------------------- running it again


def test_running_it_again_changes_nothing(folder: Path) -> None:
    file = a_file(folder, *(an_order(number, clientName="Ada") for number in range(1, 6)))
    assert command(folder, "import", file).lines[-1] == "5 rows: 5 placed, 0 already there, 0 refused"
    before = dump(folder)
    again = command(folder, "import", file)
    assert (again.code, again.out) == (0, "5 rows: 0 placed, 5 already there, 0 refused\n")
    assert dump(folder) == before


def test_an_amount_that_is_worth_the_same_is_the_same_order(folder: Path) -> None:
    command(folder, "import", a_file(folder, LOGO))
    again = command(folder, "import", a_file(folder, LOGO | {"amount": "100", "title": " A logo for a bakery "}))
    assert again.out == "1 row: 0 placed, 1 already there, 0 refused\n"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("title", "A logo for a butcher"),
        ("amount", "100.01"),
        ("currency", "EUR"),
        ("clientSubject", "bela"),
        ("freelancerSubject", "gita"),
        ("deliveryDays", 4),
    ],
)
def test_another_order_under_a_reference_is_refused_and_the_differing_column_named(
    folder: Path, column: str, value: object
) -> None:
    command(folder, "import", a_file(folder, LOGO))
    before = dump(folder)
    said = command(folder, "import", a_file(folder, LOGO | {column: value}))
    sentence = f"There is an order with this reference already, with another {column}."
    assert said.lines == [f"row 1: REFERENCE_TAKEN {sentence}", "1 row: 0 placed, 0 already there, 1 refused"]
    assert said.code == 1
    assert dump(folder) == before


def test_of_two_rows_with_one_reference_the_first_wins(folder: Path) -> None:
    said = command(folder, "import", a_file(folder, LOGO, LOGO, LOGO | {"title": "A van", "amount": 1}))
    assert said.lines == [
        "row 3: REFERENCE_TAKEN There is an order with this reference already, with another title and amount.",
        "3 rows: 1 placed, 1 already there, 1 refused",
    ]


@pytest.mark.slow
def test_two_imports_of_one_file_at_once_place_each_order_once(folder: Path) -> None:
    file = a_file(folder, *(an_order(number) for number in range(1, 121)))
    both = [ended(process) for process in [start(folder, "import", file) for _ in range(2)]]
    assert [said.code for said in both] == [0, 0], both
    placed = [int(said.lines[-1].split(": ")[1].split(" ")[0]) for said in both]
    assert sum(placed) == 120
    assert query(folder, "SELECT count(*), count(DISTINCT reference) FROM orders") == [(120, 120)]
    asyncio.run(_sound(folder))


async def _sound(folder: Path) -> None:
    async with within(folder):
        await assert_sound()


# ---------------------------------------------------------------- bad rows


def test_good_rows_are_kept_and_each_bad_one_is_told_in_a_line(folder: Path) -> None:
    said = command(
        folder,
        "import",
        a_table(
            folder,
            "B-1,A logo,100.00,USD,ada,farid,3",
            "B-2,A logo,100.001,USD,ada,farid,3",
            "B-3,,100,USD,ada,farid,3",
            "B-4,A logo,100,XXX,ada,ada,400",
            "B-5,A logo,100.00,USD,ada,farid,3",
        ),
    )
    assert said.code == 1
    assert said.lines == [
        "row 2 (line 3): AMOUNT_PRECISION amount: USD has 2 digits after the point; give no more.",
        "row 3 (line 4): TEXT_REQUIRED title: This is missing.",
        (
            "row 4 (line 5): VALUE_INVALID currency: This is not a currency of ISO 4217."
            " · VALUE_INVALID freelancerSubject: The client and the freelancer must be two people."
            " · VALUE_INVALID deliveryDays: The delivery time must be 1 to 365 days."
        ),
        "5 rows: 2 placed, 0 already there, 3 refused",
    ]
    assert [reference for (reference,) in query(folder, "SELECT reference FROM orders")] == ["B-1", "B-5"]
    asyncio.run(_sound(folder))


def test_rows_are_counted_without_empty_lines_and_found_by_their_line(folder: Path) -> None:
    said = command(folder, "import", a_file(folder, LOGO, "", "nonsense"))
    assert said.lines[0] == "row 2 (line 3): VALUE_INVALID This is not JSON: Expecting value at character 1."


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"reference": ', "This is not JSON: "),
        ("[1, 2]", "The row must be an object: "),
        ("12", "The row must be an object: "),
        ("NaN", "The row must be an object: "),
        ("[" * 100_000, "This is not JSON that can be read."),
        ("9" * 5_000, "The row must be an object: "),
        ('{"amount": 1e9999999999999999999}', "This is not JSON that can be read."),
        ('{"title": "a", "title": "b"}', "«title» stands there twice."),
        ('{"title": {"title": "a", "title": "b"}}', "«title» stands there twice."),
    ],
)
def test_a_line_that_is_no_order_at_all_is_refused(line: str, sentence: str) -> None:
    good, bad, after = read("\n".join([json.dumps(LOGO), line, json.dumps(LOGO)]).encode())
    assert good.order is not None
    assert after.order is not None
    (refusal,) = bad.refusals
    assert refusal.code is RefusalCode.VALUE_INVALID
    assert refusal.message.startswith(sentence)


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("reference", None, "TEXT_REQUIRED"),
        ("reference", 1001, "VALUE_INVALID"),
        ("title", ["A logo"], "VALUE_INVALID"),
        ("amount", None, "VALUE_INVALID"),
        ("amount", True, "VALUE_INVALID"),
        ("amount", "1,000.00", "VALUE_INVALID"),
        ("amount", "100 USD", "VALUE_INVALID"),
        ("amount", "NaN", "VALUE_INVALID"),
        ("amount", "1_000", "VALUE_INVALID"),
        ("amount", "٣", "VALUE_INVALID"),
        ("currency", 840, "VALUE_INVALID"),
        ("deliveryDays", 3.0, "VALUE_INVALID"),
        ("deliveryDays", "three", "VALUE_INVALID"),
        ("deliveryDays", True, "VALUE_INVALID"),
        ("deliveryDays", "9" * 5_000, "VALUE_INVALID"),
        ("clientName", 7, "VALUE_INVALID"),
        ("clientName", "x" * 256, "TEXT_TOO_LONG"),
        ("freelancerName", "a\x07b", "VALUE_INVALID"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_its_column(column: str, value: object, code: str) -> None:
    (row,) = read(json.dumps(LOGO | {column: value}).encode())
    assert row.order is None
    assert codes(row) == [(code, (column,))]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("amount", "0", "AMOUNT_TOO_SMALL"),
        ("amount", -5, "AMOUNT_TOO_SMALL"),
        ("amount", "0.001", "AMOUNT_PRECISION"),
        ("amount", 1e300, "AMOUNT_TOO_LARGE"),
        ("currency", "usd", "VALUE_INVALID"),
        ("title", "\ud800", "VALUE_INVALID"),
        ("title", "x" * 201, "TEXT_TOO_LONG"),
        ("reference", "x" * 101, "TEXT_TOO_LONG"),
        ("reference", "a\u0000b", "VALUE_INVALID"),
        ("reference", "\udfff", "VALUE_INVALID"),
        ("clientSubject", "x" * 256, "TEXT_TOO_LONG"),
        ("freelancerSubject", "ada", "VALUE_INVALID"),
        ("deliveryDays", 0, "VALUE_INVALID"),
        ("deliveryDays", -1, "VALUE_INVALID"),
        ("deliveryDays", 366, "VALUE_INVALID"),
    ],
)
def test_what_the_rules_refuse_is_refused_with_its_column(folder: Path, column: str, value: object, code: str) -> None:
    said = command(folder, "import", a_file(folder, LOGO | {column: value}))
    assert said.code == 1
    assert said.lines[0].startswith(f"row 1: {code} {column}: ")
    assert len(said.lines) == 2
    assert query(folder, "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM events)") == [(0,)]


def test_csv_rows_that_are_broken_are_refused_and_the_next_ones_read() -> None:
    good = "B-1,A logo,1,USD,ada,farid,3"
    content = "\n".join([HEADER, good, f"{good},more", 'B-2,"A "logo,1,USD,ada,farid,3', "B-3,x", good]).encode()
    found = read(content, "orders.csv")
    assert [row.order is not None for row in found] == [True, False, False, False, True]
    assert [row.line for row in found] == [2, 3, 4, 5, 6]
    assert found[1].refusals[0].message == "There are 8 cells; the header names 7."
    assert found[2].refusals[0].message.startswith("This is not CSV: ")
    assert [path for _, path in codes(found[3])] == [
        ("amount",), ("currency",), ("clientSubject",), ("freelancerSubject",), ("deliveryDays",)
    ]  # fmt: skip


def test_a_quote_that_is_never_closed_is_one_bad_row() -> None:
    content = f'{HEADER}\nB-1,"A logo,1,USD,ada,farid,3\nB-2,A logo,1,USD,ada,farid,3\n'.encode()
    (row,) = read(content, "orders.csv")
    assert row.refusals[0].message.startswith("This is not CSV: ")


def test_a_title_over_two_lines_is_one_row_of_csv_and_refused_for_its_line_end(folder: Path) -> None:
    file = a_table(folder, 'B-1,"A logo\nfor a bakery",1,USD,ada,farid,3', "B-2,A logo,1,USD,ada,farid,3")
    said = command(folder, "import", file)
    assert said.lines[0].startswith("row 1 (line 2): VALUE_INVALID title: ")
    assert said.lines[-1] == "2 rows: 1 placed, 0 already there, 1 refused"


def test_bytes_that_are_not_utf8_make_a_bad_row_and_no_more() -> None:
    json_rows = read(json.dumps(LOGO).encode() + b"\n\xff\xfe\n" + json.dumps(LOGO).encode())
    assert [row.order is not None for row in json_rows] == [True, False, True]
    assert json_rows[1].refusals[0].message == "The line is not UTF-8."
    latin = f"{HEADER}\nB-1,Un café,1,USD,ada,farid,3\nB-2,A logo,1,USD,ada,farid,3\n".encode("latin-1")
    csv_rows = read(latin, "orders.csv")
    assert [row.order is not None for row in csv_rows] == [False, True]
    assert csv_rows[0].refusals[0].message == "The row is not UTF-8."


@pytest.mark.parametrize("name", ["orders.jsonl", "orders.csv"])
def test_a_line_without_an_end_does_not_fill_the_memory(name: str) -> None:
    good = json.dumps(LOGO) if name.endswith("jsonl") else f"{HEADER}\nB-1,A logo,1,USD,ada,farid,3"
    after = json.dumps(LOGO) if name.endswith("jsonl") else "B-1,A logo,1,USD,ada,farid,3"
    content = f"{good}\n{'x' * (3 * LONGEST_LINE)}\n{after}\n".encode()
    found = read(content, name)
    assert [row.order is not None for row in found] == [True, False, True]
    assert found[-1].read == len(content)


def test_rows_are_read_one_by_one_however_long_the_file_is() -> None:
    content = (json.dumps(LOGO) + "\n").encode() * 10_000
    file = io.BytesIO(content)
    stream = rows(Path("orders.jsonl"), file)
    first = next(stream)
    assert file.tell() == first.read == len(content) // 10_000


# ---------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (f"{HEADER},colour", "There is no column «colour»; there are reference, "),
        (f"{HEADER},", "There is no column «»; "),
        (HEADER.replace("title,", ""), "The column title is missing; "),
        (f"{HEADER},delivery_days", "The column deliveryDays is there twice."),
        (HEADER.replace(",", ";"), "The columns are separated by «;»: save the file with commas."),
        (HEADER.replace(",", "\t"), "The columns are separated by «tabs»: save the file with commas."),
        ("", "The first line must name the columns: reference, "),
        ('"reference', "The first line is not CSV: "),
        ("refe\x1b[31mrence", "There is no column «refe?[31mrence»; "),
    ],
)
def test_a_table_with_the_wrong_columns_is_refused_before_anything_is_written(
    tmp_path: Path, header: str, sentence: str
) -> None:
    said = command(tmp_path, "import", a_table(tmp_path, "B-1,A logo,1,USD,ada,farid,3", header=header))
    assert said.code == 1
    assert said.complaint.startswith(f"orders.csv: {sentence}")
    assert said.out == ""
    assert untouched(tmp_path)


def test_an_unknown_field_in_the_first_json_row_refuses_the_file_and_later_only_its_row(tmp_path: Path) -> None:
    said = command(tmp_path, "import", a_file(tmp_path, an_order(1, colour="red"), LOGO))
    assert said.complaint.startswith("orders.jsonl: There is no column «colour»; ")
    assert untouched(tmp_path)
    prepared(tmp_path, "migrate")
    later = command(tmp_path, "import", a_file(tmp_path, LOGO, an_order(2, colour="red")))
    assert later.lines[0].startswith("row 2: VALUE_INVALID There is no column «colour»; ")
    assert later.lines[-1] == "2 rows: 1 placed, 0 already there, 1 refused"


def test_a_field_in_both_spellings_is_refused() -> None:
    (row,) = read(json.dumps(LOGO | {"client_subject": "bela"}).encode())
    assert row.refusals[0].message == "A field is there in both spellings."


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_bytes(f"{HEADER}\n".encode("utf-16"))
    said = command(tmp_path, "import", "orders.csv")
    assert (said.code, said.complaint) == (1, "orders.csv: The file is not UTF-8.")


@pytest.mark.parametrize("name", ["orders.xlsx", "orders", "none.csv", "."])
def test_a_file_that_is_no_file_of_orders_is_a_misuse(tmp_path: Path, name: str) -> None:
    for made in ("orders.xlsx", "orders"):
        (tmp_path / made).write_text("")
    said = command(tmp_path, "import", name)
    assert said.code == 2
    assert said.complaint.startswith("resolution-center import: Invalid value for 'FILE': ")


# ---------------------------------------------------------------- any file


_cell = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.text(max_size=3))
)
_anything = st.dictionaries(st.sampled_from([*LOGO, "clientName", "client_subject", "x"]), _cell, max_size=9)
_nearly = st.builds(
    lambda changes: LOGO | changes, st.dictionaries(st.sampled_from([*LOGO, "clientName"]), _cell, max_size=2)
)
_line = st.one_of(
    _anything.map(json.dumps), _nearly.map(json.dumps), st.text(max_size=40), st.just(json.dumps(LOGO))
).map(lambda text: text.encode(errors="surrogatepass"))


@given(st.lists(st.one_of(_line, st.binary(max_size=30)), max_size=6), st.sampled_from(["f.jsonl", "f.csv"]))
@settings(max_examples=300)
def test_every_row_of_any_file_is_an_order_or_says_why_not(lines: Sequence[bytes], name: str) -> None:
    header = HEADER.encode() + b"\n" if name.endswith("csv") else b""
    try:
        found = read(header + b"\n".join(lines), name)
    except FileProblem:
        return
    for number, row in enumerate(found, start=1):
        assert row.number == number
        assert (row.order is None) == bool(row.refusals)


@pytest.fixture(scope="module")
def one_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("any"), "migrate")


@given(rows_given=st.lists(st.one_of(_nearly, _nearly.map(lambda row: {**row, "reference": "other"})), max_size=6))
@settings(max_examples=25)
def test_a_file_of_any_values_is_told_row_by_row_and_leaves_the_database_sound(
    one_folder: Path, rows_given: list[dict[str, Any]]
) -> None:
    said = command(one_folder, "import", a_file(one_folder, *rows_given))
    *refused, summary = said.lines
    assert said.err == ""
    assert said.code == bool(refused)
    assert summary.startswith(f"{len(rows_given)} row")
    assert summary.endswith(f"{len(refused)} refused")
    asyncio.run(_sound(one_folder))


# ---------------------------------------------------------------- as a program


def test_a_bar_is_shown_on_a_terminal_only(folder: Path) -> None:
    file = a_file(folder, *(an_order(number) for number in range(1, 4)), "nonsense")
    shown, terminal = pty.openpty()
    process = start(folder, "import", file, stderr=terminal, TERM="xterm-256color")
    os.close(terminal)
    said = ended(process)
    try:
        drawn = os.read(shown, 100_000).decode()
    finally:
        os.close(shown)
    assert "importing" in drawn
    assert said.out == (
        "row 4: VALUE_INVALID This is not JSON: Expecting value at character 1.\n"
        "4 rows: 3 placed, 0 already there, 1 refused\n"
    )
    assert program(folder, "import", file).err == ""


@pytest.mark.slow
def test_an_import_that_is_stopped_says_how_far_it_came_and_goes_on_when_run_again(folder: Path) -> None:
    file = a_file(folder, *(an_order(number) for number in range(1, 1_201)))
    process = start(folder, "import", file)
    until(folder, "SELECT count(*) > 50 FROM orders")
    process.send_signal(signal.SIGINT)
    said = ended(process)
    assert said.code == 130
    assert said.err.strip() == "Stopped."
    assert said.out.startswith("Stopped after ")
    asyncio.run(_sound(folder))
    again = ended(start(folder, "import", file, stderr=subprocess.PIPE))
    assert again.code == 0
    assert query(folder, "SELECT count(*) FROM orders") == [(1_200,)]
