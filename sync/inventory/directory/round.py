"""One round of reading a stream: where it is, and what it may write."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """The round a page belongs to.

    Args:
        generation: stamped by a full round on what it sees.
        full: it reads everything, so that its end may sweep what it did not see.
        minimal: it was asked for with Prefer: return=minimal, so that an absent property means unchanged, not null.
        unasked: properties that were not asked for, because the cloud does not give them: they are unchanged, too.
    """

    generation: int
    full: bool
    minimal: bool = False
    unasked: frozenset[str] = frozenset()
