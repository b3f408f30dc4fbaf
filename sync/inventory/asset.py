"""An asset: what it can be recognised by, and its fields, computed from the records that its sources have of it.

The fields are a pure function of the records, in a fixed order: they do not depend on the order in which the records
arrived. A scan comes before the directory for what it sees itself (names, addresses, the system that runs), the
directory for who made the machine; a field that the first does not know is taken from the other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from sqlalchemy import Table, bindparam, case, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.inventory.directory import chunks
from sync.inventory.mac import macs_in
from sync.inventory.source import AZUREAD, BITS, SCAN
from sync.organizations import next_version
from sync.store.tables import asset_keys, assets, devices, scan_records

NAME, MAC, ADDRESS = "NAME", "MAC", "ADDRESS"
# Names that many machines share from the factory: two devices that carry one need not be the same machine.
_GENERIC_NAME = re.compile(
    r"localhost|desktop|laptop|android|(iphone|ipad)( ?\d{1,2})?|macbook( ?pro| ?air)?|windows( ?pc)?|pc|workstation"
    r"|unknown|none",
    re.IGNORECASE,
)
_MOBILE = re.compile(r"\b(ios|iphone|ipad|ipados|android\w*|windowsphone)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where assets live: nothing is recognised across sites."""

    organization_id: int
    site_id: int


def name_key(name: str | None) -> str | None:
    """Reduce a host name to the form it is compared in: its first label, case-folded; None if it tells nothing."""
    short = (name or "").strip().partition(".")[0].casefold()
    if not short or _GENERIC_NAME.fullmatch(short):
        return None
    return short


def name_keys(names: Iterable[str]) -> set[str]:
    """Return the compared forms of several host names."""
    return {short for name in names if (short := name_key(name))}


def recognised_by(names: Iterable[str], macs: Sequence[str], addresses: Sequence[str]) -> list[tuple[str, str]]:
    """List what a machine can be recognised by, (kind, value): addresses only if nothing better is known."""
    better = [*((MAC, mac) for mac in macs), *((NAME, name) for name in sorted(name_keys(names)))]
    return better or [(ADDRESS, address) for address in addresses]


async def create_assets(tx: AsyncConnection, now: str, place: Place, number: int) -> list[int]:
    """Make empty assets and return their keys; `compute_assets` fills them in the same transaction."""
    if not number:
        return []
    empty = {
        "organization_id": place.organization_id,
        "site_id": place.site_id,
        "names": [],
        "domains": [],
        "addresses": [],
        "macs": [],
        "tags": [],
        "scanned": False,
        "source_mask": 0,
        "source_count": 0,
        "version": 0,
        "created_at": now,
        "updated_at": now,
    }
    return list(await tx.scalars(insert(assets).returning(assets.c.id), [empty] * number))


async def compute_assets(tx: AsyncConnection, now: str, place: Place, asset_ids: Iterable[int]) -> Counter[str]:
    """Bring the fields of assets in line with their records; one without any record is removed.

    Returns:
        Assets updated and removed; those that were just made count as neither.
    """
    counts: Counter[str] = Counter()
    for chunk in chunks(sorted(asset_ids)):
        present = (await tx.execute(select(assets).where(assets.c.id.in_(chunk)))).mappings().all()
        by_device = await _records(tx, devices, chunk)
        by_scan = await _records(tx, scan_records, chunk)
        rows: list[dict[str, Any]] = []
        for asset in present:
            fields = asset_fields(by_device.get(asset["id"], []), by_scan.get(asset["id"], []))
            if not fields["source_mask"]:
                # Without a record it keeps its last fields: a tombstone too should be recognised.
                gone = {"source_mask": 0, "source_count": 0, "deleted_at": now}
                fields = {name: asset[name] for name in fields} | gone
            if any(asset[name] != value for name, value in fields.items()):
                if asset["version"] and not asset["deleted_at"]:
                    counts["removed" if fields["deleted_at"] else "updated"] += 1
                rows.append({"key": asset["id"], **fields})
        if rows:
            await _save(tx, now, place, rows)
    return counts


