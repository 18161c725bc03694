"""Each dependency has its reason in CONTRIBUTING, and nothing is locked that nobody asked for."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.check_lock import canonical, locked

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUN = [
    *PROJECT["project"]["dependencies"],
    *(wish for extra in PROJECT["project"]["optional-dependencies"].values() for wish in extra),
]
DEV = PROJECT["dependency-groups"]["dev"]


def test_each_dependency_has_its_reason() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table, _, rest = page.partition("## Dependencies")[2].partition("For tests and checks only:")
    in_table = {canonical(name) for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for name in _names(row)}
    assert {canonical(Requirement(wish).name) for wish in RUN} - in_table == set()
    assert in_table - {canonical(Requirement(wish).name) for wish in RUN} - {"package", "---"} == set()
    for wish in DEV:
        name = re.escape(Requirement(wish).name)
        assert re.search(rf"\b{name}\b", rest, re.IGNORECASE), f"{wish} has no reason in CONTRIBUTING.md"


@pytest.mark.parametrize(("file", "wishes"), [("run.txt", RUN), ("dev.txt", [*RUN, *DEV])])
def test_nothing_is_locked_that_nobody_asked_for(file: str, wishes: list[str]) -> None:
    build = (ROOT / "requirements" / "build.in").read_text("utf-8").splitlines()
    asked = [*wishes, *(line for line in build if line and not line.startswith("#"))]
    assert set(locked(ROOT / "requirements" / file)) - _closure([Requirement(wish) for wish in asked]) == set()


def _names(cell: str) -> list[str]:
    """Of «httptools, uvloop», «PyJWT (with cryptography)» and the like."""
    return [name.strip() for name in re.sub(r"\(.*?\)", "", cell).split(",")]


def _closure(wishes: list[Requirement]) -> set[str]:
    """Everything that these bring along, on any system: only an extra that nobody asked for is left out."""
    found: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    while wishes:
        wish = wishes.pop()
        name, extras = canonical(wish.name), frozenset(wish.extras)
        found.add(name)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        wishes += [needed for needed in map(Requirement, _requires(wish.name)) if _is_asked_for(needed, extras)]
    return found


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:  # of another system; what it brings would be in no lock of ours
        return []


def _is_asked_for(needed: Requirement, extras: frozenset[str]) -> bool:
    marker = str(needed.marker or "")
    named = re.findall(r"extra == \"([^\"]+)\"", marker)
    return not named or bool(extras & set(named))
