"""The tenant of the demo, synced, scanned, and synced again after a day with a few changes; on a clock of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from schema.access import Principal, Role
from schema.field.ids import encode_id
from server.demo.scan import DEVICES, IMPORT, device_names, scan_report
from server.simulator import Simulator
from tests.api.caller import Caller
from tests.end_to_end.installation import Installation
from tests.sync.entra.clock import FakeClock

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
        principal = Principal(1, installation.organization_id, Role.ADMINISTRATOR, "administrator")
        caller = Caller(installation.runtime, principal)
        await _scan(installation, caller)
        # The indexer's pauses have moved the clock a little.
        await installation.runtime.indexer.idle()
        clock.moved_s = 2 * DAY_S
        _change(installation.simulator)
        await _sync(installation)
        yield caller
    finally:
        await installation.close()


async def _sync(installation: Installation) -> None:
    await installation.trigger()
    await installation.runtime.engine.idle()


async def _scan(installation: Installation, caller: Caller) -> None:
    """Import the report of a scan, as the demo does."""
    report = scan_report(device_names(await caller.data(DEVICES)), 1, installation.clock.now())
    done = await caller.data(IMPORT, site=encode_id("site", installation.site_id), xml=report)
    assert done["importScan"]["errors"] == []


def _change(simulator: Simulator) -> None:
    """Do what happens in a tenant on a quiet day."""
    directory = simulator.directory
    users, devices, groups = (list(directory.ids(kind)) for kind in ("users", "devices", "groups"))
    directory.update("users", users[25], jobTitle="Head of Quality")
    directory.create("users", displayName="Nora Neu", userPrincipalName=f"nora.neu@{simulator.tenant_domain}")
    directory.update("devices", devices[4], operatingSystemVersion="10.0.26200.1")
    directory.update("groups", groups[9], description="The launch is over")
