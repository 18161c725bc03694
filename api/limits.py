"""What a document may ask for: the limits, and what is refused before anything is parsed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(
    r'#[^\n\r]*|"""(?:[^"\\]|\\(?:""")?|"(?!""))*(?:""")?|"(?:[^"\\\n\r]|\\.)*"?'
    r"|\.\.\.|[A-Za-z_][A-Za-z0-9_]*|-?[0-9][0-9.eE+-]*|[^\s,\ufeff]"
)
"""A token, or a comment: a parser reads those too. A text that does not end is one up to its end, so that no sign is
looked at twice."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is allowed. Shapes are those of the document as it is executed, with each fragment in the place
    where it is spread; directives, operations and fragments are counted as they are written."""

    characters: int = 10_000
    tokens: int = 1_000
    depth: int = 20
    fields: int = 1_000
    aliases: int = 50
    root_fields: int = 20
    repetitions: int = 100
    directives: int = 50
    operations: int = 20
    fragments: int = 50
    cost: int = 10_000
    variables: int = 1_000
    variables_depth: int = 10


# ---------------------------------------------------------------- before a text is parsed


NESTED = 200
"""How deep selections may stand in each other, those of fragments included: nothing deeper is parsed or measured."""


def too_long(text: str, limits: Limits) -> str | None:
    """What is wrong with a text before it is parsed: parsing takes 5 µs a token, this 0.2."""
    if len(text) > limits.characters:
        return more_than_allowed("characters", len(text), limits.characters)
    tokens = _TOKEN.findall(text)
    definitions, nested = _outline(tokens)
    for what, found, most in (
        ("tokens", len(tokens), limits.tokens),
        ("operations and fragments", definitions, limits.operations + limits.fragments),
        ("levels of selections", nested, NESTED),
        ("directives", tokens.count("@"), limits.directives),
    ):
        if found > most:
            return more_than_allowed(what, found, most)
    return None


def _outline(tokens: Iterable[str]) -> tuple[int, int]:
    """How many definitions with a selection a text has, and how deep selections stand in each other. What is in
    parentheses is a value, and no selection."""
    definitions = nested = deepest = within = 0
    for token in tokens:
        match token:
            case "(":
                within += 1
            case ")":
                within -= within > 0
            case "{" if not within:
                definitions += nested == 0
                nested += 1
                deepest = max(deepest, nested)
            case "}" if not within:
                nested -= nested > 0
    return definitions, deepest


def too_many_variables(variables: Mapping[str, object] | None, limits: Limits) -> str | None:
    """What is wrong with the shape of the variables, of which each value counts, lists and objects too."""
    number = depth = 0
    level: list[object] = [variables] if variables else []
    while level:
        if depth > limits.variables_depth:
            return f"The variables are nested too deeply; at most {limits.variables_depth} levels are allowed."
        level = [inner for value in level for inner in _inside(value)]
        number += len(level)
        if number > limits.variables:
            return f"The variables hold too many values; at most {limits.variables:,} are allowed."
        depth += 1
    return None


def _inside(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
    return ()


# ---------------------------------------------------------------- sentences


def too_dear(cost: int, limits: Limits) -> str | None:
    """What is wrong with a cost."""
    if cost <= limits.cost:
        return None
    return (
        f"The operation costs {_number(cost)}; at most {limits.cost:,} is allowed. "
        "Ask for smaller pages or fewer lists inside lists."
    )


def more_than_allowed(what: str, found: int, most: int) -> str:
    return f"The document has {_number(found)} {what}; at most {most:,} are allowed."


def _number(found: int) -> str:
    return f"{found:,}" if found < 10**9 else "more than a billion"
