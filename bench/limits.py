"""`python -m bench.limits`: how long it takes to refuse the worst of 1,000 generated documents of up to 100 kB."""

import argparse
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from graphql import DocumentNode, GraphQLError, parse, validate

from api.limits import Limits, too_dear, too_long
from api.schema import schema

T = TypeVar("T")

LARGEST = 100_000
"""Characters of a generated document."""
LIMITS = Limits()


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.limits", description=__doc__)
    options.add_argument("--quick", action="store_true", help="some documents, to see that it works")
    number = 60 if options.parse_args().quick else 1_000
    measured = [Measured.of(shape, text) for shape, text in generated(number)]
    print(_report(measured))


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU milliseconds of one document: until it was refused or let through, and of its validation after that."""

    shape: str
    characters: int
    refused: str | None
    looking: float
    parsing: float
    validating: float

    @property
    def judging(self) -> float:
        return self.looking + self.parsing

    @classmethod
    def of(cls, shape: str, text: str) -> "Measured":
        """Text, parser, figures: as a server does it, whose objects the collector need not look through."""
        gc.freeze()
        refusal, before = _timed(lambda: too_long(text, LIMITS))
        if refusal:
            return cls(shape, len(text), refusal, before, 0.0, 0.0)
        document, parsing = _timed(lambda: _parsed(text))
        if document is None:
            return cls(shape, len(text), "a syntax error", before, parsing, 0.0)
        refusal, after = _timed(lambda: _judged(document))
        validating = 0.0 if refusal else _timed(lambda: validate(schema._schema, document))[1]
        return cls(shape, len(text), refusal, before + after, parsing, validating)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    found = work()
    return found, (time.process_time() - began) * 1_000


def _parsed(text: str) -> DocumentNode | None:
    try:
        return parse(text)
    except GraphQLError:
        return None


def _judged(document: DocumentNode) -> str | None:
    figures = schema.measuring.figures(document)
    if wrong := figures.too_much(LIMITS):
        return wrong
    operation = figures.operation(None)
    return too_dear(operation.cost({}), LIMITS) if operation else None


# ---------------------------------------------------------------- documents


def generated(number: int) -> Iterator[tuple[str, str]]:
    """So many documents by chance, each of a shape that does harm, from small to as large as is sent; the same ones
    each time."""
    for index in range(number):
        chance = Random(index)
        shape = SHAPES[index % len(SHAPES)]
        # As many small ones as large ones: those that come through to the later steps are small.
        budget = int(10 ** chance.uniform(2, 5))
        yield shape.__name__, shape(chance, budget)[:LARGEST]


def wide(_: Random, budget: int) -> str:
    """Many fields, each under a name of its own."""
    names = (f"a{n}:viewerScopes" for n in range(budget // 16))
    return "{" + " ".join(names) + "}"


def repeated(chance: Random, budget: int) -> str:
    """One field over and over, in places that are merged."""
    inner = chance.randint(1, 40)
    one = "viewer{" + "name " * inner + "}"
    return "{" + one * (budget // len(one)) + "}"


def deep(chance: Random, budget: int) -> str:
    """Objects in objects, as deep as a parser goes."""
    levels = min(budget // 30, chance.randint(10, 180))
    return "{orders{nodes" + "{client{standing{earnings{amount}}} resolutionCenter{requests{nodes{order" * levels


def deep_and_closed(chance: Random, budget: int) -> str:
    """The same, with its end."""
    levels = min(budget // 45, chance.randint(2, 40))
    return "{orders{nodes{id" + " resolutionCenter{requests{nodes{order{id" * levels + "}}}}" * levels + "}}}"


def doubling(_: Random, budget: int) -> str:
    """Fragments that each spread the next one twice: small, and endless when they are written out."""
    levels = max(2, budget // 60)
    chain = (
        f"fragment F{n} on Order {{ id resolutionCenter {{ order: pendingRequests {{ order {{ ...F{n + 1} "
        f"...F{n + 1} }} }} }} }}"
        for n in range(levels)
    )
    return "{ orders { nodes { ...F0 } } } " + " ".join(chain) + f" fragment F{levels} on Order {{ id }}"


def chained(_: Random, budget: int) -> str:
    """Fragments that each spread the next one, without a level of fields between."""
    levels = max(2, budget // 40)
    chain = (f"fragment F{n} on User {{ name ...F{n + 1} }}" for n in range(levels))
    return "{ viewer { ...F0 } } " + " ".join(chain) + f" fragment F{levels} on User {{ name }}"


def in_a_circle(_: Random, budget: int) -> str:
    """Fragments that come back to where they began."""
    levels = max(1, budget // 40)
    chain = (f"fragment F{n} on User {{ name ...F{(n + 1) % levels} }}" for n in range(levels))
    return "{ viewer { ...F0 } } " + " ".join(chain)


def spread(_: Random, budget: int) -> str:
    """Many fragments in one place, which the validation compares with each other."""
    number = max(2, budget // 45)
    names = " ".join(f"...F{n}" for n in range(number))
    return f"{{ viewer {{ {names} }} }} " + " ".join(f"fragment F{n} on User {{ name }}" for n in range(number))


def inline(chance: Random, budget: int) -> str:
    """Fragments without a name, in one place and in each other."""
    levels = chance.randint(1, 60)
    one = "...{" * levels + "name" + "}" * levels + " "
    return "{viewer{" + one * max(1, budget // len(one)) + "}}"


def directives(_: Random, budget: int) -> str:
    """Directives on one field."""
    return "{viewerScopes " + "@skip(if:false)" * (budget // 15) + "}"


def operations(_: Random, budget: int) -> str:
    """Many operations, of which one would be executed."""
    return " ".join(f"query Q{n} {{ viewerScopes }}" for n in range(budget // 26))


def pages(chance: Random, budget: int) -> str:
    """The largest pages inside the largest pages."""
    levels = min(budget // 60, chance.randint(1, 6))
    return (
        "{orders(first:100){nodes{id"
        + " resolutionCenter{requests(first:100){nodes{order{id" * levels
        + "}}}}" * levels
        + "}}}"
    )


def introspection(_: Random, budget: int) -> str:
    """The schema, and what its types are made of, over and over."""
    names = (f"a{n}:__schema{{types{{fields{{type{{fields{{name}}}}}}}}}}" for n in range(budget // 50))
    return "{" + " ".join(names) + "}"


def values(_: Random, budget: int) -> str:
    """A list of values in an argument."""
    return "{nodes(ids:[" + '"a" ' * (budget // 4) + "]){id}}"


def nested_values(chance: Random, budget: int) -> str:
    """Lists in lists."""
    levels = min(budget // 2, chance.randint(10, 400))
    return "{node(id:" + "[" * levels + "]" * levels + "){id}}"


def text(chance: Random, budget: int) -> str:
    """One long text, with signs that are written as numbers."""
    return '{node(id:"' + chance.choice(["x", "\\u0041", "\\n", "é"]) * (budget // 6) + '"){id}}'


def block(chance: Random, budget: int) -> str:
    """One long text over many lines."""
    return '{node(id:"""' + chance.choice(["x\n", " \n", '\\"""', "\\"]) * (budget // 4) + '"""){id}}'


