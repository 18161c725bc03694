"""Who sees what: a party first, support second, the marketplace what it placed, and by default nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.case import Order
from rules.visibility import Viewer, may_read_confidence, may_see_earnings, role_in
from rules.vocabulary import Role
from tests.world import ADA, BAZAAR, BELA, FARID, GITA, SOL, an_order

SUPPORT, MARKET = frozenset({Role.SUPPORT}), frozenset({Role.MARKETPLACE})
ORDER: Order = an_order()


@pytest.mark.parametrize(
    ("viewer", "role"),
    [
        (Viewer(ADA), Role.CLIENT),
        (Viewer(FARID), Role.FREELANCER),
        (Viewer(SOL, SUPPORT), Role.SUPPORT),
        (Viewer(BAZAAR, MARKET), Role.MARKETPLACE),
        (Viewer(BELA), None),
        (Viewer(GITA), None),
        (Viewer(SOL), None),
        (Viewer(BAZAAR), None),
        (Viewer(BELA, MARKET), None),
        (Viewer(GITA, frozenset({Role.CLIENT, Role.FREELANCER, Role.SYSTEM})), None),
    ],
)
def test_an_order_is_seen_in_one_role_or_not_at_all(viewer: Viewer, role: Role | None) -> None:
    assert role_in(viewer, ORDER) is role


def test_support_staff_who_trade_are_a_party_on_their_own_orders() -> None:
    assert role_in(Viewer(ADA, SUPPORT), ORDER) is Role.CLIENT
    assert role_in(Viewer(FARID, SUPPORT | MARKET), ORDER) is Role.FREELANCER


def test_an_order_that_nobody_placed_is_not_the_marketplace_s() -> None:
    assert role_in(Viewer(BAZAAR, MARKET), an_order(placed_by_id=None)) is None


@pytest.mark.parametrize("author", [Role.CLIENT, Role.FREELANCER])
@pytest.mark.parametrize("reader", [*Role, None])
def test_a_confidence_is_read_by_its_author_and_by_support_alone(reader: Role | None, author: Role) -> None:
    assert may_read_confidence(reader, author) is (reader in (author, Role.SUPPORT))


@given(st.sampled_from([ADA, FARID]), st.frozensets(st.sampled_from(Role)))
def test_no_scope_lets_a_party_read_the_other_side_s_confidence(user: object, scopes: frozenset[Role]) -> None:
    role = role_in(Viewer(ADA if user == ADA else FARID, scopes), ORDER)
    assert role is not None
    assert not may_read_confidence(role, role.other_side)


def test_earnings_are_for_the_freelancer_and_for_support() -> None:
    assert may_see_earnings(Viewer(FARID), FARID)
    assert may_see_earnings(Viewer(SOL, SUPPORT), FARID)
    assert not may_see_earnings(Viewer(ADA), FARID)
    assert not may_see_earnings(Viewer(BAZAAR, MARKET), FARID)
