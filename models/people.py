"""People: made the first time that they are seen or named, known by the identity provider's subject."""

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError

from models.user import UserRow


async def ensure_users(
    db: BaseDBAsyncClient, names: Mapping[str, str], now: datetime, new_id: Callable[[], UUID]
) -> dict[str, UUID]:
    """The ids of these subjects; who is not there yet is made, by the name given. Two at once make one. Only within a
    transaction that no cancellation reaches: outside of one, Tortoise opens its own and may leave it open."""
    rows = [UserRow(id=new_id(), subject=s, name=name, created_at=now) for s, name in sorted(names.items())]
    await UserRow.bulk_create(rows, using_db=db, ignore_conflicts=True)
    found = await UserRow.filter(subject__in=list(names)).using_db(db)
    return {row.subject: row.id for row in found}


async def seen(
    db: BaseDBAsyncClient, subject: str, name: str | None, now: datetime, new_id: Callable[[], UUID]
) -> UserRow:
    """Who a token speaks of; the newest token's name is the one that is shown. Single statements only, outside of a
    transaction: whoever hangs up just now leaves nothing open."""
    row = await UserRow.filter(subject=subject).using_db(db).first()
    if row is None:
        row = UserRow(id=new_id(), subject=subject, name=name or subject, created_at=now)
        try:
            await row.save(using_db=db, force_create=True)
        except IntegrityError:
            row = await UserRow.get(subject=subject, using_db=db)
    if name and row.name != name:
        await UserRow.filter(id=row.id).using_db(db).update(name=name)
        row.name = name
    return row


async def named(subject: str) -> UserRow | None:
    """The person with this subject, if one was ever seen or named."""
    return await UserRow.filter(subject=subject).first()


async def name_the_nameless(db: BaseDBAsyncClient, names: Mapping[str, str]) -> None:
    """Names those of whom nothing but their subject is known; whoever has a name keeps it."""
    for subject, name in sorted(names.items()):
        await UserRow.filter(subject=subject, name=subject).using_db(db).update(name=name)
