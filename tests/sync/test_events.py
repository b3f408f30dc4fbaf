"""Events: after each commit that changed an inventory, and after no other, who waits for it learns the version."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sync.events import EventFeed, Events, Happened
from sync.inventory.asset.merge import merge_assets
from sync.inventory.directory.kind import DEVICE, GROUP, USER
from sync.organization.organizations import create_organization, next_version
from tests.sync.inventory.inventory import Inventory, device, ends

ALL = ("assets", "users", "groups")


@pytest.fixture
async def inventory(store: Any, clock: Any) -> Inventory:
    """Return an inventory without an object."""
    return await Inventory.of(store, clock)


async def heard(subscription: EventFeed) -> list[tuple[str, int]]:
    """Return what a subscriber can hear without waiting."""
    found: list[tuple[str, int]] = []
    while True:
        ahead = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)
        if not ahead.done():
            ahead.cancel()
            return sorted(found)
        event = ahead.result()
        assert event.key == subscription.key
        found.append((event.what, event.version))


async def test_commit_tells_which_inventory_it_changed(inventory: Inventory) -> None:
    """Users, groups and assets each by their own name, with the version of the organization; edges count."""
    events, mine = Events(), inventory.directory.organization_id
    inventory.store.on_change = events.publish
    with events.subscribe(mine, ALL) as subscription:
        await inventory.page(USER, {"id": "u"})
        assert await heard(subscription) == [("users", 1)]
        await inventory.page(USER, {"id": "u"})
        assert await heard(subscription) == []
        await inventory.page(GROUP, {"id": "g"})
        assert await heard(subscription) == [("groups", 2)]
        await inventory.page(GROUP, {"id": "g", "members@delta": ends("u")})
        assert await heard(subscription) == [("groups", 3)]
        applied = await inventory.page(DEVICE, device("d", "a"), device("e", "b"))
        assert await heard(subscription) == [("assets", 4)]
        await inventory.link(applied.touched)
        assert await heard(subscription) == [("assets", 5)] == [("assets", await inventory.version())]
        async with inventory.store.write() as tx:
            await tx.run_sync(merge_assets, inventory.clock, mine, 1, [2])
        assert await heard(subscription) == [("assets", await inventory.version())]
        await inventory.sweep(USER, 2)
        assert await heard(subscription) == [("users", await inventory.version())]


async def test_nothing_is_told_when_the_transaction_is_rolled_back(inventory: Inventory) -> None:
    """Neither the block that failed nor the next one tells of what was never written."""
    events, mine = Events(), inventory.directory.organization_id
    inventory.store.on_change = events.publish
    with events.subscribe(mine, ALL) as subscription:
        with pytest.raises(InterruptedError):
            async with inventory.store.write() as tx:
                await tx.run_sync(next_version, mine)
                raise InterruptedError
        async with inventory.store.write() as tx:
            await create_organization(tx, inventory.clock, "Another")
        assert await heard(subscription) == []


async def test_subscriber_hears_of_its_own_organization_and_inventories_only(inventory: Inventory) -> None:
    """What others change, or what was not asked for, stays unheard; so does everything after the end."""
    events, mine = Events(), inventory.directory.organization_id
    other = await Inventory.of(inventory.store, inventory.clock, "Other")
    inventory.store.on_change = events.publish
    with events.subscribe(mine, ["users"]) as subscription:
        await inventory.page(GROUP, {"id": "g"})
        await other.page(USER, {"id": "u"})
        assert await heard(subscription) == []
    await inventory.page(USER, {"id": "u"})
    assert await heard(subscription) == []


async def test_slow_subscriber_hears_the_latest_version_once(inventory: Inventory) -> None:
    """However much happens meanwhile, what is kept for a subscriber is one version an inventory."""
    events, mine = Events(), inventory.directory.organization_id
    with events.subscribe(mine, ALL) as subscription:
        for version in range(1, 1_000):
            events.publish({(mine, "users"): version, (mine, "groups"): version})
        assert await heard(subscription) == [("groups", 999), ("users", 999)]


async def test_waiting_subscriber_is_woken_by_a_commit(inventory: Inventory) -> None:
    """Nobody has to ask again and again."""
    events, mine = Events(), inventory.directory.organization_id
    inventory.store.on_change = events.publish
    with events.subscribe(mine, ALL) as subscription:
        waiting = asyncio.create_task(anext(subscription))
        await asyncio.sleep(0)
        assert not waiting.done()
        await inventory.page(USER, {"id": "u"})
        assert await waiting == Happened(mine, "users", 1)
