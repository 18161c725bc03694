"""What one operation may reach: the caller, the time, the product's parts, the loaders."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from api import blocked
from api.blocked import Blocked
from api.callers import Caller
from api.errors import Code, coded
from api.limits import Limits
from api.loaders import Loaders
from api.metrics import Metrics
from api.rates import NOWHERE, OpenSockets, Rates
from api.sharing import Question, SharedAnswers
from models.cursors import EventCursors
from models.journal import Clock, Journal
from rules.policy import Policy
from rules.visibility import Viewer
from subscriptions.tail import Tail

Introspection = Literal["everybody", "signed-in", "nobody"]
"""Who may read the schema from the server."""


@dataclass(frozen=True, slots=True)
class Product:
    """The parts that all operations of a process share."""

    policy: Policy
    clock: Clock
    journal: Journal
    tail: Tail
    cursors: EventCursors
    metrics: Metrics
    limits: Limits
    rates: Rates
    sockets: OpenSockets
    blocked: Blocked
    shared: SharedAnswers
    introspection: Introspection = "everybody"


@dataclass(slots=True)
class Context:
    """One operation's. `log_position` is where the event log stood when it began, if it asks; `address` where it comes
    from; `refusals` the codes of mutations that were refused; `viewer_was_asked` whether what was found may be another
    for somebody else, since it was last put to False; `question` what a stream asks about each event, once that is
    known, or False when its answers are its own."""

    product: Product
    caller: Caller
    address: str = NOWHERE
    transport: Literal["http", "http stream", "websocket"] = "http"
    log_position: int | None = None
    refusals: list[str] = field(default_factory=list)
    viewer_was_asked: bool = False
    question: Question | Literal[False] | None = None
    _loaders: Loaders | None = None

    @property
    def loaders(self) -> Loaders:
        """Made when the first is wanted: most streams get answers that others found, and are open for hours."""
        if self._loaders is None:
            self._loaders = Loaders(self._viewer_if_any, self.product.clock, self.product.policy)
        return self._loaders

    @property
    def policy(self) -> Policy:
        return self.product.policy

    def now(self) -> datetime:
        return self.product.clock()

    @property
    def viewer(self) -> Viewer:
        """Who asks. Raises UNAUTHENTICATED when nobody does, or when the token has expired meanwhile, and FORBIDDEN for
        whoever is blocked."""
        self.viewer_was_asked = True
        self.refuse_the_blocked()
        if self.caller.viewer is None:
            raise coded(self.caller.code, self.caller.problem)
        if self.has_expired:
            raise coded(Code.UNAUTHENTICATED, "The token has expired; get a new one.")
        return self.caller.viewer

    def _viewer_if_any(self) -> Viewer | None:
        self.viewer_was_asked = True
        return self.caller.viewer

    @property
    def has_expired(self) -> bool:
        """One answer is given to whom the token was good for when it was asked, leeway and all; streams and sockets
        are watched."""
        if self.transport == "http":
            return False
        expires_at = self.caller.expires_at
        return expires_at is not None and expires_at <= self.now()

    def may_introspect(self) -> bool:
        """Whether this caller may ask for the schema. Raises UNAUTHENTICATED where a token would do."""
        allowed = self.product.introspection
        if allowed == "signed-in":
            _ = self.viewer
        return allowed != "nobody"

    def refuse_the_blocked(self) -> None:
        """Raises FORBIDDEN for whoever was blocked before, or since, the operation began."""
        viewer = self.caller.viewer
        if self.caller.is_blocked if viewer is None else viewer.user_id in self.product.blocked:
            raise coded(Code.FORBIDDEN, blocked.SENTENCE)
