"""Cursors: good for what gave them, refused for everything else."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cursors import EventCursors, ForeignCursor, Key, read_key, write_key

SECRET, OTHER = b"0123456789abcdef", b"fedcba9876543210"
positions = st.integers(0, 2**63)


@given(positions)
def test_a_position_comes_back(position: int) -> None:
    cursors = EventCursors(SECRET)
    assert cursors.read(cursors.write(position)) == position


@given(positions)
def test_another_database_takes_no_cursor_of_this_one(position: int) -> None:
    with pytest.raises(ForeignCursor):
        EventCursors(OTHER).read(EventCursors(SECRET).write(position))


@given(st.text(max_size=40))
def test_no_other_text_is_a_cursor(text: str) -> None:
    with pytest.raises(ForeignCursor):
        EventCursors(SECRET).read(text)


@given(
    positions, st.integers(0, 21), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
)
def test_a_changed_cursor_is_refused(position: int, place: int, letter: str) -> None:
    cursor = EventCursors(SECRET).write(position)
    changed = cursor[:place] + letter + cursor[place + 1 :]
    if changed != cursor:
        with pytest.raises(ForeignCursor):
            EventCursors(SECRET).read(changed)


def test_two_cursors_in_a_row_have_nothing_in_common() -> None:
    cursors = EventCursors(SECRET)
    same = sum(one == other for one, other in zip(cursors.write(1), cursors.write(2), strict=True))
    assert same < 10


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_key_comes_back_in_its_own_list_alone(instant: datetime, row: object) -> None:
    cursor = write_key("orders:CREATED_AT:desc", [instant, str(row)])
    assert list(read_key("orders:CREATED_AT:desc", cursor, 2)) == [instant, str(row)]
    for listing, length in (("orders:CREATED_AT:asc", 2), ("requests", 2), ("orders:CREATED_AT:desc", 3)):
        with pytest.raises(ForeignCursor):
            read_key(listing, cursor, length)


@given(st.text(max_size=60))
def test_no_other_text_is_a_key(text: str) -> None:
    with pytest.raises(ForeignCursor):
        read_key("orders", text, 2)


zones = st.one_of(st.just(UTC), st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone))
# A day from the ends of time, which other zones would pass.
instants = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones)  # noqa: DTZ001 - as it wants them
whole_instants = instants.map(lambda instant: instant.replace(microsecond=0))
values = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.text(), st.just("?>~"), instants, whole_instants)


@given(st.text(), st.lists(values, max_size=3))
def test_a_key_is_written_as_it_ever_was(listing: str, key: Key) -> None:
    """Clients keep cursors: those that older versions gave stay good, and a row has one."""
    marked = [["t", v.astimezone(UTC).isoformat()] if isinstance(v, datetime) else ["v", v] for v in key]
    assert write_key(listing, key) == urlsafe_b64encode(orjson.dumps([listing, marked])).rstrip(b"=").decode()
