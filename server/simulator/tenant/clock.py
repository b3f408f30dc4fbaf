"""The tenant's time: a clock that can be moved ahead, but never back."""

from __future__ import annotations

from datetime import datetime, timedelta

from sync.clock import Clock
from sync.errors import BadInput

ADVANCE_S_MAX = 10 * 365 * 24 * 3600


class TenantClock:
    """A clock that can be moved ahead, so that tokens, delta links and quotas age without waiting."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead_s = 0.0

    def advance(self, seconds: float) -> None:
        """Move the clock ahead; raises BadInput for a negative time or more than ten years."""
        if not 0 <= seconds <= ADVANCE_S_MAX:
            raise BadInput("The clock can be moved ahead by 0 seconds to ten years.")
        self.ahead_s += seconds

    def now(self) -> datetime:
        """Return the tenant's wall-clock time, aware, in UTC."""
        return self._clock.now() + timedelta(seconds=self.ahead_s)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; never goes back."""
        return self._clock.monotonic() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        """Wait by the underlying clock."""
        await self._clock.sleep(seconds)

    def chance(self) -> float:
        """Return a random number in [0, 1) from the underlying clock."""
        return self._clock.chance()
