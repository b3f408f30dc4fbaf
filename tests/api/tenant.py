"""The tenant of the demo, synced, scanned, and synced again after a day with a few changes; on a clock of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from schema.access import Principal, Role
from server.simulator import Simulator
from sync.clock import timestamp
from sync.inventory.asset.asset import AssetPlace
from sync.inventory.scan.record import Host, apply_scan
from tests.api.caller import Caller
from tests.entra.clock import FakeClock
from tests.sync.installation import Installation

DAY_S = 86_400.0


@asynccontextmanager
async def demo_tenant(data_dir: Path) -> AsyncIterator[Caller]:
    """Return an administrator of the demo's inventory (`rollcall demo` with its default sizes), two days old."""
    clock = FakeClock()
    installation = Installation(Simulator(clock=clock), data_dir, clock)
    await installation.open()
    try:
        await installation.furnish()
        await _sync(installation)
        await _scan(installation)
        # The indexer's pauses have moved the clock a little.
        await installation.runtime.indexer.idle()
        clock.moved_s = 2 * DAY_S
        _change(installation.simulator)
        await _sync(installation)
        principal = Principal(1, installation.organization_id, Role.ADMINISTRATOR, "administrator")
        yield Caller(installation.runtime, principal)
    finally:
        await installation.close()


async def _sync(installation: Installation) -> None:
    await installation.trigger()
    await installation.runtime.engine.idle()


async def _scan(installation: Installation) -> None:
    """Write what a scan would have found: two machines of the directory, and three that it does not know."""
    seen_at = timestamp(installation.clock.now())
    hosts = [
        Host(seen_at, ("WS-000003",), ("10.0.4.3",), ("00:15:5d:00:04:03",), type="Desktop", os="Windows"),
        Host(seen_at, ("LAP-0005N",), ("10.0.4.5",), ("00:15:5d:00:04:05",), type="Laptop", os="Windows"),
        Host(seen_at, ("printer-2f",), ("10.0.9.20",), ("00:1b:a9:00:09:20",), type="Printer", manufacturer="Brother"),
        Host(seen_at, ("nas-01",), ("10.0.9.30",), ("00:11:32:00:09:30",), type="NAS", os="Linux"),
        Host(seen_at, (), ("10.0.9.40",), ("00:40:8c:00:09:40",), type="Camera", manufacturer="Axis"),
    ]
    place = AssetPlace(installation.organization_id, installation.site_id)
    async with installation.runtime.store.write() as tx:
        await tx.run_sync(apply_scan, installation.clock, place, hosts)


def _change(simulator: Simulator) -> None:
    """Do what happens in a tenant on a quiet day."""
    directory = simulator.directory
    users, devices, groups = (list(directory.ids(kind)) for kind in ("users", "devices", "groups"))
    directory.update("users", users[25], jobTitle="Head of Quality")
    directory.create("users", displayName="Nora Neu", userPrincipalName=f"nora.neu@{simulator.tenant_domain}")
    directory.update("devices", devices[4], operatingSystemVersion="10.0.26200.1")
    directory.update("groups", groups[9], description="The launch is over")
