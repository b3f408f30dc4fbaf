"""Finds the stored scan record, or the directory's asset, of each host of a scan.

Each host has one record, and each record one host. Evidence is used in this order: a MAC address; a name with an
address; a MAC address that a device names; a name that no other host has; an address, if nothing else was known; the
name of a device. docs/assets.md has the rules, docs/decisions/0034 the reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, tuple_

from sync.inventory.asset.asset import ADDRESS, MAC, NAME, AssetPlace
from sync.inventory.asset.host_name import name_keys
from sync.inventory.asset.mac import macs_in
from sync.inventory.asset.match import HOST_NAME, MAC_ADDRESS, NEW
from sync.inventory.directory.directory import chunks
from sync.inventory.scan.sighting import Sightings
from sync.store.statement.in_list import among
from sync.store.tables import asset_keys, assets, devices, scan_records

Key = tuple[str, str]
_SAID = select(
    *(scan_records.c[name] for name in ("id", "asset_id", "names", "addresses", "macs", "first_seen", "last_seen"))
).where(among(scan_records.c.asset_id, "keys"))
_HARDWARE = select(devices.c.asset_id, devices.c.physical_ids).where(among(devices.c.asset_id, "keys"))


@dataclass(frozen=True)
class Recognised:
    """The asset of a host.

    Args:
        asset_id: the asset.
        record_id: the host's scan record; None if a new one is to be written.
        key, value: the evidence, for a new record.
    """

    asset_id: int
    record_id: int | None = None
    key: str = NEW
    value: str | None = None


@dataclass(frozen=True)
class _Record:
    """The identifying part of a stored scan record."""

    id: int
    asset_id: int
    names: frozenset[str]
    addresses: frozenset[str]
    macs: frozenset[str]
    first_seen: str
    last_seen: str

    @property
    def place(self) -> tuple[str, list[str], int]:
        """The order of records: by time, then by contents, as hosts are ordered."""
        return self.last_seen, sorted(self.addresses), -self.id


@dataclass(frozen=True)
class _Seen:
    """A host of the report; `names` and `common` (names that too many hosts share) are in compared form."""

    names: frozenset[str]
    common: frozenset[str]
    addresses: frozenset[str]
    macs: frozenset[str]
    at: str

    def keys(self, kind: str) -> list[Key]:
        """List the host's keys of one kind, by which assets are looked up."""
        values = {NAME: self.names | self.common, MAC: self.macs, ADDRESS: self.addresses}[kind]
        return [(kind, value) for value in sorted(values)]


def recognise(
    tx: Connection, site: AssetPlace, hosts: Sequence[Mapping[str, Any]], sightings: Sightings
) -> list[Recognised | None]:
    """Return the asset and record of each host; None for a new host.

    Args:
        tx: an open transaction.
        site: the site of the records; hosts are never matched across sites.
        hosts: the result of `merge`, one for each machine.
        sightings: the hosts of earlier parts of the same report.
    """
    seen = [
        _Seen(
            frozenset(name_keys(host["names"])),
            frozenset(name_keys(host["common"])),
            frozenset(host["addresses"]),
            frozenset(host["macs"]),
            host["last_seen"],
        )
        for host in hosts
    ]
    owners, scanned = _owners(
        tx, site, {key for one in seen for kind in (NAME, MAC, ADDRESS) for key in one.keys(kind)}
    )
    recognition = _Recognition(seen, owners, _records(tx, scanned), sightings)
    recognition.by_evidence()
    recognition.by_hardware(tx)
    recognition.by_name()
    recognition.by_address()
    recognition.by_device_name()
    return recognition.found


