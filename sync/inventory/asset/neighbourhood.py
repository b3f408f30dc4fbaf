"""Reads everything that affects the matching of devices: records that may be the same machine, pins, hosts, matches.

All of it is read together, so that the result depends on the stored records, not on their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, or_, select

from sync.inventory.asset.asset import DEVICE_FIELDS, MAC, NAME
from sync.inventory.asset.device_key import bearers
from sync.inventory.asset.host_name import host_name
from sync.inventory.asset.identity import DeviceIdentity, identity
from sync.inventory.asset.match import ScannedHost
from sync.inventory.asset.source import AZUREAD, BITS
from sync.store import AnyRow
from sync.store.statement.in_list import among
from sync.store.tables import asset_keys, assets, devices, matches, scan_records

DEVICES = (
    select(
        *DEVICE_FIELDS,
        *(devices.c[name] for name in ("directory_id", "skipped", "deleted_at", "account_enabled")),
        *(devices.c[name] for name in ("device_id", "trust_type")),
    )
    .where(among(devices.c.id, "keys"))
    .order_by(devices.c.id)
)
# Skip devices that a task's options exclude, and those that retention removed with their assets.
_IS_WANTED = (devices.c.deleted_at.is_(None), or_(devices.c.skipped.is_(None), devices.c.skipped == "UNKNOWN"))
_OF_ASSETS = select(devices.c.id).where(among(devices.c.asset_id, "assets"), *_IS_WANTED)
_WITH_DEVICE_IDS = select(devices.c.id).where(
    devices.c.site_id == bindparam("site"), among(devices.c.device_id, "ids"), *_IS_WANTED
)
_PINNED_TO = select(matches.c.object_id).where(among(matches.c.asset_id, "assets"), matches.c.is_pinned)
_MATCHES = (
    select(
        matches.c.object_id,
        matches.c.asset_id,
        matches.c.key,
        matches.c.value,
        matches.c.is_pinned,
        assets.c.site_id,
        assets.c.deleted_at,
    )
    .join_from(matches, assets, assets.c.id == matches.c.asset_id)
    .where(among(matches.c.object_id, "keys"))
)
_IS_SCANNED = assets.c.source_mask.op("&")(~BITS[AZUREAD]) != 0
_SCANNED_OF = select(assets.c.id).where(among(assets.c.id, "keys"), assets.c.deleted_at.is_(None), _IS_SCANNED)
_SCANNED_WITH = (
    select(assets.c.id)
    .distinct()
    .join_from(asset_keys, assets, assets.c.id == asset_keys.c.asset_id)
    .where(
        asset_keys.c.site_id == bindparam("site"),
        asset_keys.c.kind == bindparam("kind"),
        among(asset_keys.c.value, "values"),
        assets.c.deleted_at.is_(None),
        _IS_SCANNED,
    )
)
_SAID = select(scan_records.c.asset_id, scan_records.c.names, scan_records.c.macs).where(
    among(scan_records.c.asset_id, "keys")
)


@dataclass
class Neighbourhood:
    """The devices to link, and all that affects their matching.

    Args:
        rows: by key, as `DEVICES` selects them.
        identities: by key.
        matches: by key; why each device belonged to an asset when it was last linked.
        hosts: the scanned assets that have one of the devices, or share a name or MAC address with one.
        common: keys that too many devices have.
    """

    rows: dict[int, AnyRow] = field(default_factory=dict)
    identities: dict[int, DeviceIdentity] = field(default_factory=dict)
    matches: dict[int, AnyRow] = field(default_factory=dict)
    hosts: list[ScannedHost] = field(default_factory=list)
    common: set[str] = field(default_factory=set)

    @property
    def pins(self) -> dict[int, int]:
        """Device → the asset that a person put it into."""
        return {key: match.asset_id for key, match in self.matches.items() if match.is_pinned}


def identities(rows: Iterable[AnyRow]) -> dict[int, DeviceIdentity]:
    """Return the identities of rows of `DEVICES`, by key."""
    return {row.id: identity(row) for row in rows}


def read_neighbourhood(
    tx: Connection,
    site_id: int,
    rows: Sequence[AnyRow],
    told: Mapping[int, DeviceIdentity],
    keys: Iterable[str],
    assets_: Iterable[int],
) -> Neighbourhood:
    """Read everything that affects the matching of devices.

    Args:
        rows: the changed devices that are wanted.
        told: their identities.
        keys: all keys that these and the unlinked devices have or had (`renew_keys`).
        assets_: the assets that they were in.
    """
    near = Neighbourhood()
    touched = {row.id for row in rows}
    leads, followed = _Leads({*keys}, {*assets_}), _Leads()
    fresh: Sequence[AnyRow] = rows
    while fresh or leads:
        _take(tx, near, fresh, told)
        for row in fresh:
            leads.add(row, near)
        leads = leads.but(followed)
        followed.keys |= leads.keys
        followed.assets |= leads.assets
        followed.device_ids |= leads.device_ids
        found = _bearers(tx, site_id, near, leads, touched) - near.rows.keys()
        leads = _Leads()
        fresh = [row for row in tx.execute(DEVICES, {"keys": found}).all() if _is_wanted(row)] if found else []
    near.hosts = _hosts(tx, site_id, near)
    return near


@dataclass
class _Leads:
    """The keys, assets and device ids by which to find more devices."""

    keys: set[str] = field(default_factory=set)
    assets: set[int] = field(default_factory=set)
    device_ids: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.keys or self.assets or self.device_ids)

    def add(self, row: AnyRow, near: Neighbourhood) -> None:
        """Add the leads of a device."""
        self.keys.update(near.identities[row.id].keys)
        if row.asset_id is not None:
            self.assets.add(row.asset_id)
        if (match := near.matches.get(row.id)) and match.is_pinned:
            self.assets.add(match.asset_id)
        if row.device_id:
            self.device_ids.add(row.device_id)

    def but(self, others: _Leads) -> _Leads:
        """Return the leads that are not among the others."""
        return _Leads(self.keys - others.keys, self.assets - others.assets, self.device_ids - others.device_ids)


def _take(tx: Connection, near: Neighbourhood, rows: Sequence[AnyRow], told: Mapping[int, DeviceIdentity]) -> None:
    near.rows.update((row.id, row) for row in rows)
    for row in rows:
        near.identities[row.id] = told.get(row.id) or identity(row)
    if rows:
        near.matches.update((row.object_id, row) for row in tx.execute(_MATCHES, {"keys": [row.id for row in rows]}))


def _bearers(tx: Connection, site_id: int, near: Neighbourhood, leads: _Leads, touched: set[int]) -> set[int]:
    """Find the devices of leads."""
    found: set[int] = set()
    if leads.keys:
        found, common = bearers(tx, site_id, leads.keys, touched)
        near.common |= common
    if leads.assets:
        found.update(tx.scalars(_OF_ASSETS, {"assets": leads.assets}))
        found.update(tx.scalars(_PINNED_TO, {"assets": leads.assets}))
    if leads.device_ids:
        found.update(tx.scalars(_WITH_DEVICE_IDS, {"site": site_id, "ids": leads.device_ids}))
    return found


def _is_wanted(row: AnyRow) -> bool:
    return row.deleted_at is None and row.skipped in (None, "UNKNOWN")


def _hosts(tx: Connection, site_id: int, near: Neighbourhood) -> list[ScannedHost]:
    inside = {row.asset_id for row in near.rows.values() if row.asset_id is not None} | {*near.pins.values()}
    found = set(tx.scalars(_SCANNED_OF, {"keys": inside})) if inside else set()
    told = {key for record in near.identities.values() for key in record.keys} - near.common
    for kind in (NAME, MAC):
        values = [key.removeprefix(f"{kind}:") for key in told if key.startswith(f"{kind}:")]
        if values:
            found.update(tx.scalars(_SCANNED_WITH, {"site": site_id, "kind": kind, "values": values}))
    names: dict[int, set[tuple[str, str]]] = {key: set() for key in found}
    macs: dict[int, set[str]] = {key: set() for key in found}
    for row in tx.execute(_SAID, {"keys": found}) if found else ():
        names[row.asset_id].update(map(host_name, row.names))
        macs[row.asset_id].update(row.macs)
    return [ScannedHost(key, frozenset(names[key]), frozenset(macs[key])) for key in found]
