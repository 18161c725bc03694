"""Mutations: from an input to a command of the journal, and from its outcome to what was done or why not."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Context as Arithmetic
from decimal import Decimal
from typing import Any
from uuid import UUID

from api.context import Context
from api.ids import Kind, uuid_of
from models.journal import Done, IdempotencyKey, PlaceOrder
from rules import texts
from rules.case import Case
from rules.commands import CaseCommand
from rules.refusals import NOT_FOUND, Refusal, Refused
from rules.vocabulary import RefusalCode

LONGEST_KEY = 255
_EVERY_DIGIT = Arithmetic(prec=100)
"""More digits than the scalar Decimal takes: two amounts that differ are never taken for one."""


@dataclass(frozen=True, slots=True)
class Written:
    """The id of what was made or changed, or the refusals. Without a case it was done before, under the same key."""

    subject_id: UUID | None
    refusals: tuple[Refusal, ...] = ()
    case: Case | None = None


async def place(context: Context, order: PlaceOrder, key: IdempotencyKey | None) -> Written:
    """Brings an order in."""
    return await _written(context.product.journal.place(order, context.viewer, key))


async def on_order(context: Context, order_id: str, command: CaseCommand, key: IdempotencyKey | None) -> Written:
    """A command on an order."""
    value = uuid_of(Kind.ORDER, order_id)
    if value is None:
        return _nowhere(context, "orderId")
    return await _on(context, value, command, key, "orderId")


async def on_request(
    context: Context, request_id: str, command: Callable[[UUID], CaseCommand], key: IdempotencyKey | None
) -> Written:
    """A command on a request, performed on its order."""
    value = uuid_of(Kind.REQUEST, request_id)
    if value is None:
        return _nowhere(context, "requestId")
    return await _on(context, None, command(value), key, "requestId")


async def on_support_case(
    context: Context, case_id: str, command: Callable[[UUID], CaseCommand], key: IdempotencyKey | None
) -> Written:
    """A command on a support case, performed on its order."""
    value = uuid_of(Kind.SUPPORT_CASE, case_id)
    row = await context.loaders.support_cases.load(value) if value else None
    if row is None:
        return _nowhere(context, "caseId")
    return await _on(context, row.order_id, command(row.id), key, "caseId")


async def _on(
    context: Context, order_id: UUID | None, command: CaseCommand, key: IdempotencyKey | None, path: str
) -> Written:
    return await _written(context.product.journal.perform(order_id, command, context.viewer, key), path)


def _nowhere(context: Context, path: str) -> Written:
    _ = context.viewer
    return Written(None, (NOT_FOUND.at(path),))


async def _written(work: Awaitable[Done], path: str | None = None) -> Written:
    try:
        done = await work
    except Refused as refused:
        return Written(None, tuple(_pointing(refusal, path) for refusal in refused.refusals))
    return Written(done.subject_id, case=done.case)


def _pointing(refusal: Refusal, path: str | None) -> Refusal:
    """Whoever may not see an order is told the same as whoever names none: that the id is at fault."""
    if path and refusal.code is RefusalCode.NOT_FOUND:
        return replace(refusal, path=(path,))
    return refusal


def idempotency_key(mutation: str, values: Mapping[str, Any]) -> IdempotencyKey | None:
    """The caller's key with a digest of what it stands for. Raises Refused for keys that can't be."""
    given = dict(values)
    key = given.pop("idempotency_key", None)
    if key is None:
        return None
    text = texts.text(key, "idempotencyKey", most=LONGEST_KEY, lines=False)
    # Not orjson: it refuses half surrogates, which the rules refuse with the path to the input.
    content = json.dumps([mutation, given], default=_plain, sort_keys=True)
    return IdempotencyKey(text, hashlib.sha256(content.encode()).hexdigest())


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize(_EVERY_DIGIT):f}"
    raise TypeError(type(value).__name__)
