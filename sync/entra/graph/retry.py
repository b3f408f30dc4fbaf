"""When to ask again and how long to wait first: one policy for every request; it never sends one.

Waiting follows Microsoft's guidance: Retry-After when it is given, else exponential back-off with full
jitter.
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
"""The longest single wait inside a run; a longer one is the caller's to schedule."""


@dataclass(frozen=True)
class RetryPolicy:
    """The limits on asking again.

    `wait_s_max` is the longest single wait inside a run; a longer one is the caller's to schedule. `budget_s` bounds
    the waits after failures of all requests of a run together, and the waits for throttling of one request: a service
    that asks to wait is not one that fails. A malformed answer rarely mends itself, so it gets fewer tries.
    """

    tries: int = 6
    malformed_tries: int = 3
    throttled_tries: int = 30
    backoff_s_min: float = 1.0
    backoff_s_max: float = 60.0
    wait_s_max: float = WAIT_S_MAX
    budget_s: float = 900.0


class RetryBudget:
    """How long the requests of one run may still wait for a service that fails."""

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds

    def spend(self, seconds: float) -> bool:
        """Take the seconds, or return False when there are not so many left."""
        if seconds > self.left_s:
            return False
        self.left_s -= seconds
        return True


def parse_retry_after(text: str | None, *, now: datetime) -> float | None:
    """Return the seconds a Retry-After header asks for, or None when it says nothing usable.

    Args:
        text: the header: seconds with or without a fraction, or an HTTP date.
        now: the sender's own time (its Date header) where known, so that our clock's error does not matter.

    Returns:
        A positive number; None for a missing, negative, endless or nonsensical value and a past date.
    """
    if text is None or len(text) > _HEADER_CHARACTERS_MAX:
        return None
    text = text.strip()
    seconds = float(text) if _SECONDS.fullmatch(text) else _seconds_until(text, now)
    return seconds if seconds is not None and math.isfinite(seconds) and seconds > 0 else None


def parse_http_date(text: str | None) -> datetime | None:
    """Return the time an HTTP date names, aware; None when it is not one."""
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
    """The tries of one request: decides about each failure, never waits itself."""

    def __init__(self, policy: RetryPolicy, clock: Clock, budget: RetryBudget | None = None) -> None:
        self._policy = policy
        self._clock = clock
        self._failing = budget or RetryBudget(policy.budget_s)
        self._throttling = RetryBudget(policy.budget_s)
        self._failures = self._malformed = self._throttled = 0

    def wait_s(self, error: EntraError) -> float:
        """Return the seconds to wait before the next try.

        Raises:
            EntraError: `error` itself, when there will be no next try.
            Throttled: the other side asks for a longer wait than a run may hold; `put_off_s` tells how long.
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
        # Never earlier than asked; a little later, so that many clients do not return in the same instant.
        return asked_s + self._clock.chance() * self._policy.backoff_s_min


def put_off_s(error: RollcallError) -> float | None:
    """Return for how many seconds a run has to be put off because of an error; None when that is no answer to it."""
    asked_s = error.facts.get("retry_after_s")
    return asked_s if isinstance(error, Throttled) and isinstance(asked_s, float) and asked_s > WAIT_S_MAX else None
