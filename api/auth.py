"""Who is speaking: bearer tokens checked against a shared secret or against the keys of an identity
provider."""

import asyncio
import json
import logging
import math
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import jwt
from jwt.algorithms import HMACAlgorithm

from api.settings import JWKS_ALGORITHMS, SECRET_ALGORITHMS, SHORTEST_SECRET

SCOPES = frozenset({"support", "marketplace"})
"""What a token may give beyond one's own orders. Other scopes are none of our business and are left out."""

LONGEST_SUBJECT = 255
LONGEST_NAME = 255
LONGEST_TOKEN = 8192
_LATEST = datetime.max.replace(tzinfo=UTC).timestamp() - 86_400

Clock = Callable[[], datetime]
"""Tells the time as an aware UTC instant."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a checked token says."""

    subject: str
    """The user, as the identity provider knows it: 1 to 255 characters, none of them a control character."""
    name: str | None = None
    """The display name, trimmed; None when the token has none that could be shown."""
    scopes: frozenset[str] = frozenset()
    """Out of `SCOPES`."""
    expires_at: datetime | None = None
    """The `exp` of the token, always set by `verify`. New requests are taken for the leeway longer; streams
    end here."""

    @property
    def display_name(self) -> str:
        """What to call a person who has no name yet."""
        return self.name or self.subject


class InvalidToken(Exception):
    """This token is not taken. `str()` is a sentence for the client; it never holds a part of the token."""


class KeysUnavailable(InvalidToken):
    """The token may be good, but the keys to check it with can't be read now: the client should try again."""

    def __init__(self) -> None:
        super().__init__("The keys that tokens are checked with can't be read at the moment; try again soon.")


MOST_PROVEN = 10_000
"""Tokens whose signature a process remembers: some 10 MB of common ones."""


class Verifier(Protocol):
    """Tells whose token this is."""

    async def verify(self, token: str) -> Claims:
        """The claims of a token that is genuine, for us, and valid now. Raises `InvalidToken`."""

    async def aclose(self) -> None:
        """Gives back what the verifier holds; no `verify` after that."""


def now_utc() -> datetime:
    """The clock of the machine."""
    return datetime.now(UTC)


# ---------------------------------------------------------------- where the token stands


def bearer(header: str | None) -> str | None:
    """The token of an HTTP `Authorization` header; None without a header. Raises `InvalidToken` for any other
    scheme and for a token that stands alone: whoever sends credentials that we do not read must not be taken
    for a guest."""
    if header is None or not header.strip():
        return None
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidToken("The Authorization header must be the word Bearer, a space, and the token.")
    return _one_word(token)


def bearer_or_bare(value: object) -> str | None:
    """The token of `authorization` in a connection_init, with or without the word Bearer; None for nothing or
    null. Raises `InvalidToken` for anything but a text."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidToken("`authorization` must be a text: the token, with or without the word Bearer before it.")
    if not value.strip():
        return None
    scheme, _, token = value.strip().partition(" ")
    return _one_word(token if scheme.lower() == "bearer" else value)


def _one_word(token: str) -> str:
    words = token.split()
    if not words:
        raise InvalidToken("There is no token after the word Bearer.")
    if len(words) > 1:
        raise InvalidToken("A token has no spaces in it.")
    return words[0]


class _Proven:
    """Payloads of tokens whose signature, issuer and audience were found right with a key: the same token comes with
    every request of its bearer. Their times are judged anew each time; a key that the provider has taken back is not
    asked for any more, and what it proved is of no use then."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[bytes | jwt.PyJWK, dict[str, Any]]] = OrderedDict()

    def payload(self, token: str, key: bytes | jwt.PyJWK) -> dict[str, Any] | None:
        found = self._found.get(token)
        if found is None or found[0] is not key:
            return None
        self._found.move_to_end(token)
        return found[1]

    def keep(self, token: str, key: bytes | jwt.PyJWK, payload: dict[str, Any]) -> None:
        self._found[token] = (key, payload)
        if len(self._found) > MOST_PROVEN:
            self._found.popitem(last=False)


# ---------------------------------------------------------------- a shared secret


class SharedSecretVerifier:
    """Checks tokens that were signed with HS256 and a secret that the marketplace shares with us.
    The issuer and the audience are checked when they are given; without them, any are taken."""

    def __init__(
        self,
        secret: str,
        issuer: str | None = None,
        audience: str | None = None,
        leeway: timedelta = timedelta(seconds=5),
        clock: Clock = now_utc,
    ) -> None:
        """Raises ValueError for a secret of less than 32 bytes, or one that is the public key of a pair."""
        self._key = _secret_key(secret)
        self._proven = _Proven()
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._clock = clock

    async def verify(self, token: str) -> Claims:
        """See `Verifier`. Waits for nothing."""
        payload = self._proven.payload(token, self._key)
        if payload is None:
            _algorithm_and_kid(token, SECRET_ALGORITHMS)
            payload = _signed(token, self._key, SECRET_ALGORITHMS, self._issuer, self._audience)
            self._proven.keep(token, self._key, payload)
        return _claims(payload, self._clock(), self._leeway)

    async def aclose(self) -> None:
        """Nothing is held."""


