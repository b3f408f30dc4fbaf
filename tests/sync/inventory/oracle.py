"""What an inventory must hold, told by the plainest program: one item after the other, no pages, no SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sync.inventory.directory.kind import Edge, Kind

ALWAYS = ("accountEnabled", "displayName", "userPrincipalName")


class Oracle:
    """External id → (LIVE, SOFT or GONE; attributes), and the edges, after the items it was told of."""

    def __init__(self, kind: Kind, *, minimal: bool = False) -> None:
        self._kind, self._minimal = kind, minimal
        self.rows: dict[str, tuple[str, dict[str, Any]]] = {}
        self.edges: set[tuple[Edge, str, str]] = set()

    def hear(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Take in items in their order."""
        for item in items:
            if "@removed" in item:
                self._remove(item["id"], item["@removed"].get("reason"))
            else:
                self._show(item)

    def _remove(self, external_id: str, reason: str | None) -> None:
        if reason == "deleted":
            self.edges = {edge for edge in self.edges if external_id not in edge[1:]}
        state, attributes = self.rows.get(external_id, ("GONE", {}))
        if state != "GONE":
            self.rows[external_id] = "GONE" if reason == "deleted" else "SOFT", attributes

    def _show(self, item: Mapping[str, Any]) -> None:
        external_id = item["id"]
        state, before = self.rows.get(external_id, ("GONE", {}))
        said = {name: value for name, value in item.items() if "@" not in name}
        if state != "GONE":
            # What every object has is kept on any round.
            said = (before if self._minimal else {k: v for k, v in before.items() if k in ALWAYS}) | said
        self.rows[external_id] = "LIVE", said
        for relation, edge in self._kind.edges.items():
            for end in item.get(f"{relation}@delta", ()):
                if edge in self._kind.single and "@removed" not in end:
                    self.edges = {other for other in self.edges if other[:2] != (edge, external_id)}
                pair = (edge, external_id, end["id"])
                self.edges = self.edges - {pair} if "@removed" in end else self.edges | {pair}
