"""Whatever Graph sends, in whatever pages and however often: the tables hold what a plain program would."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sync.inventory.directory.kind import GROUP, USER, Edge, Kind
from sync.store.tables import objects, raw
from tests.share import share
from tests.sync.inventory.inventory import Inventories, Inventory, Item, ends, gone, removed
from tests.sync.inventory.oracle import Oracle

IDS = st.sampled_from("abcd")
REMOVALS = st.builds(removed, IDS, st.sampled_from(["changed", "deleted", "vanished", None]))


def items_of(kind: Kind) -> st.SearchStrategy[Item]:
    """Draw items of a kind: with some of two properties, null among their values, and some of its relations."""
    values = {"displayName": st.sampled_from(["x", "y", None]), "mail": st.sampled_from(["m", None])}
    attributes = st.fixed_dictionaries({"id": IDS}, optional=values)
    entries = st.lists(st.one_of(IDS.map(lambda i: ends(i)[0]), IDS.map(lambda i: gone(i)[0])), max_size=3)
    relations = st.dictionaries(st.sampled_from([f"{name}@delta" for name in kind.edges]), entries, max_size=2)
    return st.one_of(st.builds(dict.__or__, attributes, relations), REMOVALS)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Kind, bool, list[list[Item]]]:
    """Draw a kind, whether rounds are minimal, and pages; some items come twice, some pages are replayed at once."""
    kind = draw(st.sampled_from([USER, GROUP]))
    items = draw(st.lists(items_of(kind), min_size=1, max_size=14))
    for _ in range(draw(st.integers(0, 2))):
        items.insert(draw(st.integers(0, len(items))), draw(st.sampled_from(items)))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(items) - 1)), max_size=4)))
    pages = [items[start:end] for start, end in zip([0, *cuts], [*cuts, len(items)], strict=True)]
    return kind, draw(st.booleans()), pages


async def stored(inventory: Inventory, kind: Kind) -> dict[str, tuple[str, Any, Any]]:
    """Return state, display name and mail by id, and the edges whose removal was not final."""
    table = kind.table
    columns = (table.c.external_id, table.c.deletion, table.c.display_name, table.c.mail)
    async with inventory.store.read() as tx:
        rows = (await tx.execute(select(*columns).where(table.c.directory_id == inventory.directory.id))).all()
    return {row[0]: (row[1] or "LIVE", row[2], row[3]) for row in rows}


@pytest.mark.slow
@settings(max_examples=share(40, 150, 500))
@given(stream=streams(), replays=st.sets(st.integers(0, 4)))
def test_tables_hold_what_the_items_say_one_after_the_other(
    inventories: Inventories, stream: tuple[Kind, bool, list[list[Item]]], replays: set[int]
) -> None:
    """Repeats, removals before and after, unknown removals, any cut into pages, any page read twice: one truth."""
    kind, minimal, pages = stream

    async def check(inventory: Inventory) -> None:
        oracle = Oracle(kind, minimal=minimal)
        for number, page in enumerate(pages):
            oracle.hear(page)
            await inventory.page(kind, *page, minimal=minimal)
            if number in replays:
                before = await inventory.version()
                oracle_before = (dict(oracle.rows), set(oracle.edges))
                oracle.hear(page)
                await inventory.page(kind, *page, minimal=minimal)
                if (oracle.rows, oracle.edges) == oracle_before:
                    assert await inventory.version() == before
        said = {key: (state, a.get("displayName"), a.get("mail")) for key, (state, a) in oracle.rows.items()}
        assert _told(await stored(inventory, kind)) == _told(said)
        assert await inventory.edges() == oracle.edges
        async with inventory.store.read() as tx:
            mine = select(objects.c.external_id, raw.c.item).join_from(raw, objects, objects.c.id == raw.c.object_id)
            kept = await tx.execute(mine.where(objects.c.directory_id == inventory.directory.id))
            assert {key: item for key, item in kept} == {
                key: attributes for key, (state, attributes) in oracle.rows.items() if state != "GONE"
            }

    inventories.try_on_a_new_one(check)


async def test_edges_come_back_with_an_object_that_its_own_page_soft_deleted(inventory: Inventory) -> None:
    """Shown with members and soft-deleted in one page: restored later, it has them, though nothing tells of them."""
    shown: Item = {"id": "g", "displayName": "G", "members@delta": ends("u", "v")}
    await inventory.page(GROUP, shown, removed("g", "changed"))
    assert await inventory.rows(GROUP) == {"g": "SOFT"}
    await inventory.page(GROUP, {"id": "g", "displayName": "G"})
    assert await inventory.rows(GROUP) == {"g": "LIVE"}
    assert await inventory.edges() == {(Edge.MEMBER, "g", "u"), (Edge.MEMBER, "g", "v")}


async def test_edges_of_an_object_do_not_come_back_when_its_own_page_deleted_it(inventory: Inventory) -> None:
    """Deleted for good, an object that appears again begins without the edges from and to it."""
    await inventory.page(GROUP, {"id": "h", "members@delta": ends("g", kind="group")})
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("u")}, removed("g"), {"id": "g"})
    assert await inventory.rows(GROUP) == {"g": "LIVE", "h": "LIVE"}
    assert await inventory.edges() == set()


def _told(rows: dict[str, Any]) -> dict[str, Any]:
    """Return rows without the values of those that are gone, which nobody can read."""
    return {key: row if row[0] != "GONE" else row[:1] for key, row in rows.items()}
