"""A rate limit for several workers together, without long pauses or bursts."""

from __future__ import annotations

from sync.clock import Clock

NAP_S = 0.05
"""Steps within this time run without a sleep between them: a timer for each would cost more than the step."""


class Pace:
    """At most `rate` steps a second, on average over any `NAP_S`."""

    def __init__(self, clock: Clock, rate: int) -> None:
        self._clock, self._interval_s = clock, 1 / rate
        self._next_s = clock.monotonic()

    async def step(self) -> None:
        """Wait until the next step is due."""
        now_s = self._clock.monotonic()
        self._next_s = max(self._next_s, now_s - NAP_S) + self._interval_s
        if self._next_s > now_s + NAP_S:
            await self._clock.sleep(self._next_s - now_s)
