"""An installation whose addresses have the names that a test gives them, and what its scans left behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from schema.access import Principal, Role
from server.simulator import Simulator
from sync.clock import Clock
from sync.entra.graph.client import GraphClient
from sync.entra.signin.token import SignIn
from sync.errors import RollcallError
from sync.inventory.asset.asset import AssetPlace
from sync.inventory.asset.host_name import name_key
from sync.inventory.scan.record import Host, apply_scan
from sync.runtime import Config
from sync.scan.options import ScannerName, ScanOptions
from sync.store.tables import assets, scan_records, sites
from sync.tasks.task import NewScan, create_scan
from tests.api.caller import Caller
from tests.end_to_end.installation import Installation
from tests.sync.entra.clock import FakeClock


class Network(Installation):
    """An installation that looks names up in `names`, address → name."""

    def __init__(self, simulator: Simulator, data_dir: Path) -> None:
        super().__init__(simulator, data_dir)
        self.names: dict[str, str] = {}
        self.asked: list[str] = []
        # Called before each look-up.
        self.on_look_up: Callable[[str], Awaitable[None]] | None = None
        self.refusal: RollcallError | None = None

    def config(self) -> Config:
        """Return what the product is opened with: no look-up leaves the machine."""
        return replace(super().config(), look_up=self.look_up)

    async def furnish(self, **options: bool) -> None:
        """Furnish as usual, and let scans of the site reach this machine."""
        await super().furnish(**options)
        await self.allow("127.0.0.0/8", "::1")

    async def allow(self, *scope: str) -> None:
        """Give the site a scope; none takes it away."""
        async with self.runtime.store.write() as tx:
            await tx.execute(update(sites).where(sites.c.id == self.site_id).values(scope=list(scope) or None))

    async def look_up(self, address: str) -> str | None:
        """Answer as a resolver would."""
        self.asked.append(address)
        if self.on_look_up:
            await self.on_look_up(address)
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

    async def seen_before(self, *hosts: Host) -> None:
        """Write what an earlier scan found, an hour before now."""
        site = AssetPlace(self.organization_id, self.site_id)
        await self.runtime.store.transact(lambda tx: apply_scan(tx, self.clock, site, hosts))
        assert isinstance(self.clock, FakeClock)
        self.clock.moved_s += 3_600

    def caller(self) -> Caller:
        """Return a caller of the API."""
        return Caller(self.runtime, Principal(1, self.organization_id, Role.ADMINISTRATOR, "test"))

    @asynccontextmanager
    async def connect(self, sign_in: SignIn, clock: Clock) -> AsyncIterator[GraphClient]:
        """Open a Graph client of the simulated tenant, if its sign-in is to work."""
        if self.refusal:
            raise self.refusal
        async with super().connect(sign_in, clock) as client:
            yield client

    def device_names(self) -> list[str]:
        """Return the names of the tenant's devices that can be told apart by them and are enabled."""
        devices = list(self.simulator.directory.truth("devices"))
        counted = Counter(name_key(device["displayName"]) for device in devices)
        phones = ("iOS", "IPhone", "AndroidForWork")
        wanted = (device for device in devices if device["accountEnabled"] and device["operatingSystem"] not in phones)
        usable = [device["displayName"] for device in wanted]
        return [name for name in usable if counted[name_key(name)] == 1 and name_key(name)]
