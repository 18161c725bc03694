"""The commands block and unblock: who may do nothing here until further notice."""

import click

from api.commands import starting
from api.commands.starting import Problem
from api.settings import Settings
from models.block import log_block, newest_block
from models.people import named
from models.user import UserRow
from rules.refusals import Refused
from rules.texts import text
from subscriptions.doorbell import ring_once

LONGEST_REASON = 500


def block(given: Settings, subject: str, reason: str | None) -> None:
    """Blocks somebody, and tells what that means. Raises Problem for whoever is not known, and for a reason that is
    no text."""
    click.echo(starting.run(_block(given, subject, _checked(reason))))


def unblock(given: Settings, subject: str) -> None:
    """Lets somebody in again. Raises Problem for whoever is not known."""
    click.echo(starting.run(_unblock(given, subject)))


async def _block(given: Settings, subject: str, reason: str | None) -> str:
    async with starting.database(given):
        user = await _known(subject)
        if found := await newest_block(user.id):
            return f"{_shown(user)} is blocked already, since {found.occurred_at:%Y-%m-%d %H:%M} UTC: nothing to do."
        await log_block(user.id, blocked=True, reason=reason, now=starting.now())
    await ring_once(given.broadcast_url)
    return f"Blocked {_shown(user)}: every server refuses them, and ends their open streams, within seconds."


async def _unblock(given: Settings, subject: str) -> str:
    async with starting.database(given):
        user = await _known(subject)
        if await newest_block(user.id) is None:
            return f"{_shown(user)} is not blocked: nothing to do."
        await log_block(user.id, blocked=False, reason=None, now=starting.now())
    await ring_once(given.broadcast_url)
    return f"{_shown(user)} is not blocked any more."


async def _known(subject: str) -> UserRow:
    user = await named(subject)
    if user is None:
        raise Problem("Nobody with this subject was ever seen here, or named by an order; is it spelled right?")
    return user


def _checked(reason: str | None) -> str | None:
    try:
        return None if reason is None else text(reason, most=LONGEST_REASON, lines=False)
    except Refused as refused:
        raise Problem(f"--reason: {refused.refusals[0].message}") from None


def _shown(user: UserRow) -> str:
    return user.name if user.name == user.subject else f"{user.name} ({user.subject})"
