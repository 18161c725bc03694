"""The command doctor: examines what the product stands on, and says in plain words what is wrong and what mends it."""

import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import click
from graphql import parse, validate

from api.auth import JwksVerifier
from api.claims import InvalidToken
from api.commands import starting
from api.commands.starting import Problem
from api.settings import PREFIX, Settings, unknown_settings, without_password
from api.trusted import TrustedDocuments
from models import LogRow, OrderRow, RefundRow
from models.constraints import constraint_names
from models.database import connection, is_embedded, opened
from models.event import EventRow
from models.loading import replayed, whole_case
from rules.case import Case
from rules.vocabulary import RefundStatus
from subscriptions import doorbell

SAMPLED = 100
"""Orders whose rows are held against their log: half of them the newest, half spread over all."""
NEWEST_EVENTS = 10_000
OVERDUE = timedelta(minutes=5)
"""A sweep comes every second or so; what waits longer has nobody who sweeps."""
STUCK = timedelta(minutes=15)
"""Longer than the pause between two tries of a refund."""
SLOW_MS = 120_000
"""Some of these look at whole tables."""

Check = Callable[[Settings], Awaitable[str]]


class Wrong(Exception):
    """Something is wrong: what, and what to do."""


@dataclass
class Findings:
    """What was said so far."""

    wrong: int = 0

    def good(self, sentence: str) -> None:
        click.echo(f"✓ {sentence}")

    def bad(self, sentence: str) -> None:
        self.wrong += 1
        click.echo(f"✗ {sentence}")


def examine() -> None:
    """Examines everything that can be reached. Ends with exit code 1 when anything is wrong."""
    findings = Findings()
    try:
        given = starting.settings()
    except Problem as problem:
        for sentence in problem.message.splitlines():
            findings.bad(sentence)
        raise click.exceptions.Exit(1) from None
    findings.good(f"The settings fit together ({given.environment}).")
    for name in unknown_settings(os.environ):
        click.echo(f"! {name} is no setting of this version and has no effect; is it spelled right?")
    starting.run(_examine(given, findings))
    click.echo("All is well." if not findings.wrong else f"{_count(findings.wrong, 'thing is', 'things are')} wrong.")
    if findings.wrong:
        raise click.exceptions.Exit(1)


async def _examine(given: Settings, findings: Findings) -> None:
    await _look(policy, given, findings)
    if given.trusted_documents is not None:
        await _look(trusted_documents, given, findings)
        await _look(web_operations, given, findings)
    if await _look(reachable, given, findings) and await _look(migrations, given, findings):
        async with opened(given.database_url, pool_size=1, statement_timeout_ms=SLOW_MS):
            for check in (constraints, log_is_whole, rows_equal_log, ledger_balances, deadlines, refunds):
                await _look(check, given, findings)
    await _look(broadcast, given, findings)
    await _look(keys, given, findings)


async def _look(check: Check, given: Settings, findings: Findings) -> bool:
    try:
        findings.good(await check(given))
    except Wrong as wrong:
        findings.bad(str(wrong))
    except Problem as problem:
        findings.bad(problem.message)
    except Exception as error:  # noqa: BLE001 - a check that fails is a finding, and the others go on
        name = check.__name__.replace("_", " ")
        findings.bad(f"This could not be checked: {name} ({type(error).__name__}).")
    else:
        return True
    return False


# ---------------------------------------------------------------- what is examined, in this order


async def policy(given: Settings) -> str:
    starting.policy(given)
    return "No policy file: the defaults hold." if given.policy_file is None else "The policy file is sound."


async def trusted_documents(given: Settings) -> str:
    """Each document must still fit the schema: one that does not is refused whenever a client asks it."""
    found = starting.trusted_documents(given)
    assert found is not None
    unfit = _unfit(found)
    if unfit:
        number = _count(len(unfit), "trusted document does", "trusted documents do")
        raise Wrong(
            f"{number} not fit the schema: {_some(unfit)}. Build the manifest again from the clients that are in use."
        )
    return f"{_count(len(found), 'trusted document fits', 'trusted documents fit')} the schema" + (
        ", and nothing else is executed." if found.only else "; others are executed too."
    )


