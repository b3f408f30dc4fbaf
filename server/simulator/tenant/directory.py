"""The tenant's directory: the seeded population, later writes, and the change log.

Only writes are held in memory. Every write adds one entry to the change log, which answers delta rounds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from server.simulator.graph.property import ALL_SORTS
from server.simulator.tenant.change import ChangeLog, LoggedChange, Touch
from server.simulator.tenant.population import CODES, KINDS, OTHERS, Population
from server.simulator.tenant.relation import RELATIONS, Link, Links
from sync.clock import Clock, timestamp
from sync.errors import BadInput, Conflict, NotFound

Values = dict[str, Any]
LIVE, SOFT_DELETED, DELETED = "live", "changed", "deleted"
CREATED_FROM = 1 << 39  # numbers of objects created by hand: far above any population


@dataclass(slots=True)
class ObjectEntry:
    """The writes to one object."""

    kind: str
    values: Values = field(default_factory=dict)
    state: str = LIVE


class TenantDirectory:
    """Every object and edge of one tenant, readable and writable."""

    def __init__(self, population: Population, clock: Clock) -> None:
        self.population = population
        self.log = ChangeLog()
        self._clock = clock
        self._entries: dict[str, ObjectEntry] = {}
        self._created: dict[str, list[str]] = {kind: [] for kind in (*KINDS, *OTHERS)}
        self._born: dict[str, list[int]] = {kind: [] for kind in self._created}  # the version at which each was created
        self._links = {name: Links(relation, population) for name, relation in RELATIONS.items()}
        self._unseen = dict.fromkeys(self._created, 0)  # objects that are not live

    @property
    def version(self) -> int:
        """Return the number of changes so far: the position of the next one."""
        return len(self.log)

    def version_at(self, moment: datetime) -> int:
        """Return the number of changes up to a moment."""
        return self.log.position(moment)

    # Reading

    def slot_count(self, kind: str, version: int | None = None) -> int:
        """Return how many objects of a kind there ever were up to a version, deleted ones included."""
        created = len(self._created[kind]) if version is None else bisect_left(self._born[kind], version)
        return self.population.count(kind) + created

    def slot_id(self, kind: str, slot: int) -> str:
        """Return the id of the object in a slot; slots never move."""
        first = self.population.count(kind)
        return self.population.id_of(kind, slot) if slot < first else self._created[kind][slot - first]

    def state_of(self, object_id: str) -> str:
        """Return live, changed (soft-deleted) or deleted, for an id that is or was in this directory."""
        entry = self._entries.get(object_id)
        return entry.state if entry else LIVE

    def kind_of(self, object_id: str) -> str | None:
        """Return the kind of an object that is or was here, or None for an unknown id."""
        entry = self._entries.get(object_id)
        if entry:
            return entry.kind
        found = self.population.locate(object_id)
        return found[0] if found else None

    def slot_values(self, kind: str, slot: int) -> Values:
        """Return all set properties of the object in a slot, whatever its state."""
        if slot >= self.population.count(kind):
            return self._entries[self.slot_id(kind, slot)].values
        values = self.population.build(kind, slot)
        entry = self._entries.get(values["id"]) if self._entries else None
        return values | entry.values if entry else values

    def values_of(self, object_id: str) -> Values:
        """Return all set properties of an object that is or was here."""
        entry = self._entries.get(object_id)
        found = self.population.locate(object_id)
        if found is None:
            if entry is None:
                raise NotFound(f"No object {object_id} in this directory.")
            return entry.values
        values = self.population.build(*found)
        return values | entry.values if entry else values

    def read(self, kind: str, object_id: str) -> Values | None:
        """Return all set properties of a live object, or None."""
        if self.kind_of(object_id) != kind or self.state_of(object_id) != LIVE:
            return None
        return self.values_of(object_id)

    def find_user(self, principal_name: str) -> str | None:
        """Return the id of the live user with this user principal name."""
        wanted = principal_name.casefold()
        for object_id, entry in self._entries.items():
            written = entry.values.get("userPrincipalName")
            if entry.state == LIVE and isinstance(written, str) and written.casefold() == wanted:
                return object_id
        number = self.population.find_user(principal_name)
        if number is None:
            return None
        object_id = self.population.id_of("users", number)
        values = self.read("users", object_id)
        return object_id if values and values["userPrincipalName"].casefold() == wanted else None

    def find_device(self, device_id: str) -> str | None:
        """Return the object id of the live device with this `deviceId`."""
        for object_id, entry in self._entries.items():
            if entry.kind == "devices" and entry.values.get("deviceId") == device_id and entry.state == LIVE:
                return object_id
        number = self.population.locate_device_id(device_id)
        if number is None:
            return None
        object_id = self.population.id_of("devices", number)
        return object_id if self.read("devices", object_id) else None

    def count(self, kind: str) -> int:
        """Return how many live objects of a kind there are."""
        return self.slot_count(kind) - self._unseen[kind]

    def ids(self, kind: str) -> Iterator[str]:
        """Return the ids of the live objects of a kind."""
        for slot in range(self.slot_count(kind)):
            object_id = self.slot_id(kind, slot)
            if self.state_of(object_id) == LIVE:
                yield object_id

    def links(self, relation: str) -> Links:
        """Return the links of a relation, hidden ones included."""
        return self._links[relation]

    def visible(self, relation: str, source_id: str, low: int = 0, high: int | None = None) -> list[Link]:
        """Return a source's links to live objects, by slots."""
        links = self._links[relation]
        found = links.slots(source_id, low, links.slot_count(source_id) if high is None else high)
        return [link for link in found if self.state_of(link[1]) == LIVE]

    def groups_of(self, object_id: str) -> Iterator[str]:
        """Return the ids of the live groups an object is a direct member of."""
        return (source for source in self._links["members"].sources_of(object_id) if self.state_of(source) == LIVE)

    def touched(self, kind: str, start: int, end: int) -> dict[str, Touch]:
        """Return what changed between two versions, by object id."""
        return self.log.touched(kind, start, end)

    # The real data, for tests that compare an inventory with the directory

    def truth(self, kind: str) -> Iterator[Values]:
        """Return every live object of a kind with all its set properties."""
        for slot in range(self.slot_count(kind)):
            if self.state_of(self.slot_id(kind, slot)) == LIVE:
                yield self.slot_values(kind, slot)

    def edges(self, relation: str) -> Iterator[tuple[str, str]]:
        """Return every edge of a relation whose ends are both live."""
        for source_id in self.ids(RELATIONS[relation].source):
            for _, target_id in self.visible(relation, source_id):
                yield source_id, target_id

    # Writing

    def create(self, kind: str, **values: Any) -> str:
        """Add an object and return its id; an unknown property is refused, `id` is given by the directory."""
        self._check(kind, values)
        number = CREATED_FROM + len(self._created[kind])
        object_id = self.population.ids.encode(CODES[kind], number)
        self._entries[object_id] = ObjectEntry(kind, {"id": object_id} | self._defaults(kind, number) | values)
        self._created[kind].append(object_id)
        self._born[kind].append(self.version)
        self._note(LoggedChange(kind, object_id))
        return object_id

    def update(self, kind: str, object_id: str, **values: Any) -> None:
        """Set properties of a live object; None sets null. Properties that keep their value are not logged."""
        self._check(kind, values)
        current = self._live(kind, object_id)
        changed = {name: value for name, value in values.items() if name not in current or current[name] != value}
        if changed:
            self._entry(object_id, kind).values.update(changed)
            self._note(LoggedChange(kind, object_id, frozenset(changed)))

    def delete(self, kind: str, object_id: str, *, permanently: bool = False) -> str:
        """Remove an object; return the reason that delta gives: changed (restorable) or deleted.

        Groups other than Microsoft 365 groups cannot be soft-deleted: they are gone at once, as in Entra ID.
        """
        if self.kind_of(object_id) != kind or self.state_of(object_id) == DELETED:
            raise NotFound(f"No object {object_id} among the {kind}.")
        entry = self._entry(object_id, kind)
        restorable = kind != "groups" or "Unified" in self.values_of(object_id).get("groupTypes", ())
        reason = SOFT_DELETED if restorable and not permanently else DELETED
        if reason == entry.state:
            raise Conflict(f"Object {object_id} is already soft-deleted.")
        if entry.state == LIVE:
            self._unseen[kind] += 1
        entry.state = reason
        self._note(LoggedChange(kind, object_id))
        return reason

    def restore(self, kind: str, object_id: str) -> None:
        """Restore a soft-deleted object with its links."""
        if self.kind_of(object_id) != kind or self.state_of(object_id) != SOFT_DELETED:
            raise NotFound(f"No soft-deleted object {object_id} among the {kind}.")
        self._entry(object_id, kind).state = LIVE
        self._unseen[kind] -= 1
        self._note(LoggedChange(kind, object_id))

    def link(self, relation: str, source_id: str, target_id: str) -> bool:
        """Add an edge between two live objects; return False if it exists. A single-valued relation is replaced."""
        kind = self._ends(relation, source_id, target_id)
        links = self._links[relation]
        if links.has(source_id, target_id):
            return False
        if links.relation.single:
            for _, previous in links.all(source_id):
                self._unlink(links, source_id, previous)
        links.add(source_id, kind, target_id)
        self._note(LoggedChange(links.relation.source, source_id, relation=relation, target_id=target_id))
        return True

    def unlink(self, relation: str, source_id: str, target_id: str) -> bool:
        """Remove an edge between two live objects; return False if it does not exist."""
        self._ends(relation, source_id, target_id)
        links = self._links[relation]
        if not links.has(source_id, target_id):
            return False
        self._unlink(links, source_id, target_id)
        return True

    def _unlink(self, links: Links, source_id: str, target_id: str) -> None:
        links.remove(source_id, target_id)
        name = links.relation.name
        self._note(LoggedChange(links.relation.source, source_id, relation=name, target_id=target_id))

    def _ends(self, relation: str, source_id: str, target_id: str) -> str:
        if relation not in RELATIONS:
            raise BadInput(f"There is no relation {relation}; choose one of {', '.join(RELATIONS)}.")
        self._live(RELATIONS[relation].source, source_id)
        kind = self.kind_of(target_id)
        if kind not in (*RELATIONS[relation].targets, *RELATIONS[relation].others) or self.state_of(target_id) != LIVE:
            raise NotFound(f"There is no live object {target_id} that {relation} may link to.")
        return kind

    def _live(self, kind: str, object_id: str) -> Values:
        values = self.read(kind, object_id)
        if values is None:
            raise NotFound(f"No live object {object_id} among the {kind}.")
        return values

    def _note(self, change: LoggedChange) -> None:
        self.log.append(change, self._clock.now())

    def _entry(self, object_id: str, kind: str) -> ObjectEntry:
        return self._entries.setdefault(object_id, ObjectEntry(kind))

    def _check(self, kind: str, values: Values) -> None:
        if kind not in ALL_SORTS:
            raise BadInput(f"There is no kind {kind}; choose one of {', '.join(ALL_SORTS)}.")
        unknown = sorted(name for name in values if name not in ALL_SORTS[kind].known or name == "id")
        if unknown:
            raise BadInput(f"Microsoft Graph has no writable property {', '.join(unknown)} on {kind}.")

    def _defaults(self, kind: str, number: int) -> Values:
        name = f"new-{ALL_SORTS[kind].type_name}-{number - CREATED_FROM}"
        if kind == "users":
            principal_name = f"{name}@{self.population.domain}"
            special: Values = {"userPrincipalName": principal_name, "userType": "Member", "accountEnabled": True}
        elif kind == "devices":
            special = {"deviceId": self.population.ids.encode(4, number), "accountEnabled": True}
        elif kind == "groups":
            special = {"mailEnabled": False, "securityEnabled": True}
        else:
            return {"displayName": name}
        lists: Values = {name: [] for name in ("groupTypes", "physicalIds", "systemLabels", "alternativeSecurityIds")}
        special |= {name: value for name, value in lists.items() if name in ALL_SORTS[kind].lists}
        return {"displayName": name, "createdDateTime": timestamp(self._clock.now())} | special
