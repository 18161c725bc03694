"""`python -m bench.instructions`: how many instructions a request takes the process, counted by valgrind.

Other benches measure time, which on a shared machine differs from run to run by more than most changes gain.
Instructions are the same each time, to a hundredth: two versions are told apart by one run of each. What the kernel and
the network do is not among them: a ratio of these says how much less a process computes, not how much faster it
answers."""

import argparse
import asyncio
import gc
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from starlette.applications import Starlette
from starlette.types import Message, Scope

from bench import postgresql, tables, works
from bench.postgresql import own_database
from bench.server import SECRET, serving
from bench.world import World

WARM_UP = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """What a child process is to count: these requests, after the others have warmed it. `shows` stands in every right
    answer."""

    warming: Sequence[bytes]
    counted: Sequence[bytes]
    shows: bytes


def main() -> None:
    options = _options()
    if options.inside:
        uvloop.run(_inside(pickle.loads(options.inside.read_bytes())))  # noqa: S301 - our own parent wrote it
        return
    postgres = postgresql.named(options)
    if shutil.which("valgrind") is None:
        raise SystemExit("This counts by valgrind; install it (Debian's package is called so).")
    with own_database(postgres) as database, TemporaryDirectory() as folder:
        rows = _counted(Path(folder), database, options.orders, options.requests)
    print(tables.table(["work", "instructions a request"], rows))


def _counted(folder: Path, database: str, orders: int, number: int) -> list[list[str]]:
    with serving(folder, orders, database) as server:
        world = World.read(server.url)
    offers = works.Offers(world, parts=1).work(0)
    rows = []
    for work in (works.page_of_orders(world), works.one_order(world), offers):
        # What may be asked again is known by then, as it is to a process that runs for days.
        warming = work.requests[:WARM_UP] if work.once else work.requests[:number]
        counted = work.requests[WARM_UP:][:number] if work.once else warming
        if not counted:
            raise SystemExit("There are too few orders that take an offer; make more by --orders.")
        asked = Asked(warming, counted, work.shows)
        rows.append([f"{work.name}: {work.title}", f"{_instructions(folder, database, asked):,.0f}"])
    return rows


def _instructions(folder: Path, database: str, asked: Asked) -> float:
    """Of one request, in a process of its own, which counts from when it is warm until it is done."""
    told = folder / "asked"
    told.write_bytes(pickle.dumps(asked))
    environ = os.environ | {
        "RESOLUTION_DATABASE_URL": database,
        "RESOLUTION_JWT_SECRET": SECRET,
        "RESOLUTION_ENVIRONMENT": "production",
        "RESOLUTION_BROADCAST_URL": "memory://",
        "RESOLUTION_RATE_VIEWER": str(10**12),
        "RESOLUTION_RATE_ADDRESS": str(10**12),
        # Else sets and dictionaries are laid out by chance.
        "PYTHONHASHSEED": "0",
    }
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/callgrind"]
    command = [*valgrind, sys.executable, "-m", "bench.instructions", "--inside", str(told)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise RuntimeError(done.stderr[-2_000:])
    return int(found[1]) / len(asked.counted)


# ---------------------------------------------------------------- the process that is counted


async def _inside(asked: Asked) -> None:
    from api.app import create_app
    from api.settings import read_settings

    app = create_app(read_settings(os.environ))
    async with app.router.lifespan_context(app):
        await _ask(app, asked.warming, asked.shows)
        gc.collect()
        _count("on")
        await _ask(app, asked.counted, asked.shows)
        _count("off")


def _count(whether: str) -> None:
    subprocess.run(["callgrind_control", "-i", whether, str(os.getpid())], check=True, capture_output=True)  # noqa: S607


async def _ask(app: Starlette, requests: Sequence[bytes], shows: bytes) -> None:
    """The application itself, without a socket."""
    for request in requests:
        head, _, body = request.partition(b"\r\n\r\n")
        lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/graphql",
            "raw_path": b"/graphql",
            "query_string": b"",
            "root_path": "",
            "headers": [(name, value) for name, _, value in lines],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        answer = await _answered(app, scope, body)
        if shows not in answer:
            raise RuntimeError(json.dumps(answer.decode()[:1_000]))


async def _answered(app: Starlette, scope: Scope, body: bytes) -> bytes:
    parts: list[bytes] = []

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(parts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    postgresql.add_option(parser)
    parser.add_argument("--orders", type=int, default=2_000, help="how many orders there are")
    parser.add_argument("--requests", type=int, default=100, help="how many requests of each work are counted")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
