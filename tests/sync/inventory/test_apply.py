"""A page becomes rows: every fate of an object, counts that sum up, and replays that change nothing."""

from __future__ import annotations

import shutil
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.inventory.directory.kind import DEVICE, GROUP, KINDS, USER, Edge, Kind
from sync.inventory.directory.page import Applied
from sync.store import Store
from sync.store.tables.column import LOWER, graph_columns
from tests.share import share
from tests.sync.entra.clock import FakeClock
from tests.sync.inventory.inventory import Inventories, Inventory, Item, ends, gone, removed
from tests.sync.inventory.values import values_of


def counted(applied: Applied) -> dict[str, int]:
    """Return the counts of a page that are not zero."""
    return dict(+applied.counts)


async def test_page_creates_updates_and_leaves_alone_what_it_shows(inventory: Inventory) -> None:
    """A new object, a changed one and an unchanged one are told apart; only the first two are written."""
    await inventory.page(USER, {"id": "same", "displayName": "S"}, {"id": "old", "displayName": "O"})
    before = await inventory.field(USER, "same", "updated_at")
    applied = await inventory.page(
        USER, {"id": "same", "displayName": "S"}, {"id": "old", "displayName": "N"}, {"id": "new"}
    )
    assert counted(applied) == {"created": 1, "updated": 1, "unchanged": 1}
    assert len(applied.touched) == 2
    assert await inventory.field(USER, "old", "display_name") == "N"
    assert await inventory.field(USER, "same", "updated_at") == before
    assert await inventory.rows(USER) == {"same": "LIVE", "old": "LIVE", "new": "LIVE"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_every_property_reaches_its_column(inventory: Inventory, kind: Kind) -> None:
    """What goes in under Graph's name is read from the column, for each property of each kind."""
    item: Item = {"id": "x"} | {prop: values_of(prop, column)[0] for prop, column in graph_columns(kind.table)}
    await inventory.page(kind, item)
    for prop, column in graph_columns(kind.table):
        # An id that is the same in either letter case is stored in one.
        expected = item[prop].lower() if column.info.get(LOWER) else item[prop]
        assert await inventory.field(kind, "x", column.name) == expected, prop


@pytest.mark.parametrize(
    ("reason", "deletion"), [("changed", "SOFT"), (None, "SOFT"), ("vanished", "SOFT"), ("deleted", "GONE")]
)
async def test_removed_object_becomes_a_tombstone_and_comes_back_when_shown_again(
    inventory: Inventory, reason: str | None, deletion: str
) -> None:
    """A removal keeps the row with how it went; showing the object again restores it, unchanged content included."""
    item = {"id": "u", "displayName": "U"}
    await inventory.page(USER, item)
    assert counted(await inventory.page(USER, removed("u", reason))) == {"removed": 1}
    assert await inventory.rows(USER) == {"u": deletion}
    assert await inventory.field(USER, "u", "deleted_at") is not None
    assert counted(await inventory.page(USER, item)) == {"restored": 1}
    assert await inventory.rows(USER) == {"u": "LIVE"}
    assert await inventory.field(USER, "u", "deleted_at") is None


async def test_soft_deleted_object_is_gone_when_it_is_purged(inventory: Inventory) -> None:
    """Purging after soft deletion keeps the first time of deletion and counts nothing twice."""
    await inventory.page(USER, {"id": "u"})
    await inventory.page(USER, removed("u", "changed"))
    first = await inventory.field(USER, "u", "deleted_at")
    assert counted(await inventory.page(USER, removed("u", "deleted"))) == {"unchanged": 1}
    assert await inventory.rows(USER) == {"u": "GONE"}
    assert await inventory.field(USER, "u", "deleted_at") == first


async def test_unknown_removal_writes_nothing(inventory: Inventory) -> None:
    """An object that was never here cannot leave: no row, no version, counted as unknown."""
    before = await inventory.dump()
    applied = await inventory.page(USER, removed("never"), removed("neither", "changed"))
    assert counted(applied) == {"unknown": 2}
    assert await inventory.dump() == before


async def test_empty_page_writes_nothing(inventory: Inventory) -> None:
    """A page without items changes no row and no version."""
    before = await inventory.dump()
    for kind in KINDS:
        await inventory.page(kind)
    assert await inventory.dump() == before


IDS = st.sampled_from("abcdef")
ITEMS = st.one_of(
    st.builds(lambda i, name: {"id": i, "displayName": name}, IDS, st.sampled_from(["x", "y", None])),
    st.builds(removed, IDS, st.sampled_from(["changed", "deleted", "other"])),
    st.builds(lambda i, a, b: {"id": i, "members@delta": [*ends(a), *gone(b)]}, IDS, IDS, IDS),
)


PageLists = list[list[Item]]
PAGE_LISTS = st.lists(st.lists(ITEMS, max_size=8), min_size=1, max_size=4)


@pytest.mark.slow
@settings(max_examples=share(6, 25))
@given(pages=PAGE_LISTS)
def test_counts_sum_to_the_distinct_ids_of_the_page(inventories: Inventories, pages: PageLists) -> None:
    """Whatever a page holds, each of its objects is counted exactly once."""

    async def check(inventory: Inventory) -> None:
        for items in pages:
            applied = await inventory.page(GROUP, *items)
            assert applied.counts.total() == len({item["id"] for item in items})

    inventories.try_on_a_new_one(check)


@pytest.mark.slow
@settings(max_examples=share(6, 25))
@given(pages=PAGE_LISTS)
def test_page_changes_nothing_when_it_is_applied_again(inventories: Inventories, pages: PageLists) -> None:
    """After a crash the last page is read again: no column of any table differs afterwards."""

    async def check(inventory: Inventory) -> None:
        for items in pages:
            await inventory.page(GROUP, *items)
        before = await inventory.dump()
        applied = await inventory.page(GROUP, *pages[-1])
        assert await inventory.dump() == before
        assert set(counted(applied)) <= {"unchanged", "unknown"}

    inventories.try_on_a_new_one(check)


PAGES: list[tuple[Kind, list[Item]]] = [
    (USER, [{"id": "u1", "displayName": "U1", "manager@delta": ends("u2")}, {"id": "u2", "displayName": "U2"}]),
    (USER, [{"id": "u3"}, {"id": "u4"}]),
    (GROUP, [{"id": "g1", "members@delta": ends("u1", "u4")}, {"id": "g2", "members@delta": ends("g1", kind="group")}]),
    (
        GROUP,
        [{"id": "g1", "members@delta": [*ends("u3"), *ends("d1", kind="device"), *ends("contact", kind="orgContact")]}],
    ),
    (DEVICE, [{"id": "d1", "registeredOwners@delta": ends("u1"), "registeredUsers@delta": ends("u1", "u2")}]),
]


async def test_final_state_is_the_same_in_any_order_of_pages(
    store: Store, clock: FakeClock, empty_database: Path, data_dir: Path
) -> None:
    """Streams run side by side, so pages of several kinds arrive in any order and some arrive twice."""
    states = []
    for number, order in enumerate(list(permutations(range(len(PAGES))))[::11]):
        path = Path(shutil.copy(empty_database, data_dir / f"{number}.db"))
        other = Store.at(path)
        inventory = await Inventory.of(other, clock)
        for index in [*order, order[0]]:
            kind, items = PAGES[index]
            await inventory.page(kind, *items)
        states.append(await inventory.final())
        await other.close()
    assert all(state == states[0] for state in states)


PLAIN_ITEMS = ITEMS.filter(lambda item: "members@delta" not in item)


@pytest.mark.slow
@settings(max_examples=share(6, 25))
@given(items=st.lists(PLAIN_ITEMS, min_size=1, max_size=8), cuts=st.lists(st.integers(0, 8), max_size=3))
def test_last_word_counts_wherever_a_stream_is_cut_into_pages(
    inventories: Inventories, items: list[Item], cuts: list[int]
) -> None:
    """Cut into pages anywhere, a stream of items leaves what the last item of each object says."""

    async def check(inventory: Inventory) -> None:
        cut = sorted(min(place, len(items)) for place in cuts)
        for start, end in zip([0, *cut], [*cut, len(items)], strict=True):
            await inventory.page(GROUP, *items[start:end])
        rows = await inventory.rows(GROUP)
        for external_id, item in {item["id"]: item for item in items}.items():
            if "@removed" not in item:
                assert rows[external_id] == "LIVE"
            elif external_id in rows:
                assert rows[external_id] == ("GONE" if item["@removed"]["reason"] == "deleted" else "SOFT")

    inventories.try_on_a_new_one(check)


async def test_rows_of_another_directory_are_untouched(store: Store, clock: FakeClock, inventory: Inventory) -> None:
    """The same object ids in another organization's directory are other objects."""
    other = await Inventory.of(store, clock, "Fabrikam")
    await inventory.page(USER, {"id": "u", "displayName": "ours", "manager@delta": ends("v")})
    await inventory.page(GROUP, {"id": "g", "members@delta": ends("u")})
    version = await inventory.version()
    await other.page(USER, {"id": "u", "displayName": "theirs", "manager@delta": ends("u2")}, {"id": "u2"})
    await other.page(USER, removed("u"))
    await other.sweep(USER, 2)
    assert await inventory.rows(USER) == {"u": "LIVE"}
    assert await inventory.edges() == {(Edge.MEMBER, "g", "u"), (Edge.MANAGER, "u", "v")}
    assert await inventory.version() == version


async def test_version_rises_once_a_page_that_changes_something(inventory: Inventory) -> None:
    """A data version tells pullers that there is something to read; an idle page raises none."""
    item = {"id": "g", "members@delta": ends("u")}
    versions = [await inventory.version()]
    for items in ([item, {"id": "h"}], [item], [item | {"members@delta": ends("v")}], [removed("g"), {"id": "i"}]):
        await inventory.page(GROUP, *items)
        versions.append(await inventory.version())
    assert versions == [0, 1, 1, 2, 3]
