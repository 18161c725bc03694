"""Every setting: typed, read once from RESOLUTION_…, frozen; and the local secret of a development server."""

import ipaddress
import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX = "RESOLUTION_"

SECRET_ALGORITHMS = ("HS256",)
"""How a token may be signed with the shared secret. Never taken from a token."""
JWKS_ALGORITHMS = ("RS256", "RS512", "ES256", "EdDSA")
"""How a token may be signed with a key of a JWKS. Never taken from a token."""

SHORTEST_SECRET = 32
"""In bytes: as long as what HS256 makes of it (RFC 7518, 3.2)."""

LOCAL_SECRET_FILE = ".resolution-center-secret"  # noqa: S105 - a name, not a secret


class SettingsProblem(Exception):
    """The settings can't be used. `problems` holds one sentence each; none repeats a value that may be
    secret."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class _Clash(ValueError):
    """Settings that are fine alone and not together."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


# ---------------------------------------------------------------- how one value is read


def _listed(value: object) -> object:
    """`a, b` or `["a", "b"]`."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    try:
        entries = json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("is neither a list with commas nor a JSON list") from None
    if not all(isinstance(entry, str) for entry in entries):
        raise ValueError("is a JSON list of something else than texts")
    return tuple(entry.strip() for entry in entries)


def _lowered(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _address(url: str) -> SplitResult:
    """The parts of a URL with a sound port. A bracket or a letter in the wrong place makes the parser
    raise."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is not a sound URL") from None
    return parts


def _database(url: str) -> str:
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() not in ("sqlite", "postgres", "postgresql", "asyncpg"):
        raise ValueError("must begin with sqlite://, postgres:// or postgresql://")
    if scheme.lower() == "sqlite":
        if not rest.partition("?")[0]:
            raise ValueError("names no file: write sqlite://file.sqlite3, or sqlite:///absolute/file.sqlite3")
        return f"sqlite://{rest}"
    if not _address(f"asyncpg://{rest}").path.strip("/"):
        raise ValueError("names no database: write postgres://user:password@host:5432/database")
    return f"asyncpg://{rest}"


def _broadcast(url: str) -> str:
    parts = _address(url.strip())
    if parts.scheme not in ("memory", "redis", "rediss", "postgres", "postgresql"):
        raise ValueError("must begin with memory://, redis://, rediss:// or postgres://")
    if parts.scheme != "memory" and not parts.hostname:
        raise ValueError("names no host")
    return url.strip()


def _counting(url: str) -> str:
    parts = _address(url.strip())
    if parts.scheme not in ("memory", "redis", "rediss"):
        raise ValueError("must begin with memory://, redis:// or rediss://")
    if parts.scheme != "memory" and not parts.hostname:
        raise ValueError("names no host")
    return url.strip()


