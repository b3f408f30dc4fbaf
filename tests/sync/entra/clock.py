"""A clock whose sleeps cost nothing and are remembered; never asks the machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FakeClock:
    """A Clock that moves only when somebody sleeps; `slept` lists the sleeps in seconds."""

    def __init__(self, chance: float = 0.5) -> None:
        self.slept: list[float] = []
        self.moved_s = 0.0
        self._start = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)
        self._chance = chance

    def now(self) -> datetime:
        """Return the virtual time."""
        return self._start + timedelta(seconds=self.moved_s)

    def monotonic(self) -> float:
        """Return the virtual seconds that have passed."""
        return self.moved_s

    async def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self.slept.append(seconds)
        self.moved_s += seconds

    def chance(self) -> float:
        """Return the same number every time."""
        return self._chance
