"""The server that is measured: the product's own `serve`, one process on one core, with a database of its own."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import machine

SECRET = "a secret of the bench that is long enough"
_PATIENCE = 60.0
_OWN = "RESOLUTION_"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    url: str
    pid: int

    def memory(self) -> int:
        """Its resident memory, in bytes."""
        return machine.resident_bytes(self.pid)


@contextmanager
def serving(folder: Path, orders: int | None, database_url: str | None = None, **settings: str) -> Iterator[Server]:
    """The product with so many orders, as in production, for as long as the block runs; on SQLite, unless another
    database is named, which must be migrated. Without a number it takes the orders that are there."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)} | {
        "RESOLUTION_ENVIRONMENT": "production",
        "RESOLUTION_DATABASE_URL": database_url or f"sqlite://{folder}/bench.sqlite3",
        "RESOLUTION_JWT_SECRET": SECRET,
        # As in production, what is asked is counted; but no budget is spent by one machine that asks for everybody.
        "RESOLUTION_RATE_VIEWER": str(10**12),
        "RESOLUTION_RATE_ADDRESS": str(10**12),
        "RESOLUTION_SOCKETS_PER_VIEWER": "0",
        "RESOLUTION_SOCKETS_PER_ADDRESS": "0",
        **settings,
    }
    program = str(Path(sys.executable).parent / "resolution-center")
    if orders is not None:
        print(f"seeding {orders:,} orders", file=sys.stderr, flush=True)
        seed = [program, "seed", "--orders", str(orders)]
        subprocess.run(seed, cwd=folder, env=environ, check=True, stdout=sys.stderr)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", "--port", "0"], cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=log, text=True
        )
        machine.pin(process.pid, machine.core_of_the_server())
        try:
            yield _ready(process, folder)
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE)
            assert process.stdout
            process.stdout.close()


def _ready(process: subprocess.Popen[str], folder: Path) -> Server:
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"(http://[^/\s]+)/graphql", line):
            break
    else:
        raise RuntimeError(f"the server did not start:\n{(folder / 'server.log').read_text()}")
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"{found[1]}/health/ready", timeout=_PATIENCE):  # noqa: S310 - our own server
                return Server(found[1], process.pid)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
