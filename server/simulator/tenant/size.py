"""The size of a simulated tenant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """The number of objects of each kind at the start, and of users in the largest group."""

    users: int
    devices: int
    groups: int
    largest_group: int
