"""Draws the state machines from the tables that the code runs on: docs/states.md and docs/states.svg."""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rules.actions import OPENS, ROLES
from rules.lifecycle import OPEN_STATUSES, SETTLEMENTS, STEPS, Settlement, Step
from rules.policy import DEFAULT, KindPolicy
from rules.vocabulary import OnDeadline, OrderStatus, RequestKind, RequestStatus

DOCS = Path(__file__).parents[1] / "docs"
PLACED = "the marketplace"
OPEN = "open"
"""Stands for all open statuses where a step may be taken from any of them."""

_S = OrderStatus


class DrawingProblem(Exception):
    """The tables and the layout of the picture no longer fit; the message says what to do."""


# ---------------------------------------------------------------- what is drawn


@dataclass(frozen=True, slots=True)
class Arrow:
    """One step from one status, or from all open ones."""

    name: str
    source: str
    target: OrderStatus
    taken_by: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.name, self.source, self.target.value)


def arrows(steps: Iterable[Step] = STEPS) -> list[Arrow]:
    """A step that may be taken from every open status is one arrow."""
    found = []
    for step in steps:
        whole = step.sources == OPEN_STATUSES
        sources = [OPEN] if whole else [status.value for status in OrderStatus if status in step.sources]
        found += [Arrow(step.name, source, step.target, step.taken_by) for source in sources]
    return found


def words(name: str) -> str:
    """«IN_PROGRESS» as a person says it."""
    return name.replace("_", " ").lower()


def title(name: str) -> str:
    return words(name).capitalize()


def who_opens(kind: RequestKind) -> str:
    roles = {role for action, opened in OPENS.items() if opened is kind for role in ROLES[action]}
    return "either side" if len(roles) > 1 else words(next(iter(roles)))


def window(terms: KindPolicy) -> str:
    return f"{terms.window.total_seconds() / 3_600:g} h"


SILENCE = {
    OnDeadline.ACCEPT: "is consent",
    OnDeadline.EXPIRE: "ends it",
    OnDeadline.ESCALATE: "calls support",
}


# ---------------------------------------------------------------- the page


def page() -> str:
    return "\n".join([*_introduction(), *_order(), *_requests(), *_policy()]) + "\n"


def _introduction() -> Iterator[str]:
    yield "# States"
    yield ""
    yield "Drawn by `make draw` from the tables in `rules/lifecycle.py` and `rules/policy.py` that the code runs on."
    yield "CI fails when it is stale; change the tables, not this page."
    yield ""
    yield "![How an order goes from placed to completed or cancelled](states.svg)"
    yield ""


def _order() -> Iterator[str]:
    yield "## An order"
    yield ""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    direction LR"
    for status in OrderStatus:
        if status.is_closed:
            yield f'    state "{title(status)}" as {status}'
    yield '    state "Open" as OPEN {'
    for status in OrderStatus:
        if not status.is_closed:
            yield f'        state "{title(status)}" as {status}'
    drawn = arrows()
    inside = [arrow for arrow in drawn if arrow.source != OPEN and not arrow.target.is_closed]
    yield f"        [*] --> {OrderStatus.AWAITING_REQUIREMENTS}: place"
    yield from (f"        {arrow.source} --> {arrow.target}: {arrow.name}" for arrow in inside)
    yield "    }"
    for arrow in drawn:
        if arrow not in inside:
            yield f"    {'OPEN' if arrow.source == OPEN else arrow.source} --> {arrow.target}: {arrow.name}"
    yield from (f"    {status} --> [*]" for status in OrderStatus if status.is_closed)
    yield "```"
    yield ""
    yield from _table(
        ("step", "from", "to", "taken by"),
        [("place", "", f"`{OrderStatus.AWAITING_REQUIREMENTS}`", PLACED), *map(_step_row, STEPS)],
    )


def _step_row(step: Step) -> tuple[str, ...]:
    sources = "every open status" if step.sources == OPEN_STATUSES else _codes(OrderStatus, step.sources)
    return (step.name, sources, f"`{step.target}`", step.taken_by)


def _requests() -> Iterator[str]:
    yield "## A request"
    yield ""
    yield "One of a kind may be pending on an order. All that follows is final."
    yield ""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    direction LR"
    yield f"    [*] --> {RequestStatus.PENDING}: open"
    yield from (f"    {RequestStatus.PENDING} --> {end.target}: {end.name}" for end in SETTLEMENTS)
    yield from (f"    {end.target} --> [*]" for end in SETTLEMENTS)
    yield "```"
    yield ""
    yield from _table(("end", "to", "of", "by"), map(_settlement_row, SETTLEMENTS))


def _settlement_row(end: Settlement) -> tuple[str, ...]:
    kinds = "every kind" if end.kinds == set(RequestKind) else _codes(RequestKind, end.kinds)
    return (end.name, f"`{end.target}`", kinds, end.taken_by)