def _jwks(url: str) -> str:
    parts = _address(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a full URL that begins with https:// (or http:// in development)")
    return url.strip()


def _authority(url: str) -> str:
    parts = _address(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be a full URL that begins with https:// (or http:// in development)")
    # It stands in the pages' Content-Security-Policy, where these signs would end it.
    if parts.query or parts.fragment or re.search(r"[\s;,'\"]", url.strip()):
        raise ValueError("must be a URL without a query, spaces, quotes, commas and semicolons")
    return url.strip().rstrip("/")


def _origin(text: str) -> str:
    if "*" in text:
        raise ValueError("must name each origin; a star is not taken")
    parts = _address(text)
    sound = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if not sound or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must hold origins like https://shop.example or http://localhost:5173, without a path")
    standard = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.removesuffix(standard)}".lower()


def _proxy(text: str) -> str:
    if text == "*":
        return text
    try:
        return str(ipaddress.ip_network(text)) if "/" in text else str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("must hold IP addresses or networks like 10.0.0.0/8, or a star for any") from None


_Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


# ---------------------------------------------------------------- the settings


class Settings(BaseSettings):
    """All that an operator may set. The constructor reads nothing from outside: `read_settings` does.
    In production there is always a key; in development there may be none (see `local_secret`)."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_ignore_empty=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    environment: Annotated[Literal["development", "production"], BeforeValidator(_lowered)] = "development"

    database_url: str = Field(default="sqlite://resolution-center.sqlite3", repr=False)
    """As Tortoise wants it: `sqlite://` (relative to the current folder) or `asyncpg://`. May hold a
    password."""
    database_pool_size: int = Field(default=10, ge=1, le=500)
    """The most connections to PostgreSQL that one process holds. SQLite has one."""
    statement_timeout_seconds: float = Field(default=15.0, gt=0, le=3600, allow_inf_nan=False)
    """After which PostgreSQL gives a statement up. SQLite has no such thing."""
    broadcast_url: str = Field(default="memory://", repr=False)
    """`memory://` for one process, else one that all processes reach. May hold a password."""

    jwt_secret: SecretStr | None = None
    jwks_url: str | None = None
    jwt_issuer: str | None = Field(default=None, max_length=1000)
    """The only `iss` that is taken. Always set with a JWKS; with a secret, None takes any."""
    jwt_audience: str | None = Field(default=None, max_length=1000)
    """What `aud` must name. Always set with a JWKS; with a secret, None takes any."""
    jwt_leeway_seconds: float = Field(default=5.0, ge=0, le=300, allow_inf_nan=False)
    """How far the clocks of the issuer and of this server may lie apart."""

    oidc_authority: str | None = None
    """The identity provider at which people sign in to the web app; its discovery document lies below it."""
    oidc_client_id: str | None = Field(default=None, max_length=1000)
    """What the provider calls the web app. A public client: authorization code with PKCE, no secret."""

    allowed_origins: _Listed = ()
    """The web origins besides our own that browsers may call from."""
    forwarded_allow_ips: _Listed = ()
    """The proxies whose X-Forwarded-… headers are believed. None by default."""
    policy_file: Path | None = None
    web_folder: Path | None = None
    """Where the built web app lies. None: in web/dist beside the code, if it was built."""
    graphiql: bool = Field(default_factory=lambda known: known.get("environment") == "development")

    introspection: Literal["everybody", "signed-in", "nobody"] = Field(
        default_factory=lambda known: "everybody" if known.get("environment") == "development" else "signed-in"
    )
    """Who may read the schema from the server."""
    trusted_documents: Path | None = None
    """The manifest of the operations that are allowed."""
    trusted_documents_only: bool = Field(
        default_factory=lambda known: (
            known.get("environment") == "production" and known.get("trusted_documents") is not None
        )
    )
    """Whether nothing else is executed: in production, when there is a manifest."""
    hsts_seconds: int = Field(default=0, ge=0, le=63_072_000)
    """How long a browser that came by https comes by nothing else. 0: says nothing of it."""

    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lowered)] = "info"
    log_format: Literal["readable", "json"] = Field(default_factory=lambda known: _log_format("auto", known))
    """Readable in development and JSON lines in production, unless it is set."""

    largest_body_bytes: int = Field(default=256 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Of a request over HTTP."""
    largest_message_bytes: int = Field(default=256 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Of a message over WebSocket."""
    max_document_characters: int = Field(default=10_000, ge=100, le=1_000_000)
    max_document_tokens: int = Field(default=1_000, ge=10, le=100_000)
    max_depth: int = Field(default=20, ge=1, le=100)
    """Levels of fields."""
    max_fields: int = Field(default=1_000, ge=1, le=1_000_000)
    """Fields, aliases and root fields are counted with each fragment in the places where it is spread."""
    max_aliases: int = Field(default=50, ge=0, le=100_000)
    max_root_fields: int = Field(default=20, ge=1, le=10_000)
    max_repetitions: int = Field(default=100, ge=1, le=10_000)
    """How often one field may stand in one place, fragments included."""
    max_directives: int = Field(default=50, ge=0, le=10_000)
    max_operations: int = Field(default=20, ge=1, le=1_000)
    """In one document, of which one is executed."""
    max_fragments: int = Field(default=50, ge=0, le=10_000)
    """That one document defines."""
    max_cost: int = Field(default=10_000, ge=1, le=100_000_000)
    """Of one operation: about how many objects its answer may hold."""
    max_variables: int = Field(default=1_000, ge=1, le=1_000_000)
    """Values in all variables together."""
    max_variables_depth: int = Field(default=10, ge=1, le=100)

    rate_viewer: int = Field(default_factory=lambda known: _in_production(known, 100_000), ge=0, le=10**12)
    """Cost that one viewer may cause in a minute. 0: any."""
    rate_address: int = Field(default_factory=lambda known: _in_production(known, 10_000), ge=0, le=10**12)
    """Cost that all without a token may cause from one address in a minute. 0: any."""
    rate_url: str | None = Field(default=None, repr=False)
    """The Redis in which all processes count together. None: the broadcast's, where that is a Redis. May hold a
    password."""
    sockets_per_viewer: int = Field(default_factory=lambda known: _in_production(known, 50), ge=0, le=10**6)
    """Open at once in one process. 0: any."""
    sockets_per_address: int = Field(default_factory=lambda known: _in_production(known, 500), ge=0, le=10**6)
    """The same of those that have not said whose they are. 0: any."""

    sweep_interval_seconds: float = Field(default=1.0, gt=0, le=3600, allow_inf_nan=False)
    refund_lease_seconds: float = Field(default=60.0, ge=1, le=3600, allow_inf_nan=False)
    """How long a refund that a process is paying is left to it; a call to the gateway may take half of it, 30 s at
    most."""
    tail_poll_seconds: float = Field(default=2.0, gt=0, le=60, allow_inf_nan=False)
    graceful_shutdown_seconds: int = Field(default=8, ge=1, le=600)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing ambient: what the constructor is given, and the defaults."""
        return (init_settings,)

    @property
    def jwt_algorithms(self) -> tuple[str, ...]:
        """Follows from the kind of key alone."""
        return SECRET_ALGORITHMS if self.jwks_url is None else JWKS_ALGORITHMS

    _read_database = field_validator("database_url")(_database)
    _read_broadcast = field_validator("broadcast_url")(_broadcast)

    @property
    def counting_url(self) -> str | None:
        """The Redis in which rates are counted; None: in memory."""
        url = self.broadcast_url if self.rate_url is None else self.rate_url
        return url if url.startswith(("redis://", "rediss://")) else None

    @field_validator("rate_url")
    @classmethod
    def _read_rate_url(cls, url: str | None) -> str | None:
        return None if url is None else _counting(url)

    @field_validator("jwks_url")
    @classmethod
    def _read_jwks(cls, url: str | None) -> str | None:
        return None if url is None else _jwks(url)

    @field_validator("oidc_authority")
    @classmethod
    def _read_authority(cls, url: str | None) -> str | None:
        return None if url is None else _authority(url)

    @field_validator("jwt_secret")
    @classmethod
    def _read_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is None:
            return None
        if len(secret.get_secret_value().encode()) < SHORTEST_SECRET:
            raise ValueError(f"must be at least {SHORTEST_SECRET} bytes long; `openssl rand -hex 32` makes one")
        if "-----BEGIN" in secret.get_secret_value() or '"kty"' in secret.get_secret_value():
            raise ValueError(f"holds a key pair's key, not a secret; public keys are read from {PREFIX}JWKS_URL")
        return secret

    @field_validator("allowed_origins")
    @classmethod
    def _read_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_origin(origin) for origin in origins))

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _read_proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_proxy(proxy) for proxy in proxies))

    @field_validator("log_format", mode="before")
    @classmethod
    def _read_log_format(cls, value: object, info: ValidationInfo) -> object:
        return _log_format(_lowered(value), info.data)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = [*_key_problems(self), *_sign_in_problems(self), *_document_problems(self)]
        if problems:
            raise _Clash(*problems)
        return self


