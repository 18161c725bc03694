"""Global ids: the same text for ever, and only that text is one."""

from base64 import urlsafe_b64encode
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.ids import Kind, event_id, global_id, parsed


@given(st.sampled_from([kind for kind in Kind if kind is not Kind.EVENT]), st.uuids())
def test_an_id_is_the_kind_and_the_uuid_in_base64_for_urls(kind: Kind, value: UUID) -> None:
    text = global_id(kind, value)
    assert text == _in_base64(f"{kind}:{value}")
    assert parsed(text) == (kind, value, 0)


@given(st.uuids(), st.integers(0, 2**31 - 1))
def test_the_id_of_an_event_has_its_sequence_too(order_id: UUID, sequence: int) -> None:
    text = event_id(order_id, sequence)
    assert text == _in_base64(f"OrderEvent:{order_id}:{sequence}")
    assert parsed(text) == (Kind.EVENT, order_id, sequence)


def _in_base64(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
