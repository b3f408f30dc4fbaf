"""Promise S4: the thresholds of the guard against mass removal, one row around each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import RemovalHeld
from sync.inventory.directory.guard import PERCENT_FREE, ROWS_FREE, Removal, check_removals, must_ask


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
        check_removals([Removal("users", removed + more, removed)], lambda _: removed)
        return
    with pytest.raises(RemovalHeld) as caught:
        check_removals([Removal("users", removed + more, removed + more)], lambda _: removed)
    assert caught.value.removals == {"users": {"rows": removed + more, "of": removed + more}}
    assert "confirmRemoval" in str(caught.value.hint)


def test_guard_tells_of_all_that_it_holds_and_of_nothing_else() -> None:
    """One question for a whole sweep: what was confirmed or is usual is not asked about."""
    removals = [Removal("users", 300, 505), Removal("groups", 200, 300), Removal("managers", 1, 2)]
    with pytest.raises(RemovalHeld) as caught:
        check_removals([*removals, Removal("memberships", 4000, 5000)], lambda kind: 200 if kind == "groups" else 0)
    assert [*caught.value.removals] == ["users", "memberships"]
    assert "300 of 505 users and 4,000 of 5,000 memberships" in caught.value.message
