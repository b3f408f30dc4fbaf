"""A table of facts that others publish: where they stand, and when they were last compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class FactTable(Generic[K, V]):
    """Facts by what they are about.

    Args:
        sources: the addresses of the pages they stand on.
        checked: the day they were last compared with them, `2026-12-01`.
        rows: the facts.
    """

    sources: tuple[str, ...]
    checked: str
    rows: Mapping[K, V]
