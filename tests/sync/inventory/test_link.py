"""Devices become assets: what matches, what is skipped, and options that can be changed later."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from sqlalchemy import select

from sync.inventory.asset.link import LinkOptions
from sync.inventory.asset.source import AZUREAD, BITS, SCAN
from sync.inventory.directory.kind import DEVICE
from sync.store import Store
from sync.store.tables import assets
from tests.sync.entra.clock import FakeClock
from tests.sync.inventory.inventory import Inventory, Item, device, joined, registered, removed

HERE, SCANNED = BITS[AZUREAD], BITS[SCAN]
ALL_OPTIONS = [LinkOptions(unknown, inactive) for unknown, inactive in product((False, True), repeat=2)]


async def linked(inventory: Inventory, *items: Item, **options: bool) -> dict[str, int]:
    """Apply a page of devices and link what it touched."""
    applied = await inventory.page(DEVICE, *items)
    chosen = LinkOptions(**{"exclude_unknown": False, "include_inactive": False} | options)
    return await inventory.link(applied.touched, chosen)


async def test_device_becomes_an_asset_of_its_own_when_nothing_matches(inventory: Inventory) -> None:
    """Without a match a device is a new asset, and its record says so."""
    counts = await linked(inventory, device("d", "NB-1", operatingSystem="Windows"), device("e", "NB-2"))
    assert counts == {"created": 2}
    assert await inventory.assets() == {("NB-1", ("NB-1",), HERE, ("d",)), ("NB-2", ("NB-2",), HERE, ("e",))}
    assert await inventory.matches() == {"d": ("new", None), "e": ("new", None)}


async def test_devices_share_an_asset_when_they_share_a_host_name(inventory: Inventory) -> None:
    """Case and domain do not matter; the match is kept with key and value."""
    counts = await linked(inventory, joined("d", "NB-1"), registered("e", "nb-1.corp.example"))
    assert counts == {"created": 1, "merged": 1}
    (found,) = await inventory.assets()
    assert found[3] == ("d", "e")
    assert (await inventory.matches())["e"] == ("name", "nb-1")


async def test_device_shares_an_asset_when_it_has_the_device_id_of_another(inventory: Inventory) -> None:
    """A machine that was registered again keeps its deviceId, whatever its new name is."""
    await linked(inventory, device("d", "old", deviceId="x"))
    await linked(inventory, device("e", "new", deviceId="x"))
    (found,) = await inventory.assets()
    assert found[3] == ("d", "e")
    assert (await inventory.matches())["e"] == ("deviceId", "x")


async def test_generic_name_matches_nothing(inventory: Inventory) -> None:
    """Two iPhones are two machines, and so are two devices without a name."""
    names = ["iPhone", "iPhone", "DESKTOP", "desktop"]
    items = [device(f"d{number}", name) for number, name in enumerate(names)]
    assert await linked(inventory, *items, {"id": "x"}, {"id": "y"}) == {"created": 6}


async def test_name_of_several_assets_matches_none_of_them(inventory: Inventory) -> None:
    """When two scanned machines have the name, guessing would be wrong half the time."""
    await inventory.scanned("nb-1", "NB-1")
    assert await linked(inventory, device("d", "nb-1")) == {"created": 1}
    assert (await linked(inventory, device("e", "nb-1"), exclude_unknown=True))["skippedUnknown"] == 1


async def test_scanned_asset_is_recognised_and_keeps_its_source(inventory: Inventory) -> None:
    """A device joins the asset a scan has found; the asset then has both sources."""
    await inventory.scanned("nb-1")
    assert (await linked(inventory, device("d", "NB-1.corp.example")))["merged"] == 1
    assert await inventory.assets() == {("nb-1", ("nb-1", "NB-1.corp.example"), HERE | SCANNED, ("d",))}


async def test_scanned_asset_stays_when_its_device_leaves(inventory: Inventory) -> None:
    """The directory's word is not the last one about a machine that a scan knows."""
    await inventory.scanned("nb-1")
    await linked(inventory, device("d", "nb-1"))
    await linked(inventory, removed("d"))
    assert {(mask, members) for _, _, mask, members in await inventory.assets()} == {(SCANNED, ())}


async def test_unknown_device_is_skipped_when_the_task_says_so(inventory: Inventory) -> None:
    """With excludeUnknown only a device that another source knows is imported, even if it shares a name with others."""
    await inventory.scanned("known")
    items = [joined("d", "known"), joined("e", "stranger"), registered("f", "stranger")]
    items.append(registered("g", "Known.corp"))
    counts = await linked(inventory, *items, exclude_unknown=True)
    assert (counts["merged"], counts["skippedUnknown"]) == (2, 2)
    assert await inventory.skipped() == {"d": None, "e": "UNKNOWN", "f": "UNKNOWN", "g": None}
    (found,) = await inventory.assets()
    assert found[3] == ("d", "g")


@pytest.mark.parametrize(("included", "expected"), [(False, {"d"}), (True, {"d", "e"})])
async def test_inactive_device_is_imported_only_when_the_task_says_so(
    inventory: Inventory, included: bool, expected: set[str]
) -> None:
    """accountEnabled false means inactive; null does not."""
    await linked(
        inventory,
        device("d", accountEnabled=None),
        device("e", accountEnabled=False),
        include_inactive=included,
    )
    assert {member for *_, members in await inventory.assets() for member in members} == expected
    assert (await inventory.skipped())["e"] == (None if included else "INACTIVE")


