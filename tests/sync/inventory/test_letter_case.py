"""Graph may write the same id in either letter case: it is the same object, member and device in both."""

from __future__ import annotations

from typing import Any

from sync.inventory.directory.kind import DEVICE, GROUP, USER, Edge
from sync.inventory.directory.relation import replace_edges
from tests.sync.inventory.inventory import Inventory, ends, gone, removed

ONE, OTHER, TEAM = "ab12-0001", "ab12-0002", "cd34-0001"


async def furnished(inventory: Inventory, write: Any = str, generation: int = 1) -> list[dict[str, int]]:
    """Apply two users and a group that both are in, their ids written in some way."""
    users = [{"id": write(ONE), "displayName": "One"}, {"id": write(OTHER), "displayName": "Other"}]
    team = {"id": write(TEAM), "displayName": "Team", "members@delta": ends(write(ONE), write(OTHER))}
    applied = [await inventory.page(USER, *users, generation=generation)]
    applied.append(await inventory.page(GROUP, team, generation=generation))
    return [dict(+one.counts) for one in applied]


async def test_nothing_changes_when_a_full_round_writes_every_id_in_capitals(inventory: Inventory) -> None:
    """No row is written, no membership is swept: the round saw them all."""
    await furnished(inventory)
    before = await inventory.edges()
    assert await furnished(inventory, str.upper, generation=2) == [{"unchanged": 2}, {"unchanged": 1}]
    for kind in (USER, GROUP):
        swept = await inventory.sweep(kind, 2)
        assert not swept.counts.total() and not any(count.total() for count in swept.edge_counts.values())
    assert await inventory.edges() == before == {(Edge.MEMBER, TEAM, ONE), (Edge.MEMBER, TEAM, OTHER)}


async def test_object_and_membership_go_when_their_removal_is_written_in_capitals(inventory: Inventory) -> None:
    """A removal means the object that was stored in small letters, and the other way round."""
    await furnished(inventory, str.upper)
    await inventory.page(GROUP, {"id": TEAM, "displayName": "Team", "members@delta": gone(OTHER.title())})
    await inventory.page(USER, removed(OTHER.upper()))
    assert await inventory.edges() == {(Edge.MEMBER, TEAM, ONE)}
    assert (await inventory.rows(USER)) == {ONE: "LIVE", OTHER: "GONE"}


async def test_page_is_one_change_an_object_when_it_repeats_an_id_in_another_case(inventory: Inventory) -> None:
    """The last one wins, as for an id that is repeated letter for letter."""
    await inventory.page(USER, {"id": ONE, "displayName": "A"}, {"id": ONE.upper(), "displayName": "B"})
    assert await inventory.rows(USER) == {ONE: "LIVE"}
    assert await inventory.field(USER, ONE, "display_name") == "B"


async def test_whole_lists_of_a_relation_change_nothing_when_their_ids_are_in_capitals(inventory: Inventory) -> None:
    """Owners of a device that are read as a list are the same owners."""
    await furnished(inventory)
    await inventory.page(DEVICE, {"id": "de-v1", "deviceId": "AB-1", "registeredOwners@delta": ends(ONE)})
    lists = {"de-v1": [{"id": ONE.upper()}]}
    work = (inventory.directory, DEVICE, Edge.DEVICE_OWNER, lists, 1)
    counts = await inventory.store.transact(lambda tx: replace_edges(tx, *work))
    assert not any(count.total() for count in counts.values())
    assert (Edge.DEVICE_OWNER, "de-v1", ONE) in await inventory.edges()


async def test_device_is_the_same_machine_when_its_own_id_is_written_in_capitals(inventory: Inventory) -> None:
    """The id that a device knows itself by is compared without case; what was received stays in `raw`."""
    await inventory.page(DEVICE, {"id": "de-v1", "deviceId": "AB-1", "displayName": "pc", "accountEnabled": True})
    assert await inventory.field(DEVICE, "de-v1", "device_id") == "ab-1"
