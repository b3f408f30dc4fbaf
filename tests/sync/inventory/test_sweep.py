"""The sweep: exactly what a complete round did not see, objects and edges, and nothing without that proof."""

from __future__ import annotations

from typing import Any

import pytest

from sync.errors import RemovalHeld
from sync.inventory.directory.kind import DEVICE, GROUP, KINDS, USER, Edge, Kind
from sync.inventory.directory.sweep import sweep
from sync.store import Store
from tests.sync.entra.clock import FakeClock
from tests.sync.inventory.inventory import Inventory, ends, removed


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_sweep_removes_exactly_what_the_round_did_not_see(inventory: Inventory, kind: Kind) -> None:
    """Seen, unchanged or not, stays; unseen becomes VANISHED; a second sweep finds nothing."""
    await inventory.page(kind, *({"id": name} for name in ("same", "changed", "unseen")))
    await inventory.page(kind, {"id": "same"}, {"id": "changed", "displayName": "new"}, {"id": "new"}, generation=2)
    applied = await inventory.sweep(kind, 2)
    assert applied.counts == {"removed": 1}
    assert await inventory.rows(kind) == {"same": "LIVE", "changed": "LIVE", "new": "LIVE", "unseen": "VANISHED"}
    before = await inventory.dump()
    assert (await inventory.sweep(kind, 2)).counts == {}
    assert await inventory.dump() == before


async def test_sweep_leaves_other_kinds_alone(inventory: Inventory) -> None:
    """The users' round says nothing about groups and devices."""
    for kind in KINDS:
        await inventory.page(kind, {"id": kind.name})
    await inventory.page(GROUP, {"id": "group", "members@delta": ends("user")})
    await inventory.page(USER, {"id": "other"}, generation=2)
    await inventory.sweep(USER, 2)
    assert await inventory.rows(USER) == {"user": "VANISHED", "other": "LIVE"}
    assert await inventory.rows(GROUP) == {"group": "LIVE"}
    assert await inventory.rows(DEVICE) == {"device": "LIVE"}
    assert await inventory.edges() == {(Edge.MEMBER, "group", "user")}


async def test_sweep_removes_edges_that_the_round_did_not_see(inventory: Inventory) -> None:
    """An edge that a full round no longer reports is deleted; one it reports stays, new or old."""
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("a", "b"), "owners@delta": ends("a")})
    await inventory.page(USER, {"id": "a", "manager@delta": ends("b")})
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("b", "c")}, generation=2)
    version = await inventory.version()
    applied = await inventory.sweep(GROUP, 2)
    assert applied.edge_counts == {"memberships": {"removed": 1}, "groupOwners": {"removed": 1}}
    assert await inventory.version() > version
    assert await inventory.edges() == {
        (Edge.MEMBER, "g", "b"),
        (Edge.MEMBER, "g", "c"),
        (Edge.MANAGER, "a", "b"),
    }


async def test_object_seen_in_a_round_of_changes_is_swept_when_the_next_full_round_misses_it(
    inventory: Inventory,
) -> None:
    """What a delta round brought is no more sacred than what a full one brought."""
    await inventory.page(USER, {"id": "old"})
    await inventory.page(USER, {"id": "late"}, full=False)
    await inventory.page(USER, {"id": "old"}, generation=2)
    await inventory.sweep(USER, 2)
    assert await inventory.rows(USER) == {"old": "LIVE", "late": "VANISHED"}


async def test_object_is_swept_though_another_kinds_later_round_named_it(inventory: Inventory) -> None:
    """Generations count per stream: being a member in the groups' round 9 is not being seen in the users' round 2."""
    await inventory.page(USER, {"id": "v"})
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("u")}, generation=9)
    await inventory.page(USER, {"id": "u"}, full=False)
    await inventory.page(USER, {"id": "v"}, generation=2)
    await inventory.sweep(USER, 2)
    assert await inventory.rows(USER) == {"u": "VANISHED", "v": "LIVE"}


async def test_tombstone_keeps_how_it_went_when_a_sweep_misses_it_too(inventory: Inventory) -> None:
    """A soft-deleted object stays SOFT: only live rows vanish."""
    await inventory.page(USER, {"id": "u"}, {"id": "v"})
    await inventory.page(USER, removed("u", "changed"))
    await inventory.page(USER, {"id": "v"}, generation=2)
    await inventory.sweep(USER, 2)
    assert await inventory.rows(USER) == {"u": "SOFT", "v": "LIVE"}


async def test_vanished_object_comes_back_when_it_is_shown_again(inventory: Inventory) -> None:
    """An object that a full round missed and a later page shows is restored."""
    await inventory.page(USER, {"id": "u"}, {"id": "v"})
    await inventory.page(USER, {"id": "v"}, generation=2)
    await inventory.sweep(USER, 2)
    applied = await inventory.page(USER, {"id": "u"}, generation=2, full=False)
    assert applied.counts == {"restored": 1}
    assert await inventory.rows(USER) == {"u": "LIVE", "v": "LIVE"}


