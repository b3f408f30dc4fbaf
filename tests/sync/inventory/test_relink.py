"""Options that are changed later give what a first sync with them gives, whatever came before."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from sync.inventory.asset.link import LinkOptions
from sync.inventory.directory.kind import DEVICE
from sync.store.tables import assets, devices
from tests.share import share
from tests.sync.inventory.inventory import Inventories, Inventory, Item, device, removed

OPTIONS = st.builds(LinkOptions, st.booleans(), st.booleans())
NAMES = ["nb-1", "NB-1.a.example", "nb-1.b.example", "srv-1", "srv-1.a.example", "iPhone", ""]
MACS = [None, ["[MAC]:0a-00-00-00-00-01"], ["[MAC]:0A:00:00:00:00:02", "[GID]:g:1"]]


@st.composite
def items(draw: st.DrawFn) -> Item:
    """Draw one of six devices as it is now, or its removal."""
    external_id = draw(st.sampled_from("abcdef"))
    if draw(st.integers(0, 6)) == 0:
        return removed(external_id, draw(st.sampled_from(["changed", "deleted"])))
    more = {"deviceId": draw(st.sampled_from([None, "x", "y"])), "physicalIds": draw(st.sampled_from(MACS))}
    enabled = draw(st.sampled_from([True, False, None]))
    return device(external_id, draw(st.sampled_from(NAMES)), **more | {"accountEnabled": enabled})


PAGES = st.lists(st.tuples(st.lists(items(), max_size=4), OPTIONS), min_size=1, max_size=5)


async def grouping(inventory: Inventory) -> tuple[Any, ...]:
    """Return which devices share an asset, what it is called, and why the others have none."""
    mine = inventory.directory.organization_id
    async with inventory.store.read() as tx:
        live = (assets.c.organization_id == mine) & assets.c.deleted_at.is_(None)
        rows = {row.id: row for row in await tx.execute(select(assets).where(live))}
        found: dict[int, list[str]] = {key: [] for key in rows}
        skipped = {}
        for row in await tx.execute(select(devices).where(devices.c.organization_id == mine)):
            skipped[row.external_id] = row.skipped
            if row.asset_id is not None:
                found[row.asset_id].append(row.external_id)
    shown = [(tuple(sorted(found[key])), row.name, tuple(row.macs), row.source_mask) for key, row in rows.items()]
    return sorted(shown, key=repr), skipped


@pytest.mark.slow
@settings(max_examples=share(10, 40), deadline=None)
@given(PAGES, OPTIONS, OPTIONS)
def test_flipped_options_give_what_a_fresh_sync_gives(
    inventories: Inventories, pages: list[tuple[list[Item], LinkOptions]], between: LinkOptions, after: LinkOptions
) -> None:
    """Any history of devices, renames and options, then the options of today: as if they had always been these."""
    shapes: list[Any] = []

    async def lived(inventory: Inventory) -> None:
        await inventory.scanned("srv-1")
        for page, options in pages:
            await inventory.link((await inventory.page(DEVICE, *page)).touched, options)
        await inventory.relink(between)
        await inventory.relink(after)
        shapes.append(await grouping(inventory))

    async def fresh(inventory: Inventory) -> None:
        await inventory.scanned("srv-1")
        for page, _ in pages:
            await inventory.page(DEVICE, *page)
        await inventory.link(options=after)
        shapes.append(await grouping(inventory))

    inventories.try_on_a_new_one(lived)
    inventories.try_on_a_new_one(fresh)
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("unknown", "inactive"), list(product((False, True), repeat=2)))
async def test_relinking_without_a_change_keeps_every_asset(
    inventory: Inventory, unknown: bool, inactive: bool
) -> None:
    """Assets keep their ids and what people wrote on them, and the counts say that nothing came or went."""
    options = LinkOptions(unknown, inactive)
    await inventory.scanned("srv-1")
    await inventory.page(
        DEVICE, device("a", "nb-1"), device("b", "NB-1"), device("c", "srv-1"), device("d", accountEnabled=False)
    )
    await inventory.link(options=options)
    async with inventory.store.write() as tx:
        await tx.execute(update(assets).values(comment="Kept"))
        before = (await tx.execute(select(assets.c.id, assets.c.name, assets.c.comment, assets.c.deleted_at))).all()
    counts = await inventory.relink(options)
    assert not {"created", "removed", "restored"} & set(counts)
    async with inventory.store.read() as tx:
        after = (await tx.execute(select(assets.c.id, assets.c.name, assets.c.comment, assets.c.deleted_at))).all()
    assert after == before


async def test_relinking_counts_what_came_and_went(inventory: Inventory) -> None:
    """Assets that the options take away are removed, and restored when they bring them back."""
    await inventory.page(DEVICE, device("a", "nb-1"), device("b", "nb-2"), device("c", "nb-3", accountEnabled=False))
    await inventory.link()
    assert await inventory.relink(LinkOptions(True, False)) == {
        "removed": 2,
        "skippedUnknown": 2,
        "skippedInactive": 1,
    }
    assert await inventory.relink(LinkOptions(False, True)) == {"created": 1, "restored": 2}
