"""The one way to write: load, judge, save what changed if the order is as it was, append to the log, commit, ring."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError

from models import codec, loading, saving, statements
from models.database import connection
from models.event import EventRow
from models.idempotency import IdempotencyRow
from models.order import OrderRow
from models.outages import DatabaseAway, LostAs, OutcomeUnknown, heals, in_transaction
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
Ring = Callable[[Sequence[EventRow]], None]
"""Says that the log has grown. It is given the events as the log has them, where that is known, or none."""
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


@dataclass(slots=True)
class Asked:
    """A command on an order, by a viewer or the system; without the order's id, on that of the command's request."""

    order_id: UUID | None
    command: c.CaseCommand
    by: Viewer | None
    key: IdempotencyKey | None = None
    was_tried: bool = False
    """Whether it has been tried without a lock. Who was in the way once may be again: the next try locks."""
    unsure: "_Judged | None" = None
    """What was sent to be written, and may have been or not, since the connection was lost."""


class Journal:
    """Performs commands. Each is one transaction, in a task of its own that nobody's cancellation reaches: a
    client that hangs up leaves no half-done work, and no lock that is never given back."""

    def __init__(
        self,
        policy: Policy,
        clock: Clock,
        new_id: Callable[[], UUID],
        ring: Ring = lambda _: None,
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
        self, order_id: UUID | None, command: c.CaseCommand, by: Viewer | None, key: IdempotencyKey | None = None
    ) -> Done:
        """Does what the command says, by a viewer or, without one, by the system itself; without an order's id, on that
        of the request which the command names. Raises Refused, and then only the effect of deadlines that were due has
        happened. An order that the viewer may not see is NOT_FOUND."""
        asked = Asked(order_id, command, by, key)
        return await self._undisturbed(lambda db: self._perform(db, asked), key, lambda: self._at_once(asked))

    async def place(self, order: PlaceOrder, by: Viewer, key: IdempotencyKey | None = None) -> Done:
        """Brings an order in. Raises Refused: without the scope `marketplace`, with a reference that is taken."""
        return await self._undisturbed(lambda db: self._place(db, order, by, key), key)

    async def drain(self) -> None:
        """Waits for what is under way; for shutting down."""
        while self._under_way:
            # Unlike `asyncio.wait`, this lets the tasks that are done leave the set even when all of them are.
            await asyncio.gather(*self._under_way, return_exceptions=True)
            await asyncio.sleep(0)

    async def _undisturbed(self, work: "_Work", key: IdempotencyKey | None, at_once: "_AtOnce | None" = None) -> Done:
        task = asyncio.create_task(self._transact(work, key, at_once))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_tell_what_broke)
            raise

    async def _transact(self, work: "_Work", key: IdempotencyKey | None, at_once: "_AtOnce | None" = None) -> Done:
        """The work: `at_once` where that does, else in a transaction. Again when another process got in the way: what
        collided then is there now, and the rules find the refusal that fits. Again too when the connection was lost;
        but once a commit was sent, only where the next try can tell whether it was done, by the key or by the order's
        version. Raises DatabaseAway or OutcomeUnknown when that does not help."""
        unknown: OutcomeUnknown | None = None
        for tries_left in reversed(range(_TRIES)):
            try:
                outcome = await at_once() if at_once else None
                if outcome is None:
                    async with in_transaction() as db:
                        outcome = await work(db)
            except IntegrityError:
                if not tries_left:
                    raise
            except OutcomeUnknown as error:
                unknown = error
                self._ring(())
                self._money_moved()
                if not tries_left or not (key or isinstance(error, _ToBeTold)):
                    raise
                await asyncio.sleep(_PAUSE)
            except Exception as error:
                if not tries_left or not heals(error):
                    if unknown and heals(error):
                        raise unknown from error
                    raise
                await asyncio.sleep(_PAUSE)
            else:
                if outcome.wrote:
                    self._ring(outcome.events)
                if outcome.moved_money:
                    self._money_moved()
                if outcome.refusals:
                    raise Refused(*outcome.refusals)
                assert outcome.done is not None
                return outcome.done
        raise AssertionError("the last try returns or raises")

    async def _at_once(self, asked: "Asked") -> "_Outcome | None":
        """A person's command without a lock: one statement reads, one more looks for the key, if there is one, and the
        last is the transaction. What was read still holds when the order has the same version as then; else
        IntegrityError tells that another change came between. None, with nothing done, where that does not do."""
        db = connection()
        was_tried, asked.was_tried = asked.was_tried, True
        wants_more = isinstance(asked.command, c.DecideSupportCase | c.SettleRefund)
        if was_tried or asked.by is None or wants_more or not db.capabilities.support_for_update:
            await self._find_order(db, asked)
            return None
        with LostAs(DatabaseAway):
            found = await loading.seen(asked.order_id, asked.command)
            if found is None:
                raise Refused(NOT_FOUND)
            order, case = found
            asked.order_id = order.id
            actor = _actor(asked.by, case)
            if loading.may_have_a_case(order):
                return None
            if done := await self._done_before(db, order.id, asked.by, asked.key):
                return _Outcome(done)
        judged = self._judged(asked, case, actor)
        try:
            with LostAs(OutcomeUnknown):
                return await self._saved(db, asked, judged)
        except OutcomeUnknown as error:
            asked.unsure = judged
            raise _ToBeTold from error

    @staticmethod
    async def _find_order(db: BaseDBAsyncClient, asked: "Asked") -> None:
        """Before any transaction: a transaction that has read may not get SQLite's lock any more."""
        if asked.order_id is None and isinstance(asked.command, c.RequestCommand):
            with LostAs(DatabaseAway):
                asked.order_id = await loading.of_request(db, asked.command.request_id)

    async def _perform(self, db: BaseDBAsyncClient, asked: "Asked") -> "_Outcome":
        """Any command, in the caller's transaction, with the order locked from its first statement on; whose it is was
        found out before."""
        order = await loading.locked(db, asked.order_id) if asked.order_id else None
        if order is None:
            raise Refused(NOT_FOUND)
        case = await loading.case(db, order, asked.command)
        # Before the key: what is said of a key must not tell a stranger that there is such an order.
        actor = _actor(asked.by, case)
        if asked.unsure and asked.unsure.case.order.version != order.version:
            if await _was_done(db, asked.unsure):
                return asked.unsure.outcome
            asked.unsure = None
        if done := await self._done_before(db, order.id, asked.by, asked.key):
            return _Outcome(done)
        judged = self._judged(asked, case, actor)
        if asked.unsure and judged.outcome.done is None and not judged.outcome.wrote:
            # It is refused by now, and what was sent may be done yet, since the order does not change.
            raise _ToBeTold
        outcome = await self._saved(db, asked, judged)
        if not outcome.wrote and isinstance(asked.command, c.PassDeadlines):
            await saving.save_next_deadline(db, case, self.policy)
        return outcome

    def _judged(self, asked: "Asked", case: Case, actor: Actor) -> "_Judged":
        """What the rules say."""
        ground = Ground(self.clock(), self.policy, self.new_id)
        judgement = judge(case, asked.command, actor, ground)
        decisions = [judgement.due]
        if judgement.decision and judgement.decision is not judgement.due:
            decisions.append(judgement.decision)
        done = None
        if judgement.decision is not None:
            done = Done(case.order.id, judgement.decision.subject, judgement.decision.case)
        outcome = _Outcome(
            done,
            () if done else judgement.refusals,
            wrote=any(decision.events for decision in decisions),
            moved_money=any(decision.entries for decision in decisions),
        )
        return _Judged(case, ground, decisions, outcome)

    async def _saved(self, db: BaseDBAsyncClient, asked: "Asked", judged: "_Judged") -> "_Outcome":
        done = judged.outcome.done
        kept = self._kept(asked.by, asked.key, done.subject_id, judged.ground.now) if done else None
        events = await saving.save(db, judged.case, judged.decisions, self.policy, judged.ground, kept)
        return replace(judged.outcome, events=events)

    async def _place(
        self, db: BaseDBAsyncClient, order: PlaceOrder, by: Viewer, key: IdempotencyKey | None
    ) -> "_Outcome":
        if Role.MARKETPLACE not in by.scopes:
            sentence = "Only a token with the scope marketplace may place orders."
            raise Refused(Refusal(RefusalCode.FORBIDDEN, sentence))
        now = self.clock()
        people = await ensure_users(db, _subjects(order), now, self.new_id)
        if done := await self._done_before(db, None, by, key):
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
            if done := await self._done_before(db, None, by, key):
                return _Outcome(done)
            sentence = "There is an order with this reference already."
            raise Refused(Refusal(RefusalCode.REFERENCE_TAKEN, sentence, ("reference",)))
        kept = self._kept(by, key, decision.subject, now)
        events = await saving.save(db, None, [decision], self.policy, ground, kept)
        done = Done(decision.subject, decision.subject, decision.case)
        return _Outcome(done, wrote=True, moved_money=bool(decision.entries), events=events)

    @staticmethod
    async def _done_before(
        db: BaseDBAsyncClient, order_id: UUID | None, by: Viewer | None, key: IdempotencyKey | None
    ) -> Done | None:
        if by is None or key is None:
            return None
        row = await statements.found(db, IdempotencyRow, {"user_id": by.user_id, "key": key.key})
        if row is None:
            return None
        if row["fingerprint"] != key.fingerprint:
            raise Refused(KEY_REUSED)
        subject_id = UUID(str(row["subject_id"]))
        return Done(order_id or subject_id, subject_id, None)

    def _kept(
        self, by: Viewer | None, key: IdempotencyKey | None, subject_id: UUID, now: datetime
    ) -> statements.Values | None:
        """The row that keeps what was done under the key."""
        if by is None or key is None:
            return None
        return {
            "id": self.new_id(),
            "user_id": by.user_id,
            "key": key.key,
            "fingerprint": key.fingerprint,
            "subject_id": subject_id,
            "created_at": now,
        }


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a transaction that commits came to."""

    done: Done | None
    refusals: tuple[Refusal, ...] = ()
    wrote: bool = False
    moved_money: bool = False
    events: Sequence[EventRow] = ()


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is to be written of a case, and what that comes to."""

    case: Case
    ground: Ground
    decisions: Sequence[Decision]
    outcome: _Outcome


class _ToBeTold(OutcomeUnknown):
    """The next try may tell, by the order's version and its events."""


_Work = Callable[[BaseDBAsyncClient], Awaitable[_Outcome]]
_AtOnce = Callable[[], Awaitable[_Outcome | None]]


async def _was_done(db: BaseDBAsyncClient, unsure: _Judged) -> bool:
    """Whether what was sent has been written, by its last event: those before it may be a deadline's effect, which
    anybody would have written alike. Where another's stands in its place, or nothing yet, it never will be."""
    last = [event for decision in unsure.decisions for event in decision.events][-1]
    rows = await EventRow.filter(order_id=last.order_id, sequence=last.sequence).using_db(db)
    return bool(rows) and codec.event(rows[0]) == last


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
