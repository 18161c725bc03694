"""The one way to write: lock, load, judge, save, append to the log, commit, ring."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError

from models import loading, saving, statements
from models.idempotency import IdempotencyRow
from models.order import OrderRow
from models.outages import OutcomeUnknown, heals, in_transaction
from models.people import ensure_users
from rules import commands as c
from rules import texts
from rules.case import SYSTEM, Actor, Case, Ground
from rules.decide import judge
from rules.draft import Decision
from rules.money import AskedAmount
from rules.orders import place
from rules.policy import Policy
from rules.refusals import NOT_FOUND, Refusal, Refused
from rules.visibility import Viewer, role_in
from rules.vocabulary import RefusalCode, Role

Clock = Callable[[], datetime]
_TRIES = 4
_PAUSE = 0.05
"""Seconds between two tries."""

log = structlog.get_logger(__name__)

KEY_REUSED = Refusal(
    RefusalCode.IDEMPOTENCY_KEY_REUSED,
    "This idempotency key was used before, for something else; use a new one.",
    ("idempotencyKey",),
)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key, with the digest of what it stands for."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, or had been done before under the same key. `subject_id` is the request, the support case, the
    refund or the order that the answer shows."""

    order_id: UUID
    subject_id: UUID
    case: Case | None


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """An order to bring in, naming its people by their subjects; whoever is not known yet is made."""

    reference: str
    title: str
    price: AskedAmount
    client_subject: str
    freelancer_subject: str
    delivery_days: int


