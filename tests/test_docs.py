"""The pages say what is: settings, and whatever else a program can compare."""

import re
from pathlib import Path

from api.settings import PREFIX, Settings

DOCS = Path(__file__).parent.parent / "docs"


def test_every_setting_is_documented_and_no_other() -> None:
    documented = set(re.findall(rf"^\| `({PREFIX}\w+)`", (DOCS / "settings.md").read_text("utf-8"), re.MULTILINE))
    assert documented == {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


def test_every_threat_names_tests_that_exist() -> None:
    page = (DOCS / "security.md").read_text("utf-8")
    heads = ("---", " threat ", " standard ")
    rows = [row for row in re.findall(r"^\|(.+)\|$", page, re.MULTILINE) if not row.startswith(heads)]
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row.split("|")[-1])
        assert named, f"no test shows it:{row}"
        for file, test in named:
            path = DOCS.parent / file
            assert path.is_file(), f"{file} is gone"
            assert not test or re.search(rf"^(?:async )?def {test}\(", path.read_text("utf-8"), re.MULTILINE), test
