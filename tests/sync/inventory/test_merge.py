"""Merge and split: records go where a person puts them, and no later sync or scan undoes it."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from sync.errors import BadInput, NotFound
from sync.inventory.asset.asset import AssetPlace
from sync.inventory.asset.link import LinkOptions
from sync.inventory.asset.merge import merge_assets, split_asset
from sync.inventory.directory.kind import DEVICE
from sync.inventory.scan.record import Host, apply_scan
from sync.organization.organizations import create_site
from sync.store.tables import assets, devices, kept_apart, scan_records
from tests.sync.inventory.inventory import DEFAULT, Inventory, Item, device, joined, registered, removed

SEEN = "2026-11-23T04:05:06.123Z"
KNOWN_ONLY = LinkOptions(exclude_unknown=True, include_inactive=False)


async def linked(inventory: Inventory, *items: Item, options: LinkOptions = DEFAULT) -> dict[str, int]:
    """Apply a page of devices and link what it touched."""
    return await inventory.link((await inventory.page(DEVICE, *items)).touched, options)


async def owners(inventory: Inventory) -> dict[str, int | None]:
    """Return external id → asset of each device."""
    async with inventory.store.read() as tx:
        rows = await tx.execute(select(devices.c.external_id, devices.c.asset_id))
        return {external_id: asset_id for external_id, asset_id in rows}


async def merge(inventory: Inventory, into: str, *others: str) -> int:
    """Merge the assets of devices and return the one that stays."""
    owned = await owners(inventory)
    async with inventory.store.write() as tx:
        keys = [owned[name] or 0 for name in (into, *others)]
        await tx.run_sync(merge_assets, inventory.clock, inventory.directory.organization_id, keys[0], keys[1:])
    return keys[0]


async def split(inventory: Inventory, *names: str) -> int:
    """Split devices from their asset and return the new one."""
    async with inventory.store.write() as tx:
        rows = (await tx.execute(select(devices).where(devices.c.external_id.in_(names)))).all()
        organization_id = inventory.directory.organization_id
        return await tx.run_sync(
            split_asset, inventory.clock, organization_id, rows[0].asset_id, [row.id for row in rows], []
        )


async def scan(inventory: Inventory, *hosts: Host) -> None:
    """Apply a scan of the site."""
    place = AssetPlace(inventory.directory.organization_id, inventory.directory.site_id)
    async with inventory.store.write() as tx:
        await tx.run_sync(apply_scan, inventory.clock, place, hosts)


async def test_merged_asset_has_the_records_of_all(inventory: Inventory) -> None:
    """Its fields are computed from every record; the others are gone; the match says that a person did it."""
    await linked(inventory, device("d", "nb-1", model="M"), device("e", "nb-2", manufacturer="Dell"))
    into = await merge(inventory, "d", "e")
    assert await owners(inventory) == {"d": into, "e": into}
    (found,) = await inventory.assets()
    assert found[3] == ("d", "e") and set(found[1]) == {"nb-1", "nb-2"}
    assert await inventory.matches() == {"d": ("new", None), "e": ("manual", "merge")}


SCENES: dict[str, list[list[Item]]] = {
    "said again": [[device("d", "nb-1"), device("e", "nb-2")]],
    "renamed": [[device("d", "nb-8"), device("e", "nb-9")]],
    "one leaves": [[removed("e", "changed")], [device("e", "nb-2")]],
    "the first leaves": [[removed("d", "changed")], [device("d", "nb-1")]],
    "both leave": [[removed("d", "changed"), removed("e", "changed")], [device("d", "nb-1"), device("e", "nb-2")]],
    "both leave, the other first": [
        [removed("d", "changed"), removed("e", "changed")],
        [device("e", "nb-2")],
        [device("d", "nb-1")],
    ],
    "disabled": [[device("d", "nb-1", accountEnabled=False)], [device("d", "nb-1")]],
}


# Of one PC, as far as the directory can tell.
SAME_PC = {"d": joined("d", "nb-1"), "e": registered("e", "nb-1", deviceId="x")}


@pytest.mark.parametrize("scene", SCENES)
async def test_merge_survives_what_the_directory_says_later(inventory: Inventory, scene: str) -> None:
    """Whatever leaves, returns or changes its name, the records are one machine, the same asset as before."""
    await linked(inventory, device("d", "nb-1"), device("e", "nb-2"))
    into = await merge(inventory, "d", "e")
    for page in SCENES[scene]:
        await linked(inventory, *page)
    assert await owners(inventory) == {"d": into, "e": into}
    assert len(await inventory.assets()) == 1


@pytest.mark.parametrize("scene", SCENES)
async def test_split_survives_what_the_directory_says_later(inventory: Inventory, scene: str) -> None:
    """Two records with one name stay two machines, in the assets they were split into."""
    await linked(inventory, joined("d", "nb-1"), registered("e", "nb-1", deviceId="x"))
    new = await split(inventory, "e")
    kept = (await owners(inventory))["d"]
    for page in SCENES[scene]:
        await linked(inventory, *[item | ({} if "@removed" in item else SAME_PC[item["id"]]) for item in page])
    assert await owners(inventory) == {"d": kept, "e": new} and kept != new
    assert len(await inventory.assets()) == 2


async def test_merge_and_split_survive_flipped_options(inventory: Inventory) -> None:
    """Devices that are not wanted for a while return to where a person put them."""
    await linked(inventory, device("d", "nb-1"), device("e", "nb-2"), joined("f", "nb-3"), registered("g", "nb-3"))
    into, new = await merge(inventory, "d", "e"), await split(inventory, "g")
    before = await owners(inventory)
    assert before["e"] == into and before["g"] == new != before["f"]
    await inventory.link(options=KNOWN_ONLY)
    assert set((await owners(inventory)).values()) == {None}
    await inventory.link()
    assert await owners(inventory) == before


async def test_last_decision_counts_when_a_split_is_merged_again(inventory: Inventory) -> None:
    """A person may change their mind, both ways."""
    await linked(inventory, joined("d", "nb-1"), registered("e", "nb-1"))
    await split(inventory, "e")
    into = await merge(inventory, "d", "e")
    await linked(inventory, removed("e", "changed"))
    await linked(inventory, device("e", "nb-1"))
    assert await owners(inventory) == {"d": into, "e": into}
    new = await split(inventory, "d")
    assert await owners(inventory) == {"d": new, "e": into}


async def test_scan_finds_its_record_where_it_was_put(inventory: Inventory) -> None:
    """After a split both assets have the name and the address: the scan renews its own record and makes no asset."""
    mac = "0a:00:00:00:00:01"
    await linked(inventory, device("d", "nb-1", physicalIds=[f"[MAC]:{mac}"]))
    await scan(inventory, Host(SEEN, names=("nb-1",), macs=(mac,)))
    (asset_id,) = set((await owners(inventory)).values())
    assert asset_id
    async with inventory.store.write() as tx:
        (record,) = await tx.scalars(select(scan_records.c.id))
        organization_id = inventory.directory.organization_id
        new = await tx.run_sync(split_asset, inventory.clock, organization_id, asset_id, [], [record])
    for host in (Host(SEEN, names=("nb-1",), macs=(mac,)), Host(SEEN, names=("nb-1",)), Host(SEEN, macs=(mac,))):
        await scan(inventory, host)
        async with inventory.store.read() as tx:
            rows = (await tx.execute(select(scan_records.c.id, scan_records.c.asset_id))).all()
        assert [tuple(row) for row in rows] == [(record, new)]
    assert len(await inventory.assets()) == 2


async def test_merged_asset_keeps_what_people_wrote_on_its_parts(inventory: Inventory) -> None:
    """Tags and comments add up; of several criticalities the one of the asset that stays counts."""
    await linked(inventory, device("d", "nb-1"), device("e", "nb-2"), device("f", "nb-3"))
    notes = {"nb-1": (["a"], None, None), "nb-2": (["b", "a"], "Lent", "high"), "nb-3": ([], "Broken", "low")}
    async with inventory.store.write() as tx:
        for name, (tags, comment, criticality) in notes.items():
            written = {"tags": tags, "comment": comment, "criticality": criticality}
            await tx.execute(update(assets).where(assets.c.name == name).values(written))
    into = await merge(inventory, "d", "e", "f")
    async with inventory.store.read() as tx:
        row = (await tx.execute(select(assets).where(assets.c.id == into))).one()
    assert (row.tags, row.comment, row.criticality) == (["a", "b"], "Lent\nBroken", "high")
    assert row.version == await inventory.version()


async def test_split_parts_stay_apart_when_one_is_merged_with_another(inventory: Inventory) -> None:
    """What was kept apart from a part is kept apart from the whole; the parts themselves no longer are."""
    await linked(inventory, *(device(name, "nb-1", deviceId="x") for name in "deg"), device("f", "nb-2"))
    new = await split(inventory, "e")
    other = await split(inventory, "g")
    into = await merge(inventory, "f", "e")
    kept = (await owners(inventory))["d"] or 0
    async with inventory.store.read() as tx:
        pairs = {tuple(row) for row in await tx.execute(select(kept_apart))}
    assert pairs == {tuple(sorted((kept, into))), (kept, other)} and new != into
    await merge(inventory, "d", "f", "g")
    async with inventory.store.read() as tx:
        assert (await tx.execute(select(kept_apart))).all() == []


async def test_merge_is_refused_when_the_assets_cannot_be_one(inventory: Inventory) -> None:
    """Nothing, twice the same, too many, another site, another organization, gone: each is refused, nothing is done."""
    await linked(inventory, device("d", "nb-1"), device("e", "nb-2"), device("f", "nb-3"))
    keys = await owners(inventory)
    one, two, three = (keys[name] or 0 for name in "def")
    organization_id = inventory.directory.organization_id
    async with inventory.store.write() as tx:
        site = await create_site(tx, inventory.clock, organization_id, "Elsewhere")
        await tx.execute(update(assets).where(assets.c.id == three).values(site_id=site))
    for into, others, error in (
        (one, [], BadInput),
        (one, [one], BadInput),
        (one, [two, two], BadInput),
        (one, list(range(10, 111)), BadInput),
        (one, [three], BadInput),
        (one, [999], NotFound),
        (999, [one], NotFound),
    ):
        with pytest.raises(error):
            async with inventory.store.write() as tx:
                await tx.run_sync(merge_assets, inventory.clock, organization_id, into, others)
    with pytest.raises(NotFound):
        async with inventory.store.write() as tx:
            await tx.run_sync(merge_assets, inventory.clock, organization_id + 1, one, [two])
    assert await owners(inventory) == keys


async def test_split_is_refused_when_nothing_would_remain_or_go(inventory: Inventory) -> None:
    """No record, all records, and records of other assets are refused."""
    await linked(inventory, joined("d", "nb-1"), registered("e", "nb-1"), device("f", "nb-2"))
    async with inventory.store.read() as tx:
        ids = {row.external_id: row.id for row in await tx.execute(select(devices))}
    keys = await owners(inventory)
    organization_id = inventory.directory.organization_id
    for names, error in (([], BadInput), (["d", "e"], BadInput), (["f"], NotFound), (["d", "f"], NotFound)):
        with pytest.raises(error):
            async with inventory.store.write() as tx:
                chosen = [ids[name] for name in names]
                await tx.run_sync(split_asset, inventory.clock, organization_id, keys["d"] or 0, chosen, [])
    assert await owners(inventory) == keys
