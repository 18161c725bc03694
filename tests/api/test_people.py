"""People end to end: who a token makes somebody, for how long, with which name and which rights."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from api.auth import mint
from api.key_sets import JwksKeys
from models import UserRow
from tests.provider import NEW_RSA_KEY, RSA_KEY, PrivateKey, a_provider, jwk
from tests.service import SECRET, Service, a_service
from tests.world import DAY, HOUR, SECOND

WHO = "{ viewer { subject name } viewerScopes }"
NOBODY: dict[str, Any] = {"viewer": None, "viewerScopes": []}


def somebody(subject: str, name: str, *scopes: str) -> dict[str, Any]:
    return {"viewer": {"subject": subject, "name": name}, "viewerScopes": list(scopes)}


def token(service: Service, subject: str, name: str | None = None, *scopes: str, ttl: timedelta = DAY) -> str:
    return mint(SECRET, subject, name=name, scopes=scopes, ttl=ttl, now=service.clock.now)


async def who(service: Service, given: str) -> Any:
    """Whom the server takes this token's owner for."""
    return await asked(service, headers={"authorization": f"Bearer {given}"})


async def asked(service: Service, query: str = WHO, **request: Any) -> Any:
    answer = await service.http.post("/graphql", json={"query": query}, **request)
    return answer.json()["data"]


# ---------------------------------------------------------------- who they are


async def test_a_person_is_made_when_first_seen_and_goes_by_the_subject_until_a_token_has_a_name(
    tmp_path: Path,
) -> None:
    async with a_service(tmp_path) as service:
        assert await who(service, token(service, "vera")) == somebody("vera", "vera")
        assert await who(service, token(service, "vera", "Vera V.")) == somebody("vera", "Vera V.")
        assert await who(service, token(service, "vera")) == somebody("vera", "Vera V.")
        await service.place(clientSubject="wim", freelancerSubject="vera")
        assert (await UserRow.get(subject="wim")).name == "wim"
        assert await who(service, token(service, "wim", "Wim")) == somebody("wim", "Wim")
        assert await UserRow.filter(subject__in=["vera", "wim"]).count() == 2


