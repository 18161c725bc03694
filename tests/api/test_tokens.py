"""Tokens at the door: what is no good gives no right over HTTP, and closes a socket with 4403; keys come and go while
the server runs."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.key_sets import JwksKeys
from tests.database import HandClock
from tests.frames import INIT, RawSocket, raw_socket, subscribe, text
from tests.listening import the_log
from tests.provider import NEW_RSA_KEY, RSA_KEY, PrivateKey, Provider, a_provider, jwk
from tests.service import Service, a_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

ISSUER, AUDIENCE = "https://id.example", "resolution-center"
WHO = "{ viewer { subject } }"
CLOCK = HandClock(datetime.now(UTC).replace(microsecond=0))
NOBODY: dict[str, Any] = {"viewer": None}


@asynccontextmanager
async def a_service_of(folder: Path, provider: Provider) -> AsyncIterator[Service]:
    async with a_service(
        folder,
        clock=CLOCK,
        RESOLUTION_JWT_SECRET="",
        RESOLUTION_JWKS_URL=provider.url,
        RESOLUTION_JWT_ISSUER=ISSUER,
        RESOLUTION_JWT_AUDIENCE=AUDIENCE,
    ) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with a_provider() as provider:
        yield provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> AsyncIterator[Service]:
    async with a_service_of(tmp_path_factory.mktemp("tokens"), provider) as service:
        yield service


def signed(key: PrivateKey = RSA_KEY, kid: str = "one", **claims: object) -> str:
    """A token of Ada's that is good, but for what is said."""
    now = CLOCK.now.timestamp()
    usual = {"sub": "ada", "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 3_600}
    payload = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(payload, key, algorithm="RS256", headers={"kid": kid})


def forged(header: dict[str, str], signature: bytes = b"") -> str:
    """A token that no library would make."""
    claims = jwt.decode(signed(), options={"verify_signature": False})
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed_with_the_public_key() -> str:
    """HS256 with what everybody can read: whoever lets the token choose takes it."""
    import hmac

    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = forged({"alg": "HS256", "kid": "one"}).rpartition(".")[0]
    digest = hmac.digest(public, head.encode(), "sha256")
    return f"{head}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


NO_GOOD: dict[str, Callable[[], str]] = {
    "alg none": lambda: forged({"alg": "none", "kid": "one"}),
    "alg None": lambda: forged({"alg": "None", "kid": "one"}, b"x"),
    "signed with the public key": signed_with_the_public_key,
    "no signature": lambda: signed().rpartition(".")[0] + ".",
    "another's claims": lambda: signed().rpartition(".")[0] + "." + signed(sub="sol").rpartition(".")[2],
    "wrong audience": lambda: signed(aud="another"),
    "no audience": lambda: signed(aud=None),
    "wrong issuer": lambda: signed(iss="https://evil.example"),
    "no issuer": lambda: signed(iss=None),
    "expired": lambda: signed(exp=CLOCK.now.timestamp() - 60),
    "never expires": lambda: signed(exp=None),
    "not yet valid": lambda: signed(nbf=CLOCK.now.timestamp() + 3_600),
    "from the future": lambda: signed(iat=CLOCK.now.timestamp() + 3_600),
    "no subject": lambda: signed(sub=None),
    "a subject that is none": lambda: signed(sub="ada\x00"),
    "unknown key": lambda: signed(NEW_RSA_KEY, kid="unknown"),
    "a stranger's key by a known name": lambda: signed(NEW_RSA_KEY),
    "huge": lambda: signed(name="a" * 9_000),
    "no token at all": lambda: "ada",
    "a key that the token brings": lambda: jwt.encode(
        jwt.decode(signed(), options={"verify_signature": False}),
        NEW_RSA_KEY,
        "RS256",
        headers={"jwk": jwk(NEW_RSA_KEY, "own"), "jku": "https://evil.example/keys"},
    ),
}


async def over_http(service: Service, token: str) -> Any:
    query = f"{{ {WHO[1:-1]} orders {{ totalCount }} }}"
    headers = {"authorization": f"Bearer {token}"}
    return (await service.http.post("/graphql", json={"query": query}, headers=headers)).json()


async def over_websocket(service: Service, token: str) -> tuple[int, str] | str:
    """Who it is, or with what the socket is closed."""
    async with raw_socket(service.url) as socket:
        await socket.send(text(INIT | {"payload": {"authorization": token}}))
        opcode, data = await socket.frame()
        if opcode != 1:
            return int.from_bytes(data[:2], "big"), data[2:].decode()
        assert json.loads(data) == {"type": "connection_ack"}
        await socket.send(text(subscribe(WHO)))
        message: Any = await socket.message()
        return str(message["payload"]["data"]["viewer"]["subject"])


async def test_a_good_token_is_taken_at_both_doors(service: Service) -> None:
    assert (await over_http(service, signed()))["data"]["viewer"] == {"subject": "ada"}
    assert await over_websocket(service, signed()) == "ada"
    assert await over_websocket(service, f"bearer {signed()}") == "ada"


@pytest.mark.parametrize("what", NO_GOOD)
async def test_a_token_that_is_no_good_gives_nothing_at_either_door(service: Service, what: str) -> None:
    token = NO_GOOD[what]()
    with the_log() as log:
        answer = await over_http(service, token)
        closed = await over_websocket(service, token)
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert (answer["data"] or NOBODY)["viewer"] is None
    assert closed == (4403, error["message"][:123]), "the same sentence says why"
    assert token not in log.getvalue() + json.dumps(answer)
    assert "exception" not in log.getvalue()


@pytest.mark.parametrize("value", [1, True, [], {"token": 1}, "two words here"])
async def test_what_can_be_no_token_closes_a_socket(service: Service, value: object) -> None:
    async with raw_socket(service.url) as socket:
        await socket.send(text(INIT | {"payload": {"Authorization": value}}))
        assert (await socket.close())[0] == 4403


async def test_a_token_in_a_url_gives_nothing_and_is_not_logged(service: Service) -> None:
    token = signed()
    with the_log() as log:
        for name in ("token", "access_token", "authorization", "Authorization", "jwt"):
            answer = await service.http.get("/graphql", params={"query": WHO, name: token})
            assert answer.json()["data"] == NOBODY
        cookies = {"cookie": f"token={token}; authorization=Bearer {token}"}
        answer = await service.http.post("/graphql", json={"query": WHO}, headers=cookies)
        assert answer.json()["data"] == NOBODY
        async with service.silent_socket(f"?token={token}&authorization={token}") as socket:
            await socket.send(INIT)
            await socket.receive()
            assert await (await socket.subscribe(WHO)).take(1) == [NOBODY]
    assert token not in log.getvalue()


# ---------------------------------------------------------------- keys come and go


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are read again whenever a token comes, so that a test need not wait ten minutes."""
    monkeypatch.setattr(JwksKeys, "FRESH_FOR", 0.0)
    monkeypatch.setattr(JwksKeys, "PAUSE", 0.0)


async def _soon(service: Service, token: str, expected: object) -> None:
    """Keys are read in the background: until what the door says has changed, HTTP and WebSocket alike."""
    async with asyncio.timeout(20):
        while ((await over_http(service, token))["data"] or NOBODY)["viewer"] != expected:  # noqa: ASYNC110 - asked
            await asyncio.sleep(0.02)
    found = await over_websocket(service, token)
    assert (found == "ada") if expected else (isinstance(found, tuple) and found[0] == 4403)


async def test_keys_are_rotated_while_the_server_runs(quick: None, service: Service, provider: Provider) -> None:
    before = list(provider.keys)
    old, new = signed(), signed(NEW_RSA_KEY, kid="two")
    try:
        async with raw_socket(service.url) as open_already:
            await open_already.acknowledged(old)
            provider.keys = [*before, jwk(NEW_RSA_KEY, "two")]
            await _soon(service, new, {"subject": "ada"})
            await _soon(service, old, {"subject": "ada"})
            provider.keys = [jwk(NEW_RSA_KEY, "two")]
            await _soon(service, old, None)
            await _soon(service, new, {"subject": "ada"})
            # What was good when the socket was opened is good until it expires.
            await _still_there(open_already)
    finally:
        provider.keys = before
        await _soon(service, old, {"subject": "ada"})


async def _still_there(socket: RawSocket) -> None:
    await socket.send(text({"type": "ping"}))
    assert await socket.message() == {"type": "pong"}


@pytest.mark.parametrize(
    ("status", "body"), [(500, None), (200, b"<html>"), (200, b"{}"), (200, b'{"keys": []}'), (200, b"[" * 100_000)]
)
async def test_while_the_provider_gives_rubbish_the_last_good_keys_serve_and_unknown_ones_are_refused(
    quick: None, service: Service, provider: Provider, status: int, body: bytes | None
) -> None:
    await _soon(service, signed(), {"subject": "ada"})
    asked = provider.asked
    provider.status, provider.body = status, body
    try:
        for _ in range(3):
            await _soon(service, signed(), {"subject": "ada"})
        refused = await over_websocket(service, signed(NEW_RSA_KEY, kid="two"))
        assert isinstance(refused, tuple)
        assert refused == (4403, "The keys that tokens are checked with can't be read at the moment; try again soon.")
        assert provider.asked > asked
    finally:
        provider.status, provider.body = 200, None
        await _soon(service, signed(), {"subject": "ada"})


async def test_while_the_provider_is_away_the_last_good_keys_serve(
    quick: None, service: Service, provider: Provider
) -> None:
    await _soon(service, signed(), {"subject": "ada"})
    await provider.stop()
    try:
        for _ in range(3):
            await _soon(service, signed(), {"subject": "ada"})
    finally:
        await provider.start()
    await _soon(service, signed(), {"subject": "ada"})


# ---------------------------------------------------------------- a right that a renewed token lacks

EVENTS = "subscription { viewerEvents { order { reference } } }"


async def test_a_stream_of_support_ends_with_its_token_and_the_renewed_one_sees_what_it_may(service: Service) -> None:
    async def place(reference: str) -> None:
        order: dict[str, Any] = {"title": "A logo", "clientSubject": "ada", "freelancerSubject": "farid"}
        order |= {"reference": reference, "deliveryDays": 3, "price": {"amount": "10.00", "currencyCode": "USD"}}
        document = "mutation($input: PlaceOrderInput!) { placeOrder(input: $input) { userErrors { code } } }"
        headers = {"authorization": f"Bearer {signed(sub='bazaar', scope='marketplace')}"}
        body = {"query": document, "variables": {"input": order}}
        answer = (await service.http.post("/graphql", json=body, headers=headers)).json()
        assert answer["data"]["placeOrder"]["userErrors"] == []

    ends = CLOCK.now.timestamp() + 3
    async with raw_socket(service.url) as support, raw_socket(service.url) as renewed:
        await support.acknowledged(signed(sub="sol", scope="support", exp=ends))
        await renewed.acknowledged(signed(sub="sol"))
        for socket in (support, renewed):
            await socket.send(text(subscribe(EVENTS)) + text({"type": "ping"}))
            assert await socket.message() == {"type": "pong"}
        await place("SEEN")
        seen: Any = await support.message()
        assert seen["payload"]["data"]["viewerEvents"]["order"]["reference"] == "SEEN"
        assert await support.close() == (4403, "The token has expired")
        await _still_there(renewed)
