"""Standing: the completion rate, and what the search makes of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.policy import DEFAULT
from rules.standing import Tally
from rules.vocabulary import OrderStatus, SearchVisibility

V = SearchVisibility


def test_without_an_ended_order_there_is_no_rate_and_the_gigs_are_shown_in_full() -> None:
    assert Tally().rate is None
    assert Tally().visibility(DEFAULT) is V.FULL


@pytest.mark.parametrize(
    ("completed", "cancelled", "rate", "visibility"),
    [
        (10, 0, 1.0, V.FULL),
        (9, 1, 0.9, V.FULL),
        (90, 10, 0.9, V.FULL),
        (899, 101, 0.899, V.REDUCED),
        (7, 3, 0.7, V.REDUCED),
        (70_000, 30_000, 0.7, V.REDUCED),
        (699, 301, 0.699, V.HIDDEN),
        (0, 1, 0.0, V.HIDDEN),
    ],
)
def test_the_rate_decides_at_its_thresholds_exactly(
    completed: int, cancelled: int, rate: float, visibility: SearchVisibility
) -> None:
    tally = Tally(completed, cancelled)
    assert tally.rate == rate
    assert tally.visibility(DEFAULT) is visibility


def test_one_more_order_is_counted_by_its_end() -> None:
    tally = Tally(3, 1)
    assert tally.after(OrderStatus.COMPLETED) == Tally(4, 1)
    assert tally.after(OrderStatus.CANCELLED) == Tally(3, 2)
    assert tally.after(None) == tally


def test_an_operator_chooses_the_thresholds() -> None:
    policy = replace(DEFAULT, full_from=0.5, reduced_from=0.25)
    assert Tally(1, 1).visibility(policy) is V.FULL
    assert Tally(1, 3).visibility(policy) is V.REDUCED
    assert Tally(1, 4).visibility(policy) is V.HIDDEN


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_completed_order_never_lowers_the_rate_and_a_cancelled_one_never_raises_it(
    completed: int, cancelled: int
) -> None:
    tally = Tally(completed, cancelled)
    better, worse = tally.after(OrderStatus.COMPLETED).rate, tally.after(OrderStatus.CANCELLED).rate
    assert better is not None
    assert worse is not None
    assert 0 <= worse <= (better if tally.rate is None else tally.rate) <= better <= 1


@given(st.integers(1, 1_000), st.integers(0, 1_000))
def test_exactly_nine_tenths_is_full_however_many_orders_make_it(tenths: int, more: int) -> None:
    assert Tally(9 * tenths, tenths).visibility(DEFAULT) is V.FULL
    assert Tally(9 * tenths + more, tenths).visibility(DEFAULT) is V.FULL
