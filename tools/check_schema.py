"""Is schema.graphql what the code prints, described throughout, and kind to the clients of the last one?

The last one is the newest committed version that differs from this one, and that of the last release (tag `v*`).
A break that is meant stands in tools/accepted_breaks.txt, word for word as it is printed here.
"""

import subprocess
import sys
from collections.abc import Iterator
from difflib import unified_diff
from itertools import chain
from pathlib import Path

from graphql import (
    BreakingChange,
    DangerousChange,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
)

SCHEMA = Path("schema.graphql")
ACCEPTED = Path("tools/accepted_breaks.txt")
COMMAND = Path(sys.executable).parent / "resolution-center"


def main() -> int:
    text = SCHEMA.read_text(encoding="utf-8")
    schema = build_schema(text)
    faults = [*stale(text), *undescribed(schema), *breaks(schema, text)]
    for fault in faults:
        print(fault)
    print(f"{SCHEMA}: {len(faults)} faults")
    return 1 if faults else 0


# ---------------------------------------------------------------- is it what the code prints?


def stale(text: str) -> Iterator[str]:
    run = subprocess.run([COMMAND, "schema"], capture_output=True, text=True, check=False)
    if run.returncode:
        yield f"`resolution-center schema` failed:\n{run.stderr.strip()}"
    elif run.stdout != text:
        diff = list(
            unified_diff(text.splitlines(), run.stdout.splitlines(), "schema.graphql", "the code", "", "", 1, "")
        )
        shown = "\n".join(diff[:40])
        yield f"{shown}\nschema.graphql is stale ({len(diff)} lines of difference): run `make schema`"


# ---------------------------------------------------------------- does everything say what it is?


def undescribed(schema: GraphQLSchema) -> list[str]:
    return [f"{name} has no description" for name, description in described(schema) if not (description or "").strip()]


def described(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    for kind in schema.type_map.values():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        yield kind.name, kind.description
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in kind.fields.items():
                yield f"{kind.name}.{name}", field.description
                yield from arguments(f"{kind.name}.{name}", field.args)
        elif isinstance(kind, GraphQLInputObjectType):
            for name, entry in kind.fields.items():
                yield f"{kind.name}.{name}", entry.description
        elif isinstance(kind, GraphQLEnumType):
            for name, value in kind.values.items():
                yield f"{kind.name}.{name}", value.description
    for directive in schema.directives:
        if not is_specified_directive(directive):
            yield f"@{directive.name}", directive.description
            yield from arguments(f"@{directive.name}", directive.args)


def arguments(owner: str, args: dict[str, GraphQLArgument]) -> Iterator[tuple[str, str | None]]:
    for name, argument in args.items():
        yield f"{owner}({name}:)", argument.description


# ---------------------------------------------------------------- whom does it break?


def breaks(schema: GraphQLSchema, text: str) -> Iterator[str]:
    accepted = accepted_breaks()
    bases = {commit: old for commit in (last_different(text), last_release()) if commit and (old := at(commit))}
    if not bases:
        print("no committed version of schema.graphql differs from this one: nothing to compare")
    for commit, old in bases.items():
        before = build_schema(old)
        for danger in find_dangerous_changes(before, schema):
            print(f"against {commit[:12]}, to be known: {told(danger)}")
        for told_break in map(told, find_breaking_changes(before, schema)):
            if told_break not in accepted:
                yield f"against {commit[:12]}, breaks a client: {told_break}"


def told(change: BreakingChange | DangerousChange) -> str:
    return f"{change.type.name}: {change.description}"


def accepted_breaks() -> set[str]:
    lines = ACCEPTED.read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def last_different(text: str) -> str | None:
    commits = git("log", "--format=%H", "--", str(SCHEMA)).split()
    return next((commit for commit in commits if at(commit) not in (text, "")), None)


def last_release() -> str | None:
    return next(chain(git("describe", "--tags", "--abbrev=0", "--match", "v*").split()), None)


def at(commit: str) -> str:
    return git("show", f"{commit}:{SCHEMA}")


def git(*arguments: str) -> str:
    """Its answer, or nothing: a copy without history has no last version."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    sys.exit(main())
