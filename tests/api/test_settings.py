"""The settings: what is taken, what is refused and in which words, and the local secret of a development server."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import (
    JWKS_ALGORITHMS,
    LOCAL_SECRET_FILE,
    SECRET_ALGORITHMS,
    Settings,
    SettingsProblem,
    local_secret,
    read_settings,
    unknown_settings,
    without_password,
)

KEY = "k" * 32
PROVIDER = {
    "RESOLUTION_JWKS_URL": "https://id.example/keys",
    "RESOLUTION_JWT_ISSUER": "https://id.example",
    "RESOLUTION_JWT_AUDIENCE": "resolution",
}
PRODUCTION = {"RESOLUTION_ENVIRONMENT": "production"}


def problems(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsProblem) as refused:
        read_settings(environ)
    return refused.value.problems


def test_nothing_set_gives_a_development_server_on_an_embedded_database() -> None:
    settings = read_settings({"PATH": "/bin"})
    assert settings == Settings()
    assert settings.model_dump() == {
        "environment": "development",
        "database_url": "sqlite://resolution-center.sqlite3",
        "database_pool_size": 10,
        "statement_timeout_seconds": 15.0,
        "broadcast_url": "memory://",
        "jwt_secret": None,
        "jwks_url": None,
        "jwt_issuer": None,
        "jwt_audience": None,
        "jwt_leeway_seconds": 5.0,
        "oidc_authority": None,
        "oidc_client_id": None,
        "allowed_origins": (),
        "forwarded_allow_ips": (),
        "policy_file": None,
        "web_folder": None,
        "graphiql": True,
        "introspection": "everybody",
        "trusted_documents": None,
        "trusted_documents_only": False,
        "hsts_seconds": 0,
        "log_level": "info",
        "log_format": "readable",
        "largest_body_bytes": 262_144,
        "largest_message_bytes": 262_144,
        "max_document_characters": 10_000,
        "max_document_tokens": 1_000,
        "max_depth": 20,
        "max_fields": 1_000,
        "max_aliases": 50,
        "max_root_fields": 20,
        "max_repetitions": 100,
        "max_directives": 50,
        "max_operations": 20,
        "max_fragments": 50,
        "max_cost": 10_000,
        "max_variables": 1_000,
        "max_variables_depth": 10,
        "rate_viewer": 0,
        "rate_address": 0,
        "rate_url": None,
        "sockets_per_viewer": 0,
        "sockets_per_address": 0,
        "sweep_interval_seconds": 1.0,
        "refund_lease_seconds": 60.0,
        "tail_poll_seconds": 2.0,
        "graceful_shutdown_seconds": 8,
    }


def test_every_setting_is_read_from_its_variable() -> None:
    settings = read_settings(
        {
            "RESOLUTION_ENVIRONMENT": "Production",
            "RESOLUTION_DATABASE_URL": "postgres://app:pass@db.example:5432/center",
            "RESOLUTION_DATABASE_POOL_SIZE": "20",
            "RESOLUTION_STATEMENT_TIMEOUT_SECONDS": "2.5",
            "RESOLUTION_BROADCAST_URL": "redis://cache.example:6379/0",
            "RESOLUTION_JWT_LEEWAY_SECONDS": "0",
            "RESOLUTION_ALLOWED_ORIGINS": "https://shop.example, http://localhost:5173",
            "RESOLUTION_FORWARDED_ALLOW_IPS": "10.0.0.0/8,127.0.0.1",
            "RESOLUTION_POLICY_FILE": "policy.toml",
            "RESOLUTION_OIDC_AUTHORITY": "https://id.example/realms/shop/",
            "RESOLUTION_OIDC_CLIENT_ID": "resolution-web",
            "RESOLUTION_WEB_FOLDER": "/srv/web",
            "RESOLUTION_GRAPHIQL": "true",
            "RESOLUTION_INTROSPECTION": "nobody",
            "RESOLUTION_TRUSTED_DOCUMENTS": "manifest.json",
            "RESOLUTION_TRUSTED_DOCUMENTS_ONLY": "false",
            "RESOLUTION_HSTS_SECONDS": "31536000",
            "RESOLUTION_LOG_LEVEL": "WARNING",
            "RESOLUTION_LOG_FORMAT": "readable",
            "RESOLUTION_LARGEST_BODY_BYTES": "1024",
            "RESOLUTION_LARGEST_MESSAGE_BYTES": "2048",
            "RESOLUTION_MAX_DOCUMENT_CHARACTERS": "5000",
            "RESOLUTION_MAX_DOCUMENT_TOKENS": "500",
            "RESOLUTION_MAX_DEPTH": "12",
            "RESOLUTION_MAX_FIELDS": "300",
            "RESOLUTION_MAX_ALIASES": "7",
            "RESOLUTION_MAX_ROOT_FIELDS": "5",
            "RESOLUTION_MAX_REPETITIONS": "9",
            "RESOLUTION_MAX_DIRECTIVES": "8",
            "RESOLUTION_MAX_OPERATIONS": "3",
            "RESOLUTION_MAX_FRAGMENTS": "11",
            "RESOLUTION_MAX_COST": "700",
            "RESOLUTION_MAX_VARIABLES": "60",
            "RESOLUTION_MAX_VARIABLES_DEPTH": "4",
            "RESOLUTION_RATE_VIEWER": "1000",
            "RESOLUTION_RATE_ADDRESS": "200",
            "RESOLUTION_SOCKETS_PER_VIEWER": "6",
            "RESOLUTION_SOCKETS_PER_ADDRESS": "30",
            "RESOLUTION_RATE_URL": "redis://counters.example:6379",
            "RESOLUTION_SWEEP_INTERVAL_SECONDS": "0.5",
            "RESOLUTION_REFUND_LEASE_SECONDS": "20",
            "RESOLUTION_TAIL_POLL_SECONDS": "1.5",
            "RESOLUTION_GRACEFUL_SHUTDOWN_SECONDS": "30",
            **PROVIDER,
        }
    )
    assert settings.model_dump() == {
        "environment": "production",
        "database_url": "asyncpg://app:pass@db.example:5432/center",
        "database_pool_size": 20,
        "statement_timeout_seconds": 2.5,
        "broadcast_url": "redis://cache.example:6379/0",
        "jwt_secret": None,
        "jwks_url": "https://id.example/keys",
        "jwt_issuer": "https://id.example",
        "jwt_audience": "resolution",
        "jwt_leeway_seconds": 0.0,
        "oidc_authority": "https://id.example/realms/shop",
        "oidc_client_id": "resolution-web",
        "allowed_origins": ("https://shop.example", "http://localhost:5173"),
        "forwarded_allow_ips": ("10.0.0.0/8", "127.0.0.1"),
        "policy_file": Path("policy.toml"),
        "web_folder": Path("/srv/web"),
        "graphiql": True,
        "introspection": "nobody",
        "trusted_documents": Path("manifest.json"),
        "trusted_documents_only": False,
        "hsts_seconds": 31_536_000,
        "log_level": "warning",
        "log_format": "readable",
        "largest_body_bytes": 1024,
        "largest_message_bytes": 2048,
        "max_document_characters": 5000,
        "max_document_tokens": 500,
        "max_depth": 12,
        "max_fields": 300,
        "max_aliases": 7,
        "max_root_fields": 5,
        "max_repetitions": 9,
        "max_directives": 8,
        "max_operations": 3,
        "max_fragments": 11,
        "max_cost": 700,
        "max_variables": 60,
        "max_variables_depth": 4,
        "rate_viewer": 1000,
        "rate_address": 200,
        "rate_url": "redis://counters.example:6379",
        "sockets_per_viewer": 6,
        "sockets_per_address": 30,
        "sweep_interval_seconds": 0.5,
        "refund_lease_seconds": 20.0,
        "tail_poll_seconds": 1.5,
        "graceful_shutdown_seconds": 30,
    }


def test_production_has_no_graphiql_and_json_logs_unless_told_otherwise() -> None:
    settings = read_settings(PRODUCTION | PROVIDER)
    assert (settings.graphiql, settings.log_format) == (False, "json")
    assert read_settings(PRODUCTION | PROVIDER | {"RESOLUTION_LOG_FORMAT": "auto"}).log_format == "json"
    assert read_settings({"RESOLUTION_LOG_FORMAT": "auto"}).log_format == "readable"
    assert read_settings({"RESOLUTION_GRAPHIQL": "off"}).graphiql is False


def test_budgets_and_sockets_are_bounded_in_production_alone() -> None:
    names = ("rate_viewer", "rate_address", "sockets_per_viewer", "sockets_per_address")
    assert [getattr(Settings(), name) for name in names] == [0, 0, 0, 0]
    production = read_settings(PRODUCTION | PROVIDER)
    assert [getattr(production, name) for name in names] == [100_000, 10_000, 50, 500]
    assert read_settings(PRODUCTION | PROVIDER | {"RESOLUTION_RATE_VIEWER": "0"}).rate_viewer == 0


def test_rates_are_counted_in_the_broadcast_s_redis_unless_told_otherwise() -> None:
    redis = {"RESOLUTION_BROADCAST_URL": "redis://cache.example:6379"}
    assert read_settings({}).counting_url is None
    assert read_settings({"RESOLUTION_BROADCAST_URL": "postgres://db.example/center"}).counting_url is None
    assert read_settings(redis).counting_url == "redis://cache.example:6379"
    assert read_settings(redis | {"RESOLUTION_RATE_URL": "memory://"}).counting_url is None
    assert problems({"RESOLUTION_RATE_URL": "postgres://db.example/center"}) == (
        "RESOLUTION_RATE_URL must begin with memory://, redis:// or rediss://.",
    )


SIGN_IN = {"RESOLUTION_OIDC_AUTHORITY": "https://id.example", "RESOLUTION_OIDC_CLIENT_ID": "resolution-web"}


@pytest.mark.parametrize("alone", ["RESOLUTION_OIDC_AUTHORITY", "RESOLUTION_OIDC_CLIENT_ID"])
def test_the_provider_and_the_name_of_the_web_app_belong_together(alone: str) -> None:
    assert problems(PROVIDER | {alone: SIGN_IN[alone]}) == (
        "RESOLUTION_OIDC_AUTHORITY and RESOLUTION_OIDC_CLIENT_ID belong together: set both or none.",
    )


def test_signing_in_at_a_provider_needs_its_keys_and_in_production_a_safe_way_there() -> None:
    assert problems({"RESOLUTION_JWT_SECRET": KEY} | SIGN_IN) == (
        "RESOLUTION_OIDC_AUTHORITY needs RESOLUTION_JWKS_URL: else the provider's tokens can't be checked.",
    )
    plain = SIGN_IN | {"RESOLUTION_OIDC_AUTHORITY": "http://id.example"}
    assert read_settings(PROVIDER | plain).oidc_authority == "http://id.example"
    assert problems(PRODUCTION | PROVIDER | plain) == (
        "RESOLUTION_OIDC_AUTHORITY must begin with https:// in production: else tokens can be stolen.",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "id.example",
        "ftp://id.example",
        "https://",
        "https://me@id.example",
        "https://id.example/?a=b",
        "https://id.example/ 'self'",
    ],
)
def test_a_provider_that_is_no_plain_url_is_refused(wrong: str) -> None:
    [problem] = problems(PROVIDER | SIGN_IN | {"RESOLUTION_OIDC_AUTHORITY": wrong})
    assert problem.startswith("RESOLUTION_OIDC_AUTHORITY must be a")


def test_an_empty_variable_is_not_set() -> None:
    assert read_settings({"RESOLUTION_JWT_SECRET": "", "RESOLUTION_ALLOWED_ORIGINS": " "}) == Settings()


def test_the_environment_of_the_process_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESOLUTION_LOG_LEVEL", "debug")
    assert Settings().log_level == "info"
    assert read_settings({}).log_level == "info"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        setattr(Settings(), "log_level", "debug")  # noqa: B010 - the type checker refuses the plain form


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("sqlite://center.sqlite3", "sqlite://center.sqlite3"),
        ("sqlite:///var/lib/center.sqlite3", "sqlite:///var/lib/center.sqlite3"),
        ("sqlite://:memory:", "sqlite://:memory:"),
        ("postgres://app@db/center", "asyncpg://app@db/center"),
        ("postgresql://app@db/center", "asyncpg://app@db/center"),
        ("asyncpg://app@db/center", "asyncpg://app@db/center"),
    ],
)
def test_a_database_url_becomes_what_tortoise_wants(given: str, wanted: str) -> None:
    assert read_settings({"RESOLUTION_DATABASE_URL": given}).database_url == wanted


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ('["https://a.example", "https://b.example"]', ("https://a.example", "https://b.example")),
        ("https://A.example/, https://a.example", ("https://a.example",)),
        ("https://a.example:443,http://b.example:80", ("https://a.example", "http://b.example")),
    ],
)
def test_origins_are_a_list_with_commas_or_json_and_compare_as_browsers_send_them(
    given: str, read: tuple[str, ...]
) -> None:
    assert read_settings({"RESOLUTION_ALLOWED_ORIGINS": given}).allowed_origins == read


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ENVIRONMENT", "staging", "must be 'development' or 'production'."),
        ("DATABASE_URL", "mysql://db/center", "must begin with sqlite://, postgres:// or postgresql://."),
        ("DATABASE_URL", "center.sqlite3", "must begin with sqlite://, postgres:// or postgresql://."),
        (
            "DATABASE_URL",
            "sqlite://",
            "names no file: write sqlite://file.sqlite3, or sqlite:///absolute/file.sqlite3.",
        ),
        (
            "DATABASE_URL",
            "postgres://db",
            "names no database: write postgres://user:password@host:5432/database.",
        ),
        ("DATABASE_URL", "postgres://db:port/center", "is not a sound URL."),
        ("DATABASE_POOL_SIZE", "many", "must be a whole number."),
        ("DATABASE_POOL_SIZE", "0", "must be at least 1."),
        ("BROADCAST_URL", "kafka://x", "must begin with memory://, redis://, rediss:// or postgres://."),
        ("BROADCAST_URL", "redis://", "names no host."),
        ("JWT_SECRET", "k" * 31, "must be at least 32 bytes long; `openssl rand -hex 32` makes one."),
        (
            "JWT_SECRET",
            "-----BEGIN PUBLIC KEY----- and so on",
            "holds a key pair's key, not a secret; public keys are read from RESOLUTION_JWKS_URL.",
        ),
        ("JWT_SECRET", "\udcff" * 40, "is not valid UTF-8."),
        ("JWT_LEEWAY_SECONDS", "-1", "must be at least 0."),
        ("JWT_LEEWAY_SECONDS", "nan", "must be a finite number."),
        ("ALLOWED_ORIGINS", "*", "must name each origin; a star is not taken."),
        (
            "ALLOWED_ORIGINS",
            "shop.example",
            "must hold origins like https://shop.example or http://localhost:5173, without a path.",
        ),
        (
            "ALLOWED_ORIGINS",
            "https://shop.example/app",
            "must hold origins like https://shop.example or http://localhost:5173, without a path.",
        ),
        ("ALLOWED_ORIGINS", "[1]", "is a JSON list of something else than texts."),
        ("ALLOWED_ORIGINS", "[", "is neither a list with commas nor a JSON list."),
        (
            "FORWARDED_ALLOW_IPS",
            "proxy",
            "must hold IP addresses or networks like 10.0.0.0/8, or a star for any.",
        ),
        ("GRAPHIQL", "maybe", "must be true or false."),
        ("LOG_LEVEL", "loud", "must be 'debug', 'info', 'warning' or 'error'."),
        ("LOG_FORMAT", "xml", "must be 'readable' or 'json'."),
        ("SWEEP_INTERVAL_SECONDS", "0", "must be more than 0."),
        ("REFUND_LEASE_SECONDS", "0.5", "must be at least 1."),
        ("TAIL_POLL_SECONDS", "soon", "must be a number."),
        ("GRACEFUL_SHUTDOWN_SECONDS", "1.5", "must be a whole number."),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence_that_names_it(name: str, value: str, sentence: str) -> None:
    assert problems({f"RESOLUTION_{name}": value}) == (f"RESOLUTION_{name} {sentence}",)


def test_each_thing_that_is_wrong_is_told_at_once() -> None:
    told = problems({"RESOLUTION_GRAPHIQL": "maybe", "RESOLUTION_LOG_LEVEL": "loud", "RESOLUTION_JWT_SECRET": "x"})
    assert [sentence.split()[0] for sentence in told] == [
        "RESOLUTION_JWT_SECRET",
        "RESOLUTION_GRAPHIQL",
        "RESOLUTION_LOG_LEVEL",
    ]


def test_no_problem_and_no_repr_tells_a_secret() -> None:
    mark = "zebra"
    with pytest.raises(SettingsProblem) as refused:
        read_settings(
            {
                "RESOLUTION_JWT_SECRET": mark,
                "RESOLUTION_DATABASE_URL": f"mysql://app:{mark}@db/x",
                "RESOLUTION_BROADCAST_URL": f"amqp://{mark}",
                "RESOLUTION_LOG_LEVEL": mark,
            }
        )
    assert len(refused.value.problems) == 4
    assert mark not in str(refused.value)
    assert refused.value.__cause__ is None and refused.value.__suppress_context__
    settings = read_settings(
        {
            "RESOLUTION_JWT_SECRET": mark * 10,
            "RESOLUTION_DATABASE_URL": f"postgres://app:{mark}@db/x",
            "RESOLUTION_BROADCAST_URL": f"redis://:{mark}@cache",
        }
    )
    assert mark not in repr(settings) and mark not in str(settings)


def test_production_refuses_to_start_without_a_key() -> None:
    (sentence,) = problems(PRODUCTION)
    assert sentence == (
        "Production needs a key that tokens are checked with: set RESOLUTION_JWT_SECRET, or "
        "RESOLUTION_JWKS_URL with RESOLUTION_JWT_ISSUER and RESOLUTION_JWT_AUDIENCE."
    )


def test_production_starts_with_a_secret_of_32_bytes_or_with_a_jwks() -> None:
    with_secret = read_settings(PRODUCTION | {"RESOLUTION_JWT_SECRET": KEY})
    assert with_secret.jwt_secret is not None and with_secret.jwt_secret.get_secret_value() == KEY
    assert with_secret.jwt_algorithms == SECRET_ALGORITHMS == ("HS256",)
    assert read_settings(PRODUCTION | PROVIDER).jwt_algorithms == JWKS_ALGORITHMS
    assert not {algorithm for algorithm in JWKS_ALGORITHMS if algorithm.startswith(("HS", "none"))}


def test_a_secret_is_measured_in_bytes() -> None:
    assert read_settings({"RESOLUTION_JWT_SECRET": "ü" * 16}).jwt_secret is not None


def test_a_secret_and_a_jwks_together_are_refused() -> None:
    assert problems(PROVIDER | {"RESOLUTION_JWT_SECRET": KEY}) == (
        "RESOLUTION_JWT_SECRET and RESOLUTION_JWKS_URL are both set: keep the one that your tokens are signed with.",
    )


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_jwks_needs_its_issuer_and_its_audience(environment: str) -> None:
    url = {"RESOLUTION_ENVIRONMENT": environment, "RESOLUTION_JWKS_URL": "https://id.example/keys"}
    why = "must be set with RESOLUTION_JWKS_URL: else tokens that were made for others would be taken."
    assert problems(url) == (f"RESOLUTION_JWT_ISSUER {why}", f"RESOLUTION_JWT_AUDIENCE {why}")


def test_keys_over_plain_http_are_for_development_only() -> None:
    plain = PROVIDER | {"RESOLUTION_JWKS_URL": "http://127.0.0.1:9000/keys"}
    assert read_settings(plain).jwks_url == "http://127.0.0.1:9000/keys"
    assert problems(PRODUCTION | plain) == (
        "RESOLUTION_JWKS_URL must begin with https:// in production: else its keys can be forged.",
    )


def test_names_that_are_no_setting_can_be_told() -> None:
    environ = {"RESOLUTION_JWT_ISSUR": "x", "RESOLUTION_LOG_LEVEL": "info", "HOME": "/"}
    assert unknown_settings(environ) == ("RESOLUTION_JWT_ISSUR",)
    assert read_settings(environ) == Settings()


def test_a_url_is_shown_without_its_password() -> None:
    assert without_password("asyncpg://app:p@ss@db/center?password=x") == "asyncpg://…@db/center?…"
    assert without_password("sqlite://center.sqlite3") == "sqlite://center.sqlite3"


# ---------------------------------------------------------------- the local secret


def test_a_local_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    secret = local_secret(tmp_path)
    assert len(secret) == 64 and int(secret, 16)
    assert local_secret(tmp_path) == secret
    assert [file.name for file in tmp_path.iterdir()] == [LOCAL_SECRET_FILE]
    assert (tmp_path / LOCAL_SECRET_FILE).stat().st_mode & 0o777 == 0o600


def test_another_folder_has_another_secret(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert local_secret(tmp_path / "a") != local_secret(tmp_path / "b")


def test_processes_that_start_at_once_get_the_same_secret(tmp_path: Path) -> None:
    start = tmp_path / "start"
    code = (
        "import pathlib, sys; from api.settings import local_secret\n"
        "while not pathlib.Path(sys.argv[2]).exists(): pass\n"
        "print(local_secret(sys.argv[1]))"
    )
    folder = tmp_path / "shared"
    folder.mkdir()
    command = [sys.executable, "-c", code, str(folder), str(start)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]  # noqa: S603
    start.touch()
    secrets = {process.communicate(timeout=30)[0].strip() for process in processes}
    assert secrets == {local_secret(folder)}
    assert [file.name for file in folder.iterdir()] == [LOCAL_SECRET_FILE]


def test_whoever_comes_second_keeps_what_the_first_one_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = local_secret(tmp_path)
    monkeypatch.setattr(Path, "exists", lambda _: False)  # looked just before the first one had made it
    assert local_secret(tmp_path) == first
    assert [file.name for file in tmp_path.iterdir()] == [LOCAL_SECRET_FILE]


def test_an_unusable_secret_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / LOCAL_SECRET_FILE).write_text("short\n")
    with pytest.raises(SettingsProblem, match="holds no usable secret: delete it"):
        local_secret(tmp_path)
    with pytest.raises(SettingsProblem, match=r"can't be made or read \(No such file or directory\)"):
        local_secret(tmp_path / "missing")
