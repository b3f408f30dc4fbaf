"""Recognises the hosts of a scan among the stored scan records and the assets that a directory knows.

A record is of one host of a report, and a host has one record. Evidence comes in a fixed order: a MAC address; a name
together with an address; a MAC address that a device names; a name that nobody else has; an address that was all that
was known; the name of a device. The rules stand in docs/assets.md, their reasons in docs/decisions/0034.
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
    """What a host turned out to be.

    Args:
        asset_id: the asset that it is.
        record_id: the scan record that is its own; None if it is to have a new one there.
        key, value: why it has, if it is to have a new one.
    """

    asset_id: int
    record_id: int | None = None
    key: str = NEW
    value: str | None = None


@dataclass(frozen=True)
class _Record:
    """A stored scan record, as far as it tells which host it is of."""

    id: int
    asset_id: int
    names: frozenset[str]
    addresses: frozenset[str]
    macs: frozenset[str]
    first_seen: str
    last_seen: str

    @property
    def place(self) -> tuple[str, list[str], int]:
        """Order records by when they were seen and by what they say, as hosts are ordered."""
        return self.last_seen, sorted(self.addresses), -self.id


@dataclass(frozen=True)
class _Seen:
    """A host of the report: names in their compared forms, those that are its own and those that too many have."""

    names: frozenset[str]
    common: frozenset[str]
    addresses: frozenset[str]
    macs: frozenset[str]
    at: str

    def keys(self, kind: str) -> list[Key]:
        """List the keys of one kind that assets may have in common with the host."""
        values = {NAME: self.names | self.common, MAC: self.macs, ADDRESS: self.addresses}[kind]
        return [(kind, value) for value in sorted(values)]


def recognise(
    tx: Connection, site: AssetPlace, hosts: Sequence[Mapping[str, Any]], sightings: Sightings
) -> list[Recognised | None]:
    """Tell of each host which asset and which record it is; None if it is new.

    Args:
        tx: an open transaction.
        site: nothing is recognised across sites.
        hosts: of `merge`, so that each is a machine.
        sightings: what the same report has told of other hosts before.
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
    """Find the live assets of the site that have one of the keys, and which of them scans know."""
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
    """Read what the scan records of assets tell, by asset."""
    found: dict[int, list[_Record]] = {}
    for chunk in chunks(sorted(asset_ids)):
        for row in tx.execute(_SAID.order_by(scan_records.c.id), {"keys": chunk}):
            names, addresses, macs = frozenset(name_keys(row.names)), frozenset(row.addresses), frozenset(row.macs)
            record = _Record(row.id, row.asset_id, names, addresses, macs, row.first_seen, row.last_seen)
            found.setdefault(row.asset_id, []).append(record)
    return found


class _Recognition:
    """Gives hosts their records, the best evidence first; what several could be by name alone is left open."""

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
        # Of each host the names that no other host of the report has.
        self._own = [
            {name for name in one.names if not any(told.apart(name, one.addresses) for told in (here, sightings))}
            for one in hosts
        ]
        self._taken: set[int] = set()

    def by_evidence(self) -> None:
        """Find hosts by a MAC address, else by a name together with an address."""
        # By what they have in common: a pool of addresses may have thousands of records of one name.
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
        """Find hosts by a MAC address that a device names; all of one device, whatever they tell of themselves."""
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
        """Find hosts by a name alone, wherever they are now: each the only candidate for the other."""
        claims = Counter(key for one in self._hosts for key in {record.asset_id for record in self._named(one.names)})
        for number in self._left():
            records = self._of_one_asset(self._named(self._hosts[number].names), self._hosts[number].at)
            # Those that bear a name of its own; what others have too has told which assets it may be, and no more.
            mine = [record for record in records if not record.names.isdisjoint(self._own[number])]
            if mine and claims[mine[0].asset_id] == 1 and not any(record.id in self._taken for record in mine):
                self._settle(number, max(mine, key=lambda record: record.place))

    def by_address(self) -> None:
        """Find hosts by an address, among the records of which nothing else is known."""
        pairs = [
            (0, number, record)
            for number in self._left()
            for record in self._records_of(self._assets(self._hosts[number].keys(ADDRESS)))
            if record.addresses & self._hosts[number].addresses
        ]
        self._take(pairs)

    def by_device_name(self) -> None:
        """Find hosts by a name that only a device has: each the only candidate for the other."""
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
        """List the records that bear one of the names."""
        records = self._records_of(self._assets((NAME, name) for name in names))
        return [record for record in records if not record.names.isdisjoint(names)]

    def _of_one_asset(self, records: Sequence[_Record], at: str) -> Sequence[_Record]:
        """Of the records that a host seen at a time may be of, return those of the only asset; none if nobody knows.

        Of several it is the one that was known by then, or that was seen before and after: the others came later, or
        had gone, or have a host already.
        """
        known = [record for record in records if record.first_seen <= at]
        around = [record for record in known if at <= record.last_seen]
        free = [record for record in around if record.id not in self._taken]
        choices = (records, known, around, free)
        return next((some for some in choices if len({record.asset_id for record in some}) == 1), ())

    def _is_there(self, number: int, record: _Record) -> bool:
        """Tell whether a host with the name and an address of a record is its host: nothing says that it is another."""
        one = self._hosts[number]
        if one.macs and record.macs:
            return False
        shared = (one.names | one.common) - self._own[number]
        return not any(self._before.took(name, one.addresses, record.addresses) for name in shared)

    def _take(self, pairs: Iterable[tuple[int, int, _Record]]) -> None:
        """Settle pairs of hosts and records, given with their level, the best first; each record once.

        Of hosts that were one record before, it stays with the one whose addresses agree best, else with the one that
        was seen last: what that tells is the news.
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
