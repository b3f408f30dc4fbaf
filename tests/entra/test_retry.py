"""Promises G1 to G3: how long is waited, and when no more."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.entra.retry import Retry, RetryPolicy, parse_retry_after
from sync.errors import BadResponse, Throttled, Unavailable
from tests.entra.clock import FakeClock

NOW = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("2.128", 2.128),
        ("1e9", 1e9),
        ("Mon, 23 Nov 2026 04:05:36 GMT", 30.0),
        ("Monday, 23-Nov-26 04:05:36 GMT", 30.0),
        ("Mon, 23 Nov 2026 04:05:06 GMT", None),
        ("Mon, 23 Nov 2020 04:05:06 GMT", None),
        ("Mon, 99 Nov 2026 99:99:99 GMT", None),
        (None, None),
        ("", None),
        ("0", None),
        ("-5", None),
        ("NaN", None),
        ("inf", None),
        ("1_000", None),
        ("\u0667", None),
        ("soon", None),
        ("7, 8", None),
        ("9" * 10_000, None),
    ],
)
def test_retry_after_is_read_in_every_form(text: str | None, seconds: float | None) -> None:
    """Integer, fraction and date are understood; everything else means: not said."""
    assert parse_retry_after(text, now=NOW) == seconds


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("asked_s", [1.0, 2.128, 7.0, 300.0])
async def test_retry_waits_at_least_as_long_as_asked(asked_s: float, chance: float) -> None:
    """Never earlier than Retry-After says, and at most a second later."""
    clock = FakeClock(chance)
    waited_s = await Retry(RetryPolicy(), clock).wait(Throttled(retry_after_s=asked_s))
    assert asked_s <= waited_s <= asked_s + 1
    assert clock.slept == [waited_s]


async def test_retry_backs_off_exponentially_when_nothing_is_asked() -> None:
    """Without Retry-After the ceiling of the jitter doubles up to a minute."""
    clock = FakeClock(chance=0.5)
    retry = Retry(RetryPolicy(tries=9), clock)
    for _ in range(8):
        await retry.wait(Unavailable())
    assert clock.slept == [1, 2, 4, 8, 16, 30, 30, 30]


async def test_retry_raises_the_error_when_the_tries_are_used_up() -> None:
    """The sixth failure is the last and comes out unchanged."""
    clock = FakeClock()
    retry = Retry(RetryPolicy(), clock)
    for _ in range(5):
        await retry.wait(Unavailable())
    last = Unavailable()
    with pytest.raises(Unavailable) as caught:
        await retry.wait(last)
    assert caught.value is last
    assert len(clock.slept) == 5


async def test_retry_gives_up_earlier_when_answers_are_malformed() -> None:
    """A malformed answer gets two more tries only."""
    clock = FakeClock()
    retry = Retry(RetryPolicy(), clock)
    await retry.wait(BadResponse())
    await retry.wait(BadResponse())
    with pytest.raises(BadResponse):
        await retry.wait(BadResponse())


@pytest.mark.parametrize(("asked_s", "reported_s"), [(300.5, 300.5), (3600.0, 3600.0), (1e9, 86_400.0)])
@pytest.mark.parametrize("kind", [Throttled, Unavailable])
async def test_retry_hands_a_long_wait_to_its_caller(
    kind: type[Throttled | Unavailable], asked_s: float, reported_s: float
) -> None:
    """Over 300 seconds nothing is slept: Throttled says how long, and never more than a day."""
    clock = FakeClock()
    with pytest.raises(Throttled) as caught:
        await Retry(RetryPolicy(), clock).wait(kind(retry_after_s=asked_s, status=429))
    assert caught.value.facts == {"retry_after_s": reported_s, "status": 429}
    assert clock.slept == []


async def test_retry_stops_when_the_waits_of_a_request_exceed_its_budget() -> None:
    """All waits of one request stay within a quarter of an hour."""
    clock = FakeClock()
    retry = Retry(RetryPolicy(tries=100), clock)
    with pytest.raises(Throttled):
        for _ in range(99):
            await retry.wait(Throttled(retry_after_s=290.0))
    assert sum(clock.slept) <= 900
