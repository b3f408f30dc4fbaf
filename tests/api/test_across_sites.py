"""A tenant that is read into several sites: each of its objects once, with its sites, by `acrossSites`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pytest
from sqlalchemy import select, update

from schema.access import Principal, Role
from schema.field.registry import NOUNS
from server.simulator import Simulator
from sync.organization.organizations import create_organization, create_site
from sync.store.tables import directories
from tests.api.caller import Caller
from tests.api.lists import id_of
from tests.api.world import Row
from tests.end_to_end.installation import Installation

LISTS = {"User": "users", "Group": "groups"}
LIST = """
query($first: Int, $after: String, $across: Boolean!, $where: %(noun)sWhere) {
  found: %(list)s(first: $first, after: $after, acrossSites: $across, where: $where, orderBy: [{field: DISPLAY_NAME}]) {
    totalCount pageInfo { hasNextPage endCursor } nodes { id displayName externalId site { id } sites { nodes { id } } }
  }
}
"""


@dataclass
class Thing:
    """One object of a directory: its rows, that which stands for all first."""

    rows: list[Row]

    @property
    def sites(self) -> list[str]:
        """Return the sites that list it, by key."""
        return [f"site_{key}" for key in sorted(row["site_id"] for row in self.rows)]


@dataclass
class Place:
    """An organization that reads one tenant into three sites, and another tenant with the same ids into a fourth."""

    installation: Installation
    organization: int
    other: int
    second: int

    def caller(self, organization: int | None = None) -> Caller:
        """Return a caller of an organization."""
        return Caller(self.installation.runtime, Principal(1, organization or self.organization, Role.VIEWER, "v"))

    async def things(self, noun: str, organization: int) -> list[Thing]:
        """Return every object, read past the schema."""
        table = NOUNS[noun].table
        found = select(table, directories.c.tenant_id).join_from(table, directories)
        live = found.where(table.c.organization_id == organization, table.c.deleted_at.is_(None))
        async with self.installation.runtime.store.read() as tx:
            rows = [dict(row) for row in (await tx.execute(live)).mappings()]

        def thing(row: Row) -> Any:
            return row["tenant_id"].lower(), row["external_id"]

        rows.sort(key=lambda row: (*thing(row), row["directory_id"]))
        return [Thing(list(same)) for _, same in groupby(rows, thing)]


async def _furnish(installation: Installation) -> Place:
    """Read the tenant into sites at different times, so that each has something that the others have not."""
    store, clock, directory = installation.runtime.store, installation.clock, installation.simulator.directory
    home = installation.organization_id
    async with store.write() as tx:
        second, third, fourth = [await create_site(tx, clock, home, name) for name in ("Second", "Third", "Fourth")]
        other = await create_organization(tx, clock, "Other")
        away = await create_site(tx, clock, other, "Away")
    tasks = [installation.task_id]
    tasks += [await installation.add_task(f"T{site}", site_id=site) for site in (second, third, fourth)]
    for task in tasks:
        await installation.run(task)
    async with store.write() as tx:
        # Another tenant with the same ids, and the same one in other letters.
        mine = directories.c.site_id
        await tx.execute(update(directories).where(mine == fourth).values(tenant_id="another.example"))
        await tx.execute(
            update(directories).where(mine == third).values(tenant_id=installation.simulator.tenant_id.upper())
        )
    for kind in ("users", "groups"):
        ids = list(directory.ids(kind))
        directory.delete(kind, ids[0], permanently=True)
        directory.delete(kind, ids[1], permanently=False)
        directory.update(kind, ids[2], displayName="Changed")
    # The first site no longer has some that the second still lists.
    await installation.run(tasks[0])
    installation.organization_id, installation.site_id = other, away
    installation.credential_id = await installation.add_credential(installation.credential())
    await installation.run(await installation.add_task("Away"))
    installation.organization_id = home
    return Place(installation, home, other, second)


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """Return the place, read."""
    simulator = Simulator(users=23, devices=5, groups=11, seed=5)
    installation = Installation(simulator, tmp_path_factory.mktemp("across") / "data")
    await installation.open()
    try:
        await installation.furnish()
        yield await _furnish(installation)
    finally:
        await installation.close()


def by_id(noun: str, things: list[Thing]) -> Iterator[tuple[str, list[str]]]:
    """Yield the id of the row that stands for each object, and the object's sites."""
    for thing in things:
        yield id_of(noun, thing.rows[0]), thing.sites


async def walked(caller: Caller, noun: str, **variables: Any) -> list[Any]:
    """Walk a list page by page."""
    nodes: list[Any] = []
    after = None
    while True:
        text = LIST % {"noun": noun, "list": LISTS[noun]}
        found = (await caller.data(text, **({"first": 4, "after": after, "across": True} | variables)))["found"]
        nodes += found["nodes"]
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            assert found["totalCount"] == len(nodes)
            return nodes


