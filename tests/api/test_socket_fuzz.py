"""Whatever comes over a socket, by chance that is the same on every run: the server stays up, says nothing that it
should not, logs no stack, keeps its memory, and whoever behaves beside it notices nothing."""

import asyncio
import contextlib
import json
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.auth import mint
from tests.command_line import WAIT, ended, prepared, start
from tests.frames import CLOSE, CONTINUATION, INIT, PING, PONG, TEXT, RawSocket, connected, frame, handshake, raw_socket
from tests.frames import subscribe as a_subscription
from tests.frames import text as in_a_frame

ROUNDS, AT_ONCE = 240, 8
WARM_UP = 80
"""Rounds before memory is looked at: what the first ones bring in is kept once."""
GROWTH = 48 * 2**20
"""Bytes that the rounds after that may add. Each of them sends up to 256 KiB."""
SECRET = "a secret of the tests that is long enough"

QUIET = 0.3
"""Seconds that a server may say nothing to half a frame, until it is left alone with it."""

CLOSES = {1000, 1002, 1007, 1009, 4400, 4401, 4403, 4409, 4429}

DOCUMENTS = (
    "{ viewerScopes }",
    "subscription { viewerEvents { id kind } }",
    "subscription($id: ID!) { orderEvents(orderId: $id) { id } }",
    "subscription { dashboard { awaitingMe } }",
    "query($id: ID!) { node(id: $id) { __typename id } order(id: $id) { reference } }",
    "query($n: Int, $after: String) { orders(first: $n, after: $after) { totalCount nodes { id } } }",
    "mutation($input: SubmitRequirementsInput!) { submitRequirements(input: $input) { userErrors { code } } }",
    "mutation($input: OfferPartialRefundInput!) { offerPartialRefund(input: $input) { userErrors { code } } }",
    "query A { viewerScopes } query B { viewerScopes }",
    "{ a: viewer { name } ...F } fragment F on Query { ...F }",
    "{ orders(first: 1, filter: {search: $s}) { nodes { ... on Order { client { standing { completionRate } } } } } }",
    "{ __schema { types { name } } }",
    '{ node(id: "\\ud800") { id } }',
    "",
)


# ---------------------------------------------------------------- what is sent


def junk(chance: random.Random, depth: int = 0) -> Any:
    """Any value of JSON, and a few that are none."""
    leaves: list[Callable[[], Any]] = [
        lambda: None,
        lambda: chance.random() < 0.5,
        lambda: chance.choice([0, -1, 2**31, 2**63, 2**200, 1e308, 0.1, float("nan"), float("inf")]),
        lambda: chance.choice(["", "1", "a", "\ud800", "\x00", "ä€𝄞", "connection_init", "__proto__", "client-1"]),
        lambda: "x" * chance.choice([255, 256, 5_000, 60_000]),
        lambda: chance.choice(DOCUMENTS),
        lambda: nested(chance.choice([50, 300, 900, 2_000])),
    ]
    if depth > 2 or chance.random() < 0.6:
        return chance.choice(leaves)()
    if chance.random() < 0.5:
        return [junk(chance, depth + 1) for _ in range(chance.randrange(4))]
    names = ("id", "type", "payload", "query", "variables", "extensions", "input", "orderId", "a")
    return {chance.choice(names): junk(chance, depth + 1) for _ in range(chance.randrange(4))}


def nested(depth: int) -> str:
    """A text that stands for JSON too deep to be written by `json.dumps`."""
    return f"@nested:{depth}@"


def written(message: object) -> str:
    text = json.dumps(message)
    return re.sub(r'"@nested:(\d+)@"', lambda found: '{"a":' * int(found[1]) + "1" + "}" * int(found[1]), text)


def near_message(chance: random.Random) -> str:
    """A message of the protocol, most often with something in it that should not be."""
    variables: Any = {"id": junk(chance), "n": junk(chance), "input": junk(chance)}
    query = chance.choice(DOCUMENTS)
    operation = chance.choice(["1", "2", "3", "4"])
    message: Any = chance.choice(
        [
            INIT,
            {"type": "ping", "payload": junk(chance)},
            {"type": "pong", "payload": junk(chance)},
            {"type": "complete", "id": operation},
            *[a_subscription(query, operation, variables=chance.choice([variables, {}, None]))] * 6,
        ]
    )
    message = dict(message)
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        where: Any = message
        if isinstance(message.get("payload"), dict) and chance.random() < 0.6:
            where = message["payload"] = dict(message["payload"])
        where[chance.choice([*where, "id", "type", "payload", "extra"])] = junk(chance)
    text = written(message)
    if chance.random() < 0.1:
        cut = chance.randrange(len(text))
        text = text[:cut] + chance.choice(["", "{", '"', "\\", "\x00", "]"]) + text[cut + chance.randrange(3) :]
    return text