def unfinished(chance: Random, budget: int) -> str:
    """What looks like a text, again and again, and does not end."""
    return "{viewer{" + chance.choice(['"', '""" ', '"\\', '"" ', "#\n", ",", "\ufeff", "$", "-1.e"]) * (budget // 3)


def variables(_: Random, budget: int) -> str:
    """Variables that are declared, and pages whose sizes they tell, in fragments that are spread twice."""
    number = max(1, budget // 120)
    declared = " ".join(f"$n{n}: Int = 100" for n in range(number))
    chain = (
        f"fragment F{n} on Order {{ resolutionCenter {{ requests(first: $n{n}) {{ nodes {{ order {{ ...F{n + 1} }} "
        f"again: order {{ ...F{n + 1} }} }} }} }} }}"
        for n in range(number)
    )
    start = f"query({declared}) {{ orders(first: $n0) {{ nodes {{ ...F0 }} }} }} "
    return start + " ".join(chain) + f" fragment F{number} on Order {{ id }}"


SHAPES: tuple[Callable[[Random, int], str], ...] = (
    wide,
    repeated,
    deep,
    deep_and_closed,
    doubling,
    chained,
    in_a_circle,
    spread,
    inline,
    directives,
    operations,
    pages,
    introspection,
    values,
    nested_values,
    text,
    block,
    unfinished,
    variables,
)


# ---------------------------------------------------------------- report


def _report(measured: list[Measured]) -> str:
    refused = [each for each in measured if each.refused]
    passed = [each for each in measured if not each.refused]
    largest = max(each.characters for each in measured)
    return "\n".join(
        (
            f"{len(measured):,} documents, the largest of {largest:,} characters; {len(refused):,} refused",
            "",
            _worst("until it was refused", refused, lambda each: each.judging),
            _worst("until it was let through", passed, lambda each: each.judging),
            _worst("of that by the limits, without the parser", measured, lambda each: each.looking),
            _worst("of a validation, once it was let through", passed, lambda each: each.validating),
        )
    )


def _worst(what: str, measured: list[Measured], time_of: Callable[[Measured], float]) -> str:
    worst = max(measured, key=time_of)
    return f"{time_of(worst):8.2f} ms at worst {what}: {worst.shape}, {worst.characters:,} characters"


if __name__ == "__main__":
    main()
