"""Versions of rows: who pulls changes tells new rows from changed ones by them."""

from __future__ import annotations

import pytest

from sync.inventory.directory.kind import DEVICE, KINDS, Kind
from sync.store.tables import assets
from tests.sync.inventory.inventory import Inventory, Item, device, removed


def item(kind: Kind, name: str) -> Item:
    """Return an object of a kind."""
    return device("x", name) if kind is DEVICE else {"id": "x", "displayName": name}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_row_keeps_the_version_that_made_it_when_it_changes(inventory: Inventory, kind: Kind) -> None:
    """Changed, removed or restored, a row's version grows, and the one that made it stays."""
    await inventory.page(kind, item(kind, "a"))
    born = await inventory.version()
    seen = []
    for page in (item(kind, "b"), removed("x", "changed"), item(kind, "b")):
        await inventory.page(kind, page)
        seen.append(await inventory.field(kind, "x", "version"))
        assert await inventory.field(kind, "x", "created_version") == born > 0
    assert seen == sorted(set(seen)) and seen[0] > born


async def test_asset_keeps_the_version_that_made_it_when_it_changes(inventory: Inventory) -> None:
    """An asset's versions are those of the transactions that made and last changed it."""
    await inventory.page(DEVICE, device("d", "a"))
    await inventory.link()
    born = await inventory.version()
    await inventory.page(DEVICE, device("d", "b"))
    await inventory.link()
    async with inventory.store.read() as tx:
        row = (await tx.execute(assets.select())).one()
    assert (row.created_version, row.version) == (born, await inventory.version())
    assert row.version > born
