"""Derived fields of stored assets: made anew behind the syncs, from where it stopped, and only once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from sync.inventory.directory.kind import DEVICE
from sync.renewal import Renewal
from sync.store import Store
from sync.store.tables import assets
from tests.sync.entra.clock import FakeClock
from tests.sync.inventory.inventory import Inventory, joined


async def test_old_assets_get_todays_fields_when_older_rules_have_made_them(store: Store, clock: FakeClock) -> None:
    """In steps, also by another process that goes on; assets that have gone keep what they had."""
    inventory = await Inventory.of(store, clock)
    old = [joined(f"d{n}", f"PC-{n}", operatingSystemVersion="10.0.22631.1") for n in range(5)]
    await inventory.page(DEVICE, *old)
    await inventory.link()
    async with store.write() as tx:
        await tx.execute(update(assets).values(os="Windows", os_vendor=None, os_product=None, os_reason=None))
        await tx.execute(update(assets).where(assets.c.name == "PC-4").values(deleted_at="2026-01-01T00:00:00.000Z"))
    assert await Renewal(store, clock).step(2)
    assert (await systems(store)).count("Microsoft Windows 11 23H2") == 2
    renewal = Renewal(store, clock)
    renewal.start()
    await renewal.idle()
    assert await systems(store) == ["Microsoft Windows 11 23H2"] * 4 + ["Windows"]
    assert not await renewal.step(2)


async def systems(store: Store) -> list[Any]:
    """Return the systems of all assets, in the order of their keys."""
    async with store.read() as tx:
        return list(await tx.scalars(select(assets.c.os).order_by(assets.c.id)))
