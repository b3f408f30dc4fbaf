"""Filters across relations: any tree of them returns what walking the rows in plain Python returns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.field.registry import NOUNS, Relation
from schema.filter.inputs import CONDITIONS_MAX, NESTING_MAX
from schema.search import TERMS_MAX
from tests.api.links import LOADED, Links
from tests.api.lists import LISTS, caller_for, id_of
from tests.api.test_where import Choice, grown
from tests.api.world import World
from tests.share import share

SEARCHED = ["User", "Group", "Asset", "Task", "Site"]
OPERATORS = ["eq", "ne", "lt", "lte", "gt", "gte"]


@pytest.fixture(scope="session")
async def links(world: World) -> dict[str, Links]:
    """Return both organizations' rows as plain Python sees them."""
    return {place: await Links.read(world, getattr(world, place)) for place in ("home", "beta")}


def crossing(noun: str) -> list[Relation]:
    """Return the relations whose rows the test knows."""
    return [relation for relation in NOUNS[noun].relations.values() if relation.target in LOADED]


Tree = st.recursive(
    Choice,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("related"), st.integers(0, 100), st.integers(0, 11), inner),
        st.tuples(st.just("related"), st.integers(0, 100), st.integers(0, 11), inner),
    ),
    max_leaves=6,
)


def planted(noun: str, links: Links, tree: Any) -> dict[str, Any]:
    """Turn a tree of choices into a `where` that crosses relations."""
    if tree[0] in ("and", "or"):
        return {tree[0]: [planted(noun, links, part) for part in tree[1]]}
    if tree[0] == "not":
        return {"not": planted(noun, links, tree[1])}
    if tree[0] != "related":
        return dict(grown(noun, list(links.rows[noun].values()), tree))
    _, which, how, inner = tree
    relations = crossing(noun)
    relation = relations[which % len(relations)]
    part = planted(relation.target, links, inner)
    if not relation.is_many:
        return {relation.graphql_name: part}
    quantified: list[dict[str, Any]] = [
        {"some": part}, {"none": part}, {"every": part}, {"exists": bool(which % 2)},
        {"count": {OPERATORS[which % 6]: which % 4}}, {"some": part, "count": {"lte": 2}},
    ]  # fmt: skip
    return {relation.graphql_name: quantified[how % 6]}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["home", "beta"])
@pytest.mark.parametrize("noun", SEARCHED)
@given(tree=Tree)
@settings(max_examples=share(6, 25, 100))
async def test_filter_across_relations_returns_what_the_predicate_returns_for_any_tree(
    world: World, links: dict[str, Links], noun: str, place: str, tree: Any
) -> None:
    """Quantifiers, counts and nesting see the rows the caller may see, and no others."""
    here = links[place]
    where = planted(noun, here, tree)
    text = "query($where: %sWhere) { %s(first: 1000, where: $where) { totalCount nodes { id } } }"
    got = await caller_for(world, noun, getattr(world, place)).data(text % (noun, LISTS[noun]), where=where)
    expected = [id_of(noun, row) for row in here.rows[noun].values() if here.matches(NOUNS[noun], where, row)]
    assert [node["id"] for node in got[LISTS[noun]]["nodes"]] == expected, where
    assert got[LISTS[noun]]["totalCount"] == len(expected)


def chained(levels: int) -> dict[str, Any]:
    """Return a filter of so many levels, each a relation."""
    where: dict[str, Any] = {"displayName": {"contains": "a"}}
    for level in range(levels - 1):
        where = {"users": {"some": where}} if level % 2 == 0 else {"groups": {"none": where}}
    return where


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize("levels", [NESTING_MAX - 1, NESTING_MAX])
async def test_filter_across_relations_is_answered_at_its_depth(
    world: World, links: dict[str, Links], levels: int
) -> None:
    """The database takes as many nested relations as are allowed."""
    noun = "User" if levels % 2 else "Group"
    where, here = chained(levels), links["beta"]
    text = "query($where: %sWhere) { %s(first: 1000, where: $where) { nodes { id } } }"
    got = await caller_for(world, noun, world.beta).data(text % (noun, LISTS[noun]), where=where)
    expected = [id_of(noun, row) for row in here.rows[noun].values() if here.matches(NOUNS[noun], where, row)]
    assert [node["id"] for node in got[LISTS[noun]]["nodes"]] == expected