async def test_the_newest_token_s_name_is_shown_whichever_is_used(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.place()
        names = []
        for name in ("Ada", "Ada Byron", "Ada Lovelace", "Ada"):
            service.clock.later(SECOND)
            names.append(token(service, "ada", name))
        shown = "query($id: ID!) { order(id: $id) { client { name } } }"
        for given, name in zip(names, ("Ada", "Ada Byron", "Ada Lovelace", "Ada"), strict=True):
            assert await who(service, given) == somebody("ada", name)
            assert (await service.ask("farid", shown, id=order_id))["order"]["client"]["name"] == name
        # An old one that is still good does not bring the old name back.
        assert await who(service, names[1]) == somebody("ada", "Ada")
        assert await who(service, names[3]) == somebody("ada", "Ada")


async def test_many_first_requests_at_once_make_one_person(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        given = token(service, "xenia", "Xenia")

        async def by_socket() -> Any:
            async with service.socket(None, token=given) as socket:
                return (await (await socket.subscribe(WHO)).take(1))[0]

        found = await asyncio.gather(*(who(service, given) for _ in range(8)), *(by_socket() for _ in range(4)))
        assert found == [somebody("xenia", "Xenia")] * 12
        assert await UserRow.filter(subject="xenia").count() == 1


@pytest.mark.parametrize("subject", ["o'neil", "a b", "x" * 255, "ÄÖÜ-🙂", '"; DROP TABLE users; --', "auth0|5f7c8"])
async def test_a_subject_is_what_the_provider_says(tmp_path: Path, subject: str) -> None:
    async with a_service(tmp_path) as service:
        assert await who(service, token(service, subject, "Somebody")) == somebody(subject, "Somebody")
        assert await who(service, token(service, subject.upper() + "?"[: 255 - len(subject)])) is not None
        order_id = await service.place(clientSubject=subject)
        mine = await asked(
            service,
            "{ orders { nodes { id viewerRole } } }",
            headers={"authorization": f"Bearer {token(service, subject)}"},
        )
        assert mine["orders"]["nodes"] == [{"id": order_id, "viewerRole": "CLIENT"}]


@pytest.mark.parametrize(
    ("scopes", "shown"),
    [
        ([], []),
        (["support"], ["SUPPORT"]),
        (["marketplace"], ["MARKETPLACE"]),
        (["support", "marketplace"], ["MARKETPLACE", "SUPPORT"]),
    ],
)
async def test_scopes_are_what_the_token_says_now(tmp_path: Path, scopes: list[str], shown: list[str]) -> None:
    async with a_service(tmp_path) as service:
        order_id = await service.place()
        query = "query($id: ID!) { viewerScopes order(id: $id) { viewerRole } }"
        headers = {"authorization": f"Bearer {token(service, 'yara', 'Yara', *scopes)}"}
        body = {"query": query, "variables": {"id": order_id}}
        data = (await service.http.post("/graphql", json=body, headers=headers)).json()["data"]
        assert data["viewerScopes"] == shown
        assert data["order"] == ({"viewerRole": "SUPPORT"} if "support" in scopes else None)
        # The next token without them has none of it, though the person is known.
        headers = {"authorization": f"Bearer {token(service, 'yara', 'Yara')}"}
        data = (await service.http.post("/graphql", json=body, headers=headers)).json()["data"]
        assert data == {"viewerScopes": [], "order": None}


# ---------------------------------------------------------------- where the token stands


async def test_over_http_the_token_stands_in_the_header_after_the_word_bearer(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        given = service.token("ada")
        for header in (f"Bearer {given}", f"bearer {given}", f"BEARER  {given}"):
            assert await asked(service, headers={"authorization": header}) == somebody("ada", "Ada")
        for header in (
            given,
            f"Token {given}",
            f"Basic {given}",
            "Bearer",
            f"Bearer {given} {given}",
            f"Bearer{given}",
        ):
            assert await asked(service, headers={"authorization": header}) == NOBODY
        refused = await service.http.post(
            "/graphql", json={"query": "{ eventCursor }"}, headers={"authorization": given}
        )
        [error] = refused.json()["errors"]
        assert error["message"] == "The Authorization header must be the word Bearer, a space, and the token."
        assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_token_in_a_url_or_a_cookie_gives_no_rights(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        given = service.token("ada")
        names = ("authorization", "Authorization", "token", "access_token", "bearer")
        for name in names:
            assert await asked(service, params={name: given}) == NOBODY
            by_get = await service.http.get("/graphql", params={name: f"Bearer {given}", "query": WHO})
            assert by_get.json()["data"] == NOBODY
            assert await asked(service, headers={"cookie": f"{name}={given}"}) == NOBODY
            async with service.silent_socket(f"?{name}={given}") as socket:
                await socket.send({"type": "connection_init"})
                assert (await socket.receive())["type"] == "connection_ack"
                assert await (await socket.subscribe(WHO)).take(1) == [NOBODY]


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer  "])
async def test_over_websocket_it_comes_in_connection_init_with_or_without_bearer(
    tmp_path: Path, name: str, prefix: str
) -> None:
    async with a_service(tmp_path) as service, service.silent_socket() as socket:
        payload = {name: prefix + service.token("ada"), "other": {"any": ["thing"]}}
        await socket.send({"type": "connection_init", "payload": payload})
        assert (await socket.receive())["type"] == "connection_ack"
        assert await (await socket.subscribe(WHO)).take(1) == [somebody("ada", "Ada")]


async def test_a_token_that_is_not_valid_closes_the_socket_with_4403(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        expired = service.token("ada", ttl=SECOND)
        service.clock.later(HOUR)
        early = mint(SECRET, "ada", ttl=DAY, now=service.clock.now + HOUR)
        forged = mint("another secret that is long enough", "sol", scopes=["support"], ttl=DAY, now=service.clock.now)
        unsigned = jwt.encode({"sub": "sol", "scope": "support", "exp": 4_102_444_800}, "", algorithm="none")
        for given in ("garbage", expired, early, forged, unsigned, 5, ["a"], {"a": 1}, True, "two words", "x" * 10_000):
            async with service.silent_socket() as socket:
                await socket.send({"type": "connection_init", "payload": {"authorization": given}})
                assert await socket.close_code() == 4403, given
                assert socket.frames == []


# ---------------------------------------------------------------- for how long

LIVE = "subscription { viewerEvents { kind } }"


async def test_a_socket_is_closed_with_4403_when_its_token_expires_whether_or_not_anything_happens(
    tmp_path: Path,
) -> None:
    async with a_service(tmp_path) as service:
        # The service's clock stands still: the second of this token is one of the real clock.
        async with service.socket("ada", token=service.token("ada", ttl=SECOND)) as socket:
            await socket.subscribe(LIVE)
            assert await (await socket.subscribe(WHO)).take(1) == [somebody("ada", "Ada")]
            before = asyncio.get_running_loop().time()
            assert await socket.close_code() == 4403
            assert 0.5 < asyncio.get_running_loop().time() - before < 3
        assert len(socket.frames) == 3


async def test_nothing_is_told_after_the_token_s_end_even_before_the_socket_is_closed(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service, service.socket("ada", token=service.token("ada", ttl=HOUR)) as socket:
        watching = [await socket.subscribe(LIVE), await socket.subscribe("subscription { dashboard { awaitingMe } }")]
        await watching[1].take(1)
        await service.place()
        assert await watching[0].take(1) == [{"viewerEvents": {"kind": "ORDER_PLACED"}}]
        service.clock.later(HOUR)
        await service.place("R-2")
        for stream in watching:
            assert await stream.error() == "UNAUTHENTICATED"
        assert await (await socket.subscribe(WHO)).take(1) == [NOBODY]
        assert await (await socket.subscribe("{ eventCursor }")).error() == "UNAUTHENTICATED"
        assert await (await socket.subscribe(LIVE)).error() == "UNAUTHENTICATED"


async def test_clocks_may_lie_apart_by_the_leeway_for_a_request_and_not_for_a_stream(tmp_path: Path) -> None:
    async with a_service(tmp_path, RESOLUTION_JWT_LEEWAY_SECONDS="30") as service:
        given = service.token("ada", ttl=HOUR)
        service.clock.later(HOUR + timedelta(seconds=29))
        assert await who(service, given) == somebody("ada", "Ada")
        async with service.silent_socket() as socket:
            await socket.send({"type": "connection_init", "payload": {"authorization": given}})
            assert await socket.close_code() == 4403
        service.clock.later(SECOND)
        assert await who(service, given) == NOBODY


async def test_a_token_that_lives_for_ages_is_as_good_as_any(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        given = token(service, "ada", "Ada", ttl=7_000 * 365 * DAY)
        async with service.socket(None, token=given) as socket:
            assert await (await socket.subscribe(WHO)).take(1) == [somebody("ada", "Ada")]


# ---------------------------------------------------------------- an identity provider's keys


async def test_a_provider_s_tokens_are_taken_over_both_transports_and_its_keys_may_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JwksKeys, "PAUSE", 0.1)
    async with (
        a_provider() as provider,
        a_service(
            tmp_path,
            RESOLUTION_JWT_SECRET="",
            RESOLUTION_JWKS_URL=provider.url,
            RESOLUTION_JWT_ISSUER="https://id.example",
            RESOLUTION_JWT_AUDIENCE="resolution",
        ) as service,
    ):

        def signed(key: PrivateKey, kid: str, **changes: Any) -> str:
            payload = {
                "sub": "sol",
                "name": "Sol",
                "scope": "openid support",
                "iss": "https://id.example",
                "aud": ["other", "resolution"],
                "exp": int((service.clock.now + HOUR).timestamp()),
            }
            return jwt.encode(payload | changes, key, algorithm="RS256", headers={"kid": kid})

        sol = somebody("sol", "Sol", "SUPPORT")
        old = signed(RSA_KEY, "one")
        assert await who(service, old) == sol
        async with service.socket(None, token=old) as socket:
            assert await (await socket.subscribe(WHO)).take(1) == [sol]
        assert provider.asked == 1
        for wrong in (
            service.token("sol"),
            signed(NEW_RSA_KEY, "one"),
            signed(RSA_KEY, "one", aud="other"),
            signed(RSA_KEY, "one", iss="https://evil.example"),
        ):
            assert await who(service, wrong) == NOBODY
        # What is known is good while the provider is away, and its new keys are found when it is back.
        await provider.stop()
        assert await who(service, old) == sol
        provider.keys = [jwk(NEW_RSA_KEY, "two")]
        await provider.start()
        await asyncio.sleep(JwksKeys.PAUSE)
        assert await who(service, signed(NEW_RSA_KEY, "two")) == sol
        assert await who(service, old) == NOBODY