def in_fragments(chance: random.Random, text: str) -> bytes:
    """One message in some frames, with what may stand between them."""
    data = text.encode(errors="surrogatepass")
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice([0, 0, 1, 3, 40])))
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    frames = []
    for number, part in enumerate(parts):
        frames.append(frame(CONTINUATION if number else TEXT, part, fin=number == len(parts) - 1))
        if chance.random() < 0.2:
            frames.append(frame(chance.choice([PING, PONG]), chance.randbytes(chance.randrange(126))))
    return b"".join(frames)


def broken(chance: random.Random) -> bytes:
    """Frames that are none, or not quite."""
    kinds: list[Callable[[], bytes]] = [
        lambda: chance.randbytes(chance.choice([1, 2, 14, 500, 70_000])),
        lambda: frame(chance.randrange(16), chance.randbytes(200), reserved=chance.randrange(8)),
        lambda: frame(chance.randrange(16), b"{}", masked=False),
        lambda: frame(TEXT, b"{", size=chance.choice([125, 126, 65_535, 2**18, 2**18 + 1, 2**31, 2**62, 2**64 - 1])),
        lambda: frame(TEXT, chance.randbytes(chance.randrange(200))),
        lambda: frame(TEXT, b"a" * chance.choice([2**18, 2**18 + 1, 2**19])),
        lambda: frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * chance.choice([3, 2_000]),
        lambda: frame(CLOSE, chance.randbytes(chance.randrange(126))),
        lambda: frame(chance.choice([PING, PONG, CLOSE]), b"a", fin=False),
        lambda: frame(PING, b"a" * 125) * 500,
        lambda: flipped(chance, in_fragments(chance, near_message(chance))),
    ]
    return chance.choice(kinds)()


def flipped(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice([1, 3, 20])):
        changed[chance.randrange(min(len(changed), 200))] ^= 1 << chance.randrange(8)
    return bytes(changed)


# ---------------------------------------------------------------- what must come back


async def one_round(url: str, tokens: list[str], seed: int) -> None:
    chance = random.Random(seed)
    if chance.random() < 0.1:
        await a_broken_handshake(url, chance)
        return
    async with raw_socket(url) as socket:
        if chance.random() < 0.8:
            await socket.acknowledged(chance.choice(tokens))
        for _ in range(chance.choice([1, 3, 10])):
            await socket.send(in_fragments(chance, near_message(chance)))
        if chance.random() < 0.4:
            await socket.send(broken(chance))
            await left_alone(socket)
        else:
            await answered(socket, seed)


async def answered(socket: RawSocket, seed: int) -> None:
    """Every message was whole, so a ping comes back, or the socket was closed by a code that there is."""
    mark = f"seed {seed}"
    await socket.send(in_a_frame({"type": "ping", "payload": {"mark": mark}}))
    try:
        while True:
            opcode, data = await socket.frame()
            if checked(opcode, data).get("payload") == {"mark": mark}:
                return
            if opcode == CLOSE:
                return
    except asyncio.IncompleteReadError as cut:
        raise AssertionError("the server hung up without a word") from cut


async def left_alone(socket: RawSocket) -> None:
    """Half a frame waits for the other half, and a broken one ends the connection; both may be."""
    with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        while True:
            async with asyncio.timeout(QUIET):
                checked(*await socket.frame())


def checked(opcode: int, data: bytes) -> dict[str, Any]:
    """A frame of the server's that it may send."""
    if opcode == CLOSE:
        code = int.from_bytes(data[:2], "big")
        # Whoever closes with a code of their own gets that one back.
        assert not data or code in CLOSES or code >= 1_000, data
        data[2:].decode()
        return {}
    if opcode in (PING, PONG):
        return {}
    assert opcode == TEXT, opcode
    message: dict[str, Any] = json.loads(data)
    assert message["type"] in ("connection_ack", "next", "error", "complete", "ping", "pong"), message
    if message["type"] in ("next", "error"):
        payload = message["payload"]
        errors = payload if message["type"] == "error" else payload.get("errors", [])
        for error in errors:
            assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR", message
    return message


