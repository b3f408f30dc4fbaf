"""Full rounds as a repair: when one is due, and the differences it found that no change had reported.

Graph's delta may miss a change. A full round directly after a round of changes finds the missed ones; changes that the
directory makes between the two rounds count too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from sync.clock import Clock, timestamp
from sync.inventory.directory.kind import EDGE_COUNTS, Kind
from sync.inventory.directory.page import Applied

REPAIRED = "repaired"
_DIFFERED = ("created", "updated", "removed", "restored")


def due_before(clock: Clock, *, asked_at: str | None, days: int) -> str:
    """Return a time: streams whose last full round is not after it get a full round now.

    Args:
        asked_at: when a person requested a full round, if one did.
        days: the maximum age of the last full round; 0: no limit.
    """
    oldest = timestamp(clock.now() - timedelta(days=days)) if days else ""
    return max(oldest, asked_at or "")


def repaired(applied: Applied, kind: Kind) -> dict[str, int]:
    """Count the changes by a page of a checking full round, by the names of the run's counters."""
    parts = {kind.plural: applied.counts, **applied.edge_counts}
    numbers = {name: sum(counter[what] for what in _DIFFERED) for name, counter in parts.items()}
    return {name: number for name, number in numbers.items() if number}


def told(kind: Kind, counts: Mapping[str, Counter[str]]) -> tuple[bool, str]:
    """Return whether a checking full round of a kind has repaired anything in this run, and a text for the log."""
    names = (kind.plural, *(EDGE_COUNTS[edge] for edge in kind.edges.values()))
    numbers = {name: counts[name][REPAIRED] for name in names if name in counts and counts[name][REPAIRED]}
    if not numbers:
        return False, f"{kind.plural}: no differences; the changes had reported everything."
    text = ", ".join(f"{number:,} {name}" for name, number in numbers.items())
    return True, f"{kind.plural}: repaired differences that no change had reported: {text}."
