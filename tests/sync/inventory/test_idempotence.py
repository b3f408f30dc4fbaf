"""Ten thousand objects that are read twice: nothing is written the second time, not even the same value again."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from sync.inventory.directory.kind import DEVICE, GROUP, USER, Kind
from tests.sync.inventory.inventory import Inventory, Item, device, ends

PAGE = 200


def directory() -> list[tuple[Kind, list[Item]]]:
    """Return the pages of 5,000 users with managers, 3,000 devices with owners and 2,000 groups with members."""
    users: list[Item] = [{"id": f"u{n}", "mail": f"{n}@x", "manager@delta": ends(f"u{n // 9}")} for n in range(5_000)]
    devices = [device(f"d{n}", f"NB-{n}", **{"registeredOwners@delta": ends(f"u{n}")}) for n in range(3_000)]
    groups: list[Item] = [{"id": f"g{n}", "members@delta": ends(f"u{n}", f"u{n + 1}")} for n in range(2_000)]
    return [
        (kind, items[start : start + PAGE])
        for kind, items in ((USER, users), (DEVICE, devices), (GROUP, groups))
        for start in range(0, len(items), PAGE)
    ]


async def read(inventory: Inventory, generation: int) -> int:
    """Apply the whole directory and link its devices; returns how many rows that wrote."""
    before = await written(inventory)
    for kind, items in directory():
        applied = await inventory.page(kind, *items, generation=generation)
        if kind is DEVICE:
            await inventory.link(applied.touched)
    return await written(inventory) - before


async def written(inventory: Inventory) -> int:
    """Return how many rows the writer has written since it was opened."""
    async with inventory.store.write() as tx:
        return int(await tx.scalar(text("SELECT total_changes()")) or 0)


@pytest.mark.slow(cases=0)
async def test_ten_thousand_objects_are_written_once_when_they_are_read_twice(inventory: Inventory) -> None:
    """A round that is read again writes no row; the next full round only stamps what it saw."""
    assert await read(inventory, 1) > 50_000
    before = await inventory.dump()
    assert await read(inventory, 1) == 0
    assert await inventory.dump() == before
    stamped = await read(inventory, 2)
    assert stamped == 10_000 + 5_000 + 3_000 + 4_000
    after = await inventory.dump()
    changed = {name for name, rows in after.items() if rows != before[name]}
    assert changed == {"objects", "edges"}
