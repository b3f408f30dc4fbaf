"""The counters of a run after one more page."""

from __future__ import annotations

from collections import Counter

from sync.inventory.directory.kind import Kind
from sync.inventory.directory.page import Applied
from sync.tasks.connector.repair import REPAIRED, repaired
from sync.tasks.run.run import Counts


def added(
    counts: Counts,
    kind: Kind,
    applied: Applied,
    removed: Applied | None,
    linked: Counter[str],
    *,
    checks: bool = False,
) -> Counts:
    """Return a run's counters with the results of a page, of its sweep, and of linking assets added.

    Args:
        checks: count the changes as repaired, too.
    """
    total = {name: Counter(counter) for name, counter in counts.items()}
    for part in filter(None, (applied, removed)):
        for name, number in repaired(part, kind).items() if checks else ():
            total.setdefault(name, Counter())[REPAIRED] += number
        total.setdefault(kind.plural, Counter()).update(part.counts)
        for name, counter in part.edge_counts.items():
            total.setdefault(name, Counter()).update(counter)
    if linked:
        total.setdefault("assets", Counter()).update(linked)
    return total
