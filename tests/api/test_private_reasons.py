"""Private is a place: a reason given in confidence reaches its author and support, and is in no byte anywhere else."""

import contextlib
import io
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from tests.contract import MUTATIONS, SUBSCRIPTIONS, an_input, mutation, root
from tests.database import dump
from tests.listening import assert_silent, note_answers, the_broadcast, the_log
from tests.service import Service, Watching, a_service

SECRETS = {"farid": ("HUSHREFUND", "MARKOFFARID"), "ada": ("HUSHCANCEL", "MARKOFADA")}
"""What only its author and support may ever see: the codes of the author's own drop-down, and the mark in all notes."""
ALL_SECRETS = [secret for secrets in SECRETS.values() for secret in secrets]
POLICY = """
[reasons]
refund = [
  { code = "HUSHREFUND", label = "HUSHREFUND in words" },
  { code = "OTHER", label = "HUSHREFUND, else", requires_text = true },
]
cancellation_by_client = [
  { code = "HUSHCANCEL", label = "HUSHCANCEL in words" },
  { code = "OTHER", label = "HUSHCANCEL, else", requires_text = true },
]
"""
PEOPLE = ("ada", "farid", "sol", "bela", "gita", "bazaar")
MONEY = {"amount": "20.00", "currencyCode": "USD"}


@dataclass
class House:
    """A server that logs all it has, with an ear at everything that leaves it."""

    service: Service
    log: io.StringIO
    carried: list[str]
    answers: dict[str | None, list[bytes]]
    frames: dict[str, list[str]] = field(default_factory=dict)
    orders: int = 0

    async def an_order(self) -> str:
        self.orders += 1
        return await self.service.started(f"R-{self.orders}")

    def heard(self, subject: str | None) -> str:
        """Every byte that somebody got."""
        return "\n".join([*(a.decode() for a in self.answers.get(subject, [])), *self.frames.get(str(subject), [])])

    def forget(self) -> None:
        self.answers.clear()
        self.frames.clear()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("private")
    policy = folder / "policy.toml"
    policy.write_text(POLICY, "utf-8")
    with the_log() as log, the_broadcast() as carried:
        async with a_service(folder, RESOLUTION_POLICY_FILE=str(policy)) as service:
            yield House(service, log, carried, note_answers(service.http))


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "é"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_secret_is_found_in_base64_wherever_it_begins(before: str, encode: Callable[[bytes], bytes]) -> None:
    text = encode(f"{before}MARKOFADA and more".encode()).decode()
    with pytest.raises(AssertionError, match="it holds MARKOFADA"):
        assert_silent(text, "it", ALL_SECRETS)


# ---------------------------------------------------------------- one story, with everybody watching


@dataclass(frozen=True)
class Story:
    """What the author writes in confidence, what was wrong with the tries before, and what becomes of the request."""

    author: str
    code: str
    note: str | None
    wrong: tuple[dict[str, Any], ...] = ()
    fate: str = "nothing"
    by_socket: bool = False

    @property
    def other(self) -> str:
        return "ada" if self.author == "farid" else "farid"

    @property
    def name(self) -> str:
        return "offerPartialRefund" if self.author == "farid" else "askFreelancerToCancel"

    def input(self, order_id: str) -> dict[str, Any]:
        """Of the author's mutation."""
        money = {"amount": MONEY} if self.author == "farid" else {}
        private = {"confidentialReason": self.code, "confidentialNote": self.note}
        return an_input(self.name, orderId=order_id, **private, **money)


def wrong_inputs(code: str, mark: str) -> list[dict[str, Any]]:
    """What is refused, each with something private in it."""
    return [
        {"confidentialReason": f"{mark}-UNKNOWN"},
        {"confidentialReason": mark * 100},
        {"confidentialNote": mark * 500},
        {"confidentialNote": f"{mark}\u0007"},
        {"confidentialNote": f"{mark}\ud800"},
        {"confidentialReason": "OTHER", "confidentialNote": None},
        {"confidentialReason": code, "explanation": "", "feedback": "", "confidentialNote": mark},
        {"confidentialNote": {mark: mark}},
        {"confidentialNote": [mark]},
        {"idempotencyKey": "", "confidentialNote": mark},
        {"orderId": "nothing", "confidentialNote": mark},
        {"orderId": None, "confidentialNote": mark},
        {mark: mark},
    ]


