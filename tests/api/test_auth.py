"""Who is speaking: tokens that are taken and refused, and the keys of a provider that turns, lags and fails."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from api.auth import JwksVerifier, SharedSecretVerifier, Verifier, bearer, bearer_or_bare, mint
from api.claims import LONGEST_TOKEN, Claims, InvalidToken, KeysUnavailable, Proved, claims_of
from tests.provider import EC_KEY, ED_KEY, NEW_RSA_KEY, RSA_KEY, PrivateKey, Provider, a_provider, jwk

SECRET = "a secret for tests that is long enough"
ISSUER = "https://id.example"
AUDIENCE = "resolution"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Hands:
    return Hands()


def payload(**changes: Any) -> dict[str, Any]:
    """Ada's claims; a change to None leaves the claim out."""
    whole = {
        "sub": "ada",
        "name": "Ada",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": NOW.timestamp(),
        "exp": (NOW + HOUR).timestamp(),
    }
    return {claim: value for claim, value in (whole | changes).items() if value is not None}


def secret_token(**changes: Any) -> str:
    return jwt.encode(payload(**changes), SECRET, algorithm="HS256")


async def refusal(verifier: SharedSecretVerifier | JwksVerifier, token: str) -> str:
    with pytest.raises(InvalidToken) as refused:
        await verifier.verify(token)
    sentence = str(refused.value)
    assert sentence.endswith(".") and sentence[0].isupper()
    assert not [part for part in token.split(".") if len(part) > 3 and part in sentence]
    return sentence


# ---------------------------------------------------------------- where the token stands


@pytest.mark.parametrize("header", ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c ", " Bearer a.b.c"])
def test_a_header_holds_the_word_bearer_in_any_case_and_the_token(header: str) -> None:
    assert bearer(header) == "a.b.c"
    assert bearer_or_bare(header) == "a.b.c"


@pytest.mark.parametrize("header", [None, "", "  "])
def test_no_header_is_a_guest(header: str | None) -> None:
    assert bearer(header) is None
    assert bearer_or_bare(header) is None


@pytest.mark.parametrize("header", ["a.b.c", "Basic YWRh", "Bearer", "Bearer ", "Bearer a b", "Bearera.b.c"])
def test_over_http_anything_else_is_refused_rather_than_taken_for_a_guest(header: str) -> None:
    with pytest.raises(InvalidToken):
        bearer(header)


def test_over_websocket_the_token_may_stand_alone() -> None:
    assert bearer_or_bare(" a.b.c ") == "a.b.c"


@pytest.mark.parametrize("value", [5, True, ["a.b.c"], {"token": "a.b.c"}, "a b", "Bearer "])
def test_over_websocket_anything_but_a_token_is_refused(value: object) -> None:
    with pytest.raises(InvalidToken):
        bearer_or_bare(value)


# ---------------------------------------------------------------- a shared secret


async def test_a_good_token_says_who_it_is(clock: Hands) -> None:
    verifier = SharedSecretVerifier(SECRET, ISSUER, AUDIENCE, clock=clock)
    token = secret_token(scope="openid support")
    assert await verifier.verify(token) == Claims(
        subject="ada", name="Ada", scopes=frozenset({"support"}), expires_at=NOW + HOUR
    )


async def test_a_minted_token_is_taken_until_it_expires(clock: Hands) -> None:
    verifier = SharedSecretVerifier(SECRET, ISSUER, AUDIENCE, leeway=timedelta(0), clock=clock)
    token = mint(
        SECRET,
        "sol",
        name=" Sol ",
        scopes=["support", "marketplace"],
        ttl=HOUR,
        now=NOW,
        issuer=ISSUER,
        audience=AUDIENCE,
    )
    clock.move(minutes=59, seconds=59)
    assert await verifier.verify(token) == Claims(
        subject="sol", name="Sol", scopes=frozenset({"support", "marketplace"}), expires_at=NOW + HOUR
    )
    clock.move(seconds=1)
    assert await refusal(verifier, token) == "The token has expired; get a new one."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scopes": ["admin"]}, "A scope is one of: marketplace, support."),
        ({"subject": " "}, "A subject has 1 to 255 characters, none of them a control character."),
        ({"subject": "a\x00"}, "A subject has 1 to 255 characters, none of them a control character."),
        ({"name": "n" * 256}, "A name has 1 to 255 characters, none of them a control character."),
        ({"ttl": timedelta(0)}, "A token must live for one second at least, and end in this era."),
        ({"ttl": timedelta.max}, "A token must live for one second at least, and end in this era."),
        ({"secret": "short"}, "The secret must be at least 32 bytes long."),
    ],
)
def test_mint_makes_no_token_that_would_be_refused(changes: dict[str, Any], sentence: str) -> None:
    arguments: dict[str, Any] = {"secret": SECRET, "subject": "ada", "ttl": HOUR, "now": NOW} | changes
    with pytest.raises(ValueError, match=sentence):
        mint(**arguments)


