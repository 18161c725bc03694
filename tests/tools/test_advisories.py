"""What `make advisories` makes of the answers that it gets, and of the locked files."""

import json
from pathlib import Path
from typing import Any

from tools.advisories import Audited, bill_of_materials, of_npm_audit, of_pip_audit, told
from tools.check_lock import locked

ROOT = Path(__file__).parent.parent.parent
WEB = Path("web")


def test_a_weakness_is_told_with_what_mends_it() -> None:
    weak = {"name": "starlette", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
    sound = {"name": "click", "version": "8", "vulns": []}
    assert list(told(of_pip_audit(json.dumps({"dependencies": [weak, sound]})))) == [
        "requirements/dev.txt: 1 known weaknesses",
        "  starlette 1.0: PYSEC-1, mended in 1.1",
    ]
    npm = {"vulnerabilities": {"vite": {"range": "<8", "severity": "high"}}}
    assert list(told(of_npm_audit(WEB, json.dumps(npm)))) == ["web: 1 known weaknesses", "  vite <8: high"]


def test_where_nothing_could_be_asked_nobody_is_told_that_all_is_well() -> None:
    skipped = {"name": "click", "skip_reason": "Dependency not found on PyPI and could not be audited: click (8)"}
    answers = [
        of_pip_audit(json.dumps({"dependencies": [skipped]})),
        of_pip_audit(""),
        of_npm_audit(WEB, json.dumps({"message": "405 Method Not Allowed"})),
        of_npm_audit(WEB, ""),
    ]
    for answer in answers:
        [line] = told(answer)
        assert "not audited" in line
        assert answer.weaknesses == ()


def test_nothing_found_is_told_as_that() -> None:
    assert of_pip_audit('{"dependencies": [{"name": "click", "version": "8", "vulns": []}]}') == Audited(
        "requirements/dev.txt"
    )
    assert list(told(of_npm_audit(WEB, '{"vulnerabilities": {}}'))) == ["web: 0 known weaknesses"]


def test_the_list_holds_every_locked_package_once(monkeypatch: Any) -> None:
    monkeypatch.chdir(ROOT)
    components = bill_of_materials()["components"]
    urls = [component["purl"] for component in components]
    assert len(urls) == len(set(urls))
    pypi = {component["name"]: component for component in components if component["purl"].startswith("pkg:pypi/")}
    assert {name: component["version"] for name, component in pypi.items()} == locked(Path("requirements/dev.txt"))
    assert pypi["starlette"]["scope"] == "required"
    assert pypi["pytest"]["scope"] == "excluded"
    npm = {component["name"]: component for component in components if component["purl"].startswith("pkg:npm/")}
    assert npm["@apollo/client"]["purl"].startswith("pkg:npm/%40apollo/client@")
    assert [npm[name]["scope"] for name in ("react-dom", "vite", "relay-compiler")] == [
        "required",
        "excluded",
        "excluded",
    ]
