"""What was asked of the simulator: counters and a bounded list; holds templates, never a token or an object's id."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

RECENT_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `stream` is the kind of object it reads, when it reads a collection or a delta round of it."""

    method: str
    template: str
    status: int
    stream: str | None = None


class RequestLog:
    """Counts requests by (method, template, status); items of a $batch are counted apart."""

    def __init__(self) -> None:
        self.counters: Counter[tuple[str, str, int]] = Counter()
        self.batch_items: Counter[tuple[str, str, int]] = Counter()
        self.units = 0
        self.recent: deque[Entry] = deque(maxlen=RECENT_MAX)

    @property
    def total(self) -> int:
        """Return the number of HTTP requests."""
        return self.counters.total()

    def record(self, entry: Entry, *, units: int = 0) -> None:
        """Count one HTTP request."""
        self.counters[entry.method, entry.template, entry.status] += 1
        self.units += units
        self.recent.append(entry)

    def record_item(self, entry: Entry, *, units: int = 0) -> None:
        """Count one request inside a $batch."""
        self.batch_items[entry.method, entry.template, entry.status] += 1
        self.units += units

    def count(self, *, method: str | None = None, template: str | None = None, status: int | None = None) -> int:
        """Return the number of HTTP requests that match; None matches all."""
        wanted = (method, template, status)
        return sum(
            n for key, n in self.counters.items() if all(w is None or w == k for w, k in zip(wanted, key, strict=True))
        )

    def reset(self) -> None:
        """Start counting anew."""
        self.counters.clear()
        self.batch_items.clear()
        self.recent.clear()
        self.units = 0

    def report(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "total": self.total,
            "resourceUnits": self.units,
            "counters": _rows(self.counters),
            "batchItems": _rows(self.batch_items),
            "recent": [asdict(entry) for entry in self.recent],
        }


def _rows(counter: Counter[tuple[str, str, int]]) -> list[dict[str, Any]]:
    return [{"method": m, "template": t, "status": s, "count": n} for (m, t, s), n in sorted(counter.items())]