async def web_operations(given: Settings) -> str:
    """Those of a web app that was built for another version may not fit."""
    found = starting.web_operations(given)
    if found is None:
        return "The web app brings no trusted documents of its own."
    unfit = _unfit(found)
    if unfit:
        number = _count(len(unfit), "operation of the web app does", "operations of the web app do")
        raise Wrong(f"{number} not fit the schema: {_some(unfit)}. Build it again: make web.")
    return f"{_count(len(found), 'operation of the web app fits', 'operations of the web app fit')} the schema."


def _unfit(documents: TrustedDocuments) -> list[str]:
    from api.schema import schema

    return [id_ for id_, text in documents.texts.items() if validate(schema._schema, parse(text), max_errors=1)]


async def reachable(given: Settings) -> str:
    file = starting.database_file(given)
    if file is not None and not file.exists():
        raise Wrong(f"There is no database at {file} yet: resolution-center migrate makes it.")
    await starting.reach(given)
    return f"The database answers: {without_password(given.database_url)}."


async def migrations(given: Settings) -> str:
    missing = await starting.missing_migrations(given)
    if missing:
        raise Wrong(f"The database lacks {', '.join(missing)}: run resolution-center migrate.")
    return "All migrations are applied."


async def constraints(given: Settings) -> str:
    """The rules that the database repeats: each must be there by its name."""
    there = await (_names_in_sqlite() if is_embedded(given.database_url) else _names_in_postgres())
    wanted = {name for names in constraint_names().values() for name in names}
    missing = sorted(wanted - there)
    if missing:
        raise Wrong(
            f"The database lacks {_count(len(missing), 'constraint', 'constraints')}: {_some(missing)}. Somebody "
            "changed the tables: restore them from a backup, or make them as models/migrations does."
        )
    return f"All {len(wanted)} constraints and indexes are there."


async def log_is_whole(given: Settings) -> str:  # noqa: ARG001 - all checks are asked alike
    """The counter stands at the newest event, and the newest positions have no gap. A server may be writing meanwhile:
    so the counter is read first, and no event after it is looked at."""
    log = await LogRow.filter(id=1).first()
    if log is None:
        raise Wrong("The log has no counter, so nothing can be written: restore the table log from a backup.")
    newest = await EventRow.filter(position__lte=log.position).order_by("-position").first()
    last = newest.position if newest else 0
    if last != log.position:
        raise Wrong(
            f"The log's counter stands at {log.position:,} and the newest event at {last:,}: "
            "clients would miss events. Restore the tables log and events from one backup."
        )
    since = max(0, last - NEWEST_EVENTS)
    count = await EventRow.filter(position__gt=since, position__lte=last).count()
    if count != last - since:
        raise Wrong(f"Among the newest {last - since:,} events {last - since - count:,} are missing: restore a backup.")
    if beyond := await EventRow.filter(position__gt=log.position).order_by("position").first():
        now = await LogRow.get(id=1)
        if beyond.position > now.position:
            raise Wrong(f"There is an event at {beyond.position:,}, beyond the log's counter ({now.position:,}).")
    return f"The log is whole: {last:,} events, no gap among the newest."


async def rows_equal_log(given: Settings) -> str:  # noqa: ARG001
    ids = await _sample()
    differing = [row for row in ids if not await _equals_its_log(row)]
    if differing:
        references = [row.reference for row in differing]
        raise Wrong(
            f"{_count(len(references), 'order does', 'orders do')} not equal what the log tells: {_some(references)}. "
            "The log is the truth; somebody changed the rows."
        )
    return f"{_count(len(ids), 'sampled order equals', 'sampled orders equal')} the replay of the log."


async def ledger_balances(given: Settings) -> str:  # noqa: ARG001
    found = await connection().execute_query_dict(
        "SELECT o.reference AS reference FROM ledger_entries l JOIN orders o ON o.id = l.order_id "
        "GROUP BY o.reference, l.currency HAVING SUM(l.amount_minor) <> 0 ORDER BY o.reference LIMIT 10"
    )
    if found:
        raise Wrong(f"The ledger does not sum to zero for {_some([row['reference'] for row in found])}.")
    return "The ledger of every order sums to zero."


