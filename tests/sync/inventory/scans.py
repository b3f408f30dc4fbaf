"""Hosts that scans found, applied to an inventory, and what became of them as plain values."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from sync.inventory.asset.asset import AssetPlace
from sync.inventory.scan.record import Host, apply_scan
from sync.store.tables import assets, scan_records
from tests.sync.inventory.inventory import Inventory

EARLY, LATE, LAST = "2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"
MACS = ("02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c")


def host(**values: Any) -> Host:
    """Return a host that was seen early."""
    return Host(**{"seen_at": EARLY, **values})


async def scanned(inventory: Inventory, *hosts: Host) -> dict[str, int]:
    """Apply a scan, a minute after what came before, and return the counts that are not zero."""
    inventory.clock.moved_s += 60
    place = AssetPlace(inventory.directory.organization_id, inventory.directory.site_id)
    async with inventory.store.write() as tx:
        return dict(+(await tx.run_sync(apply_scan, inventory.clock, place, hosts)))


async def shown(inventory: Inventory) -> list[dict[str, Any]]:
    """Return the assets of the organization with their scan records, without keys, times of ours and versions."""
    hidden = {"id", "asset_id", "version", "created_at", "updated_at"}
    mine = assets.c.organization_id == inventory.directory.organization_id
    async with inventory.store.read() as tx:
        found = (await tx.execute(select(assets).where(mine, assets.c.deleted_at.is_(None)))).mappings().all()
        records = (await tx.execute(select(scan_records))).mappings().all()
    return sorted(
        (
            {name: value for name, value in asset.items() if name not in hidden}
            | {
                "records": sorted(
                    repr({name: value for name, value in record.items() if name not in hidden})
                    for record in records
                    if record["asset_id"] == asset["id"]
                )
            }
            for asset in found
        ),
        key=repr,
    )


async def placed(inventory: Inventory) -> list[tuple[int, list[str]]]:
    """Return the assets that scans know, each by its key and addresses, in the order of their addresses."""
    mine = assets.c.organization_id == inventory.directory.organization_id
    live = select(assets.c.id, assets.c.addresses).where(mine, assets.c.scanned, assets.c.deleted_at.is_(None))
    async with inventory.store.read() as tx:
        return sorted(((key, addresses) for key, addresses in await tx.execute(live)), key=lambda row: (row[1], row[0]))


async def addresses(inventory: Inventory) -> list[list[str]]:
    """Return the addresses of each asset that scans know."""
    return [found for _, found in await placed(inventory)]
