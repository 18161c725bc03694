"""The command line: help, exit codes, one line for whatever is wrong, and the lighter commands."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import time_machine
from graphql import build_schema

from api.auth import SharedSecretVerifier
from api.claims import Claims, InvalidToken
from api.commands import starting, sweeping
from api.schema import print_sdl
from api.settings import LOCAL_SECRET_FILE
from tests.command_line import Said, an_empty_one, command, dump, ended, prepared, program, rows, serving, start, within
from tests.database import assert_sound
from tests.store import FILE, sqlite_only

COMMANDS = ("serve", "migrate", "import", "seed", "token", "schema", "block", "unblock", "sweep", "doctor")
SECRET = "0123456789abcdef" * 4
JWKS = {
    "RESOLUTION_JWKS_URL": "https://id.example/keys",
    "RESOLUTION_JWT_ISSUER": "https://id.example",
    "RESOLUTION_JWT_AUDIENCE": "resolution-center",
}
PRODUCTION = {"RESOLUTION_ENVIRONMENT": "production", "RESOLUTION_JWT_SECRET": SECRET}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a migrated database."""
    return prepared(tmp_path, "migrate")


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder with the demo in its database, made a moment ago."""
    return prepared(tmp_path, "seed")


def claims(token: str, secret: str = SECRET, issuer: str | None = None, audience: str | None = None) -> Claims:
    return asyncio.run(SharedSecretVerifier(secret, issuer, audience).verify(token))


def local_secret(folder: Path) -> str:
    return (folder / LOCAL_SECRET_FILE).read_text().strip()


def refused(said: Said, code: int = 1) -> str:
    """The one line that a command said before it gave up."""
    assert (said.code, said.out) == (code, "")
    return said.complaint


# ---------------------------------------------------------------- help and misuse


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_with_an_example(tmp_path: Path, name: str) -> None:
    said = command(tmp_path, name, "--help")
    assert (said.code, said.err) == (0, "")
    assert re.search(rf"\n  Examples?:\n    .*resolution-center {name}", said.out)
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_every_command_whole(tmp_path: Path) -> None:
    said = command(tmp_path, "--help")
    assert said.code == 0
    listed = said.out.partition("Commands:")[2]
    assert "..." not in listed
    for name in COMMANDS:
        assert f"\n  {name} " in listed


def test_without_a_command_it_shows_its_help(tmp_path: Path) -> None:
    said = command(tmp_path)
    assert said.code == 2
    assert "Commands:" in said.out + said.err


def test_it_tells_its_version(tmp_path: Path) -> None:
    said = command(tmp_path, "--version")
    assert (said.code, said.out) == (0, f"resolution-center, version {starting.product_version()}\n")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("frobnicate",), "resolution-center: No such command 'frobnicate'. See resolution-center --help."),
        (
            ("migrate", "--now"),
            "resolution-center migrate: No such option '--now'. See resolution-center migrate --help.",
        ),
        (("import",), "resolution-center import: Missing argument 'FILE'. See resolution-center import --help."),
        (("token",), "resolution-center token: Missing option '--subject'. See resolution-center token --help."),
        (
            ("serve", "--port", "65536"),
            "resolution-center serve: Invalid value for '--port': 65536 is not in the range",
        ),
        (("serve", "--port", "http"), "resolution-center serve: Invalid value for '--port': 'http' is not a valid int"),
        (
            ("token", "--subject", "a", "--scope", "root"),
            "resolution-center token: Invalid value for '--scope': 'root' is",
        ),
        (
            ("token", "--subject", "a", "--ttl", "1y"),
            "resolution-center token: Invalid value for '--ttl': write a whole",
        ),
        (
            ("token", "--subject", "a", "--ttl", "1.5h"),
            "resolution-center token: Invalid value for '--ttl': write a whole",
        ),
        (
            ("token", "--subject", "a", "--ttl", "-1h"),
            "resolution-center token: Invalid value for '--ttl': write a whole",
        ),
    ],
)
def test_a_misuse_is_one_line_and_exit_code_2(tmp_path: Path, args: tuple[str, ...], sentence: str) -> None:
    assert refused(command(tmp_path, *args), code=2).startswith(sentence)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- whatever goes wrong


@pytest.mark.parametrize("name", ["serve", "migrate", "seed", "sweep", "token --subject a", "import orders.csv"])
def test_settings_that_can_not_be_are_told_and_nothing_is_begun(tmp_path: Path, name: str) -> None:
    (tmp_path / "orders.csv").write_text("")
    said = command(tmp_path, *name.split(), RESOLUTION_ENVIRONMENT="production")
    assert refused(said).startswith("Production needs a key that tokens are checked with: set RESOLUTION_JWT_SECRET")
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]


@pytest.mark.parametrize("name", ["serve", "migrate", "seed", "sweep", "import orders.jsonl"])
def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (tmp_path / "orders.jsonl").write_text("")
    url = f"postgres://keeper:hidden-word@127.0.0.1:{port}/center"
    sentence = refused(command(tmp_path, *name.split(), RESOLUTION_DATABASE_URL=url))
    assert sentence.startswith(f"The database asyncpg://…@127.0.0.1:{port}/center can't be reached: ")
    assert "hidden-word" not in sentence


@pytest.mark.parametrize("name", ["serve", "seed", "sweep", "import orders.jsonl"])
def test_a_database_of_several_hosts_must_have_been_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async def lacking(_: object) -> list[str]:
        await asyncio.sleep(0)
        return ["0002_next"]

    monkeypatch.setattr(starting, "missing_migrations", lacking)
    (tmp_path / "orders.jsonl").write_text("")
    said = command(tmp_path, *name.split(), RESOLUTION_DATABASE_URL="postgres://keeper@host/center")
    assert refused(said) == "The database lacks migrations: run resolution-center migrate first."


def test_what_nobody_foresaw_is_one_line_with_an_id_and_no_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch)
    sentence = refused(command(folder, "sweep"))
    assert re.fullmatch(
        r"That went wrong in a way that nobody foresaw \(error [0-9a-f]{8}, ValueError\); "
        r"RESOLUTION_LOG_LEVEL=debug shows where\.",
        sentence,
    )


def test_its_stack_is_in_the_log_for_those_who_ask(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch)
    said = command(folder, "sweep", RESOLUTION_LOG_LEVEL="debug")
    sentence = said.err.splitlines()[-1]
    found = re.search(r"error ([0-9a-f]{8})", sentence)
    assert found
    assert f"error_id={found[1]}" in said.err
    assert "in sweep_once" in said.err
    assert "what Ada wrote" not in said.err


def _break(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> tuple[int, int]:
        await asyncio.sleep(0)
        words = ["what", "Ada", "wrote"]
        raise ValueError(" ".join(words))

    monkeypatch.setattr(sweeping, "_sweep", broken)


def test_a_reader_who_goes_away_is_no_trouble(tmp_path: Path) -> None:
    piped = subprocess.run(  # noqa: S602
        f"{sys.executable} -m api.cli schema | head -n 1",
        shell=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(piped.stdout.splitlines()) == 1
    assert piped.stderr == ""


# ---------------------------------------------------------------- migrate


def test_migrate_says_what_it_applied_and_then_that_nothing_was_to_do(tmp_path: Path) -> None:
    folder = an_empty_one(tmp_path)
    first, second = command(folder, "migrate"), command(folder, "migrate")
    assert (first.code, first.err) == (0, "")
    assert re.fullmatch(r"Applied 0001_\w+(, \d{4}_\w+)*\.\n", first.out)
    assert (second.code, second.out) == (0, "Nothing to do: the database is up to date.\n")


def test_two_migrations_at_once_both_succeed(tmp_path: Path) -> None:
    folder = an_empty_one(tmp_path)
    both = [ended(process) for process in [start(folder, "migrate") for _ in range(2)]]
    assert [said.code for said in both] == [0, 0], both
    assert command(folder, "doctor").code == 0


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    said = command(tmp_path, "migrate", RESOLUTION_DATABASE_URL="sqlite://data/x.sqlite3")
    assert refused(said) == "The database sqlite://data/x.sqlite3 can't be opened: there is no folder data."


@sqlite_only
def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("Dear diary, " * 1_000)
    assert refused(command(tmp_path, "migrate")).endswith(" can't be opened: file is not a database.")


# ---------------------------------------------------------------- token


def test_a_token_is_all_that_is_printed_and_says_what_was_asked(tmp_path: Path) -> None:
    said = command(
        tmp_path, "token", "--subject", "support-1", "--name", "Sol", "--scope", "support", "--scope", "marketplace",
        "--ttl", "30m", RESOLUTION_JWT_SECRET=SECRET,
    )  # fmt: skip
    assert (said.code, said.err) == (0, "")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", said.out)
    found = claims(said.out.strip())
    assert (found.subject, found.name, set(found.scopes)) == ("support-1", "Sol", {"support", "marketplace"})
    assert found.expires_at is not None
    assert timedelta(minutes=29) < found.expires_at - datetime.now(UTC) <= timedelta(minutes=30, seconds=1)


def test_a_token_lives_an_hour_and_has_no_scope_unless_asked(tmp_path: Path) -> None:
    found = claims(command(tmp_path, "token", "--subject", "client-1", RESOLUTION_JWT_SECRET=SECRET).out.strip())
    assert (found.name, found.scopes) == (None, frozenset())
    assert found.expires_at is not None
    assert timedelta(minutes=59) < found.expires_at - datetime.now(UTC) <= timedelta(hours=1, seconds=1)


def test_a_token_has_the_issuer_and_the_audience_that_are_checked(tmp_path: Path) -> None:
    said = command(
        tmp_path,
        "token",
        "--subject",
        "client-1",
        RESOLUTION_JWT_SECRET=SECRET,
        RESOLUTION_JWT_ISSUER="us",
        RESOLUTION_JWT_AUDIENCE="here",
    )
    assert claims(said.out.strip(), issuer="us", audience="here").subject == "client-1"


def test_in_development_tokens_are_signed_with_a_secret_of_this_folder(tmp_path: Path) -> None:
    first = command(tmp_path, "token", "--subject", "client-1").out.strip()
    second = command(tmp_path, "token", "--subject", "client-2").out.strip()
    assert (tmp_path / LOCAL_SECRET_FILE).stat().st_mode & 0o777 == 0o600
    assert claims(first, local_secret(tmp_path)).subject == "client-1"
    assert claims(second, local_secret(tmp_path)).subject == "client-2"
    with pytest.raises(InvalidToken):
        claims(first, SECRET)


def test_with_the_keys_of_an_identity_provider_no_token_is_made(tmp_path: Path) -> None:
    sentence = refused(command(tmp_path, "token", "--subject", "client-1", **JWKS))
    assert sentence.startswith("Tokens are checked against RESOLUTION_JWKS_URL here, so only your identity provider")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--subject", ""), "A subject has 1 to 255 characters, "),
        (("--subject", "x" * 256), "A subject has 1 to 255 characters, "),
        (("--subject", "a\nb"), "A subject has 1 to 255 characters, "),
        (("--subject", "a", "--name", " "), "A name has 1 to 255 characters, "),
        (("--subject", "a", "--ttl", "0s"), "A token must live for one second at least, "),
        (("--subject", "a", "--ttl", "99999999d"), "A token must live for one second at least, and end in this era."),
    ],
)
def test_a_token_that_nobody_may_have_is_refused(tmp_path: Path, args: tuple[str, ...], sentence: str) -> None:
    assert refused(command(tmp_path, "token", *args, RESOLUTION_JWT_SECRET=SECRET)).startswith(sentence)


# ---------------------------------------------------------------- schema and sweep


def test_the_schema_is_printed_whole_and_can_be_read_by_others(tmp_path: Path) -> None:
    said = command(tmp_path, "schema")
    assert (said.code, said.err) == (0, "")
    assert said.out == print_sdl().rstrip("\n") + "\n"
    assert build_schema(said.out).subscription_type is not None
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_with_nothing_due_says_so(demo: Path) -> None:
    before = dump(demo)
    assert command(demo, "sweep").out == "No deadline was due.\n"
    assert dump(demo) == before


@sqlite_only  # PostgreSQL's own clock rules there, and nobody sets it
def test_a_sweep_moves_every_order_that_is_due(demo: Path) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=3, minutes=1)):
        said = command(demo, "sweep")
        again = command(demo, "sweep")
    assert (said.code, said.out) == (0, "2 orders moved.\n")
    assert again.out == "No deadline was due.\n"
    assert rows(demo, "SELECT status FROM orders WHERE reference = 'DEMO-1009'") == [("COMPLETED",)]
    assert rows(
        demo, "SELECT r.status FROM requests r JOIN orders o ON o.id = r.order_id WHERE o.reference = 'DEMO-1006'"
    ) == [("EXPIRED",)]
    asyncio.run(_sound(demo))


def test_an_order_that_can_not_be_moved_is_told(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(_: object) -> tuple[int, int]:
        await asyncio.sleep(0)
        return 3, 1

    monkeypatch.setattr(sweeping, "_sweep", stuck)
    said = command(demo, "sweep")
    assert (said.code, said.out, said.err) == (
        1,
        "3 orders moved.\n",
        "1 order could not be moved; the log says why.\n",
    )


async def _sound(folder: Path) -> None:
    async with within(folder):
        await assert_sound()


# ---------------------------------------------------------------- serve


def test_serve_prints_where_to_go_with_tokens_that_are_taken(demo: Path) -> None:
    with serving(demo) as (process, printed):
        address = _address(printed)
        assert any(line.startswith("  Web app   ") for line in printed)
        assert f"  GraphiQL  http://{address}/graphiql" in printed
        assert f"  GraphQL   http://{address}/graphql and ws://{address}/graphql" in printed
        assert f"  Health    http://{address}/health/ready" in printed
        assert f"Made a secret for this machine in {LOCAL_SECRET_FILE}: tokens are signed with it." in printed
        assert _get(f"http://{address}/health/live")[0] == 200
        tokens = _tokens(printed)
        assert list(tokens) == ["client-1", "client-2", "freelancer-1", "freelancer-2", "support-1", "marketplace"]
        answer = _ask(address, tokens["client-1"], "{ viewer { name } }")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    assert isinstance(answer, dict) and answer["data"] == {"viewer": {"name": "Ada"}}
    people = {subject: claims(token, local_secret(demo)) for subject, token in tokens.items()}
    assert {subject: (found.subject, found.name, set(found.scopes)) for subject, found in people.items()} == {
        "client-1": ("client-1", "Ada", set()),
        "client-2": ("client-2", "Bela", set()),
        "freelancer-1": ("freelancer-1", "Farid", set()),
        "freelancer-2": ("freelancer-2", "Gita", set()),
        "support-1": ("support-1", "Sol", {"support"}),
        "marketplace": ("marketplace", "Bazaar", {"marketplace"}),
    }
    for found in people.values():
        assert found.expires_at is not None
        assert timedelta(hours=23) < found.expires_at - datetime.now(UTC) <= timedelta(hours=24, seconds=1)


@sqlite_only
def test_serve_migrates_an_embedded_database_and_ends_well_on_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / LOCAL_SECRET_FILE).write_text(SECRET)
    with serving(tmp_path, RESOLUTION_BRODCAST_URL="x") as (process, printed):
        assert _get(f"http://{_address(printed)}/health/live")[0] == 200
        assert not any(line.startswith("Made a secret") for line in printed)
        assert "RESOLUTION_BRODCAST_URL is no setting of this version; is it spelled right?" in printed
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) == 0
    assert rows(tmp_path, "SELECT count(*) FROM orders") == [(0,)]


def test_in_production_serve_gives_nothing_away(folder: Path) -> None:
    with serving(folder, **PRODUCTION) as (_, printed):
        address = _address(printed)
        status, headers = _get(f"http://{address}/health/live")
    assert status == 200
    assert "server" not in {name.lower() for name in headers}
    text = "\n".join(printed)
    assert "eyJ" not in text
    assert "GraphiQL" not in text
    assert SECRET not in text
    assert not (folder / LOCAL_SECRET_FILE).exists()


def test_a_port_that_is_taken_is_told(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        said = program(folder, "serve", "--port", str(port))
    assert refused(said) == f"Port {port} is taken: stop what listens there, or name another with --port."


def test_a_host_that_this_machine_is_not_is_told(folder: Path) -> None:
    for host in ("192.0.2.1", "no such host"):
        sentence = refused(command(folder, "serve", "--host", host))
        assert sentence == f"There is no address {host} on this machine to listen on."


def test_a_start_that_fails_is_one_line_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> bytes:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    monkeypatch.setattr("models.reads.log_secret", broken)
    said = command(folder, "serve", "--port", "0")
    assert said.code == 1
    assert re.search(r"\(error [0-9a-f]{8}, ZeroDivisionError\)", said.complaint)


def test_a_policy_file_that_can_not_be_keeps_serve_from_starting(folder: Path) -> None:
    (folder / "policy.toml").write_text("[refund]\ncap_percent = 600\n")
    said = command(folder, "serve", RESOLUTION_POLICY_FILE="policy.toml")
    assert refused(said) == (
        "RESOLUTION_POLICY_FILE: policy.toml: refund.cap_percent: must be a whole number from 1 to 100."
    )


def test_a_manifest_that_can_not_be_keeps_serve_from_starting(folder: Path) -> None:
    (folder / "manifest.json").write_text("[]")
    said = command(folder, "serve", RESOLUTION_TRUSTED_DOCUMENTS="manifest.json")
    assert refused(said).startswith(
        "RESOLUTION_TRUSTED_DOCUMENTS: manifest.json holds no JSON object: it is no manifest"
    )


def test_a_server_that_is_told_to_go_does_not_wait_for_its_streams(demo: Path) -> None:
    with serving(demo, RESOLUTION_GRACEFUL_SHUTDOWN_SECONDS="60") as (process, printed):
        headers = {"accept": "text/event-stream", "authorization": f"Bearer {_tokens(printed)['client-1']}"}
        query = {"query": "subscription { viewerEvents { id } }"}
        url = f"http://{_address(printed)}/graphql"
        with httpx.stream("POST", url, json=query, headers=headers, timeout=30) as answer:
            parts = answer.iter_raw()
            assert next(parts) == b":\n\n"
            process.send_signal(signal.SIGTERM)
            # No `complete`: a client that knows the protocol resumes elsewhere.
            assert b"complete" not in b"".join(parts)
        assert process.wait(timeout=30) == 0


@sqlite_only
@pytest.mark.parametrize("content", ["Dear diary, " * 1_000, None])
def test_a_database_that_can_not_be_opened_keeps_serve_from_starting(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / FILE).write_text(content)
    else:
        (tmp_path / FILE).mkdir()
    said = program(tmp_path, "serve", "--port", "0")
    assert refused(said).startswith("The database sqlite://resolution-center.sqlite3 can't be ")


def _address(printed: list[str]) -> str:
    (found,) = [line for line in printed if line.startswith("  Health ")]
    return found.split("http://")[1].split("/")[0]


def _tokens(printed: list[str]) -> dict[str, str]:
    """By subject; each stands whole on the line under the person."""
    at = [number for number, line in enumerate(printed) if line.startswith("eyJ")]
    return {re.findall(r"\(([\w-]+)\)$", printed[number - 1])[0]: printed[number] for number in at}


def _get(url: str) -> tuple[int, dict[str, str]]:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
        return answer.status, dict(answer.headers)


def _ask(address: str, token: str, query: str) -> object:
    request = urllib.request.Request(
        f"http://{address}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)
