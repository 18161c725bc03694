"""The composition root: from settings to a Starlette application; the only file that knows every room."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from uuid_utils.compat import uuid7

from api.auth import JwksVerifier, SharedSecretVerifier, Verifier
from api.blocked import Blocked
from api.callers import Callers
from api.context import Product
from api.cors import CrossOrigin
from api.door import GRAPHQL, Door, WithDoor
from api.health import Health
from api.http_errors import of_route, refusal, unavailable
from api.limits import Limits
from api.metrics import Metrics
from api.policy_file import read_policy
from api.rates import OpenSockets, Rates, Seated
from api.security_headers import Protection, SecurityHeaders
from api.settings import Settings, local_secret
from api.sharing import SharedAnswers
from api.trusted import NOTHING_TRUSTED, TrustedDocuments, read_manifests
from api.view import View
from api.web import own_operations, web_routes
from models import database, reads
from models.clock import DatabaseClock
from models.cursors import EventCursors
from models.event import EventRow
from models.journal import Clock, Journal
from rules.policy import Policy
from subscriptions.doorbell import Doorbell
from subscriptions.tail import Tail
from workers.deadlines import DeadlineWorker
from workers.refunds import LedgerGateway, RefundGateway, RefundWorker


def utc_now() -> datetime:
    """The host's clock."""
    return datetime.now(UTC)


def product_clock(settings: Settings) -> Clock:
    """The clock that rules: the database's where several hosts may share one, else this host's."""
    return utc_now if database.is_embedded(settings.database_url) else DatabaseClock()


def create_app(
    settings: Settings,
    *,
    clock: Clock | None = None,
    new_id: Callable[[], UUID] = uuid7,
    gateway: RefundGateway | None = None,
) -> Starlette:
    """The application. Its lifespan opens the database (an embedded one is migrated first), listens to the doorbell,
    reads the log, and runs the workers; on the way out it finishes what is under way. `clock` is for tests."""
    parts = Parts(settings, clock or product_clock(settings), new_id, gateway)
    door = Door(parts.graphql, CrossOrigin(settings.allowed_origins), Protection(settings.hsts_seconds))
    app = WithDoor(
        door,
        routes=_routes(settings, parts, door),
        middleware=[Middleware(SecurityHeaders, hsts_seconds=settings.hsts_seconds)],
        exception_handlers={HTTPException: of_route},
        lifespan=parts.lifespan,
    )
    app.state.end_streams = parts.end_streams
    return app


