"""Is every snippet of docs/clients.md what the tested clients say? `--write` puts in what they say now.

A snippet stands under a line like <!-- tests/clients/urql.mjs#http -->, which names a file and one of its regions."""

import re
import sys
from pathlib import Path

PAGE = Path("docs/clients.md")
SNIPPET = re.compile(r"<!-- ([\w./-]+)#(\w+) -->\n```(\w+)\n(.*?)```", re.DOTALL)
FENCE = re.compile(r"^```\w+$", re.MULTILINE)


def main() -> int:
    page = PAGE.read_text(encoding="utf-8")
    if "--write" in sys.argv:
        PAGE.write_text(renewed(page, Path.cwd()), encoding="utf-8")
        return 0
    faults = faults_of(page, Path.cwd())
    for fault in faults:
        print(f"{PAGE}: {fault}")
    print(f"{len(SNIPPET.findall(page))} snippets, {len(faults)} faults")
    return 1 if faults else 0


def faults_of(page: str, root: Path) -> list[str]:
    """The stale ones, and whether one does not say where it is from."""
    snippets = SNIPPET.findall(page)
    stale = [f"{file}#{name} is stale" for file, name, _, said in snippets if said != region(root / file, name)]
    return stale + ["a snippet does not say where it is from"] * (len(FENCE.findall(page)) - len(snippets))


def renewed(page: str, root: Path) -> str:
    return SNIPPET.sub(
        lambda found: f"<!-- {found[1]}#{found[2]} -->\n```{found[3]}\n{region(root / found[1], found[2])}```", page
    )


def region(file: Path, name: str) -> str:
    """What stands between `#region name` and the next `#endregion`."""
    text = file.read_text(encoding="utf-8")
    found = re.search(rf"^ *(?://|#) ?#?region {name}\n(.*?)^ *(?://|#) ?#?endregion", text, re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"{file} has no region {name}")
    return found[1].strip("\n") + "\n"


if __name__ == "__main__":
    sys.exit(main())
