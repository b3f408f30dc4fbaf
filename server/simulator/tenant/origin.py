"""The inputs that all generated objects share: seed, domain, id scheme and calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from server.simulator.tenant.draw import Draw, Ids

DAYS_MAX = 3_653  # ten years: no object is older than its tenant
# Tables, because formatting a time is slow: one time for each minute of a day.
TIMES = tuple(f"{m // 60:02d}:{m % 60:02d}:{m * 7 % 60:02d}" for m in range(1440))


@dataclass(frozen=True, slots=True)
class Origin:
    """The inputs of every build function."""

    seed: int
    domain: str
    ids: Ids
    days: tuple[str, ...]  # days[n] is the date n days before the tenant's first day, as text

    def draw(self, sort: str, number: int) -> Draw:
        """Return the choices of one object; `sort` keeps different purposes independent."""
        return Draw(b"%d %s %d" % (self.seed, sort.encode(), number))

    def moment(self, draw: Draw, days_ago: int) -> str:
        """Return an OData DateTimeOffset that many days ago, at a drawn time of day."""
        return f"{self.days[days_ago]}T{draw.pick(TIMES)}Z"


def days_before(as_of: datetime) -> tuple[str, ...]:
    """Return the dates of the last ten years as text, the newest first; a table, because formatting is slow."""
    return tuple((as_of - timedelta(days=n)).strftime("%Y-%m-%d") for n in range(DAYS_MAX + 1))
