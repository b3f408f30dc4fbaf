"""Promise S4: the thresholds of the guard against mass removal, one row around each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import RemovalHeld
from sync.inventory.guard import PERCENT_FREE, ROWS_FREE, check_removal, must_ask


@given(st.integers(0, 2_000_000))
def test_one_row_decides_at_both_thresholds(total: int) -> None:
    """The least number that is asked for is over 100 rows and over a fifth; one row less goes without asking."""
    least = max(ROWS_FREE, total * PERCENT_FREE // 100) + 1
    assert must_ask(least, total)
    assert not must_ask(least - 1, total)
    assert must_ask(least + 1, total)


@given(st.integers(0, 1_000_000), st.integers(0, 1_000_000))
def test_guard_asks_only_when_both_thresholds_are_passed(removed: int, total: int) -> None:
    """Over 100 rows and over 20 percent, never for one of them alone."""
    assert must_ask(removed, total) == (removed > 100 and removed / max(total, 1) > 0.2)


@pytest.mark.parametrize(
    ("removed", "total", "asks"),
    [(100, 100, False), (101, 101, True), (101, 505, False), (101, 504, True), (200, 1000, False), (201, 1000, True)],
)
def test_guard_asks_at_the_numbers_of_the_handbook(removed: int, total: int, asks: bool) -> None:
    """The examples that the documentation gives."""
    assert must_ask(removed, total) is asks


@given(st.integers(101, 100_000), st.integers(-1, 1))
def test_confirmation_lets_pass_what_was_confirmed_and_not_a_row_more(removed: int, more: int) -> None:
    """An administrator agrees to a number, not to whatever comes."""
    if more <= 0:
        check_removal("users", removed + more, removed, confirmed=removed)
        return
    with pytest.raises(RemovalHeld) as caught:
        check_removal("users", removed + more, removed + more, confirmed=removed)
    assert caught.value.facts == {"removed": removed + more, "total": removed + more}
    assert "confirmRemoval" in str(caught.value.hint)
