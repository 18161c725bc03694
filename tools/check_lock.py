"""Do the locked files say what pyproject.toml says, with a hash for everything and no address?"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RUN, DEV = Path("requirements/run.txt"), Path("requirements/dev.txt")
TOOLS = (Path("requirements/lock.txt"), Path("requirements/advisories.txt"))
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
FORBIDDEN = re.compile(r"https?:|file:|@ |^\s*-(?!-hash=)", re.MULTILINE)


def main() -> int:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    faults = [*faults_of(project)]
    for fault in faults:
        print(fault)
    print(f"requirements/: {len(faults)} faults" + ("; run `make lock`" if faults else ""))
    return 1 if faults else 0


def faults_of(project: dict[str, Any]) -> Iterator[str]:
    run, dev = locked(RUN), locked(DEV)
    extras = project["project"]["optional-dependencies"].values()
    for wish in [*project["project"]["dependencies"], *(wish for extra in extras for wish in extra)]:
        yield from missing(wish, run, RUN)
    for wish in project["dependency-groups"]["dev"]:
        yield from missing(wish, dev, DEV)
    for name in run.keys() - dev.keys() | {name for name in run.keys() & dev.keys() if run[name] != dev[name]}:
        yield f"{DEV}: {name} is not as in {RUN}"
    for tool in TOOLS:
        for name in (name for name, version in locked(tool).items() if dev.get(name, version) != version):
            yield f"{tool}: {name} is not as in {DEV}"
    for file in (RUN, DEV, *TOOLS):
        yield from unsafe(file)


def locked(file: Path) -> dict[str, str]:
    pins = (PIN.match(line) for line in file.read_text(encoding="utf-8").splitlines())
    return {canonical(pin[1]): pin[2] for pin in pins if pin}


def missing(wish: str, pins: dict[str, str], file: Path) -> Iterator[str]:
    pin = PIN.match(wish)
    if not pin:
        yield f"pyproject.toml: {wish} is not pinned to one version"
    elif pins.get(canonical(pin[1])) != pin[2]:
        yield f"{file}: has {pin[1]} {pins.get(canonical(pin[1]), 'nowhere')}, pyproject.toml wants {pin[2]}"


def unsafe(file: Path) -> Iterator[str]:
    text = file.read_text(encoding="utf-8")
    for found in FORBIDDEN.finditer(text):
        yield f"{file}: {found.group().strip()!r} has no place here"
    for entry in re.split(r"\n(?=\S)", text):
        if PIN.match(entry) and "--hash=sha256:" not in entry:
            yield f"{file}: {entry.split()[0]} has no hash"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
