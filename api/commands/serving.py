"""The command serve: the server, and what it prints before it starts."""

import errno
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

import click
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import mint
from api.commands import starting
from api.commands.starting import Problem
from api.connections import HttpConnection, WebSocketConnection
from api.demo_people import DEMO_PEOPLE
from api.settings import LOCAL_SECRET_FILE, Settings, SettingsProblem, unknown_settings
from api.web import is_built
from models.database import is_embedded
from rules.policy import PolicyProblem

UNREAD_MS = 20_000
"""How long what we sent may stay unread by a client that is gone, until its connection is dropped."""
PING_EVERY, PING_PATIENCE = 20.0, 10.0
"""Seconds between two pings of a silent client, and until it must have answered: in 30 s it is known to be gone."""
LAST_SECONDS = 1.0
"""After the patience for what is under way; whatever hangs then is left."""
DEMO_TOKENS_LIVE = timedelta(hours=24)
NO_WEB_APP = "  Web app   not built: that takes Node 20.19 or newer with npm, and `make web`"

log = structlog.get_logger(__name__)

YOUNG_OBJECTS = 10_000
"""How many more objects there may be before the collector looks for those that hold each other."""


def serve(given: Settings, host: str, port: int) -> None:
    """Serves until a signal ends it. Raises Problem for whatever keeps it from starting."""
    from api.app import create_app

    starting.policy(given)
    starting.trusted_documents(given)
    starting.web_operations(given)
    made_secret = _make_local_secret(given)
    starting.run(_see_to_database(given))
    made = _made(create_app, given)
    app = _Startup(made)
    server = _Server(_config(app, given), made.state.end_streams)
    with _listener(host, port) as listener:
        _print_where_to_go(given, _address(host, listener), made_secret=made_secret)
        _run(server, listener, app)


async def _see_to_database(given: Settings) -> None:
    """Before the app is made: what can't be reached, or was not migrated, is told in a sentence."""
    if is_embedded(given.database_url):
        await starting.reach(given)
    elif await starting.missing_migrations(given):
        raise Problem(starting.MIGRATE_FIRST)


class _Server(uvicorn.Server):
    """Uvicorn's, which closes sockets by itself when it goes, but waits for every answer that is under way: in vain for
    a stream over HTTP, and for ever when the application does not come to its end, for a database that hangs, say."""

    last_resort: threading.Timer | None = None

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        patience = (self.config.timeout_graceful_shutdown or 0) + LAST_SECONDS
        # A thread, since the loop itself may not get on.
        self.last_resort = threading.Timer(patience, _leave_at_once)
        self.last_resort.daemon = True
        self.last_resort.start()
        self._end_streams()
        await super().shutdown(sockets)


def _leave_at_once() -> None:
    """No harm to the data: as after a crash, each change is in the database whole, or not at all."""
    log.error("stopped in the midst of things: something hangs")
    os._exit(1)


def _run(server: _Server, listener: socket.socket, app: "_Startup") -> None:
    """Ends with 0 after a signal: that is how a server is meant to end."""
    # Before it serves, the signal ends it like Ctrl-C; while it serves, uvicorn has the signal and gives it back after.
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.getLogger("uvicorn.error").addFilter(_is_no_failed_start)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    except SystemExit:
        if app.failure is None:
            raise Problem("The server could not start; the log says why.") from None
        if isinstance(app.failure, SettingsProblem | PolicyProblem):
            raise Problem(str(app.failure)) from None
        raise app.failure from None
    finally:
        if server.last_resort:
            server.last_resort.cancel()
        signal.signal(signal.SIGTERM, previous)


def _made(create_app: Callable[[Settings], Starlette], given: Settings) -> Starlette:
    try:
        return create_app(given)
    except (SettingsProblem, PolicyProblem) as problem:
        raise Problem(str(problem)) from None


def _is_no_failed_start(record: logging.LogRecord) -> bool:
    """The guard of the command line says that better."""
    return not record.getMessage().startswith("Application startup failed")


