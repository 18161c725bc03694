"""Does every link in the pages lead somewhere? Files, headings in them, and the `make` commands that they name."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HTML_LINK = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=\"([^\"]+)\"")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
HTML_ANCHOR = re.compile(r"<[^>]+\b(?:id|name)=\"([^\"]+)\"")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)
COMMAND = re.compile(r"(?:^|[`$ ])make ([a-z][a-z-]+)(?=[`\s]|$)", re.MULTILINE)
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def main() -> int:
    root = Path.cwd()
    pages = [root / name for name in tracked("*.md")]
    faults = [fault for page in pages for fault in faults_in(page, root)]
    for fault in faults:
        print(fault)
    print(f"{len(pages)} pages, {len(faults)} faults")
    return 1 if faults else 0


def tracked(pattern: str) -> list[str]:
    """What git knows or would add; installed packages and builds carry pages that aren't ours."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", pattern]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [name for name in listed if Path(name).is_file()]


def faults_in(page: Path, root: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    prose = without_code(text)
    for link in [*LINK.findall(prose), *HTML_LINK.findall(prose), *REFERENCE.findall(prose)]:
        fault = fault_of(link, page, root)
        if fault:
            yield f"{page.relative_to(root)}: {link}: {fault}"
    for command in named_commands(text):
        if command not in make_targets(root):
            yield f"{page.relative_to(root)}: make {command}: no such command"


def fault_of(link: str, page: Path, root: Path) -> str | None:
    if ELSEWHERE.match(link):
        return None
    path, _, anchor = unquote(link).partition("#")
    target = (root / path.lstrip("/") if path.startswith("/") else page.parent / path) if path else page
    target = target.resolve()
    if not target.is_relative_to(root):
        return "leads out of the repository"
    if not target.exists():
        return "no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors_of(target):
        return "no such heading"
    return None


@cache
def anchors_of(page: Path) -> frozenset[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    anchors = set(HTML_ANCHOR.findall(text))
    for heading in HEADING.findall(text):
        slug = slug_of(heading)
        copies = [slug, *(f"{slug}-{n}" for n in range(1, 100))]
        anchors.add(next(copy for copy in copies if copy not in anchors))
    return frozenset(anchors)


def slug_of(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def named_commands(text: str) -> set[str]:
    """In prose only what is marked as code counts: «make sure» is no command."""
    code = "\n".join([*(fence.group() for fence in FENCE.finditer(text)), *CODE.findall(FENCE.sub("", text))])
    return set(COMMAND.findall(code))


@cache
def make_targets(root: Path) -> frozenset[str]:
    return frozenset(TARGET.findall((root / "Makefile").read_text(encoding="utf-8")))


def without_code(text: str) -> str:
    return CODE.sub("", FENCE.sub("", text))


if __name__ == "__main__":
    sys.exit(main())