async def test_without_a_configured_issuer_and_audience_any_are_taken(clock: Hands) -> None:
    verifier = SharedSecretVerifier(SECRET, clock=clock)
    assert (await verifier.verify(secret_token(iss="anybody", aud=["other"]))).subject == "ada"
    assert (await verifier.verify(secret_token(iss=None, aud=None))).subject == "ada"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exp": None}, "The token never expires (it has no `exp`); such a token is not taken."),
        ({"exp": NOW.timestamp() - 5}, "The token has expired; get a new one."),
        ({"exp": "soon"}, "The `exp` of the token is not a time in seconds since 1970."),
        ({"exp": True}, "The `exp` of the token is not a time in seconds since 1970."),
        ({"exp": float("nan")}, "The `exp` of the token is not a time in seconds since 1970."),
        ({"exp": float("inf")}, "The `exp` of the token is not a time in seconds since 1970."),
        ({"exp": 10**400}, "The `exp` of the token is not a time in seconds since 1970."),
        ({"exp": -1}, "The `exp` of the token is not a time in seconds since 1970."),
        ({"nbf": NOW.timestamp() + 6}, "The token is not valid yet."),
        ({"iat": NOW.timestamp() + 6}, "The token is not valid yet."),
        ({"nbf": []}, "The `nbf` of the token is not a time in seconds since 1970."),
        ({"iss": "https://evil.example"}, "The token was issued by somebody else than this server trusts."),
        ({"iss": None}, "The token has no `iss`, which this server asks for."),
        ({"aud": "other"}, "The token was made for another audience than this server."),
        ({"aud": ["other", "another"]}, "The token was made for another audience than this server."),
        ({"aud": {"resolution": 1}}, "The token was made for another audience than this server."),
        ({"aud": None}, "The token has no `aud`, which this server asks for."),
        ({"sub": None}, "The token must name its user in `sub`, in 1 to 255 characters."),
        ({"sub": ""}, "The token must name its user in `sub`, in 1 to 255 characters."),
        ({"sub": "  "}, "The token must name its user in `sub`, in 1 to 255 characters."),
        ({"sub": 7}, "The token must name its user in `sub`, in 1 to 255 characters."),
        ({"sub": "a" * 256}, "The token must name its user in `sub`, in 1 to 255 characters."),
        ({"sub": "a\nb"}, "The token must name its user in `sub`, in 1 to 255 characters."),
        ({"sub": "a\ud800"}, "The token must name its user in `sub`, in 1 to 255 characters."),
        ({"scope": 5}, "The `scope` of the token is neither a text nor a list of texts."),
        ({"scope": ["support", 5]}, "The `scope` of the token is neither a text nor a list of texts."),
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(changes: dict[str, Any], sentence: str, clock: Hands) -> None:
    verifier = SharedSecretVerifier(SECRET, ISSUER, AUDIENCE, clock=clock)
    token = secret_token(**changes)
    assert await refusal(verifier, token) == sentence


