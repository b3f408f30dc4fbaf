"""Decides which records are one machine: by a person's decision, device id, hardware id, MAC address, and name.

Pure functions of the records; the order in which records came makes no difference. Each kind of evidence joins whole
groups of records, the strongest kind first; evidence that contradicts a stronger kind joins nothing. Doubtful records
stay apart, for a person to see in `duplicates`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise, product
from typing import TypeVar

from sync.inventory.asset.identity import MAC, NAME, DeviceIdentity, same_hardware, why_names_differ

MANUAL, DEVICE_ID, HARDWARE_ID, HOST_NAME, MAC_ADDRESS, NEW = "manual", "deviceId", "hardwareId", "name", "mac", "new"
BEARERS_MAX = 8
"""A key that more records of a site share is ignored; this also limits the records that one step reads."""


@dataclass(frozen=True)
class Match:
    """Why a record belongs to an asset."""

    asset_id: int
    key: str
    value: str | None


@dataclass(frozen=True)
class ScannedHost:
    """An asset that scans found: its names, as (compared name, domain), and its MAC addresses."""

    asset_id: int
    names: frozenset[tuple[str, str]]
    macs: frozenset[str]


@dataclass(frozen=True, order=True)
class _Link:
    """Two records that a key has joined; the strongest evidence sorts first."""

    level: int
    key: str
    value: str
    one: str
    other: str


@dataclass(eq=False)
class RecordGroup:
    """Records that are one machine.

    Args:
        host: the scanned asset that the group matches, if any.
        pinned: the asset that a person put the group into.
        found_by: the key and value by which the group matches `host`.
        pins: the records that a person put into `pinned`.
    """

    records: list[DeviceIdentity]
    pinned: int | None = None
    pins: frozenset[int] = frozenset()
    host: int | None = None
    found_by: tuple[str, str] | None = None
    links: list[_Link] = field(default_factory=list)

    def reasons(self) -> dict[int, tuple[str, str | None]]:
        """Return record → the key and value by which it belongs to the others.

        The first records are those that a person pinned, those that match the host, or else the oldest one.
        """
        if len(self.records) == 1 and not self.found_by:
            return {self.records[0].id: (NEW, None)}
        ids = {record.external_id: record.id for record in self.records}
        found: dict[int, tuple[str, str | None]] = {}
        for record in sorted(self.records, key=lambda record: record.age):
            if record.id in self.pins:
                found[record.id] = (MANUAL, None)
            elif self.found_by and self.found_by[1] in (record.short, *record.macs):
                found[record.id] = self.found_by
        if not found:
            found[min(self.records, key=lambda record: record.age).id] = (NEW, None)
        links = sorted(self.links)
        while step := next((link for link in links if (ids[link.one] in found) != (ids[link.other] in found)), None):
            found[ids[step.other if ids[step.one] in found else step.one]] = (step.key, step.value)
        return found


_Found = list[tuple[list[DeviceIdentity], str]]
_B = TypeVar("_B", bound=RecordGroup | ScannedHost)


class Grouping:
    """Groups the records of one site; each group is one machine.

    Args:
        records: the records to group, with all records that share a key with them.
        pins: record → the asset that a person put it into.
        hosts: the scanned assets that have a name or MAC address of the records.
        common: keys (`DeviceIdentity.keys`) that more than `BEARERS_MAX` records have.
    """

    def __init__(
        self,
        records: Iterable[DeviceIdentity],
        pins: Mapping[int, int],
        hosts: Sequence[ScannedHost] = (),
        common: Container[str] = (),
    ) -> None:
        self._records = sorted(records, key=lambda record: record.external_id)
        self._pins = pins
        self._hosts = sorted(hosts, key=lambda host: host.asset_id)
        self._of: dict[int, RecordGroup] = {}
        self._ids: dict[str, int] = {}
        bearers: dict[str, list[DeviceIdentity]] = {}
        for record in self._records:
            pin = pins.get(record.id)
            self._of[record.id] = RecordGroup(
                [record], pin, frozenset((record.id,)) if pin is not None else frozenset()
            )
            self._ids[record.external_id] = record.id
            for key in record.keys:
                bearers.setdefault(key, []).append(record)
        too_many = {key for key, mine in bearers.items() if len(mine) > BEARERS_MAX or key in common}
        # Hardware ids that too many records have are no evidence, not even that two machines differ.
        self._clones = {key for key in too_many if not key.startswith((f"{NAME}:", f"{MAC}:"))}
        self._bearers = {key: mine for key, mine in bearers.items() if key not in too_many}
        shared = [(key.partition(":"), mine) for key, mine in self._bearers.items() if len(mine) > 1]
        self._shared = [(kind, value, mine) for (kind, _, value), mine in shared]

    def groups(self) -> list[RecordGroup]:
        """Return the groups, in the order of their oldest records."""
        self._join(0, MANUAL, self._together(lambda record: str(self._pins.get(record.id) or "")))
        self._join(1, DEVICE_ID, self._together(lambda record: record.device_id or ""))
        self._clones.update(
            f"{kind}:{value}"
            for kind, value, mine in self._shared
            if kind not in (NAME, MAC) and len(self._groups_of(mine)) > 2
        )
        self._join(2, HARDWARE_ID, self._same_hardware())
        self._join(3, MAC_ADDRESS, self._same_mac())
        self._join(4, HOST_NAME, self._same_name())
        if self._hosts:
            self._find_hosts()
        return sorted(self._all(), key=_age)

    def _all(self) -> list[RecordGroup]:
        return list(dict.fromkeys(self._of.values()))

    def _groups_of(self, records: Iterable[DeviceIdentity]) -> list[RecordGroup]:
        return list(dict.fromkeys(self._of[record.id] for record in records))

    def _together(self, value_of: Callable[[DeviceIdentity], str]) -> _Found:
        """List the records that share a value, however many they are."""
        found: dict[str, list[DeviceIdentity]] = {}
        for record in self._records:
            if value := value_of(record):
                found.setdefault(value, []).append(record)
        return [(records, value) for value, records in found.items() if len(records) > 1]

    def _same_hardware(self) -> _Found:
        return [
            (mine, f"[{kind}]:{value}")
            for kind, value, mine in self._shared
            if kind not in (NAME, MAC) and f"{kind}:{value}" not in self._clones
        ]

    def _same_mac(self) -> _Found:
        """List the records of two groups that share a MAC address, unless it may be a docking station's.

        That has more than two groups, or groups with different operating systems.
        """
        return [
            (mine, value)
            for kind, value, mine in self._shared
            if kind == MAC and len(self._groups_of(mine)) == 2 and len({record.family for record in mine} - {None}) < 2
        ]

    def _same_name(self) -> _Found:
        found: _Found = []
        for kind, short, mine in self._shared:
            for part in _agreeing(self._groups_of(mine), short) if kind == NAME else ():
                if len(part) == 2 and not any(why_names_differ(*pair) for pair in _pairs(*part)):
                    found.append(([record for record in mine if self._of[record.id] in part], short))
        return found

    def _join(self, level: int, key: str, found: _Found) -> None:
        """Join the groups of records that share a value, unless stronger evidence contradicts it."""
        if not found:
            return
        leaders: dict[RecordGroup, RecordGroup] = {
            group: group for records, _ in found for group in self._groups_of(records)
        }

        def leader(group: RecordGroup) -> RecordGroup:
            while leaders[group] is not group:
                group = leaders[group]
            return group

        for records, _ in found:
            first, *rest = map(leader, self._groups_of(records))
            for other in rest:
                leaders[leader(other)] = leader(first)
        parts: dict[RecordGroup, list[RecordGroup]] = {}
        for group in leaders:
            parts.setdefault(leader(group), []).append(group)
        sound = {group for part in parts.values() if self._is_sound(part, level) for group in part}
        links = [
            _Link(level, key, value, one.external_id, other.external_id)
            for records, value in found
            if self._of[records[0].id] in sound
            for one, other in pairwise(records)
        ]
        for part in parts.values():
            if len(part) > 1 and part[0] in sound:
                self._unite(part)
        for link in links:
            self._of[self._ids[link.one]].links.append(link)

    def _unite(self, part: Sequence[RecordGroup]) -> None:
        joined = RecordGroup(
            [record for group in part for record in group.records],
            next((group.pinned for group in part if group.pinned is not None), None),
            frozenset[int]().union(*(group.pins for group in part)),
            links=[link for group in part for link in group.links],
        )
        for record in joined.records:
            self._of[record.id] = joined

    def _is_sound(self, part: Sequence[RecordGroup], level: int) -> bool:
        """Tell whether groups may be joined: not if pinned to different assets, or if their hardware ids differ.

        Different hardware ids do not matter below level 2: pins and device ids are stronger evidence.
        """
        if len({group.pinned for group in part} - {None}) > 1:
            return False
        if level < 2:
            return True
        return all(
            same_hardware(one, other, self._clones) is not False
            for group, mate in combinations(part, 2)
            for one, other in _pairs(group, mate)
        )

    def _find_hosts(self) -> None:
        """Find the scanned asset of each group: by a pin, by MAC address, or by a name that no other machine has."""
        known = {host.asset_id for host in self._hosts}
        taken: set[int | None] = set()
        for group in self._all():
            if group.pinned in known:
                group.host = group.pinned
                taken.add(group.pinned)
        for why, pairs in ((MAC_ADDRESS, self._hosts_by_mac()), (HOST_NAME, self._hosts_by_name())):
            self._settle(why, pairs, taken)

    def _settle(self, why: str, pairs: Sequence[tuple[RecordGroup, ScannedHost, str]], taken: set[int | None]) -> None:
        """Give a host to a group if each is the only candidate of the other."""
        mine: dict[RecordGroup, set[int]] = {}
        its: dict[int, set[RecordGroup]] = {}
        for group, host, _ in pairs:
            mine.setdefault(group, set()).add(host.asset_id)
            its.setdefault(host.asset_id, set()).add(group)
        for group, host, value in pairs:
            is_free = group.host is None and group.pinned is None and host.asset_id not in taken
            if is_free and len(mine[group]) == 1 and len(its[host.asset_id]) == 1:
                group.host, group.found_by = host.asset_id, (why, value)
                taken.add(host.asset_id)

    def _hosts_by_mac(self) -> list[tuple[RecordGroup, ScannedHost, str]]:
        found = []
        for key, mine in self._bearers.items():
            kind, _, mac = key.partition(":")
            hosts = [host for host in self._hosts if mac in host.macs] if kind == MAC else ()
            groups = self._groups_of(mine)
            if len(hosts) == len(groups) == 1:
                found.append((groups[0], hosts[0], mac))
        return sorted(found, key=lambda pair: pair[2])

    def _hosts_by_name(self) -> list[tuple[RecordGroup, ScannedHost, str]]:
        found = []
        named: dict[str, list[ScannedHost]] = {}
        for host in self._hosts:
            for short in {short for short, _ in host.names}:
                named.setdefault(short, []).append(host)
        for short, hosts in sorted(named.items()):
            bearers: list[RecordGroup | ScannedHost] = [
                *self._groups_of(self._bearers.get(f"{NAME}:{short}", ())),
                *hosts,
            ]
            for part in _agreeing(bearers, short):
                groups = [one for one in part if isinstance(one, RecordGroup)]
                its = [one for one in part if isinstance(one, ScannedHost)]
                if len(groups) == len(its) == 1 and not any(record.is_phone for record in groups[0].records):
                    found.append((groups[0], its[0], short))
        return found


def _age(group: RecordGroup) -> tuple[str, str]:
    return group.records[0].age if len(group.records) == 1 else min(record.age for record in group.records)


def _pairs(one: RecordGroup, other: RecordGroup) -> list[tuple[DeviceIdentity, DeviceIdentity]]:
    return list(product(one.records, other.records))


def _domains(bearer: RecordGroup | ScannedHost, short: str) -> set[str]:
    """List the domains in which a group or host has a name; "" for the name without a domain."""
    if isinstance(bearer, ScannedHost):
        return {domain for name, domain in bearer.names if name == short}
    return {record.domain for record in bearer.records if record.short == short}


def _agreeing(bearers: Iterable[_B], short: str) -> list[list[_B]]:
    """Split groups and hosts of one name into sets that may be one machine: a common or a missing domain links."""
    parts: list[tuple[set[str], list[_B]]] = []
    for bearer in bearers:
        domains, members, rest = _domains(bearer, short), [bearer], []
        for others, part in parts:
            if domains & others or "" in domains | others:
                domains, members = domains | others, part + members
            else:
                rest.append((others, part))
        parts = [*rest, (domains, members)]
    return [members for _, members in parts]
