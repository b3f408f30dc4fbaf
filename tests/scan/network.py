"""An installation whose addresses have the names that a test gives them, and what its scans left behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from server.simulator import Simulator
from sync.runtime import Config
from sync.scan.options import ScannerName, ScanOptions
from sync.store.tables import assets, scan_records
from sync.tasks.task import NewScan, create_scan
from tests.sync.installation import Installation


class Network(Installation):
    """An installation that looks names up in `names`, address → name."""

    def __init__(self, simulator: Simulator, data_dir: Path) -> None:
        super().__init__(simulator, data_dir)
        self.names: dict[str, str] = {}

    def config(self) -> Config:
        """Return what the product is opened with: no look-up leaves the machine."""
        return replace(super().config(), look_up=self.look_up)

    async def look_up(self, address: str) -> str | None:
        """Answer as a resolver would."""
        return self.names.get(address)

    async def add_scan(self, *targets: str, **more: Any) -> int:
        """Create a scan task, of the embedded scanner unless told otherwise, and return its key."""
        own = {
            name: more.pop(name) for name in ("credential_id", "exclude_unknown", "include_inactive") if name in more
        }
        options = ScanOptions(targets=targets, **({"scanner": ScannerName.EMBEDDED} | more))
        async with self.runtime.store.write() as tx:
            return await create_scan(
                tx,
                self.clock,
                organization_id=self.organization_id,
                new=NewScan("Scan", self.site_id, options, **own),
                created_by="test",
            )

    async def records(self) -> dict[str, Any]:
        """Return the scan records by their first address."""
        async with self.runtime.store.read() as tx:
            rows = await tx.execute(select(scan_records).order_by(scan_records.c.id))
            return {row.addresses[0]: row for row in rows}

    async def assets(self) -> list[Any]:
        """Return the assets that are there."""
        async with self.runtime.store.read() as tx:
            return list(await tx.execute(select(assets).where(assets.c.deleted_at.is_(None)).order_by(assets.c.id)))
