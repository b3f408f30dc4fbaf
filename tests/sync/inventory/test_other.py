"""Objects without a row: there while an edge names them, with the name that Graph gave, gone when it removes them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from sync.errors import RemovalHeld
from sync.inventory.directory.directory import CHUNK_ROWS
from sync.inventory.directory.kind import DEVICE, GROUP, USER, Edge
from sync.inventory.directory.other import is_other
from sync.inventory.retention import apply_retention
from sync.store.tables import objects
from tests.sync.inventory.inventory import Inventory, device, ends, gone, removed

APP = "servicePrincipal"


def named(external_id: str, name: Any, kind: str = APP) -> dict[str, Any]:
    """Return the entry that adds an edge to an object whose name it gives."""
    return {**ends(external_id, kind=kind)[0], "displayName": name}


async def others(inventory: Inventory) -> dict[str, tuple[str | None, str | None]]:
    """Return external id → kind and name of what is there without a row."""
    columns = (objects.c.external_id, objects.c.kind, objects.c.display_name)
    async with inventory.store.read() as tx:
        mine = objects.c.directory_id == inventory.directory.id
        rows = await tx.execute(select(*columns).where(mine, is_other()))
        return {row[0]: (row[1], row[2]) for row in rows}


async def known(inventory: Inventory) -> set[str]:
    """Return the external ids of all objects that have a key."""
    async with inventory.store.read() as tx:
        return set(await tx.scalars(select(objects.c.external_id)))


async def test_end_is_there_with_kind_and_name_until_it_is_read(inventory: Inventory) -> None:
    """Service principals, contacts and unread users are there; a user that is read has a row from then on."""
    entries = [named("app", "Payroll"), *ends("contact", kind="orgContact"), *ends("u"), {"id": "untold"}]
    await inventory.page(GROUP, {"id": "g", "members@delta": entries})
    found = {"app": (APP, "Payroll"), "contact": ("orgContact", None), "u": ("user", None), "untold": (None, None)}
    assert await others(inventory) == found
    await inventory.page(USER, {"id": "u"})
    del found["u"]
    assert await others(inventory) == found
    await inventory.page(USER, removed("u"))
    assert await others(inventory) == found


async def test_name_changes_and_raises_the_version_when_graph_gives_another(inventory: Inventory) -> None:
    """A later name counts; one that is left out, or is no text, leaves the one before, and nothing is new."""
    await inventory.page(GROUP, {"id": "g", "owners@delta": [named("app", "Old")]})
    await inventory.page(GROUP, {"id": "g", "owners@delta": [named("app", "New")]})
    assert await others(inventory) == {"app": (APP, "New")}
    version = await inventory.version()
    for entry in (*ends("app", kind=APP), named("app", None), named("app", ["x"]), named("app", "New")):
        await inventory.page(GROUP, {"id": "g", "owners@delta": [entry]})
    assert await others(inventory) == {"app": (APP, "New")}
    assert await inventory.version() == version
    await inventory.page(GROUP, {"id": "g", "owners@delta": [named("app", "Newest")]})
    assert await inventory.version() > version


@pytest.mark.parametrize("is_together", [False, True])
async def test_unread_user_is_hidden_when_graph_removes_it(inventory: Inventory, *, is_together: bool) -> None:
    """Soft-deleted before it was ever read, it is no member; restored, it is one, whoever names it in between."""
    await inventory.page(USER, {"id": "m"})
    if is_together:
        await inventory.page(USER, {"id": "m", "manager@delta": ends("u")}, removed("u", "changed"))
    else:
        await inventory.page(GROUP, {"id": "g", "members@delta": ends("u")})
        version = await inventory.version()
        await inventory.page(USER, removed("u", "changed"))
        assert await inventory.version() > version
    assert await others(inventory) == {}
    version = await inventory.version()
    await inventory.page(USER, removed("u", "changed"))
    assert await inventory.version() == version
    await inventory.page(GROUP, {"id": "h", "members@delta": ends("u")})
    assert await others(inventory) == {}
    await inventory.page(USER, {"id": "u"}, full=False)
    assert await others(inventory) == {}
    assert (await inventory.rows(USER))["u"] == "LIVE"


async def test_device_without_asset_is_there_while_it_has_none(inventory: Inventory) -> None:
    """A device that the task's options leave out is an object all the same; one with an asset is its asset."""
    page = await inventory.page(DEVICE, device("on"), device("off", accountEnabled=False))
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("on", "off", kind="device")})
    await inventory.link(page.touched)
    assert set(await others(inventory)) == {"off"}
    await inventory.page(DEVICE, removed("off", "changed"))
    assert await others(inventory) == {}


async def test_sweep_asks_when_groups_lose_members_that_have_no_row(inventory: Inventory) -> None:
    """Members that are shown are a loss, whatever they are; those that were removed before are none."""
    names = [f"app{number}" for number in range(101)]
    await inventory.page(GROUP, {"id": "g", "members@delta": ends(*names, kind=APP)}, {"id": "h"})
    await inventory.page(GROUP, {"id": "g"}, {"id": "h"}, generation=2)
    with pytest.raises(RemovalHeld, match="101 of 101 memberships"):
        await inventory.sweep(GROUP, 2)
    await inventory.page(USER, *(removed(name, "changed") for name in names))
    await inventory.sweep(GROUP, 2)
    assert await inventory.edges() == set()


async def test_object_goes_at_night_when_no_edge_names_it_any_more(inventory: Inventory) -> None:
    """What left its last group goes, however many; what is named, has a row or begins an edge stays."""
    many = [f"app{number}" for number in range(CHUNK_ROWS + 3)]
    await inventory.page(USER, {"id": "u", "manager@delta": ends("boss")})
    await inventory.page(GROUP, {"id": "g", "members@delta": ends(*many, "kept", kind=APP)})
    await inventory.page(GROUP, {"id": "g", "members@delta": gone(*many)}, full=False)
    other = await Inventory.of(inventory.store, inventory.clock, "Fabrikam")
    await other.page(GROUP, {"id": "theirs", "members@delta": ends("app0", kind=APP)})
    await other.page(GROUP, {"id": "theirs", "members@delta": gone("app0")}, full=False)
    removed_ = await apply_retention(inventory.store, inventory.clock, inventory.directory.organization_id)
    assert removed_.total() == 0
    assert await known(inventory) == {"u", "boss", "g", "kept", "theirs", "app0"}
    assert await inventory.edges() == {(Edge.MANAGER, "u", "boss"), (Edge.MEMBER, "g", "kept")}
