"""What a token says, and what every token must be: signed as we allow, for us, valid now."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

SCOPES = frozenset({"support", "marketplace"})
"""What a token may give beyond one's own orders. Other scopes are none of our business and are left out."""

LONGEST_SUBJECT = 255
LONGEST_NAME = 255
LONGEST_TOKEN = 8192
LATEST = datetime.max.replace(tzinfo=UTC).timestamp() - 86_400
"""The last second, as a timestamp, that a token may end in."""


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


def algorithm_and_kid(token: str, allowed: tuple[str, ...]) -> tuple[str, str | None]:
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


def signed_payload(
    token: str, key: bytes | jwt.PyJWK, algorithms: tuple[str, ...], issuer: str | None, audience: str | None
) -> dict[str, Any]:
    """The payload of a token whose signature, issuer and audience are right. Its times are judged by
    `claims_of`, with our clock."""
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


def claims_of(payload: Mapping[str, Any], now: datetime, leeway: timedelta) -> Claims:
    """What the payload of a genuine token says. Raises InvalidToken when it is not valid at that instant."""
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
    subject = subject_of(payload.get("sub"))
    if subject is None:
        raise InvalidToken(f"The token must name its user in `sub`, in 1 to {LONGEST_SUBJECT} characters.")
    return Claims(
        subject=subject,
        name=name_of(payload.get("name")),
        scopes=_scopes(payload.get("scope")),
        expires_at=datetime.fromtimestamp(expiry, UTC),
    )


class Proved:
    """The payload of a token that is genuine. Its times are judged at each request; what else it says is read once."""

    __slots__ = ("_claims", "_ends", "_payload", "_starts")

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = payload
        self._claims: Claims | None = None
        self._starts = self._ends = 0.0

    def claims(self, now: datetime, leeway: timedelta) -> Claims:
        """As `claims_of`."""
        present, margin = now.timestamp(), leeway.total_seconds()
        if self._claims is not None and self._starts - margin <= present < self._ends + margin:
            return self._claims
        found = claims_of(self._payload, now, leeway)
        self._starts = max((_instant(self._payload, claim) or 0.0) for claim in ("nbf", "iat"))
        self._ends = _instant(self._payload, "exp") or 0.0
        self._claims = found
        return found


def _instant(payload: Mapping[str, Any], claim: str) -> float | None:
    """Seconds since 1970 (RFC 7519, NumericDate)."""
    value = payload.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST:
        raise InvalidToken(f"The `{claim}` of the token is not a time in seconds since 1970.")
    return float(value)


def subject_of(value: object) -> str | None:
    """A subject as it is, since it is a key; None when it can't be one."""
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_SUBJECT:
        return None
    return None if _has_controls(value) else value


def name_of(value: object) -> str | None:
    """A name, trimmed; None when it can't be shown. A person is not kept out for the name that the provider has."""
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
