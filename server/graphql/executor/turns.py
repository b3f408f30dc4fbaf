"""Turns in the event loop: long operations work in slices of time, and the loop serves others in between.

All operations share one slice, because many small operations can hold the loop as long as a large one.
"""

from __future__ import annotations

import asyncio
from collections import deque

from sync.clock import Clock, SystemClock

# A fifth of the time that a request may hold the loop; the work between two checks of the clock comes on top.
SLICE_S = 0.01
# Most waiters that resume in one slice; most of them have little to do.
AT_ONCE = 50


class Turns:
    """The slices of a process.

    Args:
        clock: measures a slice.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._now = (clock or SystemClock()).monotonic
        self._ends_s = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_passing = False

    def is_spent(self) -> bool:
        """Return whether the slice is over."""
        return self._now() > self._ends_s

    async def turn(self) -> None:
        """Return at once while the slice lasts; afterwards wait for the next one, behind earlier waiters."""
        while self.is_spent():
            loop = asyncio.get_running_loop()
            mine: asyncio.Future[None] = loop.create_future()
            self._waiting.append(mine)
            if not self._is_passing:
                self._is_passing = True
                loop.call_soon(self._pass)
            await mine

    def _pass(self) -> None:
        """Begin a slice for the longest waiters; called once in each iteration of the loop."""
        self._ends_s = self._now() + SLICE_S
        for _ in range(min(AT_ONCE, len(self._waiting))):
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
        self._is_passing = bool(self._waiting)
        if self._is_passing:
            asyncio.get_running_loop().call_soon(self._pass)
