"""The pages say what the tested clients say."""

from pathlib import Path

import pytest

from tools.check_snippets import PAGE, faults_of, region, renewed

ROOT = Path(__file__).parent.parent.parent
CLIENTS = ROOT / "tests" / "clients"


def test_the_page_of_clients_says_what_the_tested_clients_say() -> None:
    assert faults_of((ROOT / PAGE).read_text("utf-8"), ROOT) == []


def test_the_page_has_every_client_that_is_tested() -> None:
    page = (ROOT / PAGE).read_text("utf-8")
    programs = {*CLIENTS.rglob("*.mjs"), *CLIENTS.glob("*_client.py"), CLIENTS / "relay" / "Orders.js"}
    for installed in ("node_modules", "stage.mjs", "operations.mjs"):
        programs = {program for program in programs if installed not in program.parts}
    named = {str(program.relative_to(ROOT)) for program in programs} | {"tests/clients/codegen/codegen.ts"}
    assert {name for name in named if name not in page} == set()


def test_a_stale_snippet_is_found_and_renewed(tmp_path: Path) -> None:
    (tmp_path / "a.mjs").write_text("// #region one\nconst a = 1;\n// #endregion\n")
    (tmp_path / "b.py").write_text("# region two\nb = 2\n\n\n# endregion\n")
    page = "<!-- a.mjs#one -->\n```js\nconst a = 0;\n```\n\n<!-- b.py#two -->\n```python\nb = 2\n```\n"
    assert faults_of(page, tmp_path) == ["a.mjs#one is stale"]
    assert faults_of(renewed(page, tmp_path), tmp_path) == []
    assert faults_of(page + "\n```js\nlost();\n```\n", tmp_path)[1:] == ["a snippet does not say where it is from"]
    with pytest.raises(ValueError, match="no region three"):
        region(tmp_path / "a.mjs", "three")
