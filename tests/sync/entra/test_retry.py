"""Promises G1 to G3: how long is waited, and when no more."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.entra.graph.retry import Retry, RetryBudget, RetryPolicy, parse_retry_after, put_off_s
from sync.errors import BadResponse, EntraError, Throttled, Unavailable
from tests.sync.entra.clock import FakeClock

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
def test_retry_waits_at_least_as_long_as_asked(asked_s: float, chance: float) -> None:
    """Never earlier than Retry-After says, and at most a second later."""
    wait_s = Retry(RetryPolicy(), FakeClock(chance)).wait_s(Throttled(retry_after_s=asked_s))
    assert asked_s <= wait_s <= asked_s + 1


def test_retry_backs_off_exponentially_when_nothing_is_asked() -> None:
    """Without Retry-After the ceiling of the jitter doubles up to a minute."""
    retry = Retry(RetryPolicy(tries=9), FakeClock(chance=0.5))
    assert [retry.wait_s(Unavailable()) for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_retry_raises_the_error_when_the_tries_are_used_up() -> None:
    """The sixth failure is the last and comes out unchanged."""
    retry = Retry(RetryPolicy(), FakeClock())
    for _ in range(5):
        retry.wait_s(Unavailable())
    last = Unavailable()
    with pytest.raises(Unavailable) as caught:
        retry.wait_s(last)
    assert caught.value is last


def test_retry_gives_up_earlier_when_answers_are_malformed() -> None:
    """A malformed answer gets two more tries only."""
    retry = Retry(RetryPolicy(), FakeClock())
    retry.wait_s(BadResponse())
    retry.wait_s(BadResponse())
    with pytest.raises(BadResponse):
        retry.wait_s(BadResponse())


def test_retry_bears_with_throttling_longer_than_with_failures() -> None:
    """Being asked to wait is not a failure: it uses up none of the tries, and it ends as well."""
    retry = Retry(RetryPolicy(), FakeClock())
    for _ in range(29):
        retry.wait_s(Throttled(retry_after_s=1.0))
    for _ in range(5):
        retry.wait_s(Unavailable())
    with pytest.raises(Throttled):
        retry.wait_s(Throttled(retry_after_s=1.0))


@pytest.mark.parametrize(("asked_s", "reported_s"), [(300.5, 300.5), (3600.0, 3600.0), (1e9, 3600.0)])
@pytest.mark.parametrize("kind", [Throttled, Unavailable])
def test_retry_hands_a_long_wait_to_its_caller(
    kind: type[Throttled | Unavailable], asked_s: float, reported_s: float
) -> None:
    """Over 300 seconds: Throttled says how long to put the run off, and never more than a day."""
    with pytest.raises(Throttled) as caught:
        Retry(RetryPolicy(), FakeClock()).wait_s(kind(retry_after_s=asked_s, status=429))
    assert caught.value.facts == {"retry_after_s": reported_s, "status": 429}
    assert put_off_s(caught.value) == reported_s


@pytest.mark.parametrize(
    "error",
    [Throttled(), Throttled(retry_after_s=300.0), Unavailable(retry_after_s=400.0), Throttled(retry_after_s="9")],
)
def test_error_puts_no_run_off_when_nobody_asked_for_a_long_wait(error: EntraError) -> None:
    """Up to 300 seconds are waited inside a run; a failure without a wait to schedule ends its stream."""
    assert put_off_s(error) is None


def test_retry_stops_when_the_waits_of_a_request_exceed_its_budget() -> None:
    """All waits for throttling of one request stay within a quarter of an hour."""
    retry, waited_s = Retry(RetryPolicy(throttled_tries=100), FakeClock()), 0.0
    with pytest.raises(Throttled):
        for _ in range(99):
            waited_s += retry.wait_s(Throttled(retry_after_s=290.0))
    assert 0 < waited_s <= 900


def test_failures_of_all_requests_share_the_budget_of_a_run() -> None:
    """A quarter of an hour of waiting for a failing service ends the next request at once; throttling goes on."""
    policy, clock, budget = RetryPolicy(), FakeClock(), RetryBudget(RetryPolicy().budget_s)
    waited_s = 0.0
    with pytest.raises(Unavailable):
        for _ in range(99):
            waited_s += Retry(policy, clock, budget).wait_s(Unavailable(retry_after_s=290.0))
    assert 600 < waited_s <= 900
    assert Retry(policy, clock, budget).wait_s(Throttled(retry_after_s=290.0)) >= 290
