"""`resolution-center doctor`: whatever can be wrong is found, and said in plain words without a secret."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.commands import doctoring
from models.constraints import constraint_names
from tests.command_line import Said, change, command, dump, prepared, program, rows, shown_url
from tests.store import FILE, ON_POSTGRESQL, sqlite_only

SECRET = "0123456789abcdef" * 4


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder with the demo in its database, made a moment ago."""
    return prepared(tmp_path, "seed")


def wrong(said: Said) -> list[str]:
    """What the doctor found wrong; everything else must be well."""
    found = [line.removeprefix("✗ ") for line in said.lines if line.startswith("✗ ")]
    assert said.err == ""
    assert said.code == bool(found)
    assert said.lines[-1] == (
        "All is well." if not found else f"{len(found)} thing{'s are' * (len(found) > 1) or ' is'} wrong."
    )
    return found


def the_wrong(said: Said) -> str:
    (found,) = wrong(said)
    return found


# ---------------------------------------------------------------- well


def test_a_healthy_product_is_called_so_line_by_line(demo: Path) -> None:
    before = dump(demo)
    said = command(demo, "doctor")
    events = rows(demo, "SELECT count(*) FROM events")[0][0]
    named = sum(len(names) for names in constraint_names().values())
    assert said.lines == [
        "✓ The settings fit together (development).",
        "✓ No policy file: the defaults hold.",
        f"✓ The database answers: {shown_url(demo)}.",
        "✓ All migrations are applied.",
        f"✓ All {named} constraints and indexes are there.",
        f"✓ The log is whole: {events} events, no gap among the newest.",
        "✓ 31 sampled orders equal the replay of the log.",
        "✓ The ledger of every order sums to zero.",
        "✓ No deadline is overdue.",
        "✓ No refund is stuck.",
        "✓ The broadcast is this process's memory: enough for one serve process, not for two.",
        "✓ Tokens are checked with a local secret: for development only.",
        "All is well.",
    ]
    assert (said.code, said.err) == (0, "")
    assert dump(demo) == before


def test_an_empty_database_is_well(tmp_path: Path) -> None:
    said = command(prepared(tmp_path, "migrate"), "doctor", RESOLUTION_JWT_SECRET=SECRET)
    assert wrong(said) == []
    assert "✓ Tokens are checked with the shared secret." in said.lines
    assert SECRET not in said.out


@sqlite_only
def test_it_makes_no_database_and_no_secret(tmp_path: Path) -> None:
    said = program(tmp_path, "doctor")
    assert the_wrong(said) == (f"There is no database at {FILE} yet: resolution-center migrate makes it.")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- settings and policy


def test_settings_that_can_not_be_are_told_one_by_one_without_their_values(tmp_path: Path) -> None:
    said = command(
        tmp_path,
        "doctor",
        RESOLUTION_ENVIRONMENT="production",
        RESOLUTION_JWT_SECRET="short",
        RESOLUTION_LOG_LEVEL="loud",
    )
    assert said.code == 1
    assert len(said.lines) == 2
    assert all(line.startswith("✗ RESOLUTION_") for line in said.lines)
    assert "short" not in said.out.replace("RESOLUTION_JWT_SECRET", "")