@st.composite
def stories(draw: st.DrawFn, author: str) -> Story:
    code, mark = SECRETS[author]
    words = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
    noted = draw(st.booleans())
    return Story(
        author,
        draw(st.sampled_from(["OTHER", code])) if noted else code,
        draw(st.builds("{}{}{}".format, words, st.just(mark), words)).strip() if noted else None,
        tuple(draw(st.lists(st.sampled_from(wrong_inputs(code, mark)), min_size=3, max_size=6))),
        draw(st.sampled_from(["accept", "decline", "withdraw", "silence", "support"])),
        draw(st.booleans()),
    )


# An example takes seconds: what fails is told as it is, not made smaller.
@pytest.mark.asyncio(loop_scope="module")
@settings(max_examples=3, phases=[Phase.generate])
@given(data=st.data())
@pytest.mark.parametrize("author", sorted(SECRETS))
async def test_a_private_reason_is_in_no_byte_that_anybody_else_gets(
    house: House, author: str, data: st.DataObject
) -> None:
    house.forget()
    story = data.draw(stories(author))
    service, order_id = house.service, await house.an_order()
    cursor = (await service.ask("sol", "{ eventCursor }"))["eventCursor"]
    async with everybody_watching(house, order_id, cursor) as streams:
        request_id = await tell(service, story, order_id)
        await meet(service, story, order_id, request_id)
        await everybody_tries_everything(service, order_id, request_id)
        await all_has_arrived(service, order_id, streams)
    await everybody_looks_at_everything(service, order_id, request_id)

    told = [SECRETS[story.author][0], story.note or ""]
    for knows in (story.author, "sol"):
        # Who may know it does, by HTTP and by stream, or this test could not fail.
        for heard in (b"\n".join(house.answers[knows]).decode(), "\n".join(house.frames[knows])):
            assert all(json.dumps(text, ensure_ascii=False)[1:-1] in heard for text in told), knows
    for subject in ("ada", "farid", "bela", "gita", "bazaar", None):
        foreign = [secret for author, secrets in SECRETS.items() if author != subject for secret in secrets]
        assert house.heard(subject)
        assert_silent(house.heard(subject), f"what {subject} got", foreign)
    await assert_kept_in_its_place(house)


async def tell(service: Service, story: Story, order_id: str) -> str:
    """What is wrong is tried first, by HTTP and by socket; then the author confides, and the request is there."""
    right, document = story.input(order_id), mutation(story.name)
    async with service.socket(story.author) as socket:
        for wrong in story.wrong:
            answer = await service.post(story.author, document, input=right | wrong)
            assert "errors" in answer or answer["data"][story.name]["userErrors"], f"{wrong} was taken"
            await socket.next_of((await socket.subscribe(document, input=right | wrong)).id)
        cut_off = f'mutation {{ {story.name}(input: {{ confidentialNote: "{SECRETS[story.author][1]}'
        assert await service.error(story.author, cut_off) == "GRAPHQL_PARSE_FAILED"
        assert await (await socket.subscribe(cut_off)).error() == "GRAPHQL_PARSE_FAILED"
        if story.by_socket:
            [data] = await (await socket.subscribe(document, input=right)).take(1)
        else:
            data = await service.ask(story.author, document, input=right)
    assert data[story.name]["userErrors"] == []
    return str(data[story.name]["request"]["id"])


async def meet(service: Service, story: Story, order_id: str, request_id: str) -> None:
    """What becomes of the request."""
    match story.fate:
        case "accept":
            await service.do(story.other, "acceptRequest", requestId=request_id)
        case "decline":
            await service.do(story.other, "declineRequest", requestId=request_id, message="No, sorry.")
        case "withdraw":
            await service.do(story.author, "withdrawRequest", requestId=request_id)
        case "silence":
            service.clock.later(timedelta(hours=49))
        case "support":
            case = await service.do(story.other, "contactSupport", orderId=order_id, message="Help.")
            decision = an_input("decideSupportCase", caseId=case["id"], decision="CANCEL_ORDER")
            await service.do("sol", "decideSupportCase", **decision)


