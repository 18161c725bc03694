"""The container file and the Compose file say what is so: what can be known of them without a container engine."""

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.cli import cli
from api.settings import PREFIX, Settings
from tests.command_line import ROOT
from tests.servers import free_port
from tests.service import SECRET

CAGE = "/mnt"
"""What is written on; everything else is only read."""
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [service for service in SERVICES.values() if service.get("image") == "resolution-center"]
ROOMS = [
    pattern.removesuffix("*")
    for pattern in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"][
        "include"
    ]
]


def stages() -> dict[str, list[str]]:
    """The instructions of each stage, in order; the last stage is ''."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in DOCKERFILE.replace("\\\n", " ").splitlines():
        if line.startswith("FROM "):
            name = line.partition(" AS ")[2]
            found[name] = []
        elif line and not line.startswith("#"):
            found[name].append(line)
    return found


def said(stage: str, word: str) -> list[str]:
    """What follows an instruction's word in a stage."""
    return [line.removeprefix(word).strip() for line in stages()[stage] if line.startswith(f"{word} ")]


def copied(stage: str) -> list[list[str]]:
    """The COPY instructions of a stage from the project's folder: sources and, last, the place."""
    return [shlex.split(line) for line in said(stage, "COPY") if not line.startswith("--from")]


def test_the_image_holds_every_room_of_the_product() -> None:
    sources = {source for *given, _ in copied("build") for source in given}
    assert set(ROOMS) <= sources
    assert all(
        (ROOT / source).exists() for stage in ("web", "build") for *given, _ in copied(stage) for source in given
    )


def test_the_image_runs_without_root_and_keeps_its_data_in_one_place() -> None:
    [user] = said("", "USER")
    assert int(user) > 0
    assert said("", "WORKDIR") == ["/data"]
    assert said("", "STOPSIGNAL") == ["SIGTERM"]


def test_what_the_image_runs_are_commands_of_ours() -> None:
    commands = [json.loads(line) for line in said("", "CMD")]
    commands += [service["command"] for service in OURS if "command" in service]
    for program, command, *_ in commands:
        assert program == "resolution-center"
        assert command in cli.commands


def test_what_is_set_are_settings_of_ours_and_may_be_set_together() -> None:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    for service in OURS:
        assert set(service["environment"]) <= known
    assert set(re.findall(r"(RESOLUTION_\w+)=", "\n".join(said("", "ENV")))) <= known


def test_each_server_is_told_to_go_before_it_is_killed_and_has_nothing_to_write_on() -> None:
    assert len(OURS) >= 3, "two servers and the migration"
    for service in OURS:
        assert int(service["stop_grace_period"].removesuffix("s")) > 10, "a server ends within 10 s"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_no_secret_stands_in_the_compose_file() -> None:
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            if re.search("SECRET|PASSWORD", name):
                assert value.startswith("${"), name
    assert "${POSTGRES_PASSWORD:?" in OURS[0]["environment"]["RESOLUTION_DATABASE_URL"]


def test_the_servers_wait_for_the_migration_and_the_migration_for_the_database() -> None:
    servers = [service for service in OURS if "command" not in service]
    assert all(each["depends_on"]["migrate"]["condition"] == "service_completed_successfully" for each in servers)
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert "healthcheck" in SERVICES["postgres"]


def test_the_proxy_knows_each_server_by_the_port_of_the_image() -> None:
    [port] = said("", "EXPOSE")
    upstream = set(re.findall(r"^\s*server ([\w-]+:\d+)", (ROOT / "deploy" / "nginx.conf").read_text(), re.MULTILINE))
    servers = {name for name, service in SERVICES.items() if service in OURS and "command" not in service}
    assert upstream == {f"{name}:{port}" for name in servers}


def test_compose_itself_takes_the_file() -> None:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("needs docker-compose")
    environ = os.environ | {"POSTGRES_PASSWORD": "for-a-test", "RESOLUTION_JWT_SECRET": SECRET}
    subprocess.run([program, "config", "--quiet"], cwd=ROOT, env=environ, check=True, timeout=60)  # noqa: S603


# ---------------------------------------------------------------- the image's own commands, by hand


@contextlib.contextmanager
def in_a_cage(data: Path, libraries: Path, *command: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command as the image runs it: as another user, in a file system that is only read but for one place."""
    bwrap = shutil.which("bwrap")
    assert bwrap is not None
    python = Path(sys.executable)
    user = said("", "USER")[0]
    cage = [bwrap, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", CAGE]
    cage += [
        "--bind",
        str(data),
        f"{CAGE}/data",
        "--ro-bind",
        str(libraries),
        f"{CAGE}/installed",
        "--chdir",
        f"{CAGE}/data",
    ]
    cage += ["--unshare-user", "--uid", user, "--cap-drop", "ALL", "--die-with-parent", "--", str(python), *command]
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{CAGE}/installed",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": CAGE,
    } | environ
    process = subprocess.Popen(cage, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: S603
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def can_be_caged() -> bool:
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return False
    tried = [bwrap, "--ro-bind", "/", "/", "--unshare-user", "--uid", "10001", "true"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0  # noqa: S603


def installed_as_in_the_image(folder: Path) -> Path:
    """The product, installed from nothing but what the container file copies."""
    source, target = folder / "source", folder / "installed"
    source.mkdir()
    for *given, _ in copied("build"):
        for name in given:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, source / name)
    words = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", *words, "--no-index", "--target", str(target), "."]
    subprocess.run(pip, cwd=source, check=True, timeout=120, stdin=subprocess.DEVNULL)  # noqa: S603
    return target


@pytest.mark.slow
def test_the_product_runs_as_the_image_has_it(tmp_path: Path) -> None:
    if not can_be_caged():
        pytest.skip("needs bubblewrap, and the right to use it")
    installed = installed_as_in_the_image(tmp_path)
    data = tmp_path / "data"
    data.mkdir(mode=0o777)
    port = free_port()
    environ = {"RESOLUTION_ENVIRONMENT": "production", "RESOLUTION_JWT_SECRET": SECRET}
    run = ("-c", "import sys, api.cli; assert api.__file__.startswith('/mnt/'); sys.exit(api.cli.main())")
    with in_a_cage(data, installed, *run, "migrate", **environ) as migrate:
        assert migrate.wait(60) == 0, migrate.stdout.read() if migrate.stdout else ""
    [check] = re.findall(r"HEALTHCHECK .* CMD (\[.*\])", DOCKERFILE)
    healthy = [word.replace("8000", str(port)) for word in json.loads(check)]
    [serve] = [json.loads(line) for line in said("", "CMD")]
    words = [word.replace("8000", str(port)).replace("0.0.0.0", "127.0.0.1") for word in serve[1:]]  # noqa: S104
    with in_a_cage(data, installed, *run, *words, **environ) as server:
        assert server.stdout
        while b"Ctrl-C" not in (line := server.stdout.readline()):
            assert line, "the server ended"
        assert subprocess.run([sys.executable, *healthy[1:]], check=False).returncode == 0  # noqa: S603
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10) as ready:
            assert json.load(ready)["status"] == "ok"


def test_the_engine_is_sent_what_the_image_takes_and_nothing_else() -> None:
    first, *kept = (ROOT / ".dockerignore").read_text().splitlines()
    assert first == "*", "whatever is not named stays out: data, secrets, history"
    sources = {source for stage in ("web", "build") for *given, _ in copied(stage) for source in given}
    named = {line.removeprefix("!") for line in kept if line.startswith("!")}
    assert {source if source in named else source.partition("/")[0] for source in sources} == named