def _log_format(value: Any, known: Mapping[str, Any]) -> Any:
    if value != "auto":
        return value
    return "json" if known.get("environment") == "production" else "readable"


def _in_production(known: Mapping[str, Any], limit: int) -> int:
    """A limit that nobody meets while developing, benchmarks and tests included."""
    return limit if known.get("environment") == "production" else 0


def _key_problems(settings: Settings) -> list[str]:
    production = settings.environment == "production"
    if settings.jwt_secret and settings.jwks_url:
        return [f"{PREFIX}JWT_SECRET and {PREFIX}JWKS_URL are both set: keep the one that your tokens are signed with."]
    if settings.jwks_url is None:
        if production and settings.jwt_secret is None:
            jwks = f"{PREFIX}JWKS_URL with {PREFIX}JWT_ISSUER and {PREFIX}JWT_AUDIENCE"
            return [f"Production needs a key that tokens are checked with: set {PREFIX}JWT_SECRET, or {jwks}."]
        return []
    problems = [
        f"{PREFIX}{name} must be set with {PREFIX}JWKS_URL: else tokens that were made for others would be taken."
        for name, value in (("JWT_ISSUER", settings.jwt_issuer), ("JWT_AUDIENCE", settings.jwt_audience))
        if value is None
    ]
    if production and not settings.jwks_url.lower().startswith("https://"):
        problems.append(f"{PREFIX}JWKS_URL must begin with https:// in production: else its keys can be forged.")
    return problems


