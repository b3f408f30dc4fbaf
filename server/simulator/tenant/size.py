"""The size of a simulated tenant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """How many objects of each kind the tenant starts with, and how many users its largest group holds."""

    users: int
    devices: int
    groups: int
    largest_group: int
