"""Full rounds that repair: when one is due, and what it found different although no change had been reported.

Graph's delta may miss a change. A full round that follows a round of changes at once sees what was missed; what the
directory changes in the moments between the two counts as well.
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
    """Return the moment after which a stream must have been read whole, or else is read so now.

    Args:
        asked_at: when a person asked for a full round, if one did.
        days: how old the last one may be; 0 is for ever.
    """
    oldest = timestamp(clock.now() - timedelta(days=days)) if days else ""
    return max(oldest, asked_at or "")


def repaired(applied: Applied, kind: Kind) -> dict[str, int]:
    """Count what a page of a checking full round changed, by the name that its counts have on the run."""
    parts = {kind.plural: applied.counts, **applied.edge_counts}
    numbers = {name: sum(counter[what] for what in _DIFFERED) for name, counter in parts.items()}
    return {name: number for name, number in numbers.items() if number}


def told(kind: Kind, counts: Mapping[str, Counter[str]]) -> tuple[bool, str]:
    """Say what a checking full round of a kind has repaired in this run, and whether it was anything."""
    names = (kind.plural, *(EDGE_COUNTS[edge] for edge in kind.edges.values()))
    numbers = {name: counts[name][REPAIRED] for name in names if name in counts and counts[name][REPAIRED]}
    if not numbers:
        return False, f"{kind.plural}: everything is as the changes had told."
    text = ", ".join(f"{number:,} {name}" for name, number in numbers.items())
    return True, f"{kind.plural}: repaired what no change had told of: {text}."
