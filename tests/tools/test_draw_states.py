"""The drawn state machines: current, complete, and clear when the tables outgrow the layout."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from rules.lifecycle import CANCEL, SETTLEMENTS, STEPS, Step
from rules.policy import DEFAULT
from rules.vocabulary import OrderStatus
from tools import draw_states
from tools.draw_states import DrawingProblem, arrows, main, page, picture

NAMESPACE = "{http://www.w3.org/2000/svg}"


def test_the_drawings_in_docs_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_writing_and_checking_agree(tmp_path: Path) -> None:
    assert main([], tmp_path) == 0
    assert {file.name for file in tmp_path.iterdir()} == {"states.md", "states.svg"}
    assert main(["--check"], tmp_path) == 0


def test_the_same_tables_give_the_same_bytes() -> None:
    assert (page(), picture()) == (page(), picture())


@pytest.mark.parametrize("name", ["states.md", "states.svg"])
def test_a_stale_drawing_is_named_with_the_command_that_mends_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([], tmp_path)
    file = tmp_path / name
    file.write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert main(["--check"], tmp_path) == 1
    line = f"{tmp_path.name}/{name} is not what the tables in rules/ say: run `make draw`\n"
    assert capsys.readouterr().out == line
    file.unlink()
    assert main(["--check"], tmp_path) == 1


def test_an_unknown_argument_is_refused_with_the_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--write"], tmp_path) == 2
    assert capsys.readouterr().out == "usage: python -m tools.draw_states [--check]\n"
    assert list(tmp_path.iterdir()) == []


def test_every_step_and_every_end_of_a_request_stands_on_the_page() -> None:
    text = page()
    for step in STEPS:
        assert f"| {step.name} |" in text
        assert f"--> {step.target}: {step.name}" in text
    for end in SETTLEMENTS:
        assert f"PENDING --> {end.target}: {end.name}" in text
        assert f"| {end.name} | `{end.target}` |" in text
    for kind in DEFAULT.kinds:
        assert f"| `{kind}` |" in text


def test_every_status_and_every_arrow_stands_in_the_picture() -> None:
    root = ET.fromstring(picture())  # noqa: S314  # our own text
    said = [" ".join(text.itertext()) for text in root.iter(f"{NAMESPACE}text")]
    for arrow in arrows():
        assert arrow.name in said
    assert sum(path.get("marker-end") is not None for path in root.iter(f"{NAMESPACE}path")) == len(arrows()) + 1
    assert sum("node" in (rect.get("class") or "") for rect in root.iter(f"{NAMESPACE}rect")) == len(OrderStatus)


def test_no_status_lies_upon_another_and_all_is_on_the_card() -> None:
    width, height = draw_states.NODE_WIDTH, draw_states.NODE_HEIGHT
    for (x, y), (other_x, other_y) in combinations(draw_states.PLACES.values(), 2):
        assert abs(x - other_x) > width or abs(y - other_y) > height
    for x, y in draw_states.PLACES.values():
        assert width / 2 < x < draw_states.WIDTH - width / 2
        assert height / 2 < y < draw_states.HEIGHT - height / 2


def test_the_picture_reaches_for_nothing_outside() -> None:
    text = picture().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "http" not in text
    assert "<script" not in text
    assert "prefers-color-scheme: dark" in text


def test_a_step_that_the_layout_does_not_know_is_named() -> None:
    paused = Step("pause", frozenset({OrderStatus.IN_PROGRESS}), OrderStatus.DELIVERED, "client")
    with pytest.raises(DrawingProblem) as problem:
        picture([*STEPS, paused])
    assert str(problem.value) == (
        "the picture has no place for the step «pause: IN_PROGRESS -> DELIVERED»: give it one in ROUTES"
    )


def test_a_step_that_is_no_more_is_named() -> None:
    with pytest.raises(DrawingProblem, match="the step «cancel: open -> CANCELLED» is no more: take it out of ROUTES"):
        picture([step for step in STEPS if step is not CANCEL])


def test_a_step_from_fewer_statuses_than_before_is_named() -> None:
    narrowed = replace(CANCEL, sources=frozenset({OrderStatus.IN_PROGRESS}))
    with pytest.raises(DrawingProblem, match="«cancel: IN_PROGRESS -> CANCELLED»"):
        picture([narrowed if step is CANCEL else step for step in STEPS])


def test_a_status_that_the_layout_does_not_know_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {status: place for status, place in draw_states.PLACES.items() if status is not OrderStatus.IN_REVISION}
    monkeypatch.setattr(draw_states, "PLACES", places)
    with pytest.raises(DrawingProblem) as problem:
        picture()
    assert str(problem.value) == "the picture has no place for the status «IN_REVISION»: give it one in PLACES"


def test_the_command_says_what_the_layout_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(draw_states, "ROUTES", {})
    assert main([], tmp_path) == 1
    assert capsys.readouterr().out.startswith("tools/draw_states.py: the picture has no place for the step «accept")
    assert list(tmp_path.iterdir()) == []
