"""Aggregates count exactly what the rows say: grouped by any field, by relations and by attributes, in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import select

from schema.field.registry import LISTS, NOUNS
from schema.list.aggregate import RECEIVED, is_groupable
from sync.store.tables import devices, raw
from tests.api.lists import value_of, visible
from tests.api.world import Row, World

ROOTS = {"Asset": "assetsAggregate", "User": "usersAggregate", "Group": "groupsAggregate"}
FIELDS = [(noun, field.name) for noun in ROOTS for field in NOUNS[noun].fields.values() if is_groupable(field)]
GROUPS = "count groupCount groups { count keys { field value } }"
Groups = dict[tuple[Any, ...], int]


async def ask(world: World, organization: int, noun: str, group_by: list[Any], **more: Any) -> dict[str, Any]:
    """Ask for an aggregate and return it."""
    head = f"query($by: [{noun}GroupBy!], $where: {noun}Where, $first: Int)"
    text = f"{head} {{ {ROOTS[noun]}(groupBy: $by, where: $where, first: $first) {{ {GROUPS} }} }}"
    variables = {"first": 1_000, "by": group_by, **more}
    data: dict[str, Any] = (await world.caller(organization=organization).data(text, **variables))[ROOTS[noun]]
    assert [group["count"] for group in data["groups"]] == sorted((g["count"] for g in data["groups"]), reverse=True)
    return data


def shown(aggregate: dict[str, Any]) -> Groups:
    """Return values → count, each combination of which must be there once."""
    found = [tuple(repr(key["value"]) for key in group["keys"]) for group in aggregate["groups"]]
    assert len(found) == len(set(found))
    return dict(zip(found, (group["count"] for group in aggregate["groups"]), strict=True))


def counted(values: Iterable[Iterable[Any]]) -> Groups:
    """Count rows, each with all of its values; one without any counts under null."""
    return dict(Counter((repr(value),) for row in values for value in (dict.fromkeys(row) or [None])))


def values_of(noun: str, name: str, row: Row) -> list[Any]:
    """Return the values of a field in a row: the elements of a list."""
    field = NOUNS[noun].fields[name]
    value = value_of(field, row)
    return list(value or ()) if field.kind in LISTS else [value]


@pytest.mark.slow(cases=40)
@pytest.mark.parametrize("place", ["home", "beta"])
@pytest.mark.parametrize(("noun", "name"), FIELDS)
async def test_rows_are_counted_by_each_groupable_field(world: World, noun: str, name: str, place: str) -> None:
    """Each field of the registry groups: plain values with null as one of them, lists by element."""
    organization: int = getattr(world, place)
    rows = await visible(world, noun, world.caller(organization=organization))
    aggregate = await ask(world, organization, noun, [{"field": name.upper()}])
    assert shown(aggregate) == counted(values_of(noun, name, row) for row in rows)
    assert aggregate["count"] == len(rows)
    assert aggregate["groupCount"] == len(aggregate["groups"])
    assert {key["field"] for group in aggregate["groups"] for key in group["keys"]} == {
        NOUNS[noun].fields[name].graphql_name
    }


async def test_rows_are_counted_by_several_keys_together(world: World) -> None:
    """Two keys make one group for each combination that occurs."""
    rows = await visible(world, "User", world.caller(organization=world.beta))
    aggregate = await ask(world, world.beta, "User", [{"field": "ACCOUNT_ENABLED"}, {"field": "BUSINESS_PHONES"}])
    expected = Counter(
        (repr(row["account_enabled"]), repr(phone))
        for row in rows
        for phone in dict.fromkeys(row["business_phones"] or ()) or [None]
    )
    assert shown(aggregate) == dict(expected)


async def test_rows_are_counted_as_one_group_when_nothing_is_grouped_by(world: World) -> None:
    """Without groupBy there is one group without keys."""
    aggregate = await ask(world, world.beta, "Group", [])
    assert aggregate["groups"] == [{"count": aggregate["count"], "keys": []}]


async def test_rows_are_counted_among_those_that_the_filter_leaves(world: World) -> None:
    """`where` narrows the count and the groups as it narrows the list."""
    aggregate = await ask(world, world.beta, "User", [{"field": "CITY"}], where={"accountEnabled": {"eq": True}})
    rows = await visible(world, "User", world.caller(organization=world.beta))
    enabled = [row for row in rows if row["account_enabled"]]
    assert aggregate["count"] == len(enabled)
    assert shown(aggregate) == counted([row["city"]] for row in enabled)


@pytest.mark.parametrize("place", ["home", "beta"])
@pytest.mark.parametrize(
    ("noun", "relation", "field", "attribute"),
    [
        ("Asset", "owners", "DEPARTMENT", "department"),
        ("Asset", "groups", "DISPLAY_NAME", "displayName"),
        ("User", "groups", "KIND", "kind"),
        ("User", "directReports", "OTHER_MAILS", "otherMails"),
        ("Group", "memberOf", "VISIBILITY", "visibility"),
    ],
)
async def test_rows_are_counted_by_a_field_of_what_a_relation_leads_to(
    world: World, noun: str, relation: str, field: str, attribute: str, place: str
) -> None:
    """A row counts once for each value that its related rows have; what the caller may not see is as absent."""
    organization: int = getattr(world, place)
    aggregate = await ask(world, organization, noun, [{relation: field}])
    root = ROOTS[noun].removesuffix("Aggregate")
    text = f"{{ {root}(first: 1000) {{ nodes {{ {relation}(first: 1000) {{ nodes {{ {attribute} }} }} }} }} }}"
    nodes = (await world.caller(organization=organization).data(text))[root]["nodes"]
    assert shown(aggregate) == counted(
        [element for other in node[relation]["nodes"] for element in _elements(other[attribute])] for node in nodes
    )
    assert {key["field"] for group in aggregate["groups"] for key in group["keys"]} == {f"{relation}.{attribute}"}


def _elements(value: Any) -> list[Any]:
    return (value or [None]) if isinstance(value, list) else [value]


async def test_rows_are_counted_by_the_one_row_they_belong_to(world: World) -> None:
    """A relation to one row groups as well: assets by the name of their site."""
    rows = await visible(world, "Asset", world.caller(organization=world.beta))
    sites = {row["id"]: row["name"] for row in await visible(world, "Site", world.caller(organization=world.beta))}
    aggregate = await ask(world, world.beta, "Asset", [{"site": "NAME"}])
    assert shown(aggregate) == counted([sites[row["site_id"]]] for row in rows)


@pytest.mark.parametrize(
    "name", ["trustType", "isCompliant", "extensionAttributes.extensionAttribute1", "extensionAttributes.none", "id.x"]
)
async def test_assets_are_counted_by_an_attribute_of_their_source(world: World, name: str) -> None:
    """An attribute groups by the value that Azure AD gave, with its type; an asset of several records by each."""
    rows = await visible(world, "Asset", world.caller())
    items = await world.read(
        select(devices.c.asset_id, raw.c.item)
        .join_from(devices, raw, raw.c.object_id == devices.c.id)
        .where(devices.c.deleted_at.is_(None), devices.c.asset_id.is_not(None))
    )
    found: dict[int, list[Any]] = {row["id"]: [] for row in rows}
    for item in items:
        value: Any = item["item"]
        for step in name.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if item["asset_id"] in found:
            found[item["asset_id"]].append(value)
    aggregate = await ask(world, world.home, "Asset", [{"attribute": {"source": "azuread", "name": name}}])
    assert shown(aggregate) == counted(found.values())
    assert aggregate["groups"][0]["keys"][0]["field"] == f"azuread.{name}"


async def test_users_are_counted_by_an_attribute_of_their_source(world: World) -> None:
    """Users and groups have attributes too: what was received of them."""
    aggregate = await ask(world, world.home, "User", [{"attribute": {"source": "azuread", "name": "department"}}])
    assert shown(aggregate) == shown(await ask(world, world.home, "User", [{"field": "DEPARTMENT"}]))


@pytest.mark.parametrize(
    ("source", "written", "name"),
    [
        ("Entra", "TRUSTTYPE", "trustType"),
        ("azuread", "extensionattribute1", "extensionAttributes.extensionAttribute1"),
    ],
)
async def test_attribute_is_known_in_any_letter_case_and_its_source_by_an_alias(
    world: World, source: str, written: str, name: str
) -> None:
    """What filters understand groups too, and the answer names it as the source does."""
    aggregate = await ask(world, world.home, "Asset", [{"attribute": {"source": source, "name": written}}])
    plain = await ask(world, world.home, "Asset", [{"attribute": {"source": "azuread", "name": name}}])
    assert shown(aggregate) == shown(plain)
    assert aggregate["groups"][0]["keys"][0]["field"] == f"azuread.{name}"


async def test_groups_are_the_largest_when_there_are_more_than_asked_for(world: World) -> None:
    """`first` keeps the largest groups, in the same order every time; groupCount tells that there are more."""
    whole = await ask(world, world.home, "User", [{"field": "DEPARTMENT"}])
    assert whole["groupCount"] > 3
    part = await ask(world, world.home, "User", [{"field": "DEPARTMENT"}], first=3)
    assert part["groups"] == whole["groups"][:3]
    assert part["groupCount"] == whole["groupCount"]


@pytest.mark.parametrize(
    ("group_by", "first", "path"),
    [
        ([{"attribute": {"source": "nowhere", "name": "a"}}], 1, "groupBy[0].attribute.source"),
        ([{"attribute": {"source": "azuread", "name": 'a"b'}}], 1, "groupBy[0].attribute.name"),
        ([{"attribute": {"source": "azuread", "name": 'extensionAttributes.a"b'}}], 1, "groupBy[0].attribute.name"),
        ([{"attribute": {"source": "azuread", "name": "nothing"}}], 1, "groupBy[0].attribute.name"),
        ([{"attribute": {"source": "scan", "name": "model"}}], 1, "groupBy[0].attribute.source"),
        ([{"field": "OS"}, {"attribute": {"source": "azuread", "name": ""}}], 1, "groupBy[1].attribute.name"),
        ([{"field": "OS"}] * 4, 1, "groupBy"),
        ([], 0, "first"),
        ([], 1_001, "first"),
    ],
)
async def test_aggregate_is_refused_when_its_arguments_cannot_be_used(
    world: World, group_by: list[Any], first: int, path: str
) -> None:
    """A source or name that cannot be, too many keys, a size out of range: BAD_USER_INPUT, and where."""
    text = "query($by: [AssetGroupBy!], $first: Int) { assetsAggregate(groupBy: $by, first: $first) { count } }"
    answer = await world.caller().ask(text, by=group_by, first=first)
    assert answer.code == "BAD_USER_INPUT"
    assert answer.problems[0].facts["path"] == path


def test_aggregates_exist_for_every_noun_that_has_attributes() -> None:
    """The tables of the tests and of the program name the same nouns."""
    assert set(ROOTS) == set(RECEIVED)
