"""Private is a place: a reason given in confidence reaches its author and support, and is in no byte anywhere else."""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from models import ConfidenceRow, EventRow, saving
from tests.contract import MUTATIONS, an_input, everything, mutation
from tests.listening import note_answers, the_broadcast, the_log
from tests.service import Service, Watching, a_service

MARK = "SECRET-MARK"
REFUND, CANCEL = "HUSH-REFUND", "HUSH-CANCEL"
"""Codes that stand in the drop-down of their own side, and nowhere on the other."""
NOTE = "confidentialNote"
POLICY = f"""
[reasons]
refund = [
  {{ code = "{REFUND}", label = "{REFUND} label", requires_text = true }},
  {{ code = "PLAIN", label = "Plain" }},
]
cancellation_by_client = [{{ code = "{CANCEL}", label = "{CANCEL} label", requires_text = true }}]
"""
EVENTS = """subscription { viewerEvents { kind sequence request { id confidentialNote confidentialReason { code label }
    ... on PartialRefundOffer { explanation } ... on CancellationRequest { message reason { code } } } } }"""

REQUEST = f"{{ {everything('ResolutionRequest', 1)} }}"
EVENT = f"{{ sequence kind message request {REQUEST} }}"
DOCUMENTS = [
    f"""query($order: ID!) {{ order(id: $order) {{ {everything("Order", 0)} supportCase {{ message }}
        events {{ nodes {EVENT} }} resolutionCenter {{ pendingRequests {REQUEST} requests {{ nodes {REQUEST} }}
        actions {{ {everything("ActionAvailability", 1)} request {REQUEST} }} }} }} }}""",
    f"query($request: ID!) {{ node(id: $request) {{ ... on ResolutionRequest {REQUEST} }} }}",
    f"query($request: ID!) {{ nodes(ids: [$request]) {{ ... on ResolutionRequest {REQUEST} }} }}",
    f"{{ resolutionRequests {{ nodes {REQUEST} }} }}",
    f"{{ viewerEvents {{ nodes {EVENT} }} }}",
    "{ orders { nodes { title resolutionCenter { pendingRequests { confidentialNote } } } } dashboard { awaitingMe } }",
]

notes = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='\\"'), max_size=20).map(
    lambda text: f"{text}{MARK}{text}".strip()
)
refused = st.sampled_from(
    [
        {"confidentialReason": f"{MARK}-UNKNOWN", NOTE: MARK},
        {"confidentialReason": "PLAIN", NOTE: MARK * 400},
        {"confidentialReason": "PLAIN", NOTE: f"{MARK}\u0007"},
        {"confidentialReason": REFUND, NOTE: None, "amount": {"amount": "60.01", "currencyCode": "USD"}},
    ]
)


# An example takes a second or more: what fails is told as it is, not made smaller.
@settings(max_examples=5, phases=[Phase.generate])
@given(st.sampled_from(["offer", "cancellation"]), notes, refused)
def test_no_byte_that_anybody_else_gets_holds_a_private_reason(kind: str, note: str, wrong: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_scenario(Path(folder), kind, note, wrong))


async def _scenario(folder: Path, kind: str, note: str, wrong: dict[str, Any]) -> None:
    policy = folder / "policy.toml"
    policy.write_text(POLICY, "utf-8")
    with the_log() as log, the_broadcast() as carried:
        async with a_service(folder, RESOLUTION_POLICY_FILE=str(policy), RESOLUTION_LOG_LEVEL="debug") as service:
            answers = note_answers(service.http)
            frames = await _play(service, kind, note, wrong)
            await _assert_kept_in_its_place(note)
    author, other = ("farid", "ada") if kind == "offer" else ("ada", "farid")
    # Who may know it does, or this test could not fail.
    for knows in (author, "sol"):
        assert any(_holds(answer, note) for answer in answers[knows]), knows
        assert any(note in frame for frame in map(_unescaped, frames[knows])), knows
    secrets = (MARK, REFUND if kind == "offer" else CANCEL)
    for stranger in (other, "bela", "gita", "bazaar", None):
        for secret in secrets:
            assert not any(secret.encode() in answer for answer in answers.get(stranger, [])), (stranger, secret)
            assert not any(secret in frame for frame in frames.get(str(stranger), [])), (stranger, secret)
    for secret in secrets:
        assert secret not in log.getvalue()
        assert not any(secret in message for message in carried)
    assert log.getvalue()
    assert carried


