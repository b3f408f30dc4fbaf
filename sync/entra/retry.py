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
from sync.errors import BadResponse, EntraError, Throttled

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE]\+?[0-9]{1,2})?", re.ASCII)
_HEADER_CHARACTERS_MAX = 64
_REPORTED_WAIT_S_MAX = 86_400.0


@dataclass(frozen=True)
class RetryPolicy:
    """The limits on asking again.

    `wait_s_max` is the longest single wait inside a run; a longer one is the caller's to schedule.
    `budget_s` bounds all waits of one request together. A malformed answer rarely mends itself, so it gets
    fewer tries.
    """

    tries: int = 6
    malformed_tries: int = 3
    backoff_s_min: float = 1.0
    backoff_s_max: float = 60.0
    wait_s_max: float = 300.0
    budget_s: float = 900.0


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
    """The tries of one request."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._failures = 0
        self._malformed = 0
        self._waited_s = 0.0

    async def wait(self, error: EntraError) -> float:
        """Wait before the next try and return the seconds waited.

        Raises:
            EntraError: `error` itself, when there will be no next try.
            Throttled: the other side asks for a longer wait than a run may hold.
        """
        self._failures += 1
        self._malformed += isinstance(error, BadResponse)
        if self._failures >= self._policy.tries or self._malformed >= self._policy.malformed_tries:
            raise error
        seconds = self._next_wait_s(error)
        if self._waited_s + seconds > self._policy.budget_s:
            raise error
        self._waited_s += seconds
        await self._clock.sleep(seconds)
        return seconds

    def _next_wait_s(self, error: EntraError) -> float:
        asked_s = error.facts.get("retry_after_s")
        if not isinstance(asked_s, float):
            ceiling_s = min(self._policy.backoff_s_max, self._policy.backoff_s_min * 2.0**self._failures)
            return self._clock.chance() * ceiling_s
        if asked_s > self._policy.wait_s_max:
            facts: dict[str, Any] = error.facts | {"retry_after_s": min(asked_s, _REPORTED_WAIT_S_MAX)}
            raise Throttled(hint="The run is put off until then; nothing is lost.", **facts)
        # Never earlier than asked; a little later, so that many clients do not return in the same instant.
        return asked_s + self._clock.chance() * self._policy.backoff_s_min
