"""The proxy of deploy/nginx.conf, run by a real nginx in front of two real servers on one database."""

import asyncio
import contextlib
import json
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from api.auth import mint
from tests.command_line import ROOT, an_empty_one, program, serving
from tests.servers import free_port
from tests.service import SECRET

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(NGINX).exists(), reason="needs nginx (make services installs it where apt-get can)"),
]
PATIENCE = 30.0
PLACE = """mutation {
  placeOrder(input: {reference: "P-1", title: "A logo", clientSubject: "ada", freelancerSubject: "farid"
    deliveryDays: 3, price: {amount: "100.00", currencyCode: "USD"}}) { order { id } userErrors { message } }
}"""
EVENTS = "subscription($id: ID!, $after: String) { orderEvents(orderId: $id, after: $after) { cursor sequence } }"


def conf(folder: Path, port: int, servers: list[int]) -> Path:
    """The file as it is, but for the addresses, and where nginx may write."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    text = re.sub(r"listen \d+;", f"listen 127.0.0.1:{port};", text)
    for number, server in enumerate(servers, 1):
        text = text.replace(f"server-{number}:8000", f"127.0.0.1:{server}")
    places = "".join(
        f"  {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = text.replace("http {\n", f"http {{\n  access_log off;\n{places}", 1)
    path = folder / "nginx.conf"
    path.write_text(f"daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n{text}")
    return path


@contextlib.asynccontextmanager
async def proxied(folder: Path) -> AsyncIterator[tuple[str, dict[int, subprocess.Popen[str]]]]:
    """The proxy's address, and the two servers behind it by their ports."""
    environ = {
        "RESOLUTION_ENVIRONMENT": "production",
        "RESOLUTION_JWT_SECRET": SECRET,
        "RESOLUTION_TAIL_POLL_SECONDS": "0.2",
        "RESOLUTION_FORWARDED_ALLOW_IPS": "127.0.0.1",
    }
    assert program(an_empty_one(folder), "migrate", **environ).code == 0
    with contextlib.ExitStack() as stack:
        servers: dict[int, subprocess.Popen[str]] = {}
        for _ in range(2):
            process, lines = stack.enter_context(serving(folder, **environ))
            [port] = {int(found) for line in lines for found in re.findall(r"http://[\w.]+:(\d+)", line)}
            servers[port] = process
        port = free_port()
        path = conf(folder, port, list(servers))
        subprocess.run([NGINX, "-t", "-c", str(path)], check=True, capture_output=True)  # noqa: ASYNC221, S603
        nginx = await asyncio.create_subprocess_exec(NGINX, "-c", str(path))
        try:
            url = f"http://127.0.0.1:{port}"
            await _answering(url)
            yield url, servers
        finally:
            nginx.send_signal(signal.SIGTERM)
            await nginx.wait()


async def _answering(url: str) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await http.get(f"{url}/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


def token(subject: str, *scopes: str) -> str:
    now = datetime.now(UTC)
    return mint(SECRET, subject, name=subject.title(), scopes=list(scopes), ttl=timedelta(hours=1), now=now)


async def asked(url: str, who: str, query: str, **variables: object) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {who}"}
    async with httpx.AsyncClient(headers=headers, timeout=PATIENCE) as http:
        answer = (await http.post(f"{url}/graphql", json={"query": query, "variables": variables})).json()
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data


@contextlib.asynccontextmanager
async def watching(url: str, order_id: str, after: str) -> AsyncIterator[ClientConnection]:
    """A stream of an order's events through the proxy, from a cursor on."""
    address = f"{url.replace('http', 'ws', 1)}/graphql"
    async with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": token("ada")}}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        payload = {"query": EVENTS, "variables": {"id": order_id, "after": after}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        yield socket


async def next_event(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == "next":
                event: dict[str, Any] = message["payload"]["data"]["orderEvents"]
                return event


async def open_sockets(port: int) -> float:
    """How many a server counts."""
    async with httpx.AsyncClient() as http:
        figures = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    return float(re.findall(r"^resolution_open_sockets (\S+)", figures, re.MULTILINE)[0])


async def test_streams_pass_the_proxy_and_go_on_at_the_other_server(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (url, servers):
        placed = (await asked(url, token("bazaar", "marketplace"), PLACE))["placeOrder"]["order"]
        order_id, cursor = placed["id"], (await asked(url, token("ada"), "{ eventCursor }"))["eventCursor"]
        submit = "mutation($id: ID!) { submitRequirements(input: {orderId: $id}) { userErrors { message } } }"
        revise = (
            'mutation($id: ID!) { deliverOrder(input: {orderId: $id, message: "Done."}) { userErrors { message } } }'
        )
        async with watching(url, order_id, cursor) as socket:
            await asked(url, token("ada"), submit, id=order_id)
            event = await next_event(socket)
            assert event["sequence"] == 2
            carrying = [port for port in servers if await open_sockets(port)]
            assert len(carrying) == 1
            servers[carrying[0]].send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE):
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        await socket.recv()
            assert socket.close_code == 1012, "a code that clients retry"
        await asked(url, token("farid"), revise, id=order_id)
        async with watching(url, order_id, event["cursor"]) as socket:
            assert (await next_event(socket))["sequence"] == 3


async def test_the_proxy_keeps_figures_inside_and_large_bodies_outside(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (url, servers), httpx.AsyncClient() as http:
        assert (await http.get(f"{url}/metrics")).status_code == 404
        inside = [(await http.get(f"http://127.0.0.1:{port}/metrics")).status_code for port in servers]
        assert inside == [200, 200]
        assert (await http.post(f"{url}/graphql", content=b"x" * 300_000)).status_code == 413
