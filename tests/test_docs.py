"""The pages say what is: settings, and whatever else a program can compare."""

import re
from pathlib import Path

from api.settings import PREFIX, Settings

DOCS = Path(__file__).parent.parent / "docs"


def test_every_setting_is_documented_and_no_other() -> None:
    documented = set(re.findall(rf"^\| `({PREFIX}\w+)`", (DOCS / "settings.md").read_text("utf-8"), re.MULTILINE))
    assert documented == {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
