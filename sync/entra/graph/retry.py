"""Decides whether to retry a request and how long to wait first; it sends no request.

Waits follow Microsoft's guidance: Retry-After if it is given, else exponential back-off with full jitter.

Source: learn.microsoft.com/graph/throttling,
learn.microsoft.com/azure/architecture/best-practices/transient-faults
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sync.clock import Clock
from sync.entra.graph.limiter import PAUSE_S_MAX, WAIT
from sync.errors import BadResponse, EntraError, RollcallError, Throttled

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE]\+?[0-9]{1,2})?", re.ASCII)
_HEADER_CHARACTERS_MAX = 64

WAIT_S_MAX = 300.0
"""The longest single wait inside a run; for a longer one the run is postponed."""


@dataclass(frozen=True)
class RetryPolicy:
    """The limits on retries.

    `wait_s_max` is the longest single wait inside a run; for a longer one the run is postponed. `budget_s` limits two
    sums: the waits after failures, of all requests of a run, and the waits for throttling, of one request. Malformed
    answers get fewer tries, because a retry rarely helps.
    """

    tries: int = 6
    malformed_tries: int = 3
    throttled_tries: int = 30
    backoff_s_min: float = 1.0
    backoff_s_max: float = 60.0
    wait_s_max: float = WAIT_S_MAX
    budget_s: float = 900.0


class RetryBudget:
    """The time that may still be spent on waiting."""

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds

    def spend(self, seconds: float) -> bool:
        """Take the seconds and return True; return False if fewer are left."""
        if seconds > self.left_s:
            return False
        self.left_s -= seconds
        return True


def parse_retry_after(text: str | None, *, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for; None if it has no usable value.

    Args:
        text: the header: seconds with or without a fraction, or an HTTP date.
        now: the sender's time (its Date header) if known, so that an error of this machine's clock does not matter.

    Returns:
        A positive number; None for a missing, negative, endless or nonsensical value and a past date.
    """
    if text is None or len(text) > _HEADER_CHARACTERS_MAX:
        return None
    text = text.strip()
    seconds = float(text) if _SECONDS.fullmatch(text) else _seconds_until(text, now)
    return seconds if seconds is not None and math.isfinite(seconds) and seconds > 0 else None


def parse_http_date(text: str | None) -> datetime | None:
    """Return an HTTP date as an aware time; None if the text is not one."""
    if text is None or len(text) > _HEADER_CHARACTERS_MAX:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds_until(text: str, now: datetime) -> float | None:
    moment = parse_http_date(text)
    return None if moment is None else (moment - now).total_seconds()


class Retry:
    """The tries of one request: decides about each failure; it does not wait itself."""

    def __init__(self, policy: RetryPolicy, clock: Clock, budget: RetryBudget | None = None) -> None:
        self._policy = policy
        self._clock = clock
        self._failing = budget or RetryBudget(policy.budget_s)
        self._throttling = RetryBudget(policy.budget_s)
        self._failures = self._malformed = self._throttled = 0

    def wait_s(self, error: EntraError) -> float:
        """Return the seconds to wait before the next try.

        Raises:
            EntraError: `error` itself, if there is no next try.
            Throttled: the service asks for a longer wait than `wait_s_max`; `put_off_s` returns it.
        """
        throttled, policy = isinstance(error, Throttled), self._policy
        self._throttled += throttled
        self._failures += not throttled
        self._malformed += isinstance(error, BadResponse)
        seconds = self._next_wait_s(error, self._throttled if throttled else self._failures)
        if (
            self._failures >= policy.tries
            or self._malformed >= policy.malformed_tries
            or self._throttled >= policy.throttled_tries
            or not (self._throttling if throttled else self._failing).spend(seconds)
        ):
            raise error
        return seconds

    def _next_wait_s(self, error: EntraError, failures: int) -> float:
        asked_s = error.facts.get("retry_after_s")
        if not isinstance(asked_s, float):
            ceiling_s = min(self._policy.backoff_s_max, self._policy.backoff_s_min * 2.0**failures)
            return self._clock.chance() * ceiling_s
        if asked_s > self._policy.wait_s_max:
            facts: dict[str, Any] = error.facts | {"retry_after_s": min(asked_s, PAUSE_S_MAX)}
            raise Throttled(hint=WAIT, **facts)
        # Never earlier than asked; a random bit later, so that many clients do not return at the same instant.
        return asked_s + self._clock.chance() * self._policy.backoff_s_min


def put_off_s(error: RollcallError) -> float | None:
    """Return the seconds to postpone a run after an error; None if the error does not call for it."""
    asked_s = error.facts.get("retry_after_s")
    return asked_s if isinstance(error, Throttled) and isinstance(asked_s, float) and asked_s > WAIT_S_MAX else None