@pytest.mark.parametrize("noun", LISTS)
async def test_each_object_is_listed_once_with_its_sites(place: Place, noun: str) -> None:
    """By pages in an order, and counted: one row for each object of each tenant, that of its first directory."""
    things = await place.things(noun, place.organization)
    assert {len(thing.rows) for thing in things} == {1, 2, 3}
    nodes = await walked(place.caller(), noun)
    shown = {node["id"]: [site["id"] for site in node["sites"]["nodes"]] for node in nodes}
    assert len(shown) == len(nodes) and shown == dict(by_id(noun, things))
    order = await walked(place.caller(), noun, across=False)
    assert [node["id"] for node in nodes] == [node["id"] for node in order if node["id"] in shown]


@pytest.mark.parametrize("noun", LISTS)
async def test_every_row_is_listed_unless_it_is_asked_for(place: Place, noun: str) -> None:
    """Without the argument each site has its own, and each row knows all the sites of its object."""
    things = await place.things(noun, place.organization)
    nodes = await walked(place.caller(), noun, across=False)
    expected = {id_of(noun, row): thing.sites for thing in things for row in thing.rows}
    assert {node["id"]: [site["id"] for site in node["sites"]["nodes"]] for node in nodes} == expected


@pytest.mark.parametrize("noun", LISTS)
async def test_objects_of_a_site_are_found_by_their_sites(place: Place, noun: str) -> None:
    """A filter across `sites` finds what a site lists, whichever row stands for it; counts of sites work alike."""
    things = await place.things(noun, place.organization)
    site = f"site_{place.second}"
    for where, expected in (
        ({"sites": {"some": {"id": {"eq": site}}}}, [thing for thing in things if site in thing.sites]),
        ({"sites": {"count": {"gte": 3}}}, [thing for thing in things if len(thing.sites) >= 3]),
        ({"displayName": {"eq": "Changed"}}, [t for t in things if t.rows[0]["display_name"] == "Changed"]),
    ):
        nodes = await walked(place.caller(), noun, where=where)
        assert expected and {node["id"] for node in nodes} == {key for key, _ in by_id(noun, expected)}


@pytest.mark.parametrize("noun", LISTS)
async def test_aggregate_counts_each_object_once(place: Place, noun: str) -> None:
    """In all, and in groups, which add up to it."""
    things = await place.things(noun, place.organization)
    text = f"""{{ found: {LISTS[noun]}Aggregate(acrossSites: true, groupBy: [{{field: DISPLAY_NAME}}], first: 1000) {{
      count groups {{ keys {{ value }} count }}
    }} }}"""
    found = (await place.caller().data(text))["found"]
    assert found["count"] == len(things) == sum(group["count"] for group in found["groups"])
    names = [thing.rows[0]["display_name"] for thing in things]
    assert {group["keys"][0]["value"]: group["count"] for group in found["groups"]} == {
        name: names.count(name) for name in names
    }


@pytest.mark.parametrize("noun", LISTS)
async def test_objects_of_another_organization_are_neither_merged_nor_shown(place: Place, noun: str) -> None:
    """Two organizations that read the same tenant know nothing of each other."""
    things = await place.things(noun, place.other)
    nodes = await walked(place.caller(place.other), noun)
    shown = {node["id"]: [site["id"] for site in node["sites"]["nodes"]] for node in nodes}
    assert shown == dict(by_id(noun, things)) and {len(sites) for sites in shown.values()} == {1}


async def test_cursor_of_the_whole_list_is_refused_where_each_object_is_listed_once(place: Place) -> None:
    """The two are different lists."""
    text = LIST % {"noun": "User", "list": "users"}
    page = await place.caller().data(text, first=2, across=False)
    answer = await place.caller().ask(text, first=2, across=True, after=page["found"]["pageInfo"]["endCursor"])
    assert answer.code == "BAD_CURSOR"


async def test_device_of_several_sites_is_an_asset_in_each(place: Place) -> None:
    """Assets have no `acrossSites`: a device is found in every site by its object id, and counted by it."""
    text = "{ assetsAggregate(first: 1000, groupBy: [{azureAd: EXTERNAL_ID}]) { groups { keys { value } count } } }"
    groups = (await place.caller().data(text))["assetsAggregate"]["groups"]
    shown = {group["keys"][0]["value"]: group["count"] for group in groups}
    things = await place.things("AzureAdDevice", place.organization)
    expected: dict[str, set[int]] = {}
    for row in (row for thing in things for row in thing.rows if row["asset_id"] is not None):
        expected.setdefault(row["external_id"], set()).add(row["asset_id"])
    assert shown == {external_id: len(found) for external_id, found in expected.items()}
    some, found = max(expected.items(), key=lambda item: len(item[1]))
    where = {"azureAd": {"some": {"externalId": {"eq": some}}}}
    nodes = await place.caller().data("query($w: AssetWhere) { assets(where: $w) { nodes { id } } }", w=where)
    assert {node["id"] for node in nodes["assets"]["nodes"]} == {f"asset_{key}" for key in found}
    assert len(found) > 1
    assert {name for name, noun in NOUNS.items() if noun.stands_for_all is not None} == set(LISTS)
