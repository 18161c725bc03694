"""Tables in Markdown, and where a page takes them."""

from collections.abc import Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column is words, the others are figures."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def listed(items: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in items.items())


def write(page: Path, report: str, section: str = "bench") -> None:
    """Puts the report between the page's markers of that section."""
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise LookupError(f"{page.name} lacks the markers {begin} and {end}")
    page.write_text(f"{before}{begin}\n{report}\n{end}{after}")