def _policy() -> Iterator[str]:
    yield "## The kinds of request, by default"
    yield ""
    yield "An operator may change the windows, the silence and the statuses: see [policy](policy.md)."
    yield ""
    yield from _table(
        ("kind", "asked by", "open when the order is", "time to answer", "silence"),
        (
            (f"`{kind}`", who_opens(kind), _codes(OrderStatus, terms.open_in), window(terms), SILENCE[terms.silence])
            for kind, terms in DEFAULT.kinds.items()
        ),
        last=True,
    )


def _codes(order: Iterable[str], chosen: Iterable[str]) -> str:
    kept = set(chosen)
    return ", ".join(f"`{name}`" for name in order if name in kept)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, last: bool = False) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    yield from (f"| {' | '.join(row)} |" for row in rows)
    if not last:
        yield ""


# ---------------------------------------------------------------- the picture: where everything stands

WIDTH, HEIGHT = 1112, 452
NODE_WIDTH, NODE_HEIGHT = 140, 62
LINE = 18
FRAME = (24, 76, 776, 352)
"""Around the open statuses: x, y, width, height."""
EDGE = FRAME[0] + FRAME[2]

PLACES = {
    _S.AWAITING_REQUIREMENTS: (114, 160),
    _S.IN_PROGRESS: (430, 160),
    _S.DELIVERED: (670, 160),
    _S.IN_REVISION: (670, 344),
    _S.COMPLETED: (1018, 160),
    _S.CANCELLED: (1018, 344),
}
"""The middle of each status."""


@dataclass(frozen=True, slots=True)
class Route:
    """The way of an arrow, and where its label stands: the name ends above `label`, who takes it starts below."""

    path: tuple[tuple[int, int], ...]
    label: tuple[int, int]
    anchor: str = "middle"
    columns: int = 20
    """After how many characters the lower label is broken."""


ROUTES = {
    ("submit requirements", _S.AWAITING_REQUIREMENTS, _S.IN_PROGRESS): Route(((184, 160), (360, 160)), (270, 160)),
    ("deliver", _S.IN_PROGRESS, _S.DELIVERED): Route(((500, 160), (600, 160)), (548, 160)),
    ("request revision", _S.DELIVERED, _S.IN_REVISION): Route(((646, 191), (646, 313)), (636, 252), "end"),
    ("deliver", _S.IN_REVISION, _S.DELIVERED): Route(((694, 313), (694, 191)), (704, 252), "start"),
    ("accept delivery", _S.DELIVERED, _S.COMPLETED): Route(((740, 160), (948, 160)), (874, 160), columns=17),
    ("complete", OPEN, _S.COMPLETED): Route(((EDGE, 252), (1018, 252), (1018, 191)), (874, 252)),
    ("cancel", OPEN, _S.CANCELLED): Route(((EDGE, 344), (948, 344)), (874, 344)),
}
START = ((114, 34), (114, 129))
"""From the dot to the first status."""

STYLE = """\
text { font: 15px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; fill: #1f2328 }
.status { font-weight: 600; text-anchor: middle }
.who, .head { font-size: 13.5px; fill: #59636e }
.head { font-weight: 600 }
.card { fill: #ffffff }
.frame { fill: #f6f8fa; stroke: #d1d9e0; stroke-width: 1.5 }
.rule { stroke: #d1d9e0; stroke-width: 1 }
.node { stroke-width: 2 }
.open { fill: #ddf4ff; stroke: #0969da }
.completed { fill: #dafbe1; stroke: #1a7f37 }
.cancelled { fill: #ffebe9; stroke: #cf222e }
.arrow { fill: none; stroke: #59636e; stroke-width: 1.75; stroke-linejoin: round }
.tip { fill: #59636e }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.who, .head { fill: #9198a1 }
.card { fill: #0d1117 }
.frame { fill: #151b23; stroke: #3d444d }
.rule { stroke: #3d444d }
.open { fill: #10233f; stroke: #4493f8 }
.completed { fill: #12261e; stroke: #3fb950 }
.cancelled { fill: #2d1517; stroke: #f85149 }
.arrow { stroke: #9198a1 }
.tip { fill: #9198a1 }
}"""


SVG = "http://www.w3.org/2000/svg"
TIP = (
    '<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="10" markerHeight="10" '
    'markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0 10 5 0 10z"/></marker>'
)


