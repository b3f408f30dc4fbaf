"""Assets: their keys and their fields, computed from their records.

The fields are a pure function of the records and do not depend on the order in which these arrived. Scans have priority
for names, addresses and the operating system, the directory for manufacturer and model; a field that the first source
does not know comes from the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from sync.inventory.asset.host_name import domains_in, name_keys
from sync.inventory.asset.identity import MAC as MAC
from sync.inventory.asset.identity import NAME as NAME
from sync.inventory.asset.identity import family_of
from sync.inventory.asset.mac import macs_in
from sync.inventory.asset.service import service_fields
from sync.inventory.asset.source import AZUREAD, BITS, SCAN
from sync.inventory.directory.directory import chunks
from sync.inventory.fingerprint.fields import derived_fields
from sync.organization.organizations import next_version
from sync.store.statement.bulk import insert_rows, reserve_keys, update_rows
from sync.store.statement.in_list import among
from sync.store.tables import asset_keys, assets, devices, scan_records

Record = Mapping[str, Any]
ADDRESS = "ADDRESS"

# The columns of a device that `asset_fields` and linking read.
DEVICE_FIELDS = tuple(
    devices.c[name]
    for name in (
        "id",
        "asset_id",
        "external_id",
        "display_name",
        "operating_system",
        "operating_system_version",
        "profile_type",
        "manufacturer",
        "model",
        "approximate_last_sign_in_date_time",
        "created_date_time",
        "registration_date_time",
        "physical_ids",
    )
)
# What the type and the system of an asset are derived from, by who tells it; what was read together stays together.
_SAID = (("operating_system", "operating_system_version"), ("profile_type",))
_FOUND = (("os", "os_version"), ("type",))
_ASSETS = select(assets).where(among(assets.c.id, "keys"))
_DEVICE_RECORDS = select(*DEVICE_FIELDS).where(among(devices.c.asset_id, "keys")).order_by(devices.c.id)
_SCAN_RECORDS = select(scan_records).where(among(scan_records.c.asset_id, "keys")).order_by(scan_records.c.id)
_KEYS_OF = delete(asset_keys).where(among(asset_keys.c.asset_id, "keys"))


@dataclass(frozen=True)
class AssetPlace:
    """The organization and site of assets; records of different sites never match."""

    organization_id: int
    site_id: int


def recognised_by(names: Iterable[str], macs: Sequence[str], addresses: Sequence[str]) -> list[tuple[str, str]]:
    """List the keys that identify a machine, (kind, value): addresses only if there is no MAC address and no name."""
    better = [*((MAC, mac) for mac in macs), *((NAME, name) for name in sorted(name_keys(names)))]
    return better or [(ADDRESS, address) for address in addresses]


def create_assets(tx: Connection, now: str, place: AssetPlace, found: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    """Create assets with these fields (of `asset_fields`) and return their keys, in order."""
    keys = reserve_keys(tx, assets, len(found))
    if not found:
        return keys
    version = next_version(tx, place.organization_id)
    common = {
        "organization_id": place.organization_id,
        "site_id": place.site_id,
        "tags": [],
        "version": version,
        "created_version": version,
        "created_at": now,
        "updated_at": now,
    }
    insert_rows(tx, assets, [{"id": key, **common, **fields} for key, fields in zip(keys, found, strict=True)])
    _make_recognisable(tx, place, zip(keys, found, strict=True))
    return keys


def compute_assets(
    tx: Connection, now: str, place: AssetPlace, asset_ids: Iterable[int], *, anew: bool = False
) -> Counter[str]:
    """Compute the fields of assets from their records, and remove assets without records.

    Args:
        anew: rewrite the keys of unchanged assets too, because the rules for keys may have changed.

    Returns:
        Assets updated and removed.
    """
    counts: Counter[str] = Counter()
    for chunk in chunks(sorted(asset_ids)):
        present = tx.execute(_ASSETS, {"keys": chunk}).mappings().all()
        by_device = _records(tx, _DEVICE_RECORDS, chunk)
        by_scan = _records(tx, _SCAN_RECORDS, chunk)
        changed: dict[int, dict[str, Any]] = {}
        kept: dict[int, dict[str, Any]] = {}
        for asset in present:
            fields = asset_fields(by_device.get(asset["id"], []), by_scan.get(asset["id"], []))
            if not fields["source_mask"]:
                # A tombstone keeps its last fields, so that people can tell what it was.
                gone = {"source_mask": 0, "source_count": 0, "deleted_at": now}
                fields = {name: asset[name] for name in fields} | gone
            if any(asset[name] != value for name, value in fields.items()):
                if not asset["deleted_at"]:
                    counts["removed" if fields["deleted_at"] else "updated"] += 1
                changed[asset["id"]] = fields
            elif anew:
                kept[asset["id"]] = fields
        if changed:
            common = {"version": next_version(tx, place.organization_id), "updated_at": now}
            update_rows(tx, assets, [{"id": key, **common, **fields} for key, fields in changed.items()])
        if changed or kept:
            tx.execute(_KEYS_OF, {"keys": [*changed, *kept]})
            _make_recognisable(tx, place, (changed | kept).items())
    return counts


def _records(tx: Connection, statement: Select[Any], keys: Sequence[int]) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {}
    for record in tx.execute(statement, {"keys": keys}).mappings():
        found.setdefault(record["asset_id"], []).append(dict(record))
    return found


def _make_recognisable(tx: Connection, place: AssetPlace, found: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    keys = [
        {"site_id": place.site_id, "kind": kind, "value": value, "asset_id": key}
        for key, fields in found
        if not fields["deleted_at"]
        for kind, value in recognised_by(_telling_names(fields), fields["macs"], fields["addresses"])
    ]
    insert_rows(tx, asset_keys, keys)


def _telling_names(fields: Mapping[str, Any]) -> Sequence[str]:
    """Return the names that identify an asset: none for a phone that only a directory knows."""
    is_phone = not fields["scanned"] and family_of(fields["os"]) == "mobile"
    return () if is_phone else fields["names"]


def asset_fields(records: Sequence[Mapping[str, Any]], scans: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Compute an asset's fields from its device and scan records; the most recently seen record has priority."""
    devices_ = sorted(
        records,
        key=lambda record: (record["approximate_last_sign_in_date_time"] or "", record["external_id"]),
        reverse=True,
    )
    scans = sorted(scans, key=_scan_order, reverse=True)
    names = [*(name for scan in scans for name in scan["names"]), *_all(devices_, "display_name")]
    names = list(dict.fromkeys(name for name in names if name))
    begun = _all(devices_, "registration_date_time", "created_date_time") + _all(scans, "first_seen")
    seen = _all(devices_, "approximate_last_sign_in_date_time")[:1] + _all(scans, "last_seen")
    # Take name and version of the operating system from the same source.
    is_scanned_os = bool(_all(scans, "os"))
    sources = (BITS[AZUREAD] if devices_ else 0) | (BITS[SCAN] if scans else 0)
    addresses = sorted({address for scan in scans for address in scan["addresses"]}, key=_address_order)
    macs = sorted(
        {mac for scan in scans for mac in scan["macs"]}
        | {mac for record in devices_ for mac in macs_in(record["physical_ids"])}
    )
    manufacturer = _first(devices_, "manufacturer") or _first(scans, "manufacturer")
    model = _first(devices_, "model") or _first(scans, "model")
    return {
        "name": names[0] if names else None,
        "names": names,
        "domains": domains_in(names),
        "addresses": addresses,
        "macs": macs,
        "os_version": _first(scans, "os_version") if is_scanned_os else _first(devices_, "operating_system_version"),
        "manufacturer": manufacturer,
        "model": model,
        "serial": _first(scans, "serial"),
        "alive": any(scan["alive"] for scan in scans) if scans else None,
        "scanned": bool(scans),
        "first_seen": min(begun, default=None),
        "last_seen": max(seen, default=None),
        "source_mask": sources,
        "source_count": sources.bit_count(),
        **service_fields(scans),
        "deleted_at": None,
        **derived_fields(_told(devices_, _SAID), _told(scans, _FOUND), (manufacturer, model), (macs, addresses)),
    }


def _told(records: Sequence[Mapping[str, Any]], groups: Iterable[Sequence[str]]) -> dict[str, Any]:
    """Return the first value of each name; a version belongs to the system it was read with."""
    told: dict[str, Any] = {}
    for name, *more in groups:
        record = next((record for record in records if record[name] is not None), None)
        told |= {one: record[one] if record else None for one in (name, *more)}
    return told


def _all(records: Iterable[Mapping[str, Any]], *names: str) -> list[Any]:
    return [record[name] for record in records for name in names if record[name] is not None]


def _first(records: Iterable[Mapping[str, Any]], name: str) -> Any:
    return next((record[name] for record in records if record[name] is not None), None)


def _scan_order(scan: Mapping[str, Any]) -> tuple[Any, ...]:
    """Order scan records by the time they were last seen, then by their contents; never by their database keys."""
    said = ("os", "os_version", "type", "manufacturer", "model", "serial")
    return scan["last_seen"], scan["macs"], scan["addresses"], scan["names"], [scan[name] or "" for name in said]


def _address_order(address: str) -> tuple[int, int]:
    read = ip_address(address)
    return read.version, int(read)
