"""Has anything that we depend on a known weakness? And the list of all of it, for whoever asks without the network."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tools.check_docs import tracked
from tools.check_lock import locked

RUN, DEV = Path("requirements/run.txt"), Path("requirements/dev.txt")
WEB = Path("web")
LIST = Path("build/dependencies.cdx.json")
MODULE = re.compile(r"^.*node_modules/")


@dataclass(frozen=True, slots=True)
class Audited:
    """What came of asking for one list: the weaknesses, or why there is no telling."""

    what: str
    weaknesses: tuple[str, ...] = ()
    untold: str | None = None


def main() -> int:
    bill = bill_of_materials()
    LIST.parent.mkdir(exist_ok=True)
    LIST.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    print(f"{LIST} (CycloneDX) lists {len(bill['components'])} packages for a scanner that has its advisories with it.")
    found = [pip_audit(), *(npm_audit(folder) for folder in npm_folders())]
    for audited in found:
        for line in told(audited):
            print(line)
    return 1 if any(audited.weaknesses for audited in found) else 0


def told(audited: Audited) -> Iterator[str]:
    if audited.untold:
        yield f"{audited.what}: not audited; {audited.untold}"
        return
    yield f"{audited.what}: {len(audited.weaknesses)} known weaknesses"
    yield from audited.weaknesses


# ---------------------------------------------------------------- the advisories


def pip_audit() -> Audited:
    """Both locked files in one question; the smaller is within the larger."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    done = subprocess.run(
        [*command, "--format", "json", "--requirement", str(DEV)], check=False, capture_output=True, text=True
    )
    return of_pip_audit(done.stdout)


def of_pip_audit(output: str) -> Audited:
    """pip-audit says that it found nothing too where it could not ask: then it skipped everything."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Audited(str(DEV), untold="the advisories for Python can not be reached from here.")
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped:
        return Audited(str(DEV), untold=f"{len(skipped)} of {len(packages)} packages have no advisories here.")
    return Audited(
        str(DEV),
        tuple(
            f"  {package['name']} {package['version']}: {weakness['id']}, mended in {_versions(weakness)}"
            for package in packages
            for weakness in package["vulns"]
        ),
    )


def _versions(weakness: dict[str, Any]) -> str:
    return ", ".join(weakness["fix_versions"]) or "no version yet"


def npm_audit(folder: Path) -> Audited:
    command = ["npm", "--prefix", str(folder), "audit", "--package-lock-only", "--json"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return Audited(str(folder), untold="there is no npm.")
    return of_npm_audit(folder, done.stdout)


def of_npm_audit(folder: Path, output: str) -> Audited:
    try:
        found = json.loads(output)["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        return Audited(str(folder), untold="the advisories of npm can not be reached from here.")
    return Audited(
        str(folder), tuple(f"  {name} {about['range']}: {about['severity']}" for name, about in found.items())
    )


# ---------------------------------------------------------------- the list


def bill_of_materials() -> dict[str, Any]:
    """CycloneDX 1.6; what only tests and builds need is `excluded`."""
    run = locked(RUN)
    components = {f"pkg:pypi/{name}@{version}": (name, version, name in run) for name, version in locked(DEV).items()}
    for name, version, is_run in npm_packages(npm_folders()):
        url = f"pkg:npm/{quote(name, safe='/')}@{version}"
        components[url] = (name, version, is_run or (url in components and components[url][2]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "components": [
            {
                "type": "library",
                "bom-ref": url,
                "name": name,
                "version": version,
                "purl": url,
                "scope": "required" if is_run else "excluded",
            }
            for url, (name, version, is_run) in sorted(components.items())
        ],
    }


def npm_folders() -> list[Path]:
    return [Path(lock).parent for lock in tracked("*package-lock.json")]


def npm_packages(folders: Iterable[Path]) -> Iterator[tuple[str, str, bool]]:
    """Name, version, and whether browsers get it."""
    for folder in folders:
        packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
        for place, package in packages.items():
            if place:
                is_run = folder == WEB and not package.get("dev", False)
                yield package.get("name", MODULE.sub("", place)), package["version"], is_run


if __name__ == "__main__":
    sys.exit(main())