class Parts:
    """What runs while the application does."""

    def __init__(
        self, settings: Settings, clock: Clock, new_id: Callable[[], UUID], gateway: RefundGateway | None
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.new_id = new_id
        self.gateway = gateway
        self.policy = read_policy(settings.policy_file) if settings.policy_file else Policy()
        self.documents = trusted_documents(settings)
        self.verifier = verifier(settings, clock)
        self.view: View | None = None
        self.seated: ASGIApp | None = None
        self.tail = Tail(settings.tail_poll_seconds)
        self.blocked = Blocked()
        self.doorbell = Doorbell(settings.broadcast_url, self._rung)
        self.health = Health(self.tail, self.doorbell, clock)
        self.metrics = Metrics(self.tail, self.doorbell)
        self.limits = limits_of(settings)
        self.rates = Rates(settings.rate_viewer, settings.rate_address, settings.counting_url)
        self.sockets = OpenSockets(settings.sockets_per_viewer, settings.sockets_per_address)

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        url = self.settings.database_url
        if database.is_embedded(url):
            await database.migrate(url)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(
                database.opened(
                    url,
                    pool_size=self.settings.database_pool_size,
                    statement_timeout_ms=int(self.settings.statement_timeout_seconds * 1_000),
                )
            )
            if isinstance(self.clock, DatabaseClock):
                await stack.enter_async_context(self.clock.running())
            stack.push_async_callback(self.verifier.aclose)
            await self._start(stack)
            yield
            self.view = self.seated = None

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        journal = Journal(self.policy, self.clock, self.new_id, self._ring, self._money_moved)
        self._refunds = RefundWorker(
            journal,
            self.gateway or LedgerGateway(self.clock, self.new_id),
            lease=timedelta(seconds=self.settings.refund_lease_seconds),
        )
        product = Product(
            self.policy,
            self.clock,
            journal,
            self.tail,
            EventCursors(await reads.log_secret()),
            self.metrics,
            self.limits,
            self.rates,
            self.sockets,
            self.blocked,
            SharedAnswers(),
            introspection=self.settings.introspection,
        )
        callers = Callers(self.verifier, self.blocked, self.clock, self.new_id)
        stack.push_async_callback(journal.drain)
        await stack.enter_async_context(self.tail.running())
        await stack.enter_async_context(self.blocked.running())
        await stack.enter_async_context(self.doorbell.running())
        await stack.enter_async_context(self.rates.running())
        deadlines = DeadlineWorker(journal, interval=self.settings.sweep_interval_seconds)
        for worker in (deadlines, self._refunds):
            worker.start()
            stack.push_async_callback(worker.stop)
        self.view = View(
            product,
            callers,
            self.settings.allowed_origins,
            largest_body=self.settings.largest_body_bytes,
            documents=self.documents,
        )
        self.seated = Seated(self.view, self.sockets)

    def _ring(self, events: Sequence[EventRow]) -> None:
        """After every commit: this process's own readers at once, the others by the doorbell."""
        self.tail.hear(events)
        self.doorbell.ring()

    def _money_moved(self) -> None:
        """There may be a refund to pay."""
        self._refunds.wake()

    def _rung(self) -> None:
        """Another process has committed something, or somebody was blocked."""
        self.tail.wake()
        self.blocked.wake()

    async def graphql(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.seated is None:
            await refusal(unavailable())(scope, receive, send)
            return
        await self.seated(scope, receive, send)

    def end_streams(self) -> None:
        """The server is going: nobody is served by it any longer than need be."""
        if self.view is not None:
            self.view.end_streams()


def trusted_documents(settings: Settings) -> TrustedDocuments:
    """The operations that the operator allows, and those of the web app that is served here: who serves it means it
    to work. Raises ManifestProblem."""
    if settings.trusted_documents is None:
        return NOTHING_TRUSTED
    manifests = [settings.trusted_documents, *own_operations(settings)]
    return read_manifests(*manifests, only=settings.trusted_documents_only)


def limits_of(settings: Settings) -> Limits:
    """What a document may ask for, as the settings say."""
    return Limits(
        characters=settings.max_document_characters,
        tokens=settings.max_document_tokens,
        depth=settings.max_depth,
        fields=settings.max_fields,
        aliases=settings.max_aliases,
        root_fields=settings.max_root_fields,
        repetitions=settings.max_repetitions,
        directives=settings.max_directives,
        operations=settings.max_operations,
        fragments=settings.max_fragments,
        cost=settings.max_cost,
        variables=settings.max_variables,
        variables_depth=settings.max_variables_depth,
    )


def verifier(settings: Settings, clock: Clock) -> Verifier:
    """What checks tokens, as the settings say; in development without any key, with the local secret."""
    audience, issuer = settings.jwt_audience, settings.jwt_issuer
    leeway = timedelta(seconds=settings.jwt_leeway_seconds)
    if settings.jwks_url:
        assert issuer is not None
        assert audience is not None
        return JwksVerifier(settings.jwks_url, issuer, audience, leeway, clock)
    secret = shared_secret(settings)
    assert secret is not None
    return SharedSecretVerifier(secret, issuer, audience, leeway, clock)


def shared_secret(settings: Settings) -> str | None:
    """What tokens are signed with here; None where an identity provider signs them."""
    if settings.jwks_url:
        return None
    return settings.jwt_secret.get_secret_value() if settings.jwt_secret else local_secret(Path.cwd())


class _Endpoint:
    """An ASGI application as a route's endpoint: Starlette would call a method with a request."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Any]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _routes(settings: Settings, parts: Parts, door: Door) -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        Route(GRAPHQL, door),
        WebSocketRoute(GRAPHQL, _Endpoint(parts.graphql)),
        Route("/health/live", parts.health.live),
        Route("/health/ready", parts.health.ready),
        Route("/metrics", parts.health.metrics(parts.metrics)),
    ]
    return [*routes, *web_routes(settings, shared_secret(settings), parts.clock)]