async def test_clocks_may_lie_apart_by_the_leeway(clock: Hands) -> None:
    verifier = SharedSecretVerifier(SECRET, leeway=timedelta(seconds=5), clock=clock)
    late = secret_token(exp=NOW.timestamp() - 4.5)
    early = secret_token(nbf=NOW.timestamp() + 4.5, iat=NOW.timestamp() + 4.5)
    assert (await verifier.verify(late)).expires_at == NOW - timedelta(seconds=4.5)
    assert (await verifier.verify(early)).subject == "ada"


async def test_one_of_several_audiences_suffices(clock: Hands) -> None:
    verifier = SharedSecretVerifier(SECRET, ISSUER, AUDIENCE, clock=clock)
    assert (await verifier.verify(secret_token(aud=["shop", AUDIENCE]))).subject == "ada"


@pytest.mark.parametrize(
    ("scope", "known"),
    [
        (None, set()),
        ("", set()),
        ("support", {"support"}),
        ("openid marketplace  support", {"support", "marketplace"}),
        (["support", "email"], {"support"}),
        ("SUPPORT supporter", set()),
    ],
)
async def test_only_the_scopes_that_we_know_are_kept(scope: object, known: set[str], clock: Hands) -> None:
    verifier = SharedSecretVerifier(SECRET, clock=clock)
    assert (await verifier.verify(secret_token(scope=scope))).scopes == known


@pytest.mark.parametrize("name", [None, "", "  ", 5, "n" * 256, "A\x1b[31mda"])
async def test_a_person_without_a_name_that_can_be_shown_goes_by_the_subject(name: object, clock: Hands) -> None:
    claims = await SharedSecretVerifier(SECRET, clock=clock).verify(secret_token(name=name))
    assert (claims.name, claims.display_name) == (None, "ada")


async def test_a_name_is_trimmed(clock: Hands) -> None:
    claims = await SharedSecretVerifier(SECRET, clock=clock).verify(secret_token(name=" Ada L. "))
    assert (claims.name, claims.display_name) == ("Ada L.", "Ada L.")


def with_header(header: Mapping[str, object], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload()).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


GARBAGE = [
    "",
    "garbage",
    "a.b",
    "a.b.c",
    "....",
    "é.é.é",
    "\udcff",
    "bnVsbA.bnVsbA.bnVsbA",
    with_header({"alg": "HS256", "kid": 5}),
    with_header({}),
    with_header({"alg": None}),
    with_header({"alg": ["HS256"]}),
    "[" * 3000,
    base64.urlsafe_b64encode(b"[" * 4000).decode() + ".e30.e30",
    "x" * (LONGEST_TOKEN + 1),
]


