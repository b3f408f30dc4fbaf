"""Decides whether a sweep would remove so much that a person must confirm it first; counts and removes nothing.

A directory rarely loses a fifth of its users or memberships in a day. A wrong tenant, a lost permission or a fault of
the service looks the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sync.errors import RemovalHeld

ROWS_FREE = 100
"""The number of rows of a kind that a sweep may remove unasked."""

PERCENT_FREE = 20
"""The share of a kind's rows that a sweep may remove unasked."""


@dataclass(frozen=True)
class Removal:
    """What a sweep would remove of one kind.

    Args:
        kind: a plural, such as `users` or `memberships`.
        rows: the number of rows to remove.
        of: the number of present rows, including `rows`.
    """

    kind: str
    rows: int
    of: int


def must_ask(removed: int, total: int) -> bool:
    """Tell whether a person must confirm the removal: it exceeds both ROWS_FREE and PERCENT_FREE."""
    return removed > ROWS_FREE and removed * 100 > total * PERCENT_FREE


def check_removals(removals: Iterable[Removal], confirmed: Callable[[str], int]) -> None:
    """Refuse a sweep that needs a confirmation.

    Args:
        removals: one for each kind that the sweep removes.
        confirmed: kind → the number of rows whose removal an administrator has confirmed; more need a new confirmation.

    Raises:
        RemovalHeld: a removal needs a confirmation that it does not have.
    """
    held = [one for one in removals if must_ask(one.rows, one.of) and one.rows > confirmed(one.kind)]
    if held:
        told = " and ".join(f"{one.rows:,} of {one.of:,} {one.kind}" for one in held)
        raise RemovalHeld(
            f"The directory no longer has {told}; nothing was removed yet.",
            hint="Check in the tenant whether that is right. If it is, continue the run with confirmRemoval. If not, "
            "look for a wrong tenant, a lost permission or a fault at Microsoft, and trigger the task again later.",
            removals={one.kind: {"rows": one.rows, "of": one.of} for one in held},
        )