async def _play(service: Service, kind: str, note: str, wrong: dict[str, Any]) -> dict[str, list[str]]:
    """The secret is given, and tried to be given, while everybody watches; then everybody asks for everything."""
    order_id = await service.started()
    frames: dict[str, list[str]] = {}
    watched: list[Watching] = []
    people = ("ada", "farid", "sol", "bela", "gita", "bazaar")
    sockets = [service.socket(subject) for subject in people]
    opened = [await socket.__aenter__() for socket in sockets]
    try:
        for subject, socket in zip(people, opened, strict=True):
            frames[subject] = socket.frames
            watched.append(await socket.subscribe(EVENTS))
            await (await socket.subscribe("{ viewerScopes }")).take(1)
        money: dict[str, Any] = {"amount": {"amount": "20.00", "currencyCode": "USD"}}
        await service.tried("farid", "offerPartialRefund", orderId=order_id, **({"explanation": "E."} | money | wrong))
        if kind == "offer":
            private = {"confidentialReason": REFUND, NOTE: note}
            await service.do("farid", "offerPartialRefund", orderId=order_id, explanation="Sorry.", **money, **private)
        else:
            private = {"confidentialReason": CANCEL, NOTE: note}
            await service.do("ada", "askFreelancerToCancel", orderId=order_id, feedback="Late.", **private)
        for watching in watched[:3]:
            await watching.take(1)
        await _ask_for_everything(service, order_id)
    finally:
        for socket_context in sockets:
            await socket_context.__aexit__(None, None, None)
    return frames


async def _ask_for_everything(service: Service, order_id: str) -> None:
    page = await service.ask("sol", "{ resolutionRequests { nodes { id } } }")
    request_id = page["resolutionRequests"]["nodes"][0]["id"]
    for subject in ("ada", "farid", "sol", "bela", "gita", "bazaar", None):
        for document in DOCUMENTS:
            await service.post(subject, document, order=order_id, request=request_id)
    for subject in ("ada", "farid", "bela"):
        for name in MUTATIONS:
            wrong = an_input(name, orderId=order_id, requestId=request_id, message="", explanation="", feedback="")
            await service.post(subject, mutation(name, "userErrors { code message path }"), input=wrong)
    await service.http.get("/metrics")
    await service.http.get("/health/ready")


async def _assert_kept_in_its_place(note: str) -> None:
    for event in await EventRow.all():
        assert MARK not in json.dumps(event.changes)
        assert MARK not in (event.message or "")
    assert [row.note for row in await ConfidenceRow.all()] == [note.strip()]


def _holds(answer: bytes, note: str) -> bool:
    return note.strip() in _unescaped(answer.decode())


def _unescaped(text: str) -> str:
    """JSON's escapes of quotes and backslashes undone, roughly: enough to find the note again."""
    return text.replace('\\"', '"').replace("\\\\", "\\")


async def test_an_unexpected_error_tells_nobody_what_was_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object, **__: object) -> bool:
        raise RuntimeError(f"could not write {MARK}")

    with the_log() as log:
        async with a_service(tmp_path, RESOLUTION_LOG_LEVEL="debug") as service:
            order_id = await service.started()
            monkeypatch.setattr(saving, "save", failing)
            answer = await service.post(
                "farid",
                mutation("offerPartialRefund"),
                input=an_input(
                    "offerPartialRefund", orderId=order_id, confidentialReason="OTHER", confidentialNote=MARK
                ),
            )
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert error["extensions"]["id"] in log.getvalue()
    assert MARK not in json.dumps(answer)
    assert MARK not in log.getvalue()