@pytest.mark.parametrize("token", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_is_refused_in_a_sentence(token: str, clock: Hands) -> None:
    assert await refusal(SharedSecretVerifier(SECRET, clock=clock), token) in (
        "This is not a JSON Web Token.",
        "The token must be signed with HS256.",
        "The token is longer than 8,192 characters.",
    )


async def test_a_wrong_secret_a_changed_payload_and_no_signature_are_refused(clock: Hands) -> None:
    verifier = SharedSecretVerifier(SECRET, clock=clock)
    header, _, signature = secret_token().split(".")
    forged = secret_token(sub="sol").split(".")[1]
    for token in (
        jwt.encode(payload(), SECRET + "!", algorithm="HS256"),
        f"{header}.{forged}.{signature}",
        f"{header}.{forged}.",
    ):
        assert await refusal(verifier, token) == "The signature of the token is not right."


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
async def test_no_other_algorithm_is_taken_for_a_secret(algorithm: str, clock: Hands) -> None:
    verifier = SharedSecretVerifier(SECRET, clock=clock)
    token = (
        with_header({"alg": "none"}) if algorithm == "none" else jwt.encode(payload(), SECRET * 2, algorithm=algorithm)
    )
    assert await refusal(verifier, token) == "The token must be signed with HS256."


@pytest.mark.parametrize("secret", ["short", "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n"])
def test_a_secret_that_is_none_makes_no_verifier(secret: str) -> None:
    with pytest.raises(ValueError, match="The secret"):
        SharedSecretVerifier(secret)


# ---------------------------------------------------------------- the keys of a provider


def signed(key: PrivateKey, algorithm: str, kid: str | None, **changes: Any) -> str:
    headers = None if kid is None else {"kid": kid}
    return jwt.encode(payload(**changes), key, algorithm=algorithm, headers=headers)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with a_provider() as provider:
        yield provider


@pytest.fixture
async def verifier(provider: Provider, clock: Hands) -> AsyncIterator[JwksVerifier]:
    verifier = JwksVerifier(provider.url, ISSUER, AUDIENCE, clock=clock, monotonic=clock.monotonic)
    yield verifier
    await verifier.aclose()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


async def until_taken(verifier: Verifier, token: str) -> None:
    """Until keys that are read again in the background are there: that they were asked for is too early."""
    async with asyncio.timeout(5):
        while True:
            with suppress(InvalidToken):
                await verifier.verify(token)
                return
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA_KEY, "RS256"), (RSA_KEY, "RS512"), (EC_KEY, "ES256"), (ED_KEY, "EdDSA")]
)
@pytest.mark.parametrize("kid", ["one", None])
async def test_a_token_that_the_provider_signed_is_taken(
    key: PrivateKey, algorithm: str, kid: str | None, provider: Provider, verifier: JwksVerifier
) -> None:
    provider.keys = [jwk(key, kid)]
    claims = await verifier.verify(signed(key, algorithm, kid, scope=["marketplace"]))
    assert claims == Claims(subject="ada", name="Ada", scopes=frozenset({"marketplace"}), expires_at=NOW + HOUR)
    assert provider.asked == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exp": NOW.timestamp() - 60}, "The token has expired; get a new one."),
        ({"exp": None}, "The token never expires (it has no `exp`); such a token is not taken."),
        ({"nbf": NOW.timestamp() + 60}, "The token is not valid yet."),
        ({"aud": "other"}, "The token was made for another audience than this server."),
        ({"aud": None}, "The token has no `aud`, which this server asks for."),
        ({"iss": "https://evil.example"}, "The token was issued by somebody else than this server trusts."),
        ({"iss": None}, "The token has no `iss`, which this server asks for."),
    ],
)
async def test_a_provider_s_token_with_a_wrong_claim_is_refused(
    changes: dict[str, Any], sentence: str, verifier: JwksVerifier
) -> None:
    assert await refusal(verifier, signed(RSA_KEY, "RS256", "one", **changes)) == sentence


@pytest.mark.parametrize("token", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_never_reaches_the_provider(token: str, provider: Provider, verifier: JwksVerifier) -> None:
    await refusal(verifier, token)
    assert provider.asked == 0


def public_pem() -> bytes:
    return RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


async def test_the_public_key_is_no_secret_to_sign_with(provider: Provider, verifier: JwksVerifier) -> None:
    """The old trick: the public key, which all know, taken for the secret of HS256."""
    body = with_header({"alg": "HS256", "kid": "one", "typ": "JWT"}).rpartition(".")[0]
    for secret in (public_pem(), public_pem().strip(), json.dumps(provider.keys[0]).encode()):
        signature = base64.urlsafe_b64encode(hmac.digest(secret, body.encode(), hashlib.sha256)).rstrip(b"=")
        sentence = await refusal(verifier, f"{body}.{signature.decode()}")
        assert sentence == "The token must be signed with RS256 or RS512 or ES256 or EdDSA."


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "PS256", "ES384", ""])
async def test_an_algorithm_that_is_not_on_the_list_is_refused(algorithm: str, verifier: JwksVerifier) -> None:
    sentence = await refusal(verifier, with_header({"alg": algorithm, "kid": "one"}))
    assert sentence == "The token must be signed with RS256 or RS512 or ES256 or EdDSA."


async def test_the_algorithm_must_be_that_of_the_key(provider: Provider, verifier: JwksVerifier) -> None:
    unknown = "The token is signed with a key that is not known here."
    assert await refusal(verifier, signed(RSA_KEY, "RS512", "one")) == unknown
    assert await refusal(verifier, signed(EC_KEY, "ES256", "one")) == unknown
    assert await refusal(verifier, signed(NEW_RSA_KEY, "RS256", "one")) == "The signature of the token is not right."


