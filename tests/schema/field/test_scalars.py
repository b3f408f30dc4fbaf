"""Times and durations as callers write them: every form of RFC 3339, and no unit that may mean two things."""

from __future__ import annotations

import pytest

from schema.field.scalars import bound, parse_duration, parse_time
from sync.errors import BadInput

STORED = "2026-11-23T22:00:22.000Z"
WRITTEN = {
    "2026-11-23T22:00:22Z": STORED,
    "2026-11-23t22:00:22z": STORED,
    "2026-11-23T22:00:22.000000000Z": STORED,
    "2026-11-23T23:00:22+01:00": STORED,
    "2016-12-31T23:59:60Z": "2017-01-01T00:00:00.000Z",
    "2016-12-31T15:59:60.250-08:00": "2017-01-01T00:00:00.250Z",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_time_is_read_in_every_form_of_the_standard(written: str) -> None:
    """Letter case of `T` and `Z` does not count, zeros behind milliseconds neither; a leap second is the next one."""
    assert bound(parse_time(written)) == parse_time(written) == WRITTEN[written]


@pytest.mark.parametrize("wrong", ["2026-11-23T22:00:60Z", "2026-11-23T23:59:60+05:00", "9999-12-31T23:59:60Z", "60"])
def test_time_is_refused_when_no_leap_second_can_be_there(wrong: str) -> None:
    """A 61st second is one at the end of a day in UTC only."""
    with pytest.raises(BadInput):
        parse_time(wrong)


@pytest.mark.parametrize("digits", ["0005", "0009", "00000001", "000999999999"])
def test_time_finer_than_a_millisecond_lies_between_two_stored_ones(digits: str) -> None:
    """In the order of texts, which stored times are compared in, however many digits it has."""
    given = parse_time(f"2026-11-23T22:00:22.{digits}Z")
    assert given == STORED
    assert STORED < bound(given) < "2026-11-23T22:00:22.001Z"


@pytest.mark.parametrize("text", ["1M", "12 M"])
def test_duration_is_refused_when_its_unit_is_a_capital_m(text: str) -> None:
    """It may mean months or minutes: the hint says how either is written."""
    with pytest.raises(BadInput) as caught:
        parse_duration(text)
    assert "1mo" in str(caught.value.hint) and "1min" in str(caught.value.hint)


def test_duration_of_months_and_minutes_is_read_when_it_says_which() -> None:
    """The small letter is a minute, as ever; ISO 8601 has a place for either."""
    assert parse_duration("1m") == parse_duration("1min") == parse_duration("PT1M") == 60
    assert parse_duration("1mo") == parse_duration("P1M") == 30 * 86_400