async def a_broken_handshake(url: str, chance: random.Random) -> None:
    more = chance.choice(["", "X: " + "a" * 9_000 + "\r\n", "Origin: null\r\n", "Sec-WebSocket-Extensions: ;;,\r\n"])
    head = flipped(chance, handshake(more=more)) if chance.random() < 0.7 else handshake(more=more)
    async with connected(url) as (reader, writer):
        writer.write(head)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(QUIET):
                answer = await reader.read(2**16)
                found = re.match(rb"HTTP/1\.1 ([1-4]\d\d) ", answer)
                assert found or not answer, (head, answer)


# ---------------------------------------------------------------- the server, and whoever behaves


@contextlib.contextmanager
def a_server(folder: Path) -> Iterator[tuple[str, int, Path]]:
    """A process of its own: its address, its id and its log."""
    prepared_log = folder / "server.log"
    with prepared_log.open("w") as log:
        process = start(
            folder, "serve", "--port", "0", stderr=log, RESOLUTION_JWT_SECRET=SECRET, RESOLUTION_LOG_FORMAT="json"
        )
        try:
            yield _address(process), process.pid, prepared_log
            assert process.poll() is None, "the server is up"
        finally:
            process.terminate()
            assert ended(process).code == 0


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://[\d.]+:\d+", line):
            return found[0]
    raise AssertionError("the server did not start")


def memory(pid: int) -> int:
    [kibibytes] = re.findall(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kibibytes) * 1024


class Neighbour:
    """Somebody who watches all the while, and is told of all that happens."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self.pings = 0

    async def watch(self, over: asyncio.Event) -> None:
        async with raw_socket(self._url) as socket:
            await socket.acknowledged(self._token)
            await socket.send(in_a_frame(a_subscription("subscription { viewerEvents { id } }")))
            while not over.is_set():
                await socket.send(in_a_frame({"type": "ping"}))
                while True:
                    opcode, data = await socket.frame()
                    if opcode == PING:
                        await socket.send(frame(PONG, data))
                    elif json.loads(data)["type"] == "pong":
                        break
                self.pings += 1
                await asyncio.sleep(0.05)


async def rounds(url: str, tokens: list[str], seeds: range) -> None:
    waiting = iter(seeds)

    async def work() -> None:
        for seed in waiting:
            try:
                await one_round(url, tokens, seed)
            except Exception as error:
                raise AssertionError(f"seed {seed}") from error

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())


def a_token(subject: str, *scopes: str) -> str:
    return mint(SECRET, subject, scopes=scopes, ttl=timedelta(hours=1), now=datetime.now(UTC))


@pytest.mark.slow
def test_whatever_comes_over_a_socket_hurts_nobody(tmp_path: Path) -> None:
    prepared(tmp_path, "seed")
    with a_server(tmp_path) as (url, pid, log):
        asyncio.run(_storm(url, pid))
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        assert line["level"] not in ("error", "critical"), line.get("exception", line)
        assert "exception" not in line, line["exception"]


async def _storm(url: str, pid: int) -> None:
    over, neighbour = asyncio.Event(), Neighbour(url, a_token("freelancer-1"))
    watching = asyncio.create_task(neighbour.watch(over))
    tokens = [a_token("client-1"), a_token("support-1", "support"), a_token("bazaar", "marketplace")]
    await rounds(url, tokens, range(WARM_UP))
    before, pings = memory(pid), neighbour.pings
    await rounds(url, tokens, range(WARM_UP, ROUNDS))
    over.set()
    async with asyncio.timeout(WAIT):
        await watching
    assert neighbour.pings > pings, "whoever behaves is answered all the while"
    grown = memory(pid) - before
    assert grown < GROWTH, f"{grown / 2**20:.0f} MiB more"
    async with httpx.AsyncClient(base_url=url, timeout=WAIT) as http:
        assert (await http.get("/health/ready")).json()["status"] == "ok"
        found = re.search(r"^resolution_open_streams (\d+)", (await http.get("/metrics")).text, re.MULTILINE)
        assert found, "the metrics are there"
