"""Decides whether a sweep would remove so much that a person has to be asked first; counts nothing, removes nothing.

A directory rarely loses a fifth of its users in a day; a wrong tenant, a lost permission or a fault of the service
looks just like that.
"""

from __future__ import annotations

from sync.errors import RemovalHeld

ROWS_FREE = 100
"""So many rows of a kind may always go."""

PERCENT_FREE = 20
"""So large a part of a kind's rows may always go."""


def must_ask(removed: int, total: int) -> bool:
    """Tell whether removing `removed` of `total` rows of a kind is unusual: more than both free amounts."""
    return removed > ROWS_FREE and removed * 100 > total * PERCENT_FREE


def check_removal(kind: str, removed: int, total: int, confirmed: int) -> None:
    """Let a sweep pass, or stop it before it removes anything.

    Args:
        kind: the plural of what is swept, `users` for example.
        removed: rows that the sweep would remove.
        total: rows of the kind that are there, those included.
        confirmed: rows that an administrator has agreed to lose; what goes beyond has to be asked for again.

    Raises:
        RemovalHeld: the removal is unusual and was not confirmed.
    """
    if must_ask(removed, total) and removed > confirmed:
        raise RemovalHeld(
            f"The directory no longer has {removed:,} of {total:,} {kind}; nothing was removed yet.",
            hint="See whether that is right in the tenant, then let the run go on with confirmRemoval. "
            "If it is not: a wrong tenant or a fault at Microsoft; trigger the task again later.",
            removed=removed,
            total=total,
        )