def mint(
    secret: str,
    subject: str,
    *,
    name: str | None = None,
    scopes: Iterable[str] = (),
    ttl: timedelta,
    now: datetime,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """A token that `SharedSecretVerifier` takes from `now` until `ttl` later, to the second. Raises
    ValueError, with a sentence for the operator, for a subject or name that no token may have, an unknown
    scope, or a `ttl` of less than a second."""
    asked = frozenset(scopes)
    if not asked <= SCOPES:
        raise ValueError(f"A scope is one of: {', '.join(sorted(SCOPES))}.")
    if _subject(subject) is None:
        raise ValueError(f"A subject has 1 to {LONGEST_SUBJECT} characters, none of them a control character.")
    if name is not None and _name(name) is None:
        raise ValueError(f"A name has 1 to {LONGEST_NAME} characters, none of them a control character.")
    if ttl < timedelta(seconds=1) or now.timestamp() + ttl.total_seconds() > _LATEST:
        raise ValueError("A token must live for one second at least, and end in this era.")
    payload: dict[str, Any] = {
        "sub": subject,
        "iat": math.floor(now.timestamp()),
        "exp": math.ceil((now + ttl).timestamp()),
    }
    optional = {"name": _name(name), "scope": " ".join(sorted(asked)), "iss": issuer, "aud": audience}
    payload |= {claim: value for claim, value in optional.items() if value}
    return jwt.encode(payload, _secret_key(secret), algorithm=SECRET_ALGORITHMS[0])


def _secret_key(secret: str) -> bytes:
    key = secret.encode()
    if len(key) < SHORTEST_SECRET:
        raise ValueError(f"The secret must be at least {SHORTEST_SECRET} bytes long.")
    try:
        return HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(key)
    except jwt.InvalidKeyError:
        raise ValueError("The secret is the key of a key pair, which anybody may know.") from None


# ---------------------------------------------------------------- the keys of an identity provider


class JwksVerifier:
    """Checks tokens against the public keys that an identity provider publishes (RFC 7517). The issuer and
    the audience are always checked. A token must name its key by `kid`, unless there is one key only that
    fits.

    Nobody who brings a known key ever waits for the provider, and keys that were read once serve on while it
    is away."""

    def __init__(
        self,
        url: str,
        issuer: str,
        audience: str,
        leeway: timedelta = timedelta(seconds=5),
        clock: Clock = now_utc,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` judges tokens, `monotonic` (in seconds) the age of the keys."""
        self._keys = JwksKeys(url, monotonic)
        self._proven = _Proven()
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._clock = clock

    async def load(self) -> int:
        """Reads the keys now and tells how many there are: at start, so that the first person need not wait,
        and for `doctor`. Raises `KeysUnavailable`; the cause stands in the log."""
        return await self._keys.load()

    async def verify(self, token: str) -> Claims:
        """See `Verifier`. Waits for the provider only when the token names a key that is not known yet."""
        algorithm, kid = _algorithm_and_kid(token, JWKS_ALGORITHMS)
        key = await self._keys.find(algorithm, kid)
        payload = self._proven.payload(token, key)
        if payload is None:
            payload = _signed(token, key, (algorithm,), self._issuer, self._audience)
            self._proven.keep(token, key, payload)
        return _claims(payload, self._clock(), self._leeway)

    async def aclose(self) -> None:
        """Ends a refresh that is under way and closes the connection."""
        await self._keys.aclose()


class JwksKeys:
    """The last good keys of one JWKS address: read when first needed, read again in the background once they
    are ten minutes old, and at once for a key that is not known, at most every ten seconds, whoever asks. One
    read at a time.

    An answer that holds no usable key counts as a failure: it is far more often a mishap than a wish to lock
    everybody out. Whoever must revoke a key publishes another in its place."""

    FRESH_FOR = 600.0
    PAUSE = 10.0
    PAUSE_WITHOUT_KEYS = 1.0
    """Seconds between two reads while there is nothing to serve with."""
    PATIENCE = 5.0
    """Seconds for one read, from connecting to the last byte."""
    LARGEST_ANSWER = 256 * 1024

    def __init__(self, url: str, monotonic: Callable[[], float]) -> None:
        self._url = url
        self._monotonic = monotonic
        self._keys: Mapping[tuple[str, str | None], jwt.PyJWK] = {}
        self._read_at = -math.inf
        self._asked_at = -math.inf
        self._last_read_failed = False
        self._refresh: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None

    async def find(self, algorithm: str, kid: str | None) -> jwt.PyJWK:
        """The key for a token. Raises `InvalidToken` when the provider has no such key, `KeysUnavailable`
        when it can't be asked."""
        key = self._known(algorithm, kid)
        if key is not None:
            if self._monotonic() - self._read_at >= self.FRESH_FOR:
                self._start_refresh()
            return key
        refresh = self._start_refresh()
        if refresh is not None:
            await _finished(refresh)
        key = self._known(algorithm, kid)
        if key is not None:
            return key
        if self._last_read_failed:
            raise KeysUnavailable
        raise InvalidToken("The token is signed with a key that is not known here.")

    async def load(self) -> int:
        """Reads the keys, however old, and tells how many key ids there are. Raises `KeysUnavailable`."""
        self._asked_at = -math.inf
        refresh = self._start_refresh()
        assert refresh is not None
        await _finished(refresh)
        if self._last_read_failed:
            raise KeysUnavailable
        return len({kid for _, kid in self._keys})

    async def aclose(self) -> None:
        """Ends a refresh that is under way and closes the connection."""
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.gather(self._refresh, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _known(self, algorithm: str, kid: str | None) -> jwt.PyJWK | None:
        if kid is not None:
            return self._keys.get((algorithm, kid))
        fitting = [key for (known, _), key in self._keys.items() if known == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    def _start_refresh(self) -> asyncio.Task[None] | None:
        """The refresh that is under way, else a new one, else None when the last one began too short a time
        ago."""
        if self._refresh is not None and not self._refresh.done():
            return self._refresh
        pause = self.PAUSE if self._keys else self.PAUSE_WITHOUT_KEYS
        if self._monotonic() - self._asked_at < pause:
            return None
        self._asked_at = self._monotonic()
        self._refresh = asyncio.create_task(self._read(), name="jwks refresh")
        return self._refresh

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(self.PATIENCE):
                keys = _usable_keys(await self._fetch())
        except (httpx.HTTPError, OSError, _BadAnswer) as error:
            self._last_read_failed = True
            cause = str(error) if isinstance(error, _BadAnswer) else type(error).__name__
            log.warning("keys not read", extra={"cause": cause, "served_by_the_last_good_ones": len(self._keys)})
            return
        except Exception:
            self._last_read_failed = True
            log.exception("keys not read")
            return
        self._last_read_failed = False
        self._keys = keys
        self._read_at = self._monotonic()

    async def _fetch(self) -> bytes:
        """The answer, of bounded size. Redirects are not followed, and nothing is unpacked: a small answer
        stays small."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self.PATIENCE, limits=httpx.Limits(max_connections=1))
        headers = {"accept": "application/jwk-set+json, application/json", "accept-encoding": "identity"}
        async with self._client.stream("GET", self._url, headers=headers) as answer:
            if answer.status_code != 200:
                raise _BadAnswer(f"status {answer.status_code}")
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > self.LARGEST_ANSWER:
                    raise _BadAnswer("too large")
        return bytes(body)


class _BadAnswer(Exception):
    """The provider answered, but not with keys."""


async def _finished(refresh: asyncio.Task[None]) -> None:
    """Waits for a refresh that others wait for too: whoever gives up does not end it for them."""
    await asyncio.wait([refresh])


_ALGORITHMS_BY_KEY = {
    ("RSA", None): ("RS256", "RS512"),
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""What each type of key may sign. Symmetric keys are none: a secret that is published is not one."""
_MOST_KEYS = 100


def _usable_keys(body: bytes) -> dict[tuple[str, str | None], jwt.PyJWK]:
    """By algorithm and key id. Keys of another use, type or strength, and those whose private half was
    published, are left out. Raises `_BadAnswer` when none is left."""
    try:
        entries = json.loads(body)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _BadAnswer("not a JWKS") from None
    if not isinstance(entries, list):
        raise _BadAnswer("not a JWKS")
    keys: dict[tuple[str, str | None], jwt.PyJWK] = {}
    for entry in entries[:_MOST_KEYS]:
        if isinstance(entry, dict) and _is_for_checking(entry):
            for algorithm in _algorithms_of(entry):
                key = _public_key(entry, algorithm)
                if key is not None:
                    keys.setdefault((algorithm, entry.get("kid")), key)
    if not keys:
        raise _BadAnswer("no usable key")
    return keys


def _is_for_checking(entry: Mapping[str, Any]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return (
        entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and isinstance(entry.get("kid"), str | None)
        and "d" not in entry
    )


def _algorithms_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    kind, curve, named = entry.get("kty"), entry.get("crv"), entry.get("alg")
    if not isinstance(kind, str) or not isinstance(curve, str | None):
        return ()
    fitting = _ALGORITHMS_BY_KEY.get((kind, None if kind == "RSA" else curve), ())
    return fitting if named is None else tuple(algorithm for algorithm in fitting if algorithm == named)


def _public_key(entry: Mapping[str, Any], algorithm: str) -> jwt.PyJWK | None:
    public = {member: entry[member] for member in ("kty", "crv", "n", "e", "x", "y") if member in entry}
    try:
        key = jwt.PyJWK(public, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None
    weak = key.Algorithm.check_key_length(key.key) is not None
    return None if weak else key


# ---------------------------------------------------------------- what every token must be


def _algorithm_and_kid(token: str, allowed: tuple[str, ...]) -> tuple[str, str | None]:
    """Read before the signature is checked, so good for choosing among our own keys and for nothing else."""
    if len(token) > LONGEST_TOKEN:
        raise InvalidToken(f"The token is longer than {LONGEST_TOKEN:,} characters.")
    if not token.isascii():
        raise InvalidToken("This is not a JSON Web Token.")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise InvalidToken("This is not a JSON Web Token.") from None
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise InvalidToken(f"The token must be signed with {' or '.join(allowed)}.")
    return algorithm, header.get("kid")


def _signed(
    token: str, key: bytes | jwt.PyJWK, algorithms: tuple[str, ...], issuer: str | None, audience: str | None
) -> dict[str, Any]:
    """The payload of a token whose signature, issuer and audience are right. Its times are judged by
    `_claims`, with our clock."""
    try:
        return jwt.decode(
            token,
            key,
            algorithms=list(algorithms),
            issuer=issuer,
            audience=audience,
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_sub": False,
                "verify_jti": False,
                "verify_iss": issuer is not None,
                "verify_aud": audience is not None,
                "enforce_minimum_key_length": True,
            },
        )
    except jwt.InvalidIssuerError:
        raise InvalidToken("The token was issued by somebody else than this server trusts.") from None
    except jwt.InvalidAudienceError:
        raise InvalidToken("The token was made for another audience than this server.") from None
    except jwt.MissingRequiredClaimError as missing:
        raise InvalidToken(f"The token has no `{missing.claim}`, which this server asks for.") from None
    except jwt.PyJWTError:
        raise InvalidToken("The signature of the token is not right.") from None


def _claims(payload: Mapping[str, Any], now: datetime, leeway: timedelta) -> Claims:
    expiry = _instant(payload, "exp")
    if expiry is None:
        raise InvalidToken("The token never expires (it has no `exp`); such a token is not taken.")
    present, margin = now.timestamp(), leeway.total_seconds()
    if expiry + margin <= present:
        raise InvalidToken("The token has expired; get a new one.")
    for claim in ("nbf", "iat"):
        start = _instant(payload, claim)
        if start is not None and start - margin > present:
            raise InvalidToken("The token is not valid yet.")
    subject = _subject(payload.get("sub"))
    if subject is None:
        raise InvalidToken(f"The token must name its user in `sub`, in 1 to {LONGEST_SUBJECT} characters.")
    return Claims(
        subject=subject,
        name=_name(payload.get("name")),
        scopes=_scopes(payload.get("scope")),
        expires_at=datetime.fromtimestamp(expiry, UTC),
    )


def _instant(payload: Mapping[str, Any], claim: str) -> float | None:
    """Seconds since 1970 (RFC 7519, NumericDate)."""
    value = payload.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise InvalidToken(f"The `{claim}` of the token is not a time in seconds since 1970.")
    return float(value)


def _subject(value: object) -> str | None:
    """As it is, since it is a key; None when it can't be one."""
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_SUBJECT:
        return None
    return None if _has_controls(value) else value


def _name(value: object) -> str | None:
    """Trimmed; None when it can't be shown. A person is not kept out for the name that the provider has."""
    if not isinstance(value, str):
        return None
    name = value.strip()
    return None if not name or len(name) > LONGEST_NAME or _has_controls(name) else name


def _scopes(value: object) -> frozenset[str]:
    """Both ways in use are read: `"support openid"` (RFC 8693) and `["support", "openid"]`."""
    if value is None:
        return frozenset()
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InvalidToken("The `scope` of the token is neither a text nor a list of texts.")
    return SCOPES & frozenset(words)


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text)