async def _records(tx: AsyncConnection, table: Table, asset_ids: Sequence[int]) -> dict[int, list[Mapping[str, Any]]]:
    found: dict[int, list[Mapping[str, Any]]] = {}
    statement = select(table).where(table.c.asset_id.in_(asset_ids)).order_by(table.c.id)
    for record in (await tx.execute(statement)).mappings():
        found.setdefault(record["asset_id"], []).append(dict(record))
    return found


async def _save(tx: AsyncConnection, now: str, place: Place, rows: list[dict[str, Any]]) -> None:
    version = await next_version(tx, place.organization_id)
    names = [name for name in rows[0] if name != "key"]
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    values["created_version"] = case((assets.c.version == 0, version), else_=assets.c.created_version)
    await tx.execute(
        update(assets).where(assets.c.id == bindparam("key")).values(**values, version=version, updated_at=now),
        [{"key": row["key"]} | {f"new_{name}": row[name] for name in names} for row in rows],
    )
    await tx.execute(delete(asset_keys).where(asset_keys.c.asset_id.in_([row["key"] for row in rows])))
    keys = [
        {"site_id": place.site_id, "kind": kind, "value": value, "asset_id": row["key"]}
        for row in rows
        if not row["deleted_at"]
        for kind, value in recognised_by(row["names"], row["macs"], row["addresses"])
    ]
    if keys:
        await tx.execute(insert(asset_keys), keys)


def asset_fields(records: Sequence[Mapping[str, Any]], scans: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Compute an asset's fields from its device records and its scan records, each the most recently seen first."""
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
    # The version belongs to the system it was read with.
    is_scanned_os = bool(_all(scans, "os"))
    sources = (BITS[AZUREAD] if devices_ else 0) | (BITS[SCAN] if scans else 0)
    return {
        "name": names[0] if names else None,
        "names": names,
        "domains": sorted({domain for name in names if (domain := name.partition(".")[2].casefold())}),
        "addresses": sorted({address for scan in scans for address in scan["addresses"]}, key=_address_order),
        "macs": sorted(
            {mac for scan in scans for mac in scan["macs"]}
            | {mac for record in devices_ for mac in macs_in(record["physical_ids"])}
        ),
        "type": _first(scans, "type") or _type(_first(devices_, "operating_system"), _first(devices_, "profile_type")),
        "os": _first(scans, "os") if is_scanned_os else _first(devices_, "operating_system"),
        "os_version": _first(scans, "os_version") if is_scanned_os else _first(devices_, "operating_system_version"),
        "manufacturer": _first(devices_, "manufacturer") or _first(scans, "manufacturer"),
        "model": _first(devices_, "model") or _first(scans, "model"),
        "serial": _first(scans, "serial"),
        "alive": any(scan["alive"] for scan in scans) if scans else None,
        "scanned": bool(scans),
        "first_seen": min(begun, default=None),
        "last_seen": max(seen, default=None),
        "source_mask": sources,
        "source_count": sources.bit_count(),
        "deleted_at": None,
    }


def _all(records: Iterable[Mapping[str, Any]], *names: str) -> list[Any]:
    return [record[name] for record in records for name in names if record[name] is not None]


def _first(records: Iterable[Mapping[str, Any]], name: str) -> Any:
    return next(iter(_all(records, name)), None)


def _scan_order(scan: Mapping[str, Any]) -> tuple[Any, ...]:
    """Order scan records by when they were seen; by what they say where that is equal, never by their keys."""
    said = ("os", "os_version", "type", "manufacturer", "model", "serial")
    return scan["last_seen"], scan["macs"], scan["addresses"], scan["names"], [scan[name] or "" for name in said]


def _address_order(address: str) -> tuple[int, int]:
    read = ip_address(address)
    return read.version, int(read)


def _type(os: str | None, profile: str | None) -> str | None:
    """Name the type of machine where the directory really tells it, else nothing."""
    if profile in {"Printer", "IoT"}:
        return profile
    if os and _MOBILE.search(os):
        return "Mobile"
    if os and "server" in os.casefold():
        return "Server"
    return None