@pytest.mark.parametrize(
    "unusable",
    [
        {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode(), "alg": "HS256", "kid": "bad"},
        {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode(), "alg": "RS256", "kid": "bad"},
        jwk(RSA_KEY, "bad", use="enc"),
        jwk(RSA_KEY, "bad", key_ops=["encrypt"]),
        jwk(RSA_KEY, "bad", alg="ES256"),
        jwk(RSA_KEY, "bad", alg="none"),
        jwk(RSA_KEY, "bad", alg=["RS256"]),
        jwk(RSA_KEY, "bad", kty=["RSA"]),
        jwk(RSA_KEY, "bad", n=5),
        jwk(RSA_KEY, "bad", n="!"),
        jwk(rsa.generate_private_key(65537, 1024), "bad"),  # noqa: S505 - too short on purpose
        {**RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True), "key_ops": ["verify"], "kid": "bad"},
        jwk(ec.generate_private_key(ec.SECP384R1()), "bad"),
        jwk(ec.generate_private_key(ec.SECP384R1()), "bad", alg="ES256"),
        jwk(EC_KEY, "bad", y=jwk(EC_KEY, None)["x"]),
        {"kid": "bad"},
        {},
        "text",
        None,
    ],
)
async def test_a_key_that_can_not_be_trusted_is_left_out_and_the_others_serve(
    unusable: object, provider: Provider, verifier: JwksVerifier
) -> None:
    good = jwk(RSA_KEY, "one")
    provider.body = json.dumps({"keys": [unusable, good]}).encode()
    assert (await verifier.verify(signed(RSA_KEY, "RS256", "one"))).subject == "ada"
    assert await verifier.load() == 1


async def test_a_token_without_a_kid_needs_a_key_that_stands_alone(provider: Provider, verifier: JwksVerifier) -> None:
    provider.keys = [jwk(RSA_KEY, "one"), jwk(NEW_RSA_KEY, "two"), jwk(EC_KEY, "three")]
    assert (await verifier.verify(signed(EC_KEY, "ES256", None))).subject == "ada"
    assert await refusal(verifier, signed(RSA_KEY, "RS256", None)) == (
        "The token is signed with a key that is not known here."
    )


# ---------------------------------------------------------------- keys that turn


async def test_keys_are_read_once_for_many_tokens(provider: Provider, verifier: JwksVerifier, clock: Hands) -> None:
    for _ in range(20):
        clock.move(seconds=29)
        await verifier.verify(signed(RSA_KEY, "RS256", "one"))
    assert provider.asked == 1


async def test_a_new_key_is_taken_at_its_first_token(provider: Provider, verifier: JwksVerifier, clock: Hands) -> None:
    await verifier.verify(signed(RSA_KEY, "RS256", "one"))
    provider.keys = [jwk(RSA_KEY, "one"), jwk(NEW_RSA_KEY, "two")]
    clock.move(seconds=11)
    assert (await verifier.verify(signed(NEW_RSA_KEY, "RS256", "two"))).subject == "ada"
    assert (await verifier.verify(signed(RSA_KEY, "RS256", "one"))).subject == "ada"
    assert provider.asked == 2


async def test_a_key_that_the_provider_took_back_is_refused_after_the_next_refresh(
    provider: Provider, verifier: JwksVerifier, clock: Hands
) -> None:
    old = signed(RSA_KEY, "RS256", "one")
    await verifier.verify(old)
    provider.keys = [jwk(NEW_RSA_KEY, "two")]
    clock.move(minutes=10)
    await verifier.verify(old)
    await until(lambda: provider.asked == 2)
    await verifier.verify(signed(NEW_RSA_KEY, "RS256", "two"))
    assert await refusal(verifier, old) == "The token is signed with a key that is not known here."


async def test_what_another_key_of_the_same_name_proved_is_proved_again(
    provider: Provider, verifier: JwksVerifier, clock: Hands
) -> None:
    old = signed(RSA_KEY, "RS256", "one")
    await verifier.verify(old)
    provider.keys = [jwk(NEW_RSA_KEY, "one")]
    clock.move(minutes=10)
    await verifier.verify(old)
    await until_taken(verifier, signed(NEW_RSA_KEY, "RS256", "one"))
    assert await refusal(verifier, old) == "The signature of the token is not right."


