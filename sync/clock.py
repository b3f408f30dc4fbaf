"""Time and random numbers, as one parameter: tests pass their own clock; no other module may ask the machine.

Stored times are fixed-width RFC 3339 text in UTC (`2026-11-23T04:05:06.123Z`): they sort and compare as text, and
answers contain them unchanged.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The source of time and random numbers."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""

    def chance(self) -> float:
        """Return a random number in [0, 1): jitter, never secrets."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        await asyncio.sleep(seconds)

    def chance(self) -> float:
        """Return a random number in [0, 1): jitter, never secrets."""
        return random.random()  # noqa: S311 - jitter, not a secret


def timestamp(moment: datetime) -> str:
    """Return an aware time in the stored form: UTC, milliseconds, `Z`; 24 characters."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