async def test_asset_goes_when_its_last_device_is_removed_and_comes_back_with_it(inventory: Inventory) -> None:
    """A removed device leaves a tombstone; restored, it is the same asset again, with what people wrote on it."""
    await linked(inventory, device("d", "NB-1"))
    async with inventory.store.write() as tx:
        await tx.execute(assets.update().values(comment="The CFO's"))
        before = await tx.scalar(select(assets.c.id))
    assert await linked(inventory, removed("d", "changed")) == {"removed": 1}
    assert await inventory.assets() == set()
    async with inventory.store.read() as tx:
        tombstone = (await tx.execute(select(assets))).one()
    assert (tombstone.name, tombstone.source_count, bool(tombstone.deleted_at)) == ("NB-1", 0, True)
    assert await linked(inventory, device("d", "NB-1")) == {"restored": 1}
    async with inventory.store.read() as tx:
        row = (await tx.execute(select(assets).where(assets.c.deleted_at.is_(None)))).one()
    assert (row.id, row.comment, row.source_mask) == (before, "The CFO's", HERE)


async def test_restored_device_shares_its_former_asset_only_by_what_it_says_now(inventory: Inventory) -> None:
    """Of two devices that went together, the first one back takes the asset; the other needs a match of today."""
    await linked(inventory, joined("d", "nb-1"), registered("e", "NB-1"))
    await linked(inventory, removed("d", "changed"), removed("e", "changed"))
    await linked(inventory, joined("d", "nb-1"), registered("e", "nb-2"))
    assert {members for *_, members in await inventory.assets()} == {("d",), ("e",)}


async def test_asset_stays_when_one_of_its_devices_is_removed(inventory: Inventory) -> None:
    """What the other device says remains."""
    await linked(inventory, joined("d", "nb-1", model="M"), registered("e", "NB-1"))
    assert await linked(inventory, removed("d")) == {"updated": 1}
    assert await inventory.assets() == {("NB-1", ("NB-1",), HERE, ("e",))}


async def test_asset_follows_its_device_when_that_is_renamed(inventory: Inventory) -> None:
    """A rename keeps the asset and changes the name it is found by."""
    await linked(inventory, joined("d", "old"))
    assert await linked(inventory, joined("d", "new")) == {"updated": 1}
    assert await inventory.assets() == {("new", ("new",), HERE, ("d",))}
    assert await linked(inventory, registered("e", "old")) == {"created": 1}
    assert (await linked(inventory, registered("f", "NEW")))["merged"] == 1


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=str)
async def test_linking_again_changes_nothing(inventory: Inventory, options: LinkOptions) -> None:
    """With the same devices and options a second call writes no row and raises no version."""
    await scene(inventory)
    await inventory.link(options=options)
    before = await inventory.dump()
    counts = await inventory.link(options=options)
    assert await inventory.dump() == before
    assert not {"created", "updated", "removed", "merged"} & set(counts)


async def scene(inventory: Inventory) -> None:
    """Make devices of every sort, and machines that a scan knows."""
    await inventory.scanned("srv-1", "srv-2", "twin", "twin")
    await inventory.page(
        DEVICE,
        device("known", "SRV-1.corp.example"),
        device("known off", "srv-2", accountEnabled=False),
        joined("stranger", "nb-1"),
        registered("same name", "NB-1"),
        device("off", "nb-2", accountEnabled=False),
        device("off too", "nb-1", accountEnabled=False),
        device("phone", "iPhone"),
        device("twin"),
        device("again", "srv-9", deviceId="x"),
        device("again new", "srv-9b", deviceId="x"),
    )
    await inventory.page(DEVICE, device("left", "nb-3"))
    await inventory.page(DEVICE, removed("left"))


@pytest.fixture
async def other(empty_database: Path, data_dir: Path, clock: FakeClock) -> Any:
    """Return a second inventory, in a database of its own."""
    store = Store.at(Path(copy(empty_database, data_dir / "other.db")))
    yield await Inventory.of(store, clock)
    await store.close()


@pytest.mark.slow(cases=5)
@pytest.mark.parametrize("after", ALL_OPTIONS, ids=str)
@pytest.mark.parametrize("before", ALL_OPTIONS, ids=str)
async def test_changed_options_give_what_a_fresh_sync_with_them_gives(
    inventory: Inventory, other: Inventory, before: LinkOptions, after: LinkOptions
) -> None:
    """Flipping excludeUnknown or includeInactive takes away and brings back exactly the assets it should."""
    for one in (inventory, other):
        await scene(one)
    await inventory.link(options=before)
    await inventory.relink(after)
    await other.link(options=after)
    assert await inventory.skipped() == await other.skipped()
    assert await shape(inventory) == await shape(other)


async def shape(inventory: Inventory) -> set[tuple[Any, ...]]:
    """Return sources and devices of each visible asset."""
    return {(mask, members) for _, _, mask, members in await inventory.assets()}
