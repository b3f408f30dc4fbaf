"""Lists page by page: every order, both directions, every size; no row twice, none left out."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from schema.field.registry import NOUNS, FieldKind
from schema.list.connection import ORDER_KEYS_MAX
from schema.list.paging import FIRST_DEFAULT, FIRST_MAX
from sync.store import tables
from tests.api.caller import INVALID_REQUEST
from tests.api.lists import LISTS, ORDERABLE, as_argument, caller_for, id_of, in_order, visible
from tests.api.walk import document, walk
from tests.api.world import World
from tests.share import share

Orders = list[dict[str, str]]
WAYS = list(product(("ASC", "DESC"), ("FIRST", "LAST")))


async def assert_walks(world: World, noun: str, orders: Orders, size: int, organization: int) -> None:
    """Walk a list both ways and compare with rows sorted in Python."""
    caller, field = caller_for(world, noun, organization), LISTS[noun]
    expected = in_order(noun, await visible(world, noun, caller), orders)
    text = document(noun, field)
    for backwards in (False, True):
        got = await walk(caller, text, field, size=size, backwards=backwards, orderBy=as_argument(orders))
        assert got == expected, (orders, size, backwards)


@pytest.mark.slow(cases=(4, 36))
@pytest.mark.parametrize(("noun", "name"), ORDERABLE)
async def test_list_shows_each_row_once_when_ordered_by_any_field(world: World, noun: str, name: str) -> None:
    """Ascending or descending, nulls first or last, forwards or backwards: each row once, in order, ties by id."""
    for direction, nulls in WAYS:
        orders = [{"field": name, "direction": direction, "nulls": nulls}]
        await assert_walks(world, noun, orders, 12, world.beta)


@pytest.mark.slow(cases=3)
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("noun", LISTS)
async def test_list_counts_nulls_as_smallest_when_nothing_is_said(world: World, noun: str, direction: str) -> None:
    """Without `nulls`, missing values come first ascending and last descending."""
    caller = caller_for(world, noun, world.beta)
    rows = await visible(world, noun, caller)
    nullable = [
        name for of, name in ORDERABLE if of == noun and getattr(NOUNS[noun].fields[name].column, "nullable", False)
    ]
    for name in nullable or ["id"]:
        orders = [{"field": name, "direction": direction}]
        data = await caller.data(document(noun, LISTS[noun]), first=FIRST_MAX, orderBy=as_argument(orders))
        assert [node["id"] for node in data[LISTS[noun]]["nodes"]] == in_order(noun, rows, orders), name


@pytest.mark.slow(cases=10)
@pytest.mark.parametrize("size", [1, 7, FIRST_MAX])
@pytest.mark.parametrize("noun", LISTS)
async def test_list_shows_each_row_once_in_pages_of_any_size(world: World, noun: str, size: int) -> None:
    """Pages of one, of seven and of the largest size make up the same list, by id when no order is given."""
    await assert_walks(world, noun, [], size, world.beta)


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("kind", [FieldKind.TEXT, FieldKind.BOOL, FieldKind.TIME, FieldKind.ENUM, FieldKind.INT])
async def test_list_shows_each_row_once_in_pages_of_one_for_every_kind_of_order(world: World, kind: FieldKind) -> None:
    """A cursor on a tie or on a null leads to the very next row, whatever kind of value is ordered by."""
    name = {
        FieldKind.TEXT: ("User", "city"),
        FieldKind.BOOL: ("Asset", "alive"),
        FieldKind.TIME: ("Asset", "last_seen"),
        FieldKind.ENUM: ("TaskRun", "phase"),
        FieldKind.INT: ("Asset", "source_count"),
    }[kind]
    assert NOUNS[name[0]].fields[name[1]].kind is kind
    for direction, nulls in WAYS:
        orders = [{"field": name[1], "direction": direction, "nulls": nulls}]
        await assert_walks(world, name[0], orders, 1, world.beta)


@pytest.mark.parametrize("noun", ["User", "Group", "Asset"])
async def test_list_shows_each_synced_row_once(world: World, noun: str) -> None:
    """What a sync wrote comes out whole, in pages, by name."""
    name = "name" if noun == "Asset" else "display_name"
    await assert_walks(world, noun, [{"field": name, "direction": "DESC"}], 40, world.home)


@st.composite
def orders_of(draw: st.DrawFn, noun: str) -> Orders:
    """Draw up to five sort keys, fields repeated or not."""
    names = [name for of, name in ORDERABLE if of == noun]
    key = st.fixed_dictionaries(
        {"field": st.sampled_from(names), "direction": st.sampled_from(["ASC", "DESC"])},
        optional={"nulls": st.sampled_from(["FIRST", "LAST"])},
    )
    return draw(st.lists(key, min_size=2, max_size=ORDER_KEYS_MAX))


@pytest.mark.slow
@given(orders=orders_of("Asset"), size=st.integers(3, 9))
@settings(max_examples=share(8, 40))
async def test_list_shows_each_row_once_when_ordered_by_several_fields(world: World, orders: Orders, size: int) -> None:
    """Any mix of fields, directions and places of nulls is a total order that pages follow."""
    await assert_walks(world, "Asset", orders, size, world.beta)


async def test_list_holds_fifty_rows_when_no_size_is_given(world: World) -> None:
    """A list without `first` is a page of fifty, not everything."""
    data = await world.caller().data("{ users { nodes { id } pageInfo { hasNextPage } } }")
    assert len(data["users"]["nodes"]) == FIRST_DEFAULT
    assert data["users"]["pageInfo"]["hasNextPage"] is True


@pytest.mark.parametrize("noun", LISTS)
async def test_total_count_is_the_whole_list_on_every_page(world: World, noun: str) -> None:
    """totalCount counts all rows of the list, however small the page and wherever it lies."""
    caller, field = caller_for(world, noun, world.beta), LISTS[noun]
    expected = len(await visible(world, noun, caller))
    text = "query($a: String) { page: %s(first: 1, after: $a) { totalCount pageInfo { endCursor } } }"
    first = (await caller.data(text % field))["page"]
    second = (await caller.data(text % field, a=first["pageInfo"]["endCursor"]))["page"]
    assert (first["totalCount"], second["totalCount"]) == (expected, expected)


async def test_total_count_counts_only_what_the_filter_leaves(world: World) -> None:
    """totalCount is the number of rows that match, zero included."""
    caller = world.caller()
    text = "query($w: UserWhere) { users(where: $w, first: 1) { totalCount nodes { id } } }"
    users = await visible(world, "User", caller)
    guests = sum(row["user_type"] == "Guest" for row in users)
    assert (await caller.data(text, w={"userType": {"eq": "Guest"}}))["users"]["totalCount"] == guests > 0
    assert (await caller.data(text, w={"userType": {"eq": "guest"}}))["users"]["totalCount"] == guests
    assert (await caller.data(text, w={"userType": {"eq": "none"}}))["users"] == {"totalCount": 0, "nodes": []}


async def test_page_is_empty_when_nothing_matches(world: World) -> None:
    """An empty page has no cursors and no neighbours."""
    text = "{ users(where: {or: []}) { edges { cursor } pageInfo { ...I } } }"
    info = "fragment I on PageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
    page = (await world.caller().data(f"{text} {info}"))["users"]
    expected = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert page == {"edges": [], "pageInfo": expected}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"first": 0}, "first"),
    ({"first": -1}, "first"),
    ({"first": FIRST_MAX + 1}, "first"),
    ({"last": 0}, "last"),
    ({"last": FIRST_MAX + 1}, "last"),
    ({"first": 1, "last": 1}, "last"),
    ({"last": 1, "after": "x"}, "after"),
    ({"first": 1, "before": "x"}, "before"),
    ({"before": "x"}, "before"),
    ({"orderBy": [{"field": "ID"}] * (ORDER_KEYS_MAX + 1)}, "orderBy"),
]


@pytest.mark.parametrize(("arguments", "place"), REFUSED)
@pytest.mark.parametrize("noun", LISTS)
async def test_list_is_refused_when_its_arguments_do_not_fit(
    world: World, noun: str, arguments: dict[str, Any], place: str
) -> None:
    """A size out of range, or arguments of two directions, is BAD_USER_INPUT and names the argument."""
    answer = await caller_for(world, noun, world.beta).ask(document(noun, LISTS[noun]), **arguments)
    assert answer.code == "BAD_USER_INPUT"
    assert answer.problems[0].facts["path"] == place


@pytest.mark.parametrize("size", [FIRST_MAX, 1])
@pytest.mark.parametrize("argument", ["first", "last"])
async def test_list_is_answered_at_the_limits_of_its_size(world: World, argument: str, size: int) -> None:
    """The smallest and the largest size are allowed."""
    data = await world.caller().data(document("User", "users"), **{argument: size})
    assert len(data["users"]["nodes"]) == min(size, len(await visible(world, "User", world.caller())))


@pytest.mark.parametrize("order", [{"field": "VERSION"}, {"field": "NAMES"}, {"field": "ID", "direction": None}, {}])
async def test_order_is_refused_when_the_schema_does_not_know_it(world: World, order: dict[str, Any]) -> None:
    """Lists and fields without an order are not in the enum; direction is never null."""
    answer = await world.caller().ask(document("Asset", "assets"), orderBy=[order])
    assert answer.code == INVALID_REQUEST


async def test_walk_misses_no_untouched_row_when_others_change_meanwhile(world: World) -> None:
    """Rows that vanish or move between two pages cost no other row its place (keyset, not offset)."""
    organization = await world.new_organization("Moving", seed=31)
    caller = world.caller(organization=organization)
    expected = in_order("Asset", await visible(world, "Asset", caller), [{"field": "name"}])
    text = "query($a: String) { assets(first: 12, after: $a, orderBy: [{field: NAME}]) { ...P } }"
    text += " fragment P on AssetConnection { nodes { id name } pageInfo { endCursor } }"
    page = (await caller.data(text))["assets"]
    assert page["nodes"][-1]["name"] is not None
    seen = [node["id"] for node in page["nodes"]]
    # The row of the cursor vanishes, and one that was not read yet moves to the front.
    gone, moved = int(seen[-1].partition("_")[2]), int(expected[-1].partition("_")[2])
    async with world.runtime.store.write() as tx:
        await tx.execute(update(tables.assets).where(tables.assets.c.id == gone).values(deleted_at="2026"))
        await tx.execute(update(tables.assets).where(tables.assets.c.id == moved).values(name=None, name_key=None))
    while page["nodes"]:
        page = (await caller.data(text, a=page["pageInfo"]["endCursor"]))["assets"]
        seen += [node["id"] for node in page["nodes"]]
    assert seen == expected[:-1]


def test_orderable_fields_cover_every_list() -> None:
    """The table that drives these tests holds each root list, so that none is left out."""
    assert {noun for noun, _ in ORDERABLE} == set(LISTS)
    assert len(ORDERABLE) > 100
    assert id_of("User", {"id": 3}) == "user_3"
