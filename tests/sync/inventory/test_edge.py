"""Edges: to objects not read yet, replaced, dropped with their ends, kept for those that may come back."""

from __future__ import annotations

from sync.inventory.directory.kind import DEVICE, GROUP, USER, Edge
from tests.sync.inventory.inventory import Inventory, ends, gone, removed


async def test_edge_waits_for_an_object_that_was_never_seen(inventory: Inventory) -> None:
    """A member that no page has shown has its edge and its kind, but no row."""
    applied = await inventory.page(GROUP, {"id": "g", "members@delta": ends("u", "c", kind="orgContact")})
    assert await inventory.edges() == {(Edge.MEMBER, "g", "u"), (Edge.MEMBER, "g", "c")}
    assert await inventory.rows(USER) == {}
    assert applied.edge_counts["memberships"] == {"created": 2}
    await inventory.page(USER, {"id": "u"})
    assert await inventory.rows(USER) == {"u": "LIVE"}
    assert (Edge.MEMBER, "g", "u") in await inventory.edges()


async def test_edge_is_counted_once_when_it_is_reported_again(inventory: Inventory) -> None:
    """Only an edge that was not there counts as created, only one that was there as removed."""
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("a", "b")})
    applied = await inventory.page(GROUP, {"id": "g", "members@delta": [*ends("b", "c"), *gone("a", "never")]})
    assert applied.edge_counts["memberships"] == {"created": 1, "removed": 1}
    assert await inventory.edges() == {(Edge.MEMBER, "g", "b"), (Edge.MEMBER, "g", "c")}


async def test_every_relation_has_its_own_edge(inventory: Inventory) -> None:
    """The same two objects may be connected in several ways, each added and removed by itself."""
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("u"), "owners@delta": ends("u")})
    await inventory.page(DEVICE, {"id": "d", "registeredOwners@delta": ends("u"), "registeredUsers@delta": ends("u")})
    await inventory.page(GROUP, {"id": "g", "members@delta": gone("u")})
    await inventory.page(DEVICE, {"id": "d", "registeredUsers@delta": gone("u")})
    assert await inventory.edges() == {(Edge.GROUP_OWNER, "g", "u"), (Edge.DEVICE_OWNER, "d", "u")}


async def test_manager_is_replaced_when_another_is_reported(inventory: Inventory) -> None:
    """A user has at most one manager, whether Graph reports the old one's removal or not."""
    await inventory.page(USER, {"id": "u", "manager@delta": ends("first")})
    applied = await inventory.page(USER, {"id": "u", "manager@delta": ends("second")})
    assert applied.edge_counts["managers"] == {"created": 1, "removed": 1}
    await inventory.page(USER, {"id": "u", "manager@delta": [*gone("second"), *ends("third")]})
    await inventory.page(USER, {"id": "u", "manager@delta": ends("a")}, {"id": "u", "manager@delta": ends("b")})
    assert await inventory.edges() == {(Edge.MANAGER, "u", "b")}
    await inventory.page(USER, {"id": "u", "manager@delta": gone("b")})
    assert await inventory.edges() == set()


async def test_edges_go_with_an_object_that_is_gone_for_good(inventory: Inventory) -> None:
    """A purged object loses its edges in both directions: Graph may never report them."""
    await inventory.page(USER, {"id": "u", "manager@delta": ends("v")}, {"id": "v", "manager@delta": ends("u")})
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("u", "v")})
    await inventory.page(USER, removed("u", "deleted"))
    assert await inventory.edges() == {(Edge.MEMBER, "g", "v")}


async def test_edges_stay_with_an_object_that_may_come_back(inventory: Inventory) -> None:
    """A soft-deleted user keeps memberships: nothing is sent when it is restored."""
    await inventory.page(USER, {"id": "u"}, {"id": "v", "manager@delta": ends("u")})
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("u")})
    before = await inventory.edges()
    await inventory.page(USER, removed("u", "changed"))
    assert await inventory.edges() == before
    await inventory.page(USER, {"id": "u"})
    assert await inventory.edges() == before


async def test_many_edges_of_one_group_fit_into_one_page(inventory: Inventory) -> None:
    """More edges than one statement's parameters are written, removed and swept."""
    names = [f"u{number}" for number in range(2_000)]
    applied = await inventory.page(GROUP, {"id": "g", "members@delta": ends(*names)})
    assert applied.edge_counts["memberships"] == {"created": 2_000}
    applied = await inventory.page(GROUP, {"id": "g", "members@delta": gone(*names[:1_500])})
    assert applied.edge_counts["memberships"] == {"removed": 1_500}
    assert len(await inventory.edges()) == 500