def test_a_setting_that_is_spelled_wrong_is_pointed_at(demo: Path) -> None:
    said = command(demo, "doctor", RESOLUTION_BRODCAST_URL="redis://somewhere")
    assert (
        "! RESOLUTION_BRODCAST_URL is no setting of this version and has no effect; is it spelled right?" in said.lines
    )
    assert said.code == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "policy.toml can't be read: No such file or directory."),
        ("[refund", "policy.toml is not TOML: "),
        ("[refund]\ncap_percent = 600", "policy.toml: refund.cap_percent: must be a whole number from 1 to 100."),
        ("[colours]", "policy.toml: the file: there is no setting «colours»; there are "),
        ("x = " + "[" * 10_000, "policy.toml is not TOML: "),
        ("#" * 1_000_001, "policy.toml: is larger than 1,000,000 bytes."),
    ],
)
def test_a_policy_file_that_can_not_be_is_told_in_one_line(demo: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (demo / "policy.toml").write_text(content)
    said = command(demo, "doctor", RESOLUTION_POLICY_FILE="policy.toml")
    assert the_wrong(said).startswith(f"RESOLUTION_POLICY_FILE: {sentence}")


def test_a_policy_file_that_is_sound_is_called_so(demo: Path) -> None:
    (demo / "policy.toml").write_bytes(b"\xef\xbb\xbf[refund]\ncap_percent = 50\n")
    said = command(demo, "doctor", RESOLUTION_POLICY_FILE="policy.toml")
    assert wrong(said) == []
    assert "✓ The policy file is sound." in said.lines


# ---------------------------------------------------------------- the database


def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgres://keeper:hidden-word@127.0.0.1:{_a_closed_port()}/center"
    found = the_wrong(command(tmp_path, "doctor", RESOLUTION_DATABASE_URL=url))
    assert found.startswith("The database asyncpg://…@127.0.0.1:")
    assert "can't be reached: " in found
    assert "hidden-word" not in found


@sqlite_only
def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("Dear diary, " * 1_000)
    found = the_wrong(command(tmp_path, "doctor"))
    assert found == "The database sqlite://resolution-center.sqlite3 can't be opened: file is not a database."


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = the_wrong(command(tmp_path, "doctor", RESOLUTION_DATABASE_URL="sqlite://data/x.sqlite3"))
    assert found == "There is no database at data/x.sqlite3 yet: resolution-center migrate makes it."


def test_missing_migrations_are_told_by_name(demo: Path) -> None:
    change(demo, "DELETE FROM tortoise_migrations")
    found = the_wrong(command(demo, "doctor"))
    assert found.startswith("The database lacks 0001_")
    assert found.endswith(": run resolution-center migrate.")


@pytest.mark.parametrize("name", ["requests_one_pending_of_a_kind", "orders_by_deadline", "ledger_entries_post_once"])
def test_an_index_that_is_gone_is_told_by_name(demo: Path, name: str) -> None:
    change(demo, _dropping(name))
    assert the_wrong(command(demo, "doctor")).startswith(f"The database lacks 1 constraint: {name}. ")


def _dropping(name: str) -> str:
    """On PostgreSQL a constraint's own index goes with the constraint alone."""
    if ON_POSTGRESQL and name == "ledger_entries_post_once":
        return f"ALTER TABLE ledger_entries DROP CONSTRAINT {name}"
    return f"DROP INDEX {name}"


def test_constraints_that_are_gone_with_a_table_made_anew_are_told_by_name(demo: Path) -> None:
    change(
        demo,
        "ALTER TABLE log RENAME TO old_log",
        "CREATE TABLE log AS SELECT * FROM old_log",
        "DROP TABLE old_log",
    )
    assert the_wrong(command(demo, "doctor")).startswith("The database lacks 1 constraint: log_is_one. ")


# ---------------------------------------------------------------- what is in it


def test_a_counter_that_lags_behind_the_events_is_told(demo: Path) -> None:
    (last,) = rows(demo, "SELECT position FROM log")[0]
    change(demo, "UPDATE log SET position = position - 1")
    found = the_wrong(command(demo, "doctor"))
    assert found == f"There is an event at {last}, beyond the log's counter ({last - 1})."


def test_a_counter_that_ran_ahead_of_the_events_is_told(demo: Path) -> None:
    (last,) = rows(demo, "SELECT position FROM log")[0]
    change(demo, "UPDATE log SET position = position + 2")
    found = the_wrong(command(demo, "doctor"))
    assert found.startswith(f"The log's counter stands at {last + 2} and the newest event at {last}: ")


def test_a_gap_in_the_log_is_told(demo: Path) -> None:
    change(demo, "DELETE FROM events WHERE position = 1")
    log, replay = wrong(command(demo, "doctor"))
    assert "1 are missing" in log
    assert replay.startswith("1 order does not equal what the log tells: DEMO-10")


def test_a_log_without_a_counter_is_told(demo: Path) -> None:
    change(demo, "DELETE FROM log")
    found = wrong(command(demo, "doctor"))
    assert found[0].startswith("The log has no counter, so nothing can be written")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET title = 'Another title' WHERE reference = 'DEMO-1004'",
        "UPDATE requests SET text = 'x' WHERE order_id = (SELECT id FROM orders WHERE reference = 'DEMO-1004')",
        "UPDATE events SET changes = '[]' WHERE order_id = (SELECT id FROM orders WHERE reference = 'DEMO-1004')",
    ],
)
def test_an_order_that_was_changed_past_the_log_is_told_by_its_reference(demo: Path, statement: str) -> None:
    change(demo, statement)
    found = the_wrong(command(demo, "doctor"))
    assert found.startswith("1 order does not equal what the log tells: DEMO-1004. ")