def _config(app: ASGIApp, given: Settings) -> uvicorn.Config:
    proxies = list(given.forwarded_allow_ips)
    return uvicorn.Config(
        app,
        http=HttpConnection,
        ws=WebSocketConnection,
        ws_max_size=given.largest_message_bytes,
        ws_ping_interval=PING_EVERY,
        ws_ping_timeout=PING_PATIENCE,
        # It takes 44 KiB a socket, and a secret beside a stranger's text could be guessed from how well both compress.
        ws_per_message_deflate=False,
        loop="uvloop" if _has_uvloop() else "asyncio",
        lifespan="on",
        timeout_graceful_shutdown=given.graceful_shutdown_seconds,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        server_header=False,
        access_log=False,
        log_config=None,
    )


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401 - only whether it is there
    except ImportError:
        return False
    return True


class _Startup:
    """The app; what its start-up ends with is kept here, to be told in a sentence instead of a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.failure: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def without_traceback(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                # What is there now stays: the collector need not look through it again and again. Measured: 9 % less
                # CPU for a page of orders. Nor need it look each 700 objects, of which nearly all go by themselves:
                # measured, 6 % less for one order.
                gc.collect()
                gc.freeze()
                gc.set_threshold(YOUNG_OBJECTS, 10, 10)
            await send({key: value for key, value in message.items() if key != "message"})

        try:
            await self._app(scope, receive, without_traceback)
        except Exception as error:
            self.failure = error
            raise


# ---------------------------------------------------------------- the port


def _listener(host: str, port: int) -> socket.socket:
    """Listens already, so that the addresses printed are true. Raises Problem: taken, forbidden, no such host."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise Problem(f"There is no address {host} on this machine to listen on.") from None
    listener = socket.socket(family, kind, protocol)
    try:
        _set_up(listener)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise Problem(_why_not_listen(error, host, port)) from None
    return listener


def _set_up(listener: socket.socket) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by every connection: without it a client that stops reading is never dropped.
    if user_timeout := getattr(socket, "TCP_USER_TIMEOUT", None):
        listener.setsockopt(socket.IPPROTO_TCP, user_timeout, UNREAD_MS)
    listener.settimeout(0)


def _why_not_listen(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken: stop what listens there, or name another with --port."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"You may not listen on port {port}: choose one from 1024 on with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"There is no address {host} on this machine to listen on."
    return f"Can't listen on {host} port {port}: {error.strerror}."


def _address(host: str, listener: socket.socket) -> str:
    """Host and port as they stand in a URL that a browser on this machine opens."""
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"


# ---------------------------------------------------------------- what it prints


def _make_local_secret(given: Settings) -> bool:
    """True when one was made just now."""
    if not starting.uses_local_secret(given):
        return False
    was_there = starting.local_secret_is_there()
    starting.signing_secret(given)
    return not was_there


def _print_where_to_go(given: Settings, address: str, *, made_secret: bool) -> None:
    lines = [f"Resolution Center {starting.product_version()}, {given.environment}", ""]
    lines.append(f"  Web app   http://{address}/" if is_built(given) else NO_WEB_APP)
    if given.graphiql:
        lines.append(f"  GraphiQL  http://{address}/graphiql")
    lines += [
        f"  GraphQL   http://{address}/graphql and ws://{address}/graphql",
        f"  Health    http://{address}/health/ready",
        "",
    ]
    if made_secret:
        lines += [f"Made a secret for this machine in {LOCAL_SECRET_FILE}: tokens are signed with it.", ""]
    lines += [f"{name} is no setting of this version; is it spelled right?" for name in unknown_settings(os.environ)]
    if given.environment == "development" and given.jwks_url is None:
        lines += _demo_tokens(given)
    lines.append("Ctrl-C stops it.")
    click.echo("\n".join(lines))
    sys.stdout.flush()


def _demo_tokens(given: Settings) -> list[str]:
    """Each token stands on a line of its own, however long, so that it can be copied whole."""
    secret = starting.signing_secret(given)
    lines = ["Tokens of the demo's people, good for 24 hours. In GraphiQL, under Headers:"]
    lines += ['{"Authorization": "Bearer TOKEN"}', ""]
    for person in DEMO_PEOPLE:
        token = mint(
            secret,
            person.subject,
            name=person.name,
            scopes=person.scopes,
            ttl=DEMO_TOKENS_LIVE,
            now=starting.now(),
            issuer=given.jwt_issuer,
            audience=given.jwt_audience,
        )
        lines += [f"{person.name}, {person.what} ({person.subject})", token, ""]
    return lines