def picture(steps: Iterable[Step] = STEPS, statuses: Iterable[OrderStatus] = OrderStatus) -> str:
    """Raises DrawingProblem when the tables know a status or a step that the layout has no place for, or lost one."""
    drawn, shown = arrows(steps), list(statuses)
    _fits("status", {status.value for status in shown}, {status.value for status in PLACES}, "PLACES")
    _fits("step", {_told(arrow.key) for arrow in drawn}, {_told(key) for key in ROUTES}, "ROUTES")
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    lines = [
        f'<svg xmlns="{SVG}" viewBox="0 0 {WIDTH} {HEIGHT}" {size} role="img" aria-labelledby="title">',
        '<title id="title">How an order goes from placed to completed or cancelled, and who takes each step</title>',
        f"<style>\n{STYLE}\n</style>",
        TIP,
        f'<rect class="card" {size} rx="12"/>',
        '<rect class="frame" x="{}" y="{}" width="{}" height="{}" rx="14"/>'.format(*FRAME),
        f'<text class="head" x="{EDGE - 20}" y="{FRAME[1] + 28}" text-anchor="end">Open</text>',
        *_start(),
        *(line for arrow in drawn for line in _arrow(arrow)),
        *(line for status in shown for line in _status(status)),
        *_kinds(),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _fits(what: str, needed: set[str], placed: set[str], table: str) -> None:
    for missing in sorted(needed - placed):
        raise DrawingProblem(f"the picture has no place for the {what} «{missing}»: give it one in {table}")
    for left_over in sorted(placed - needed):
        raise DrawingProblem(f"the {what} «{left_over}» is no more: take it out of {table}")


def _told(key: tuple[str, str, str]) -> str:
    name, source, target = key
    return f"{name}: {source} -> {target}"


def _start() -> Iterator[str]:
    (x, y), (_, end) = START
    yield f'<circle class="tip" cx="{x}" cy="{y}" r="8"/>'
    yield f'<path class="arrow" d="M{x} {y + 8}V{end}" marker-end="url(#tip)"/>'
    yield f'<text x="{x + 18}" y="{y + 5}">place <tspan class="who" dx="4">{PLACED}</tspan></text>'


def _arrow(arrow: Arrow) -> Iterator[str]:
    route = ROUTES[arrow.name, arrow.source, arrow.target]
    yield f'<path class="arrow" d="M{" ".join(f"{x} {y}" for x, y in route.path)}" marker-end="url(#tip)"/>'
    x, y = route.label
    beside = route.anchor != "middle"
    above, below = (y - 3, y + LINE - 3) if beside else (y - 10, y + LINE + 3)
    yield f'<text x="{x}" y="{above}" text-anchor="{route.anchor}">{escape(arrow.name)}</text>'
    taken_by = arrow.taken_by.replace(" or ", " or\N{NO-BREAK SPACE}")
    for number, line in enumerate(textwrap.wrap(taken_by, route.columns)):
        place = f'x="{x}" y="{below + number * LINE}" text-anchor="{route.anchor}"'
        yield f'<text class="who" {place}>{escape(line)}</text>'


def _status(status: OrderStatus) -> Iterator[str]:
    x, y = PLACES[status]
    left, top = x - NODE_WIDTH // 2, y - NODE_HEIGHT // 2
    look = status.lower() if status.is_closed else OPEN
    size = f'width="{NODE_WIDTH}" height="{NODE_HEIGHT}"'
    yield f'<rect class="node {look}" x="{left}" y="{top}" {size} rx="10"/>'
    lines = textwrap.wrap(title(status), 14)
    first = y + 5 - (len(lines) - 1) * LINE // 2
    for number, line in enumerate(lines):
        yield f'<text class="status" x="{x}" y="{first + number * LINE}">{line}</text>'


COLUMNS = (48, 206, 304, 364)
"""Where the columns of the table of requests start."""


def _kinds() -> Iterator[str]:
    """What may be asked while the order is open."""
    y = 268
    for x, words_ in zip(COLUMNS, ("While it is open", "asked by", "time", "silence"), strict=True):
        yield f'<text class="head" x="{x}" y="{y}">{words_}</text>'
    yield f'<path class="rule" d="M{COLUMNS[0]} {y + 10}H460"/>'
    for kind, terms in DEFAULT.kinds.items():
        y += 32
        cells = (title(kind), who_opens(kind), window(terms), SILENCE[terms.silence])
        for x, cell, look in zip(COLUMNS, cells, ("", "who", "who", "who"), strict=True):
            shown = f' class="{look}"' if look else ""
            yield f'<text{shown} x="{x}" y="{y}">{escape(cell)}</text>'


# ---------------------------------------------------------------- the command


def main(arguments: Sequence[str], docs: Path = DOCS) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python -m tools.draw_states [--check]")
        return 2
    try:
        drawings = {docs / "states.md": page(), docs / "states.svg": picture()}
    except DrawingProblem as problem:
        print(f"tools/draw_states.py: {problem}")
        return 1
    if not arguments:
        for file, text in drawings.items():
            file.write_text(text, encoding="utf-8")
        return 0
    stale = [file for file, text in drawings.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    for file in stale:
        print(f"{file.parent.name}/{file.name} is not what the tables in rules/ say: run `make draw`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