def test_a_ledger_that_does_not_balance_is_told_by_the_order(demo: Path) -> None:
    change(
        demo,
        "UPDATE ledger_entries SET amount_minor = amount_minor + 1 WHERE account = 'HELD' AND amount_minor > 0 "
        "AND order_id = (SELECT id FROM orders WHERE reference = 'DEMO-1004')",
    )
    assert the_wrong(command(demo, "doctor")) == "The ledger does not sum to zero for DEMO-1004."


def test_a_deadline_that_nobody_swept_is_told(demo: Path) -> None:
    change(demo, "UPDATE orders SET next_deadline_at = created_at WHERE reference IN ('DEMO-1004', 'DEMO-1006')")
    found = the_wrong(command(demo, "doctor"))
    assert found.startswith("2 orders wait for a deadline that passed more than 5 minutes ago: ")
    assert "resolution-center sweep" in found


def test_a_refund_that_nobody_pays_is_told(demo: Path) -> None:
    change(
        demo,
        "UPDATE refunds SET status = 'PENDING', settled_at = NULL, next_attempt_at = created_at "
        "WHERE id = (SELECT id FROM refunds ORDER BY id LIMIT 1)",
    )
    replay, stuck = wrong(command(demo, "doctor"))
    assert replay.startswith("1 order does not equal what the log tells")
    assert stuck.startswith("1 refund waits to be paid for more than 15 minutes: ")


# ---------------------------------------------------------------- broadcast and keys


def test_a_broadcast_that_is_away_is_told_without_its_password(demo: Path) -> None:
    url = f"redis://keeper:hidden-word@127.0.0.1:{_a_closed_port()}"
    found = the_wrong(command(demo, "doctor", RESOLUTION_BROADCAST_URL=url))
    assert found.startswith("The broadcast redis://…@127.0.0.1:")
    assert "hidden-word" not in found


def test_keys_that_can_be_read_are_counted(demo: Path) -> None:
    key = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key()))
    with _a_provider(json.dumps({"keys": [key | {"kid": "one"}]}).encode()) as url:
        said = command(demo, "doctor", **_jwks(url))
    assert wrong(said) == []
    assert f"✓ The identity provider's keys can be read: 1 at {url}." in said.lines


@pytest.mark.parametrize("answer", [b"<html>", b'{"keys": []}'])
def test_keys_that_are_none_are_told(demo: Path, answer: bytes) -> None:
    with _a_provider(answer) as url:
        found = the_wrong(command(demo, "doctor", RESOLUTION_LOG_LEVEL="error", **_jwks(url)))
    assert found.startswith(f"The keys at {url} can't be read: ")


