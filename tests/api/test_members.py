"""Members of a group, of every kind, searched, filtered and sorted: page for page what plain Python says."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from sync.inventory.directory.kind import Edge
from sync.store import tables
from tests.api.caller import Caller
from tests.api.lists import without_row
from tests.api.text import fold, order
from tests.api.world import Row, World
from tests.share import share

PLACES = ["home", "beta"]
GROUPS = share(2, 12)
KINDS = {"user": ("user", tables.users), "group": ("group", tables.groups), "device": ("asset", tables.devices)}
TEXT = """query($id: ID!, $first: Int!, $after: String, $s: String, $w: DirectoryObjectWhere,
  $o: [DirectoryObjectOrder!], $t: Boolean!) {
  group(by: {id: $id}) {
    members(first: $first, after: $after, search: $s, where: $w, orderBy: $o, transitive: $t) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes { ... on Node { id } }
    }
  }
}"""


def has_a(row: Row) -> bool:
    """Tell whether a member has the letter a in its name."""
    return "a" in fold(row["name"] or "")


# Arguments → what they mean of (kind, name, object id), and by what is sorted.
NARROWED: list[tuple[dict[str, Any], Any]] = [
    ({"s": "a"}, has_a),
    ({"s": "kind:user"}, lambda row: row["kind"] == "user"),
    ({"s": "type:=device OR type:=group"}, lambda row: row["kind"] in ("device", "group")),
    ({"s": "NOT name:a"}, lambda row: not has_a(row)),
    ({"s": "name:="}, lambda row: not row["name"]),
    ({"w": {"kind": {"in": ["user", "servicePrincipal"]}}}, lambda row: row["kind"] in ("user", "servicePrincipal")),
    ({"w": {"displayName": {"startsWith": "s"}}}, lambda row: fold(row["name"] or "").startswith("s")),
    ({"w": {"displayName": {"isNull": True}}}, lambda row: row["name"] is None),
    ({"w": {"externalId": {"contains": "1"}}, "s": "a"}, lambda row: "1" in row["own"] and has_a(row)),
    ({"w": {"groups": {"count": {"gte": 2}}}}, lambda row: row["groups"] >= 2),
    ({"w": {"not": {"kind": {"eq": "USER"}}}}, lambda row: row["kind"] != "user"),
]  # fmt: skip
ORDERS: list[list[dict[str, str]]] = [
    [],
    [{"field": "DISPLAY_NAME"}],
    [{"field": "DISPLAY_NAME", "direction": "DESC"}],
    [{"field": "KIND", "direction": "DESC"}, {"field": "DISPLAY_NAME"}],
    [{"field": "EXTERNAL_ID"}],
]
READ = {"DISPLAY_NAME": "name", "KIND": "kind", "EXTERNAL_ID": "own"}


async def members_of(world: World, organization: int) -> dict[int, list[Row]]:
    """Return what each group's members are, read past the schema: by group, in the order of the objects."""
    known: dict[int, Row] = {}
    rows = await world.read(select(tables.objects))
    others = await without_row(world, rows, organization)
    for row in others:
        known[row["id"]] = {
            "id": f"obj_{row['id']}",
            "kind": row["kind"],
            "name": row["display_name"],
            "own": row["external_id"],
        }
    for kind, (prefix, table) in KINDS.items():
        for row in await world.rows(table, organization):
            key = row["id"] if prefix != "asset" else row["asset_id"]
            if key is not None:
                made = {"id": f"{prefix}_{key}", "kind": kind, "name": row["display_name"], "own": row["external_id"]}
                known[row["id"]] = made
    edges = await world.read(select(tables.edges).where(tables.edges.c.kind == Edge.MEMBER))
    groups = {row["id"] for row in await world.rows(tables.groups, organization)}
    edges = [edge for edge in edges if edge["from_id"] in groups]
    counts: dict[int, int] = {}
    for edge in edges:
        counts[edge["to_id"]] = counts.get(edge["to_id"], 0) + 1
    found: dict[int, list[Row]] = {}
    for edge in sorted(edges, key=lambda edge: edge["to_id"]):
        if edge["to_id"] in known:
            row = {**known[edge["to_id"]], "groups": counts[edge["to_id"]]}
            found.setdefault(edge["from_id"], []).append(row)
    return found


