"""Is `rules/` pure? Standard library only, no clock, no chance, no await, no input or output."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOM = Path("rules")

# Of the standard library, what reads the clock, draws lots, waits, or reaches outside the process.
FORBIDDEN_MODULES = frozenset(
    "asyncio concurrent ctypes http io logging multiprocessing os pathlib queue random secrets selectors shutil "
    "signal socket socketserver sqlite3 ssl subprocess tempfile threading time urllib".split()
)
FORBIDDEN_CALLS = frozenset(
    "open print input exec eval __import__ now utcnow today fromtimestamp uuid1 uuid4 breakpoint".split()
)
WAITING = ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await


def main() -> int:
    files = sorted(ROOM.rglob("*.py"))
    faults = [fault for file in files for fault in faults_in(file)]
    for fault in faults:
        print(fault)
    print(f"{ROOM}/: {len(files)} files, {len(faults)} impure places")
    return 1 if faults else 0


def faults_in(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        for fault in faults_of(node):
            yield f"{file}:{getattr(node, 'lineno', 1)}: {fault}"


def faults_of(node: ast.AST) -> Iterator[str]:
    for module in imported_by(node):
        top = module.partition(".")[0]
        if top == ROOM.name:
            continue
        if top not in sys.stdlib_module_names:
            yield f"imports {module}, which is not of the standard library"
        elif top in FORBIDDEN_MODULES:
            yield f"imports {module}, which is not pure"
    if isinstance(node, WAITING):
        yield "waits; the rules never do"
    if isinstance(node, ast.Call) and name_of(node.func) in FORBIDDEN_CALLS:
        yield f"calls {name_of(node.func)}(); pass its result in"


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module and not node.level else [ROOM.name]
    return []


def name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


if __name__ == "__main__":
    sys.exit(main())