@pytest.mark.parametrize(("links", "asks"), [(100, False), (101, True)])
async def test_sweep_asks_when_objects_are_shown_without_all_their_edges(
    inventory: Inventory, links: int, asks: bool
) -> None:
    """Groups that come without any member look like a lost permission: nothing goes, until somebody agrees."""
    names = [f"u{number}" for number in range(links)]
    await inventory.page(USER, *({"id": name} for name in names))
    await inventory.page(GROUP, {"id": "g", "members@delta": ends(*names)}, {"id": "h", "members@delta": ends("u1")})
    await inventory.page(GROUP, {"id": "g"}, {"id": "h", "members@delta": ends("u1")}, generation=2)
    before = await inventory.dump()
    if asks:
        with pytest.raises(RemovalHeld, match="101 of 102 memberships"):
            await inventory.sweep(GROUP, 2)
        assert await inventory.dump() == before
        await inventory.sweep(GROUP, 2, confirmed=101)
    else:
        await inventory.sweep(GROUP, 2)
    assert await inventory.edges() == {(Edge.MEMBER, "h", "u1")}


async def test_sweep_asks_nothing_about_edges_that_nobody_sees_or_that_others_outlive(inventory: Inventory) -> None:
    """Groups that keep a member, members that are gone, groups that are gone: no loss of their own."""
    names = [f"u{number}" for number in range(150)]
    await inventory.page(USER, {"id": "there"}, *({"id": name} for name in names))
    for group in ("keeps", "gone", "hollow"):
        await inventory.page(GROUP, {"id": group, "members@delta": ends(*names)})
    await inventory.page(GROUP, {"id": "keeps", "members@delta": ends("there")}, generation=2)
    for name in names:
        await inventory.page(USER, removed(name, "changed"))
    await inventory.page(USER, *({"id": name} for name in names[:100]))
    await inventory.page(GROUP, {"id": "hollow"}, generation=2)
    await inventory.sweep(GROUP, 2)
    final: Any = await inventory.final()
    assert final[1] == {(Edge.MEMBER, "keeps", "there")}


async def test_sweep_cannot_be_called_without_proof_of_completeness(
    store: Store, clock: FakeClock, inventory: Inventory
) -> None:
    """There is no default for `complete`: an enumeration that broke off has nothing to pass."""
    async with store.write() as tx:
        with pytest.raises(TypeError, match="complete"):
            await tx.run_sync(sweep, clock, inventory.directory, USER, 2)  # type: ignore[call-arg]


LEADS = [
    (kind, relation, edge, target)
    for kind in KINDS
    for relation, edge in kind.edges.items()
    for target in (KINDS if edge is Edge.MEMBER else (USER,))
]


@pytest.mark.slow(cases=(12, 28))
@pytest.mark.parametrize("reason", ["changed", None, "vanished", "unseen"], ids=str)
@pytest.mark.parametrize("end", ["source", "target"])
@pytest.mark.parametrize(
    ("kind", "relation", "edge", "target"), LEADS, ids=[f"{edge.name}-{target.name}" for _, _, edge, target in LEADS]
)
async def test_edge_comes_back_with_its_end_when_full_rounds_lacked_it_meanwhile(
    inventory: Inventory, kind: Kind, relation: str, edge: Edge, target: Kind, end: str, reason: str | None
) -> None:
    """Whatever the edge, whichever end, however it went: while it is away no list names it, and nobody tells later."""
    kinds = {"source": kind, "target": target, "other": target}
    await inventory.page(target, {"id": "target"}, {"id": "other"})
    listed = ("target",) if edge in kind.single else ("other", "target")
    await inventory.page(kind, {"id": "source", f"{relation}@delta": ends(*listed, kind=target.name)})
    for generation in (2, 3):
        # As a run does: groups come last, when it is known what became of their members.
        for swept in (USER, DEVICE, GROUP):
            said = [{"id": name} for name, its in kinds.items() if its is swept and name != end]
            if reason != "unseen" and kinds[end] is swept:
                said.append(removed(end, reason))
            await inventory.page(swept, *said, generation=generation)
            await inventory.sweep(swept, generation)
    assert (await inventory.rows(kinds[end]))[end] == ("VANISHED" if reason == "unseen" else "SOFT")
    await inventory.page(kinds[end], {"id": end}, generation=3, full=False)
    assert (edge, "source", "target") in await inventory.edges()
    # What is not away and not listed has ended.
    stays = end == "source" and "other" in listed
    assert ((edge, "source", "other") in await inventory.edges()) is stays