def in_order(rows: list[Row], orders: list[dict[str, str]]) -> list[Row]:
    """Sort members: missing values first, or last when descending; texts without letter case, then by themselves."""
    for one in reversed(orders):
        name, is_descending = READ[one["field"]], one.get("direction") == "DESC"
        for read in (lambda value: value, order):
            there = [row for row in rows if row[name] is not None]
            there.sort(key=lambda row, read=read, name=name: read(row[name]), reverse=is_descending)  # type: ignore[misc]
            missing = [row for row in rows if row[name] is None]
            rows = [*there, *missing] if is_descending else [*missing, *there]
    return rows


def varied(every: dict[int, list[Row]]) -> list[tuple[int, list[Row]]]:
    """Choose groups with their members: those with members of most kinds first."""
    return sorted(every.items(), key=lambda pair: (-len({row["kind"] for row in pair[1]}), pair[0]))[:GROUPS]


async def walked(caller: Caller, group: int, size: int, **given: Any) -> list[str]:
    """Walk through a group's members page by page, and check the count."""
    found: list[str] = []
    variables = {"id": f"group_{group}", "first": size, "t": False, **given}
    while True:
        page = (await caller.data(TEXT, **variables))["group"]["members"]
        found += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(found)
            return found
        variables["after"] = page["pageInfo"]["endCursor"]


@pytest.mark.slow(cases=6)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", range(len(NARROWED)), ids=[str(given) for given, _ in NARROWED])
async def test_members_are_those_that_are_asked_for(world: World, place: str, number: int) -> None:
    """Every kind of object is compared by what it has in common with the others; no page loses or repeats one."""
    organization = getattr(world, place)
    given, holds = NARROWED[number]
    every = await members_of(world, organization)
    hits = 0
    for group, rows in varied(every):
        wanted = [row["id"] for row in rows if holds(row)]
        hits += len(wanted)
        assert await walked(world.caller(organization=organization), group, 3, **given) == wanted
    assert hits or place == "home"


@pytest.mark.slow(cases=3)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("orders", ORDERS, ids=str)
async def test_members_are_in_the_order_that_is_asked_for(
    world: World, place: str, orders: list[dict[str, str]]
) -> None:
    """Users, groups, assets and other objects are sorted together, ties by the object, page for page."""
    organization = getattr(world, place)
    every = await members_of(world, organization)
    for group, rows in varied(every):
        wanted = [row["id"] for row in in_order(rows, orders)]
        for given in ({}, {"s": "NOT kind:group"}):
            kept = [row["id"] for row in in_order(rows, orders) if not given or row["kind"] != "group"]
            got = await walked(world.caller(organization=organization), group, 4, o=orders, **given)
            assert got == (kept if given else wanted)


@pytest.mark.slow(cases=0)
async def test_members_of_nested_groups_are_searched_as_well(world: World) -> None:
    """A condition narrows the transitive list to the same rows that it means in the whole one."""
    caller = world.caller(organization=world.beta)
    every = await members_of(world, world.beta)
    kinds = {row["id"]: row["kind"] for rows in every.values() for row in rows}
    for group in sorted(every)[:8]:
        whole = await walked(caller, group, 50, t=True)
        wanted = [one for one in whole if kinds.get(one) == "user"]
        assert await walked(caller, group, 5, t=True, s="kind:=user") == wanted


async def test_members_without_pages_are_the_same_in_a_plan(world: World) -> None:
    """A document that is compiled gives the rows that its resolvers give."""
    text = (
        '{ groups(first: 20) { nodes { members(search: "kind:user", first: 5) { totalCount nodes { __typename } } } } }'
    )
    groups = (await world.caller().data(text))["groups"]["nodes"]
    shown = [node["__typename"] for group in groups for node in group["members"]["nodes"]]
    assert shown and set(shown) == {"User"}


async def test_members_refuse_what_not_every_object_has(world: World) -> None:
    """A condition of users alone is refused: `users` of the group takes it."""
    text = '{ groups { nodes { members(search: "department:sales") { totalCount } } } }'
    assert (await world.caller().ask(text)).code == "BAD_SEARCH"