def test_a_check_that_fails_itself_is_a_finding_and_the_others_go_on(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(row: object) -> bool:
        await asyncio.sleep(0)
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr(doctoring, "_equals_its_log", broken)
    said = command(demo, "doctor")
    assert the_wrong(said) == "This could not be checked: rows equal log (ZeroDivisionError)."
    assert "✓ The ledger of every order sums to zero." in said.lines


def _jwks(url: str) -> dict[str, str]:
    return {
        "RESOLUTION_JWKS_URL": url,
        "RESOLUTION_JWT_ISSUER": "https://id.example",
        "RESOLUTION_JWT_AUDIENCE": "resolution-center",
    }


@contextmanager
def _a_provider(answer: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/keys"
        finally:
            server.shutdown()
            thread.join()


def _a_closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


# ---------------------------------------------------------------- trusted documents


def test_trusted_documents_are_held_against_the_schema(demo: Path) -> None:
    manifest = demo / "manifest.json"
    environ = {"RESOLUTION_TRUSTED_DOCUMENTS": "manifest.json", "RESOLUTION_WEB_FOLDER": "no-web-app"}
    manifest.write_text(json.dumps({"a": "{ viewerScopes }", "b": "{ viewer { id } }"}))
    said = command(demo, "doctor", **environ)
    assert wrong(said) == []
    assert "✓ 2 trusted documents fit the schema; others are executed too." in said.lines
    said = command(demo, "doctor", RESOLUTION_TRUSTED_DOCUMENTS_ONLY="true", **environ)
    assert "✓ 2 trusted documents fit the schema, and nothing else is executed." in said.lines
    manifest.write_text(json.dumps({"a": "{ viewerScopes }", "old": "{ viewer { shoeSize } }"}))
    assert the_wrong(command(demo, "doctor", **environ)) == (
        "1 trusted document does not fit the schema: old. Build the manifest again from the clients that are in use."
    )
    manifest.write_text("{")
    assert the_wrong(command(demo, "doctor", **environ)) == ("RESOLUTION_TRUSTED_DOCUMENTS: manifest.json is not JSON.")


def test_so_are_the_operations_of_the_web_app_that_is_served(demo: Path) -> None:
    (demo / "manifest.json").write_text(json.dumps({"a": "{ viewerScopes }"}))
    webs = demo / "web" / "persisted-documents.json"
    webs.parent.mkdir()
    (webs.parent / "index.html").write_text("")
    webs.write_text(json.dumps({"b": "query Now { eventCursor }"}))
    environ = {"RESOLUTION_TRUSTED_DOCUMENTS": "manifest.json", "RESOLUTION_WEB_FOLDER": "web"}
    said = command(demo, "doctor", **environ)
    assert wrong(said) == []
    assert "✓ 1 trusted document fits the schema; others are executed too." in said.lines
    assert "✓ 1 operation of the web app fits the schema." in said.lines
    webs.write_text(json.dumps({"old": "query Now { shoeSize }"}))
    assert the_wrong(command(demo, "doctor", **environ)) == (
        "1 operation of the web app does not fit the schema: old. Build it again: make web."
    )
    webs.write_text("{")
    sentence = "The web app: web/persisted-documents.json is not JSON. Build it again: make web."
    assert the_wrong(command(demo, "doctor", **environ)) == sentence
    assert sentence in command(demo, "serve", **environ).err


def test_only_trusted_documents_without_a_manifest_would_be_nothing_at_all(demo: Path) -> None:
    assert the_settings_problem(demo, RESOLUTION_TRUSTED_DOCUMENTS_ONLY="true") == (
        "RESOLUTION_TRUSTED_DOCUMENTS_ONLY needs RESOLUTION_TRUSTED_DOCUMENTS: else nothing at all is executed."
    )


def the_settings_problem(folder: Path, **environ: str) -> str:
    """Where the settings are wrong, nothing else is looked at."""
    said = command(folder, "doctor", **environ)
    assert said.code == 1
    (line,) = said.lines
    return line.removeprefix("✗ ")