def _sign_in_problems(settings: Settings) -> list[str]:
    authority, client_id = settings.oidc_authority, settings.oidc_client_id
    if authority is None and client_id is None:
        return []
    if authority is None or client_id is None:
        return [f"{PREFIX}OIDC_AUTHORITY and {PREFIX}OIDC_CLIENT_ID belong together: set both or none."]
    problems = []
    if settings.jwks_url is None:
        problems.append(f"{PREFIX}OIDC_AUTHORITY needs {PREFIX}JWKS_URL: else the provider's tokens can't be checked.")
    if settings.environment == "production" and not authority.lower().startswith("https://"):
        problems.append(f"{PREFIX}OIDC_AUTHORITY must begin with https:// in production: else tokens can be stolen.")
    return problems


def _document_problems(settings: Settings) -> list[str]:
    if settings.trusted_documents_only and settings.trusted_documents is None:
        return [f"{PREFIX}TRUSTED_DOCUMENTS_ONLY needs {PREFIX}TRUSTED_DOCUMENTS: else nothing at all is executed."]
    return []


# ---------------------------------------------------------------- reading them


class _Given(EnvSettingsSource):
    """The library's reader of environment variables, over variables that are handed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._given = environ
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._given.items() if value.strip()}


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings in `environ`; an empty variable counts as not set. Raises `SettingsProblem` with one
    sentence for each thing that is wrong, which names the variable and never repeats its value."""
    ours = {name: value for name, value in environ.items() if name.upper().startswith(PREFIX)}
    garbled = sorted(name for name, value in ours.items() if not _is_text(value))
    if garbled:
        raise SettingsProblem(*(f"{name.upper()} is not valid UTF-8." for name in garbled))
    try:
        return Settings(**_Given(ours)())
    except ValidationError as error:
        raise SettingsProblem(*_sentences(error)) from None


def unknown_settings(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names in `environ` with our prefix that are no setting, sorted: most likely a slip of the pen. Not
    refused, since a newer or older version may know them; `doctor` and `serve` say so."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    return tuple(sorted(name for name in environ if name.upper().startswith(PREFIX) and name.upper() not in known))


def without_password(url: str) -> str:
    """A URL that may be shown: its user and password, and what stands after `?`, are left out."""
    return re.sub(r"\?.*$", "?…", re.sub(r"(?<=://)[^/?#]*@", "…@", url), flags=re.DOTALL)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sentences(error: ValidationError) -> list[str]:
    sentences: list[str] = []
    for problem in error.errors(include_input=False, include_url=False):
        if problem["type"] == "default_factory_not_called":
            continue  # a default that waits for a field that is wrong itself
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, _Clash):
            sentences.extend(cause.problems)
        else:
            name = str(problem["loc"][0]).upper() if problem["loc"] else "…"
            sentences.append(f"{PREFIX}{name} {_predicate(problem['type'], problem.get('ctx', {}))}.")
    return sentences


def _predicate(kind: str, context: Mapping[str, Any]) -> str:
    """What is wrong, in the library's kinds of error; none of these sentences repeats the value."""
    if kind == "value_error":
        return str(context["error"])
    sentences = {
        "literal_error": "must be {expected}",
        "bool_parsing": "must be true or false",
        "int_parsing": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_parsing": "must be a number",
        "finite_number": "must be a finite number",
        "greater_than": "must be more than {gt:g}",
        "greater_than_equal": "must be at least {ge:g}",
        "less_than_equal": "must be at most {le:g}",
        "string_too_long": "must be at most {max_length} characters long",
        "extra_forbidden": "is not a setting",
    }
    return sentences.get(kind, "has a value of the wrong kind").format(**context)


# ---------------------------------------------------------------- a key for development


def local_secret(folder: Path | str) -> str:
    """The secret of a development server, 64 hexadecimal digits, kept in `folder` and readable by its owner
    only. Made on the first call; any number of processes that start at once get the same. Only for
    development, and the caller says so. Raises `SettingsProblem` when the file can't be written, read or
    used."""
    path = Path(folder) / LOCAL_SECRET_FILE
    try:
        if not path.exists():
            _make_secret(path)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise SettingsProblem(
            f"The local secret in {LOCAL_SECRET_FILE} can't be made or read ({why}): set {PREFIX}JWT_SECRET instead."
        ) from None
    if len(secret) < SHORTEST_SECRET:
        raise SettingsProblem(
            f"{LOCAL_SECRET_FILE} holds no usable secret: delete it, and the next start makes a new one."
        )
    return secret


def _make_secret(path: Path) -> None:
    """Written in full under another name, then linked: whoever finds the file finds it whole, and who comes
    second keeps what the first one made."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
