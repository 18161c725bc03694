"""Who calls: from a bearer token to a viewer whom the database knows."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from api import blocked
from api.auth import Verifier
from api.blocked import Blocked
from api.claims import Claims, InvalidToken
from api.errors import Code
from models import people
from models.database import connection
from rules.visibility import Viewer
from rules.vocabulary import Role

REMEMBERED = 50_000
"""People whom a process remembers, so that a request of somebody known costs no statement."""

_SCOPES = {"support": Role.SUPPORT, "marketplace": Role.MARKETPLACE}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent an operation. Without a viewer: nobody known, or nobody who may do anything; `problem` says why, fit for
    the client, with `code`."""

    viewer: Viewer | None
    expires_at: datetime | None = None
    problem: str = (
        "Send a token: the header Authorization: Bearer …, or over WebSocket the connection parameter authorization."
    )
    code: Code = Code.UNAUTHENTICATED

    @property
    def is_blocked(self) -> bool:
        """Whether the token is good and its user may do nothing at all."""
        return self.code is Code.FORBIDDEN


NOBODY = Caller(None)
BLOCKED = Caller(None, problem=blocked.SENTENCE, code=Code.FORBIDDEN)


@dataclass(slots=True)
class _Known:
    """Somebody whom this process has seen, and the name on the newest token: the one that is good for longest."""

    user_id: UUID
    name: str
    newest: datetime


class Callers:
    """Turns tokens into callers. People are made the first time that they are seen."""

    def __init__(
        self, verifier: Verifier, blocked: Blocked, clock: Callable[[], datetime], new_id: Callable[[], UUID]
    ) -> None:
        self._verifier = verifier
        self._blocked = blocked
        self._clock = clock
        self._new_id = new_id
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def caller(self, token: str | None) -> Caller:
        """The caller of this token; nobody without one, with one that is not valid, or for a user who is blocked."""
        if token is None:
            return NOBODY
        try:
            claims = await self._verifier.verify(token)
        except InvalidToken as invalid:
            return Caller(None, problem=str(invalid))
        scopes = frozenset(_SCOPES[scope] for scope in claims.scopes if scope in _SCOPES)
        user_id = await self._user_id(claims)
        if user_id in self._blocked:
            return BLOCKED
        return Caller(Viewer(user_id, scopes), claims.expires_at)

    async def _user_id(self, claims: Claims) -> UUID:
        known = self._known.get(claims.subject)
        newest = claims.expires_at or datetime.max.replace(tzinfo=UTC)
        if known is None or (newest >= known.newest and claims.name not in (None, known.name)):
            row = await people.seen(connection(), claims.subject, claims.name, self._clock(), self._new_id)
            known = self._known[claims.subject] = _Known(row.id, row.name, newest)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        known.newest = max(known.newest, newest)
        self._known.move_to_end(claims.subject)
        return known.user_id
