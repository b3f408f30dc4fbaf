"""A table of published facts, with its sources and the day of the last check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class FactTable(Generic[K, V]):
    """Published facts by key.

    Args:
        sources: the addresses of the pages that publish them.
        checked: the day when the rows were last compared with the pages, such as `2026-12-01`.
        rows: the facts.
    """

    sources: tuple[str, ...]
    checked: str
    rows: Mapping[K, V]