def _owners(tx: Connection, site: AssetPlace, keys: Iterable[Key]) -> tuple[dict[Key, list[int]], set[int]]:
    """Find the site's live assets by key, and those of them that have scan records."""
    found: dict[Key, list[int]] = {}
    scanned: set[int] = set()
    for chunk in chunks(sorted(keys)):
        statement = (
            select(asset_keys.c.kind, asset_keys.c.value, asset_keys.c.asset_id, assets.c.scanned)
            .join_from(asset_keys, assets, assets.c.id == asset_keys.c.asset_id)
            .where(
                asset_keys.c.site_id == site.site_id,
                tuple_(asset_keys.c.kind, asset_keys.c.value).in_(chunk),
                assets.c.deleted_at.is_(None),
            )
            .order_by(asset_keys.c.asset_id)
        )
        for kind, value, asset_id, is_scanned in tx.execute(statement):
            found.setdefault((kind, value), []).append(asset_id)
            if is_scanned:
                scanned.add(asset_id)
    return found, scanned


def _records(tx: Connection, asset_ids: Iterable[int]) -> dict[int, list[_Record]]:
    """Read the scan records of assets, by asset."""
    found: dict[int, list[_Record]] = {}
    for chunk in chunks(sorted(asset_ids)):
        for row in tx.execute(_SAID.order_by(scan_records.c.id), {"keys": chunk}):
            names, addresses, macs = frozenset(name_keys(row.names)), frozenset(row.addresses), frozenset(row.macs)
            record = _Record(row.id, row.asset_id, names, addresses, macs, row.first_seen, row.last_seen)
            found.setdefault(row.asset_id, []).append(record)
    return found