@contextlib.asynccontextmanager
async def everybody_watching(house: House, order_id: str, cursor: str) -> AsyncIterator[list[tuple[str, Watching]]]:
    """A socket for each of the people, with every subscription of the contract on it. Gives the streams of events of
    those who see the order, each with the name of its field."""
    values = {"orderId": ("ID!", order_id), "after": ("String", cursor)}
    streams = []
    async with contextlib.AsyncExitStack() as stack:
        for subject in PEOPLE:
            socket = await stack.enter_async_context(house.service.socket(subject))
            house.frames[subject] = socket.frames
            for name, described in SUBSCRIPTIONS.items():
                head = ", ".join(f"${argument}: {values[argument][0]}" for argument in described.args)
                arguments = {argument: f"${argument}" for argument in described.args}
                kind = f"subscription({head})" if head else "subscription"
                given = {argument: values[argument][1] for argument in described.args}
                watching = await socket.subscribe(root(name, kind=kind, depth=2, **arguments), **given)
                if given and subject not in ("bela", "gita"):
                    streams.append((name, watching))
            # A subscription says nothing of its own; an answer on the same socket shows that it stands.
            await (await socket.subscribe("{ viewerScopes }")).take(1)
        yield streams


async def all_has_arrived(service: Service, order_id: str, streams: list[tuple[str, Watching]]) -> None:
    """Waits until no refund is under way any more, and every stream has told the order's last event."""
    await service.all_paid()
    order = (await service.ask("sol", "query($id: ID!) { order(id: $id) { version } }", id=order_id))["order"]
    for name, watching in streams:
        async for data in watching:
            if data[name]["order"]["id"] == order_id and data[name]["sequence"] >= order["version"]:
                break


async def everybody_tries_everything(service: Service, order_id: str, request_id: str) -> None:
    """Every mutation by one of each kind, with everything in the answer. Some are even done."""
    for subject in ("ada", "farid", "gita", "bazaar", None):
        for name in MUTATIONS:
            ids = {"orderId": order_id, "requestId": request_id, "caseId": request_id}
            given = an_input(name, **{field: id_ for field, id_ in ids.items() if field in MUTATIONS[name].fields})
            await service.post(subject, mutation(name), input=given)


async def everybody_looks_at_everything(service: Service, order_id: str, request_id: str) -> None:
    """Every query that leads there, by everybody; and whatever else is served."""
    by_id = {
        root("order", kind="query($id: ID!)", id="$id"): order_id,
        root("node", kind="query($id: ID!)", on="ResolutionRequest", id="$id"): request_id,
        root("nodes", kind="query($id: ID!)", on="Order", depth=3, ids="[$id]"): order_id,
    }
    lists = [
        root(name, depth=3) for name in ("orders", "resolutionRequests", "supportCases", "viewerEvents", "dashboard")
    ]
    for subject in (*PEOPLE, None):
        for document, id_ in by_id.items():
            await service.post(subject, document, id=id_)
        for document in lists:
            await service.post(subject, document)
    served = [route.path for route in service.app.routes if isinstance(route, Route) and "{" not in route.path]
    assert {"/health/ready", "/metrics"} <= set(served)
    for path in served:
        await service.http.get(path)


async def assert_kept_in_its_place(house: House) -> None:
    """The confidence's own table has it; no other table, no line of the log and no ring."""
    tables = await dump()
    place = json.dumps(tables.pop("confidences"), default=str)
    assert any(secret in place for secret in ALL_SECRETS)
    assert {"events", "requests", "idempotency_keys"} <= set(tables)
    for table, rows in tables.items():
        assert_silent(json.dumps(rows, default=str), f"the table {table}", ALL_SECRETS)
    assert house.log.getvalue()
    assert_silent(house.log.getvalue(), "the log", ALL_SECRETS)
    assert house.carried
    for message in house.carried:
        assert re.fullmatch(r"resolution-center (ring|probe):[0-9a-f-]{36}", message)
