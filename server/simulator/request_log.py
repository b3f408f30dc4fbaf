"""The log of requests to the simulator: counters and a bounded list of templates, without tokens and object ids."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import asdict, dataclass
from typing import Any

RECENT_MAX = 5_000
FAILED_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, with the stream that it reads and the fault that happened; `status` 0 means no answer."""

    method: str
    template: str
    status: int
    stream: str | None = None
    fault: str | None = None


class RequestLog:
    """Counts requests by (method, template, status); items of a $batch are counted separately."""

    def __init__(self) -> None:
        self.counters: Counter[tuple[str, str, int]] = Counter()
        self.batch_items: Counter[tuple[str, str, int]] = Counter()
        self.faults: Counter[str] = Counter()
        self.units = 0
        self.retries = 0
        self.recent: deque[Entry] = deque(maxlen=RECENT_MAX)
        self._failed: OrderedDict[int, None] = OrderedDict()  # hashes of URLs, because links hold tokens

    @property
    def total(self) -> int:
        """Return the number of HTTP requests."""
        return self.counters.total()

    def record(self, entry: Entry, url: str, *, units: int = 0) -> None:
        """Count one HTTP request; it is a retry if the last request to the same URL failed."""
        self.counters[entry.method, entry.template, entry.status] += 1
        self.units += units
        self.recent.append(entry)
        address = hash((entry.method, url))
        if address in self._failed:
            self.retries += 1
            del self._failed[address]
        if entry.fault:
            self.faults[entry.fault] += 1
        if entry.fault or not 200 <= entry.status < 300:
            self._failed[address] = None
            if len(self._failed) > FAILED_MAX:
                self._failed.popitem(last=False)

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
        """Forget everything."""
        self.counters.clear()
        self.batch_items.clear()
        self.faults.clear()
        self.recent.clear()
        self._failed.clear()
        self.units = self.retries = 0

    def report(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "total": self.total,
            "resourceUnits": self.units,
            "retries": self.retries,
            "faults": dict(sorted(self.faults.items())),
            "counters": _rows(self.counters),
            "batchItems": _rows(self.batch_items),
            "recent": [asdict(entry) for entry in self.recent],
        }


def _rows(counter: Counter[tuple[str, str, int]]) -> list[dict[str, Any]]:
    return [{"method": m, "template": t, "status": s, "count": n} for (m, t, s), n in sorted(counter.items())]
