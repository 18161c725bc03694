"""The public keys of an identity provider (RFC 7517): read, kept, and read again while they serve."""

import asyncio
import json
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import jwt

from api.claims import InvalidToken, KeysUnavailable

log = logging.getLogger(__name__)


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
