"""The links of one relation: those of the population, changed by later writes; slots never move.

A slot is a position in an object's list of links. Removed links leave their slot empty and added ones get new slots
at the end, so that a client that pages while links change misses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from server.simulator.tenant.population import OTHERS

if TYPE_CHECKING:
    from server.simulator.tenant.population import Population

Link = tuple[str, str]  # kind and object id of the target


@dataclass(frozen=True, slots=True)
class GraphRelation:
    """The kinds that a relation connects, and its name in Graph."""

    name: str
    source: str
    targets: tuple[str, ...]
    property: str  # the navigation property on the source
    single: bool = False
    others: tuple[str, ...] = ()  # further kinds, to which only created links lead


RELATIONS = {
    relation.name: relation
    for relation in (
        GraphRelation("members", "groups", ("users", "devices", "groups"), "members", others=OTHERS),
        GraphRelation("groupOwners", "groups", ("users",), "owners", others=("servicePrincipals",)),
        GraphRelation("deviceOwners", "devices", ("users",), "registeredOwners", single=True),
        GraphRelation("deviceUsers", "devices", ("users",), "registeredUsers"),
        GraphRelation("manager", "users", ("users",), "manager", single=True),
    )
}


def relations_of(kind: str) -> dict[str, GraphRelation]:
    """Return the relations that start at a kind, by navigation property."""
    return {relation.property: relation for relation in RELATIONS.values() if relation.source == kind}


@dataclass(slots=True)
class Written:
    """The writes to one object's links."""

    added: dict[str, str | None] = field(default_factory=dict)  # target id → kind, None when taken away again
    removed: set[str] = field(default_factory=set)  # of the links the population starts with


class Links:
    """The links of one relation, for every source."""

    def __init__(self, relation: GraphRelation, population: Population) -> None:
        self.relation = relation
        self._population = population
        self._written: dict[str, Written] = {}

    def _origin_count(self, source_id: str) -> int:
        found = self._population.locate(source_id)
        return self._population.link_count(self.relation.name, found[1]) if found else 0

    def slot_count(self, source_id: str) -> int:
        """Return how many slots a source has, empty ones included."""
        written = self._written.get(source_id)
        return self._origin_count(source_id) + (len(written.added) if written else 0)

    def history(self, source_id: str, low: int, high: int) -> list[tuple[str | None, str]]:
        """Return kind and id of the target in slots `low` to `high` (exclusive); kind None for a link taken away."""
        found = self._population.locate(source_id)
        origin = self._population.link_count(self.relation.name, found[1]) if found else 0
        links: list[tuple[str | None, str]] = []
        if found and low < origin:
            links += self._population.links(self.relation.name, found[1], low, min(high, origin))
        written = self._written.get(source_id)
        if written is None:
            return links
        if written.removed:
            links = [(None if target in written.removed else kind, target) for kind, target in links]
        added = islice(written.added.items(), max(low - origin, 0), max(high - origin, 0))
        return links + [(kind, target) for target, kind in added]

    def slots(self, source_id: str, low: int, high: int) -> list[Link]:
        """Return the links in slots `low` to `high` (exclusive)."""
        return [(kind, target) for kind, target in self.history(source_id, low, high) if kind is not None]

    def all(self, source_id: str) -> list[Link]:
        """Return every link of a source."""
        return self.slots(source_id, 0, self.slot_count(source_id))

    def has(self, source_id: str, target_id: str) -> bool:
        """Return whether the link exists."""
        written = self._written.get(source_id)
        if written is not None:
            if written.added.get(target_id) is not None:
                return True
            if target_id in written.removed:
                return False
        found = self._population.locate(source_id)
        return found is not None and self._population.has_link(self.relation.name, found[1], target_id)

    def add(self, source_id: str, kind: str, target_id: str) -> None:
        """Add a link that does not exist."""
        written = self._written.setdefault(source_id, Written())
        if target_id in written.removed:
            written.removed.discard(target_id)
        else:
            written.added[target_id] = kind

    def remove(self, source_id: str, target_id: str) -> None:
        """Remove a link that exists."""
        written = self._written.setdefault(source_id, Written())
        if target_id in written.added:
            written.added[target_id] = None
        else:
            written.removed.add(target_id)

    def sources_of(self, target_id: str) -> Iterator[str]:
        """Return the ids of every source with a link to the target; walks all sources, stores nothing."""
        kind = self.relation.source
        for number in range(self._population.count(kind)):
            if self._population.has_link(self.relation.name, number, target_id):
                source_id = self._population.id_of(kind, number)
                if source_id not in self._written or self.has(source_id, target_id):
                    yield source_id
        for source_id, written in self._written.items():
            if written.added.get(target_id) is not None:
                yield source_id
