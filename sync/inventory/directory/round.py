"""One round of reading a stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """The round that a page belongs to.

    Args:
        generation: stamped on new edges, and by a full round on the objects and edges that it sees.
        full: the round reads everything, so that its end may sweep what it did not see.
        minimal: requested with Prefer: return=minimal, so that a missing property means unchanged, not null.
        unasked: properties that were not requested, because the cloud does not have them: they are unchanged too.
    """

    generation: int
    full: bool
    minimal: bool = False
    unasked: frozenset[str] = frozenset()