async def deadlines(given: Settings) -> str:  # noqa: ARG001
    overdue = await OrderRow.filter(next_deadline_at__lt=starting.now() - OVERDUE).count()
    if overdue:
        raise Wrong(
            f"{_count(overdue, 'order waits', 'orders wait')} for a deadline that passed more than 5 minutes ago: "
            "is a resolution-center serve running on this database? resolution-center sweep applies them once."
        )
    return "No deadline is overdue."


async def refunds(given: Settings) -> str:  # noqa: ARG001
    stuck = await RefundRow.filter(status=RefundStatus.PENDING, next_attempt_at__lt=starting.now() - STUCK).count()
    if stuck:
        raise Wrong(
            f"{_count(stuck, 'refund waits', 'refunds wait')} to be paid for more than 15 minutes: "
            "is a resolution-center serve running, and does the payment gateway answer it?"
        )
    failed = await RefundRow.filter(status=RefundStatus.FAILED).count()
    if failed:
        return f"No refund is stuck. {_count(failed, 'refund', 'refunds')} failed for good: support has to see to it."
    return "No refund is stuck."


async def broadcast(given: Settings) -> str:
    shown = without_password(given.broadcast_url)
    try:
        await doorbell.check(given.broadcast_url)
    except Exception as error:  # noqa: BLE001 - each backend has its own kinds for a host that is away
        kind = type(error).__name__
        raise Wrong(
            f"The broadcast {shown} does not carry ({kind}): does it run, and is {PREFIX}BROADCAST_URL right? "
            "Events reach other processes late until it does."
        ) from None
    if given.broadcast_url.startswith("memory:"):
        return "The broadcast is this process's memory: enough for one serve process, not for two."
    return f"The broadcast carries: {shown}."


async def keys(given: Settings) -> str:
    """What tokens are checked with."""
    if given.jwks_url is None:
        if given.jwt_secret is not None:
            return "Tokens are checked with the shared secret."
        return "Tokens are checked with a local secret: for development only."
    assert given.jwt_issuer is not None and given.jwt_audience is not None, "the settings see to it"
    verifier = JwksVerifier(given.jwks_url, given.jwt_issuer, given.jwt_audience)
    shown = without_password(given.jwks_url)
    try:
        count = await verifier.load()
    except InvalidToken:
        raise Wrong(
            f"The keys at {shown} can't be read: is {PREFIX}JWKS_URL right, and can this machine reach it?"
        ) from None
    finally:
        await verifier.aclose()
    return f"The identity provider's keys can be read: {count} at {shown}."


# ---------------------------------------------------------------- how it is looked at


async def _names_in_sqlite() -> set[str]:
    """Indexes have their name; a check stands in the text of its table."""
    rows = await connection().execute_query_dict("SELECT name, sql FROM sqlite_master")
    named = {row["name"] for row in rows}
    return named | {found for row in rows for found in re.findall(r'CONSTRAINT "(\w+)"', row["sql"] or "")}


async def _names_in_postgres() -> set[str]:
    rows = await connection().execute_query_dict(
        "SELECT c.conname AS name FROM pg_catalog.pg_constraint c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace "
        "WHERE n.nspname = ANY (current_schemas(false)) AND c.convalidated "
        "UNION SELECT c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = ANY (current_schemas(false)) AND i.indisvalid"
    )
    return {row["name"] for row in rows}


async def _sample() -> list[OrderRow]:
    newest = await OrderRow.all().order_by("-created_at", "-id").limit(SAMPLED // 2).only("id", "reference")
    last = await LogRow.get(id=1)
    step = max(1, last.position // (SAMPLED // 2))
    spread = await EventRow.filter(position__in=range(1, last.position + 1, step)[:SAMPLED]).values("order_id")
    known = {row.id for row in newest}
    others = {row["order_id"] for row in spread} - known
    return newest + await OrderRow.filter(id__in=list(others)).only("id", "reference")


async def _equals_its_log(row: OrderRow) -> bool:
    """Looked at twice when they differ: a server may have written in between."""
    for _ in range(3):
        try:
            if _ordered(await whole_case(row.id)) == _ordered(await replayed(row.id)):
                return True
        except (ValueError, KeyError, TypeError):
            return False
    return False


def _ordered(case: Case) -> tuple[object, ...]:
    """The case, whatever stands first in each of its lists."""
    parts = (case.requests, case.support_cases, case.refunds)
    return (case.order, *({thing.id: thing for thing in part} for part in parts))


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
