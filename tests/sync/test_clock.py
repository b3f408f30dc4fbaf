"""Stored times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.clock import timestamp

TIMES = st.datetimes(min_value=datetime.fromisoformat("1000-01-02"), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 23, 4, 5, 6, 123_999, UTC), "2026-11-23T04:05:06.123Z"),
        (datetime(2026, 11, 23, 4, 5, 6, 0, UTC), "2026-11-23T04:05:06.000Z"),
        (datetime(2026, 11, 23, 0, 5, 6, 7_000, timezone(timedelta(hours=5, minutes=30))), "2026-11-22T18:35:06.007Z"),
    ],
)
def test_timestamp_is_utc_with_milliseconds_for_any_aware_time(moment: datetime, text: str) -> None:
    """A stored time is UTC, cut to milliseconds, 24 characters."""
    assert timestamp(moment) == text


@given(TIMES, TIMES)
def test_timestamp_sorts_as_the_time_when_compared_as_text(one: datetime, other: datetime) -> None:
    """Text order is time order, so both databases sort times without understanding them."""
    cut = [moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in (one, other)]
    assert (timestamp(one) < timestamp(other)) == (cut[0] < cut[1])
    assert len(timestamp(one)) == 24