async def test_tokens_without_end_take_no_memory_without_end(clock: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.auth.MOST_PROVEN", 3)
    verifier = SharedSecretVerifier(SECRET, ISSUER, AUDIENCE, clock=clock)
    for number in range(10):
        assert (await verifier.verify(secret_token(sub=f"user-{number}"))).subject == f"user-{number}"
    assert len(verifier._proven._found) == 3


@given(
    st.lists(st.integers(-4_000, 4_000), min_size=1, max_size=8),
    st.sampled_from([{}, {"nbf": 100}, {"iat": -100}, {"nbf": 50, "iat": 400}, {"sub": ""}, {"exp": None}]),
)
def test_what_was_proved_says_at_each_time_what_it_says_when_it_is_read_anew(
    seconds: list[int], changed: dict[str, Any]
) -> None:
    start = NOW.timestamp()
    payload: dict[str, Any] = {"sub": "ada", "exp": start + 3_600}
    for name, value in changed.items():
        payload[name] = start + value if isinstance(value, int) else value
    proved, leeway = Proved(payload), timedelta(seconds=5)

    def told(claims: Callable[[datetime], Claims], now: datetime) -> Claims | str:
        try:
            return claims(now)
        except InvalidToken as invalid:
            return str(invalid)

    for second in seconds:
        now = NOW + timedelta(seconds=second)
        assert told(lambda at: proved.claims(at, leeway), now) == told(lambda at: claims_of(payload, at, leeway), now)


async def test_unknown_keys_ask_the_provider_at_most_every_ten_seconds(
    provider: Provider, verifier: JwksVerifier, clock: Hands
) -> None:
    await verifier.verify(signed(RSA_KEY, "RS256", "one"))
    for second in range(30):
        clock.move(seconds=1)
        await refusal(verifier, signed(NEW_RSA_KEY, "RS256", f"guess {second}"))
    assert provider.asked == 1 + 3


async def test_all_who_wait_share_one_refresh(provider: Provider, verifier: JwksVerifier) -> None:
    provider.open.clear()
    waiting = [asyncio.create_task(verifier.verify(signed(RSA_KEY, "RS256", "one"))) for _ in range(50)]
    await until(lambda: provider.asked == 1)
    await asyncio.sleep(0.05)
    provider.open.set()
    assert {claims.subject for claims in await asyncio.gather(*waiting)} == {"ada"}
    assert provider.asked == 1


async def test_one_who_gives_up_does_not_end_the_refresh_of_the_others(
    provider: Provider, verifier: JwksVerifier
) -> None:
    provider.open.clear()
    first = asyncio.create_task(verifier.verify(signed(RSA_KEY, "RS256", "one")))
    second = asyncio.create_task(verifier.verify(signed(RSA_KEY, "RS256", "one")))
    await until(lambda: provider.asked == 1)
    first.cancel()
    provider.open.set()
    assert (await second).subject == "ada"
    assert provider.asked == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_known_key_never_waits_for_a_slow_refresh(
    provider: Provider, verifier: JwksVerifier, clock: Hands
) -> None:
    token = signed(RSA_KEY, "RS256", "one")
    await verifier.verify(token)
    provider.open.clear()
    clock.move(minutes=11)
    stranger = asyncio.create_task(verifier.verify(signed(NEW_RSA_KEY, "RS256", "two", exp=NOW.timestamp() + 7200)))
    await until(lambda: provider.asked == 2)
    started = time.perf_counter()
    for _ in range(50):
        assert (await verifier.verify(token)).subject == "ada"
    assert time.perf_counter() - started < 1
    assert not stranger.done()
    provider.keys = [jwk(RSA_KEY, "one"), jwk(NEW_RSA_KEY, "two")]
    provider.open.set()
    assert (await stranger).subject == "ada"
    assert provider.asked == 2


async def test_keys_are_read_again_in_the_background_once_they_are_ten_minutes_old(
    provider: Provider, verifier: JwksVerifier, clock: Hands
) -> None:
    token = signed(RSA_KEY, "RS256", "one")
    await verifier.verify(token)
    clock.move(minutes=10)
    await verifier.verify(token)
    await until(lambda: provider.asked == 2)
    clock.move(minutes=9)
    await verifier.verify(token)
    assert provider.asked == 2


# ---------------------------------------------------------------- a provider that fails


async def test_the_last_good_keys_serve_while_the_provider_is_away_and_it_is_asked_again(
    provider: Provider, verifier: JwksVerifier, clock: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    token = signed(RSA_KEY, "RS256", "one", exp=NOW.timestamp() + 86_400)
    await verifier.verify(token)
    await provider.stop()
    for _ in range(3):
        clock.move(minutes=60)
        assert (await verifier.verify(token)).subject == "ada"
    await until(lambda: "keys not read" in caplog.text)
    clock.move(seconds=11)
    with pytest.raises(KeysUnavailable, match="try again soon"):
        await verifier.verify(signed(NEW_RSA_KEY, "RS256", "two", exp=NOW.timestamp() + 86_400))
    provider.keys = [jwk(NEW_RSA_KEY, "two")]
    await provider.start()
    clock.move(seconds=11)
    await verifier.verify(signed(NEW_RSA_KEY, "RS256", "two", exp=NOW.timestamp() + 86_400))


async def test_a_provider_that_is_away_at_the_start_is_asked_again_a_second_later(
    provider: Provider, verifier: JwksVerifier, clock: Hands
) -> None:
    token = signed(RSA_KEY, "RS256", "one")
    await provider.stop()
    with pytest.raises(KeysUnavailable):
        await verifier.verify(token)
    with pytest.raises(KeysUnavailable):
        await verifier.load()
    await provider.start()
    with pytest.raises(KeysUnavailable):
        await verifier.verify(token)
    clock.move(seconds=1)
    assert (await verifier.verify(token)).subject == "ada"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, None),
        (302, None),
        (200, b""),
        (200, b"\xff"),
        (200, b"[]"),
        (200, b"5"),
        (200, b'{"keys": {}}'),
        (200, b'{"keys": []}'),
        (200, b"[" * 100_000),
        (200, json.dumps({"keys": [jwk(RSA_KEY, "one")], "padding": " " * 300_000}).encode()),
    ],
)
async def test_an_answer_without_keys_changes_nothing(
    status: int, body: bytes | None, provider: Provider, verifier: JwksVerifier, clock: Hands
) -> None:
    token = signed(RSA_KEY, "RS256", "one")
    assert await verifier.load() == 1
    provider.status, provider.body = status, body
    with pytest.raises(KeysUnavailable):
        await verifier.load()
    clock.move(minutes=11)
    assert (await verifier.verify(token)).subject == "ada"


async def test_a_provider_that_never_answers_is_given_up(
    provider: Provider, verifier: JwksVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.key_sets.JwksKeys.PATIENCE", 0.05)
    provider.open.clear()
    with pytest.raises(KeysUnavailable):
        await verifier.verify(signed(RSA_KEY, "RS256", "one"))


async def test_a_provider_that_drips_is_given_up(
    provider: Provider, verifier: JwksVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.key_sets.JwksKeys.PATIENCE", 0.1)
    provider.pause_between_bytes = 0.01
    with pytest.raises(KeysUnavailable):
        await verifier.verify(signed(RSA_KEY, "RS256", "one"))


async def test_closing_ends_a_refresh_that_is_under_way(provider: Provider, clock: Hands) -> None:
    verifier = JwksVerifier(provider.url, ISSUER, AUDIENCE, clock=clock, monotonic=clock.monotonic)
    provider.open.clear()
    waiting = asyncio.create_task(verifier.verify(signed(RSA_KEY, "RS256", "one")))
    await until(lambda: provider.asked == 1)
    await verifier.aclose()
    with pytest.raises(InvalidToken):
        await waiting