class _Recognition:
    """Assigns records to hosts, by the best evidence first; a name that fits several candidates assigns none."""

    def __init__(
        self,
        hosts: Sequence[_Seen],
        owners: Mapping[Key, Sequence[int]],
        records: Mapping[int, Sequence[_Record]],
        sightings: Sightings,
    ) -> None:
        self.found: list[Recognised | None] = [None] * len(hosts)
        self._hosts, self._owners, self._records = hosts, owners, records
        self._before = sightings
        here = Sightings()
        for one in hosts:
            here.add(one.names | one.common, one.addresses)
        # For each host, the names that no other host of the report has.
        self._own = [
            {name for name in one.names if not any(told.apart(name, one.addresses) for told in (here, sightings))}
            for one in hosts
        ]
        self._taken: set[int] = set()

    def by_evidence(self) -> None:
        """Assign records by a MAC address, else by a name with an address."""
        # Look records up by address and MAC address: a pool of addresses may have thousands of records of one name.
        near: dict[str, list[_Record]] = {}
        for record in self._records_of(self._records):
            for text in record.addresses | record.macs:
                near.setdefault(text, []).append(record)
        pairs = []
        for number, one in enumerate(self._hosts):
            by_name = self._assets(one.keys(NAME))
            pairs += [(0, number, record) for mac in one.macs for record in near.get(mac, ())]
            found = (record for address in one.addresses for record in near.get(address, ()))
            pairs += [
                (1, number, record) for record in found if record.asset_id in by_name and self._is_there(number, record)
            ]
        self._take(pairs)

    def by_hardware(self, tx: Connection) -> None:
        """Assign assets by a MAC address that a device names; several hosts may belong to one device."""
        wanted = {number: set(self._assets(self._hosts[number].keys(MAC))) for number in self._left()}
        asset_ids = {asset_id for mine in wanted.values() for asset_id in mine}
        named: dict[int, set[str]] = {}
        for asset_id, physical_ids in tx.execute(_HARDWARE, {"keys": asset_ids}) if asset_ids else ():
            named.setdefault(asset_id, set()).update(macs_in(physical_ids))
        for number, mine in wanted.items():
            pairs = ((key, mac) for key in mine for mac in self._hosts[number].macs & named.get(key, set()))
            if best := min(pairs, default=None):
                self.found[number] = Recognised(best[0], None, MAC_ADDRESS, best[1])

    def by_name(self) -> None:
        """Assign records by name alone, at whatever address, if host and record are each other's only candidate."""
        claims = Counter(key for one in self._hosts for key in {record.asset_id for record in self._named(one.names)})
        for number in self._left():
            records = self._of_one_asset(self._named(self._hosts[number].names), self._hosts[number].at)
            # Require a name that only this host has; shared names have only narrowed the candidates.
            mine = [record for record in records if not record.names.isdisjoint(self._own[number])]
            if mine and claims[mine[0].asset_id] == 1 and not any(record.id in self._taken for record in mine):
                self._settle(number, max(mine, key=lambda record: record.place))

    def by_address(self) -> None:
        """Assign records by an address, among those that have neither name nor MAC address."""
        pairs = [
            (0, number, record)
            for number in self._left()
            for record in self._records_of(self._assets(self._hosts[number].keys(ADDRESS)))
            if record.addresses & self._hosts[number].addresses
        ]
        self._take(pairs)

    def by_device_name(self) -> None:
        """Assign assets by the name of a device without scan records, if each is the other's only candidate."""
        claims = Counter(key for one in self._hosts for key in self._assets((NAME, name) for name in one.names))
        for number in self._left():
            own = self._own[number]
            candidates = {key: name for name in sorted(own) for key in self._assets([(NAME, name)])}
            if len(candidates) != 1 or self._named(own):
                continue
            ((asset_id, name),) = candidates.items()
            if claims[asset_id] == 1 and not any(record.id in self._taken for record in self._records_of([asset_id])):
                self.found[number] = Recognised(asset_id, None, HOST_NAME, name)

    def _left(self) -> list[int]:
        return [number for number, found in enumerate(self.found) if found is None]

    def _assets(self, keys: Iterable[Key]) -> dict[int, None]:
        return dict.fromkeys(asset_id for key in keys for asset_id in self._owners.get(key, ()))

    def _records_of(self, asset_ids: Iterable[int]) -> list[_Record]:
        return [record for asset_id in asset_ids for record in self._records.get(asset_id, ())]

    def _named(self, names: Collection[str]) -> list[_Record]:
        """List the records that have one of the names."""
        records = self._records_of(self._assets((NAME, name) for name in names))
        return [record for record in records if not record.names.isdisjoint(names)]

    def _of_one_asset(self, records: Sequence[_Record], at: str) -> Sequence[_Record]:
        """Return the candidate records of the only asset that fits; none if several fit.

        Among several assets, prefer those known at the time of the host, then those seen both before and after it,
        then those that no host has yet.
        """
        known = [record for record in records if record.first_seen <= at]
        around = [record for record in known if at <= record.last_seen]
        free = [record for record in around if record.id not in self._taken]
        choices = (records, known, around, free)
        return next((some for some in choices if len({record.asset_id for record in some}) == 1), ())

    def _is_there(self, number: int, record: _Record) -> bool:
        """Return whether a host with a record's name and address may be its host: no evidence says otherwise."""
        one = self._hosts[number]
        if one.macs and record.macs:
            return False
        shared = (one.names | one.common) - self._own[number]
        return not any(self._before.took(name, one.addresses, record.addresses) for name in shared)

    def _take(self, pairs: Iterable[tuple[int, int, _Record]]) -> None:
        """Assign records from pairs of (level of evidence, host, record), the best pair first; each record once.

        If several hosts were one record before, the host whose addresses agree best keeps it, else the host that was
        seen last.
        """

        def order(pair: tuple[int, int, _Record]) -> tuple[Any, ...]:
            level, number, record = pair
            one = self._hosts[number]
            is_elsewhere = not one.addresses & record.addresses
            is_around = record.first_seen <= one.at <= record.last_seen
            return level, is_elsewhere, len(one.addresses ^ record.addresses), number, not is_around

        latest_first = sorted(pairs, key=lambda pair: pair[2].place, reverse=True)
        for _, number, record in sorted(latest_first, key=order):
            if self.found[number] is None and record.id not in self._taken:
                self._settle(number, record)

    def _settle(self, number: int, record: _Record) -> None:
        self.found[number] = Recognised(record.asset_id, record.id)
        self._taken.add(record.id)
