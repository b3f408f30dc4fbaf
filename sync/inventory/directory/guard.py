"""Decides whether a sweep would remove so much that a person has to be asked first; counts nothing, removes nothing.

A directory rarely loses a fifth of its users or memberships in a day; a wrong tenant, a lost permission or a fault of
the service looks just like that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sync.errors import RemovalHeld

ROWS_FREE = 100
"""So many rows of a kind may always go."""

PERCENT_FREE = 20
"""So large a part of a kind's rows may always go."""


@dataclass(frozen=True)
class Removal:
    """What a sweep would take: `rows` of the rows of a kind that are there, those included.

    Args:
        kind: the plural of what is swept, `users` or `memberships` for example.
    """

    kind: str
    rows: int
    of: int


def must_ask(removed: int, total: int) -> bool:
    """Tell whether removing `removed` of `total` rows of a kind is unusual: more than both free amounts."""
    return removed > ROWS_FREE and removed * 100 > total * PERCENT_FREE


def check_removals(removals: Iterable[Removal], confirmed: Callable[[str], int]) -> None:
    """Let a sweep pass, or stop it before it removes anything.

    Args:
        removals: one of each kind that the sweep takes from.
        confirmed: tells how many rows of a kind an administrator has agreed to lose; what goes beyond has to be asked
            for again.

    Raises:
        RemovalHeld: removals are unusual and were not confirmed.
    """
    held = [one for one in removals if must_ask(one.rows, one.of) and one.rows > confirmed(one.kind)]
    if held:
        told = " and ".join(f"{one.rows:,} of {one.of:,} {one.kind}" for one in held)
        raise RemovalHeld(
            f"The directory no longer has {told}; nothing was removed yet.",
            hint="See whether that is right in the tenant, then let the run go on with confirmRemoval. "
            "If it is not: a wrong tenant, a lost permission or a fault at Microsoft; trigger the task again later.",
            removals={one.kind: {"rows": one.rows, "of": one.of} for one in held},
        )