class Journal:
    """Performs commands. Each runs in one transaction, in a task of its own that nobody's cancellation reaches: a
    client that hangs up leaves no half-done work, and no lock that is never given back."""

    def __init__(
        self,
        policy: Policy,
        clock: Clock,
        new_id: Callable[[], UUID],
        ring: Callable[[], None] = lambda: None,
        money_moved: Callable[[], None] = lambda: None,
    ) -> None:
        """`ring` is called after every commit of events, `money_moved` when they moved money besides: there may be a
        refund to pay."""
        self.policy = policy
        self.clock = clock
        self.new_id = new_id
        self._ring = ring
        self._money_moved = money_moved
        self._under_way: set[asyncio.Task[Done]] = set()

    async def perform(
        self, order_id: UUID, command: c.CaseCommand, by: Viewer | None, key: IdempotencyKey | None = None
    ) -> Done:
        """Does what the command says, by a viewer or, without one, by the system itself. Raises Refused, and then
        only the effect of deadlines that were due has happened. An order that the viewer may not see is NOT_FOUND."""
        return await self._undisturbed(lambda db: self._perform(db, order_id, command, by, key), key)

    async def place(self, order: PlaceOrder, by: Viewer, key: IdempotencyKey | None = None) -> Done:
        """Brings an order in. Raises Refused: without the scope `marketplace`, with a reference that is taken."""
        return await self._undisturbed(lambda db: self._place(db, order, by, key), key)

    async def drain(self) -> None:
        """Waits for what is under way; for shutting down."""
        while self._under_way:
            # Unlike `asyncio.wait`, this lets the tasks that are done leave the set even when all of them are.
            await asyncio.gather(*self._under_way, return_exceptions=True)
            await asyncio.sleep(0)

    async def _undisturbed(
        self, work: Callable[[BaseDBAsyncClient], Awaitable["_Outcome"]], key: IdempotencyKey | None
    ) -> Done:
        task = asyncio.create_task(self._transact(work, key))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_tell_what_broke)
            raise

    async def _transact(
        self, work: Callable[[BaseDBAsyncClient], Awaitable["_Outcome"]], key: IdempotencyKey | None
    ) -> Done:
        """The work in a transaction, again when another process got in the way: what collided then is there now, and
        the rules find the refusal that fits. Again too when the connection was lost; but once the commit was sent, only
        with a key, which tells whether it was done. Raises DatabaseAway or OutcomeUnknown when that does not help."""
        for tries_left in reversed(range(_TRIES)):
            try:
                async with in_transaction() as db:
                    outcome = await work(db)
            except IntegrityError:
                if not tries_left:
                    raise
            except OutcomeUnknown:
                self._ring()
                self._money_moved()
                if not tries_left or key is None:
                    raise
                await asyncio.sleep(_PAUSE)
            except Exception as error:
                if not tries_left or not heals(error):
                    raise
                await asyncio.sleep(_PAUSE)
            else:
                if outcome.wrote:
                    self._ring()
                if outcome.moved_money:
                    self._money_moved()
                if outcome.refusals:
                    raise Refused(*outcome.refusals)
                assert outcome.done is not None
                return outcome.done
        raise AssertionError("the last try returns or raises")

    async def _perform(
        self,
        db: BaseDBAsyncClient,
        order_id: UUID,
        command: c.CaseCommand,
        by: Viewer | None,
        key: IdempotencyKey | None,
    ) -> "_Outcome":
        order = await loading.locked(db, order_id)
        if order is None:
            raise Refused(NOT_FOUND)
        case = await loading.case(db, order, command)
        # Before the key: what is said of a key must not tell a stranger that there is such an order.
        actor = _actor(by, case)
        if by and key and (done := await self._done_before(db, order_id, by, key)):
            return _Outcome(done)
        ground = Ground(self.clock(), self.policy, self.new_id)
        judgement = judge(case, command, actor, ground)
        decisions = [judgement.due]
        if judgement.decision and judgement.decision is not judgement.due:
            decisions.append(judgement.decision)
        kept = self._kept(by, key, judgement.decision, ground.now)
        wrote = await saving.save(db, case, decisions, self.policy, ground, kept)
        if not wrote and isinstance(command, c.PassDeadlines):
            await saving.save_next_deadline(db, case, self.policy)
        moved = any(decision.entries for decision in decisions)
        if judgement.decision is None:
            return _Outcome(None, judgement.refusals, wrote=wrote, moved_money=moved)
        done = Done(order_id, judgement.decision.subject, judgement.decision.case)
        return _Outcome(done, wrote=wrote, moved_money=moved)

    async def _place(
        self, db: BaseDBAsyncClient, order: PlaceOrder, by: Viewer, key: IdempotencyKey | None
    ) -> "_Outcome":
        if Role.MARKETPLACE not in by.scopes:
            sentence = "Only a token with the scope marketplace may place orders."
            raise Refused(Refusal(RefusalCode.FORBIDDEN, sentence))
        now = self.clock()
        people = await ensure_users(db, _subjects(order), now, self.new_id)
        if key and (done := await self._done_before(db, None, by, key)):
            return _Outcome(done)
        command = c.PlaceOrder(
            reference=order.reference,
            title=order.title,
            price=order.price,
            client_id=people[order.client_subject.strip()],
            freelancer_id=people[order.freelancer_subject.strip()],
            delivery_days=order.delivery_days,
        )
        ground = Ground(now, self.policy, self.new_id)
        decision: Decision = place(command, Actor(Role.MARKETPLACE, by.user_id), ground)
        if await OrderRow.filter(reference=decision.case.order.reference).using_db(db).exists():
            # By this very request, perhaps, that came twice at once.
            if key and (done := await self._done_before(db, None, by, key)):
                return _Outcome(done)
            sentence = "There is an order with this reference already."
            raise Refused(Refusal(RefusalCode.REFERENCE_TAKEN, sentence, ("reference",)))
        await saving.save(db, None, [decision], self.policy, ground, self._kept(by, key, decision, now))
        done = Done(decision.subject, decision.subject, decision.case)
        return _Outcome(done, wrote=True, moved_money=bool(decision.entries))

    @staticmethod
    async def _done_before(
        db: BaseDBAsyncClient, order_id: UUID | None, by: Viewer, key: IdempotencyKey
    ) -> Done | None:
        row = await statements.found(db, IdempotencyRow, {"user_id": by.user_id, "key": key.key})
        if row is None:
            return None
        if row["fingerprint"] != key.fingerprint:
            raise Refused(KEY_REUSED)
        subject_id = UUID(str(row["subject_id"]))
        return Done(order_id or subject_id, subject_id, None)

    def _kept(
        self, by: Viewer | None, key: IdempotencyKey | None, decision: Decision | None, now: datetime
    ) -> statements.Values | None:
        """The row that keeps what was done under the key."""
        if by is None or key is None or decision is None:
            return None
        return {
            "id": self.new_id(),
            "user_id": by.user_id,
            "key": key.key,
            "fingerprint": key.fingerprint,
            "subject_id": decision.subject,
            "created_at": now,
        }


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a transaction that commits came to."""

    done: Done | None
    refusals: tuple[Refusal, ...] = ()
    wrote: bool = False
    moved_money: bool = False


def _tell_what_broke(task: asyncio.Task[Done]) -> None:
    """Logs what broke when the caller is gone: asyncio would log a refusal too, and the words of what broke, which may
    be somebody's."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, Refused):
        stack = "".join(traceback.format_tb(error.__traceback__))
        log.error("broke with nobody waiting", error=type(error).__name__, stack=stack)


def _actor(by: Viewer | None, case: Case) -> Actor:
    """Who acts, in which role on this order; whoever may not see it learns nothing of it."""
    if by is None:
        return SYSTEM
    role = role_in(by, case.order)
    if role is None:
        raise Refused(NOT_FOUND)
    return Actor(role, by.user_id)


def _subjects(order: PlaceOrder) -> dict[str, str]:
    """The people of a new order, by subject. Refused: subjects that can't be."""
    refusals: list[Refusal] = []
    found: dict[str, str] = {}
    for value, path in ((order.client_subject, "clientSubject"), (order.freelancer_subject, "freelancerSubject")):
        try:
            subject = texts.text(value, path, most=255, lines=False)
            found[subject] = subject
        except Refused as refused:
            refusals += refused.refusals
    if refusals:
        raise Refused(*refusals)
    return found
