"""docs/http.md: its commands are run, and its table has every code that there is."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from api.errors import Code
from tests.command_line import ROOT
from tests.service import PATIENCE, a_service

PAGE = (ROOT / "docs" / "http.md").read_text("utf-8")
COMMANDS = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_table_has_every_code() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE)) == {code.value for code in Code}


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_the_commands_get_an_answer_and_a_stream(tmp_path: Path) -> None:
    asking, watching = COMMANDS
    async with a_service(tmp_path) as service:
        environ = {"PATH": os.environ["PATH"], "URL": service.url, "TOKEN": service.token("ada")}
        query = await asyncio.create_subprocess_shell(asking, env=environ, stdout=asyncio.subprocess.PIPE)
        said, _ = await query.communicate()
        assert said.startswith(b'{"data":{"viewer":{"name":"Ada"}}')

        stream = await asyncio.create_subprocess_shell(f"exec {watching}", env=environ, stdout=asyncio.subprocess.PIPE)
        assert stream.stdout
        try:
            async with asyncio.timeout(2 * PATIENCE):
                assert await stream.stdout.readuntil(b"\n\n") == b":\n\n"
                await service.place("R-1")
                event = await stream.stdout.readuntil(b"\n\n")
        finally:
            stream.kill()
            await stream.wait()
    assert event.startswith(b'event: next\ndata: {"data":{"viewerEvents":{"cursor":"')
    assert b"ORDER_PLACED" in event
