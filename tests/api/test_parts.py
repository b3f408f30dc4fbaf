"""Parts of texts: the index behind a search changes how rows are found, never which."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import insert, select, update

from schema.field.registry import NOUNS
from schema.field.rows import rows_of
from schema.filter.access_path import by_parts, select_keys
from schema.filter.candidates import candidates
from schema.filter.where import Viewpoint, clause
from schema.search import parse_search
from sync.organization.organizations import next_version
from sync.store import gram
from sync.store.tables import assets, sites
from tests.api.caller import Caller
from tests.api.rows import Rows
from tests.api.test_plan import planned
from tests.api.world import World

FOUND = "query($s: String) { assets(first: 1000, search: $s, orderBy: [{field: NAME}]) { totalCount nodes { name } } }"
TEXTS = {
    "Asset": ["alphabet", "name:=alpha", "%pha", "os:alp%bet or straße", "ALPHA alp", "comment:nothing", "tag:=äpfel"],
    "User": ["alphabet", "upn:alp%", "title:engineer or alpha", "first_name:alpha last_name:zeta"],
}


async def names(caller: Caller, search: str) -> list[str]:
    """Return the names of the assets that a search finds, as the executor and a plan agree on."""
    data = await caller.data(FOUND, s=search)
    answer = await planned(caller, FOUND, s=search)
    assert answer is not None
    nodes = data["assets"]["nodes"]
    assert data["assets"]["totalCount"] == len(nodes)
    return [node["name"] for node in nodes]


@pytest.mark.slow(cases=15)
@pytest.mark.parametrize("most", [0, 1, 5, 10_000])
@pytest.mark.parametrize(("noun", "search"), [(noun, text) for noun, texts in TEXTS.items() for text in texts])
async def test_both_ways_to_the_rows_lead_to_the_same(world: World, noun: str, search: str, most: int) -> None:
    """Few candidates or many, from whichever number on they are many: the rows are those of the filter alone."""
    entry, expr = NOUNS[noun], parse_search(noun, search)
    for organization in (world.home, world.beta, world.gamma):
        viewpoint = Viewpoint(world.caller(organization=organization).principal, world.runtime.clock.now())
        found = candidates(entry, expr, organization)
        assert found is not None
        rows = rows_of(entry, viewpoint.principal).where(clause(entry, expr, viewpoint)).order_by(entry.key)
        plain = [row["id"] for row in await world.read(rows)]
        shorter = select(select_keys(rows, entry.key, [by_parts(found, most)]).subquery())
        assert sorted(row["id"] for row in await world.read(shorter)) == plain
        cut = select(select_keys(rows, entry.key, [by_parts(found, most)], 2).subquery())
        assert sorted(row["id"] for row in await world.read(cut)) == plain[:2]


async def write(world: World, organization: int, key: int, **values: object) -> None:
    """Write an asset as a sync does."""
    async with world.runtime.store.write() as tx:
        version = await tx.run_sync(next_version, organization)
        statement = update(assets).where(assets.c.id == key).values(version=version, **values)
        if (await tx.execute(statement)).rowcount == 0:
            site = await tx.scalar(select(sites.c.id).where(sites.c.organization_id == organization).limit(1))
            row = Rows(organization, seed=key).row(assets, id=key, site_id=site, version=version, **values)
            await tx.execute(insert(assets).values(row))


async def test_search_follows_the_rows_through_changes(office: World) -> None:
    """Written, renamed, removed, restored, also in another organization: each search tells what is there now."""
    here, there = office.caller(), office.caller(organization=office.beta)
    await write(office, office.beta, 9_001, name="quartz-02", names=["quartz-02"])
    for values, quartz, basalt in (
        ({"name": "quartz-01", "names": ["quartz-01"]}, ["quartz-01"], []),
        ({"name": "basalt-01", "names": ["basalt-01"]}, [], ["basalt-01"]),
        ({"deleted_at": "2026-11-23T04:05:06.123Z"}, [], []),
        ({"deleted_at": None, "name": "quartz-03", "names": ["quartz-03"]}, ["quartz-03"], []),
    ):
        await write(office, office.home, 9_000, **values)
        for _ in range(2):
            assert await names(here, "name:quartz") == quartz
            assert await names(here, "name:basalt") == basalt
            assert await names(there, "name:quartz") == ["quartz-02"]
            await office.runtime.indexer.catch_up()


@pytest.mark.parametrize("operator", ["in", "hasAny"])
async def test_plan_answers_a_list_of_values_itself(
    office: World, caplog: pytest.LogCaptureFixture, operator: str
) -> None:
    """A filter by several values is compiled as any other, not left to the executor."""
    field = "os" if operator == "in" else "names"
    text = f'{{ assets(where: {{{field}: {{{operator}: ["a", "b"]}}}}) {{ nodes {{ id }} totalCount }} }}'
    with caplog.at_level(logging.WARNING, "rollcall.plan"):
        assert await planned(office.caller(), text) is not None
    assert caplog.records == []


def test_every_text_that_words_are_looked_for_in_is_indexed() -> None:
    """One that is not would make each word a comparison with every row."""
    for name in ("Asset", "User", "Group", "AzureAdDevice"):
        for field in NOUNS[name].filterable().values():
            assert not field.is_text or gram.match(field.column, ["abc"]), field.name