@pytest.mark.slow(cases=0)
async def test_filter_is_answered_however_many_relations_it_crosses(world: World) -> None:
    """A typed filter and a search may cross as many relations as they may have conditions and terms."""
    text = "query($w: GroupWhere, $s: String) { groups(where: $w, search: $s) { totalCount } }"
    where = {"and": [{"owners": {"exists": True}}] * (CONDITIONS_MAX // 2 - 1)}
    search = " ".join(["has:owner", "has:user", "group:x", "member_of.owner:x"] * (TERMS_MAX // 4))
    assert (await world.caller().ask(text, w=where, s=search)).code is None


REFUSED: list[tuple[str, Any, str]] = [
    ("Group", {"owners": None}, "where.owners"),
    ("Group", {"owners": {}}, "where.owners"),
    ("Group", {"owners": {"none": {}}}, "where.owners.none"),
    ("Group", {"owners": {"some": None}}, "where.owners.some"),
    ("Group", {"owners": {"exists": None}}, "where.owners.exists"),
    ("Group", {"owners": {"count": {}}}, "where.owners.count"),
    ("Group", {"owners": {"count": {"gt": None}}}, "where.owners.count.gt"),
    ("User", {"manager": {}}, "where.manager"),
    ("User", {"manager": None}, "where.manager"),
    ("Group", {"owners": {"some": {"id": {"eq": "group_1"}}}}, "where.owners.some.id.eq"),
    ("Group", chained(NESTING_MAX + 2), "where" + ".users.some.groups.none" * (NESTING_MAX // 2)),
    ("Asset", {"attributes": [{"source": "azuread", "name": "nothing", "exists": True}]}, "where.attributes[0]"),
    ("Asset", {"attributes": [{"source": "jamf", "name": "trustType", "exists": True}]}, "where.attributes[0]"),
    ("Asset", {"attributes": [{"source": "azuread", "name": "trustType"}]}, "where.attributes[0]"),
    ("Asset", {"attributes": [{"source": "azuread", "name": "trustType", "eq": None}]}, "where.attributes[0].eq"),
    ("Asset", {"attributes": [{"source": "azuread", "name": "isManaged", "eq": "x"}]}, "where.attributes[0].eq"),
    ("Asset", {"attributes": [{"source": "azuread", "name": "isManaged", "lt": "1"}]}, "where.attributes[0].lt"),
    ("Asset", {"attributes": [{"source": "azuread", "name": "deviceVersion", "eq": "x"}]}, "where.attributes[0].eq"),
    ("Asset", {"attributes": [{"source": "azuread", "name": "model", "notIn": None}]}, "where.attributes[0].notIn"),
    ("Asset", {"attributes": [{"source": "azuread", "name": "model", "isNull": None}]}, "where.attributes[0].isNull"),
    ("Asset", {"attributes": [{"source": "azuread", "name": "createdDateTime", "lt": "x"}]}, "where.attributes[0].lt"),
    ("User", {"attributes": [{"source": "scan", "name": "department", "exists": True}]}, "where.attributes[0]"),
    ("Group", {"attributes": [{"source": "azuread", "name": "nothing", "exists": True}]}, "where.attributes[0]"),
    ("Asset", {"attributes": None}, "where.attributes"),
    ("Asset", {"sources": {"has": "jamf"}}, "where.sources.has"),
    ("Asset", {"addresses": {"inNetwork": ["lan"]}}, "where.addresses.inNetwork"),
    ("Asset", {"osVersion": {"lt": "new"}}, "where.osVersion.lt"),
]


HELPED: list[tuple[str, Any, str]] = [
    ("Asset", {"attributes": [{"source": "azuread", "name": "trustTyp", "exists": True}]}, "Did you mean trustType"),
    ("Asset", {"attributes": [{"source": "azureda", "name": "trustType", "exists": True}]}, "Did you mean azuread"),
    ("Asset", {"attributes": [{"source": "azuread", "name": "createdDateTime", "lt": "x"}]}, "2026-11-23T04:05:06Z"),
    ("Asset", {"sources": {"has": "scna"}}, "Did you mean scan"),
    ("Asset", {"sources": {"has": "jamf"}}, "Sources: azuread"),
    ("Asset", {"addresses": {"inNetwork": ["lan"]}}, "fd00::/8"),
    ("Asset", {"id": {"eq": "user_1"}}, "asset_"),
]


@pytest.mark.parametrize(("noun", "where", "hint"), HELPED)
async def test_refusal_of_a_filter_says_what_was_probably_meant(world: World, noun: str, where: Any, hint: str) -> None:
    """A wrong source, name, network, time or id is answered with the nearest right one, or with how it is written."""
    text = f"query($w: {noun}Where) {{ {LISTS[noun]}(where: $w) {{ totalCount }} }}"
    answer = await world.caller().ask(text, w=where)
    assert answer.code == "BAD_USER_INPUT"
    assert hint in str(answer.problems[0].hint)


@pytest.mark.parametrize(("noun", "where", "place"), REFUSED, ids=[place for _, _, place in REFUSED])
async def test_filter_across_relations_is_refused_when_it_says_nothing_or_too_much(
    world: World, noun: str, where: Any, place: str
) -> None:
    """Null, empty objects, unknown attributes and unfit values: BAD_USER_INPUT with the place."""
    text = f"query($w: {noun}Where) {{ {LISTS[noun]}(where: $w) {{ totalCount }} }}"
    answer = await world.caller().ask(text, w=where)
    assert answer.code == "BAD_USER_INPUT"
    assert answer.problems[0].facts["path"] == place


@pytest.mark.parametrize("value", ["", "3", "d", "P", "PT", "-3d", "3 fortnights", "P1H", "1001y", "9" * 20 + "d"])
async def test_duration_is_refused_when_it_is_none(world: World, value: str) -> None:
    """A span of time that cannot be read, or leads out of the calendar, is refused before anything runs."""
    text = "query($d: Duration) { users(where: {createdAt: {olderThan: $d}}) { totalCount } }"
    assert (await world.caller().ask(text, d=value)).code == "BAD_USER_INPUT"
