"""Who is speaking: bearer tokens checked against a shared secret or against the keys of an identity
provider."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import jwt
from jwt.algorithms import HMACAlgorithm

from api.claims import (
    LATEST,
    LONGEST_NAME,
    LONGEST_SUBJECT,
    SCOPES,
    Claims,
    InvalidToken,
    Proved,
    algorithm_and_kid,
    name_of,
    signed_payload,
    subject_of,
)
from api.key_sets import JwksKeys
from api.settings import JWKS_ALGORITHMS, SECRET_ALGORITHMS, SHORTEST_SECRET

Clock = Callable[[], datetime]
"""Tells the time as an aware UTC instant."""

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
    """Tokens whose signature, issuer and audience were found right with a key: the same token comes with every request
    of its bearer. A key that the provider has taken back is not asked for any more, and what it proved is of no use
    then."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[bytes | jwt.PyJWK, Proved]] = OrderedDict()

    def found(self, token: str, key: bytes | jwt.PyJWK) -> Proved | None:
        found = self._found.get(token)
        if found is None or found[0] is not key:
            return None
        self._found.move_to_end(token)
        return found[1]

    def kept(self, token: str, key: bytes | jwt.PyJWK, payload: dict[str, Any]) -> Proved:
        proved = Proved(payload)
        self._found[token] = (key, proved)
        if len(self._found) > MOST_PROVEN:
            self._found.popitem(last=False)
        return proved


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
        proved = self._proven.found(token, self._key)
        if proved is None:
            algorithm_and_kid(token, SECRET_ALGORITHMS)
            payload = signed_payload(token, self._key, SECRET_ALGORITHMS, self._issuer, self._audience)
            proved = self._proven.kept(token, self._key, payload)
        return proved.claims(self._clock(), self._leeway)

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
    if subject_of(subject) is None:
        raise ValueError(f"A subject has 1 to {LONGEST_SUBJECT} characters, none of them a control character.")
    if name is not None and name_of(name) is None:
        raise ValueError(f"A name has 1 to {LONGEST_NAME} characters, none of them a control character.")
    if ttl < timedelta(seconds=1) or now.timestamp() + ttl.total_seconds() > LATEST:
        raise ValueError("A token must live for one second at least, and end in this era.")
    payload: dict[str, Any] = {
        "sub": subject,
        "iat": math.floor(now.timestamp()),
        "exp": math.ceil((now + ttl).timestamp()),
    }
    optional = {"name": name_of(name), "scope": " ".join(sorted(asked)), "iss": issuer, "aud": audience}
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
        algorithm, kid = algorithm_and_kid(token, JWKS_ALGORITHMS)
        key = await self._keys.find(algorithm, kid)
        proved = self._proven.found(token, key)
        if proved is None:
            payload = signed_payload(token, key, (algorithm,), self._issuer, self._audience)
            proved = self._proven.kept(token, key, payload)
        return proved.claims(self._clock(), self._leeway)

    async def aclose(self) -> None:
        """Ends a refresh that is under way and closes the connection."""
        await self._keys.aclose()
