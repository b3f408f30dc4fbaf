"""The planner reads lists and relations through an index, never a whole table; asked of SQLite itself."""

from __future__ import annotations

import sqlite3

import pytest

from schema import build_schema
from schema.plan import Plans
from tests.api.test_plan import asked
from tests.api.world import World

# Document → the table that must not be scanned.
INDEXED = {
    "{ assets(first: 50) { nodes { id name } } }": "assets",
    "{ users(first: 50, orderBy: [{field: DISPLAY_NAME}]) { nodes { id } } }": "users",
    "{ groups(first: 50, orderBy: [{field: DISPLAY_NAME, direction: DESC}]) { nodes { id } } }": "groups",
    "{ assets(first: 50, orderBy: [{field: LAST_SEEN}]) { nodes { id } } }": "assets",
    '{ assets(where: {os: {eq: "Windows"}}) { totalCount } }': "assets",
    "{ users { totalCount } }": "users",
    "{ groups { nodes { users { totalCount nodes { id } } } } }": "edges",
    "{ users { nodes { ownedAssets { nodes { id } } manager { id } } } }": "edges",
    "{ assets { nodes { owners { nodes { id } } azureAd { id } matches { key } } } }": "devices",
}


# Look-up → the index that leads to its row.
LOOKED_UP = {
    '{ asset(by: {name: "x"}) { id } }': "ix_assets_live_name",
    '{ asset(by: {serial: "x"}) { id } }': "ix_assets_live_serial",
    '{ user(by: {externalId: "x"}) { id } }': "ix_users_live_external_id",
    '{ user(by: {userPrincipalName: "x"}) { id } }': "ix_users_live_user_principal_name",
    '{ group(by: {externalId: "x"}) { id } }': "ix_groups_live_external_id",
}


@pytest.mark.parametrize("text", INDEXED)
async def test_list_is_read_through_an_index(office: World, text: str) -> None:
    """Of no statement does the planner say that it scans the table; without statistics it takes tables to be large."""
    steps = await planned_steps(office, text)
    assert [step for step in steps if step == f"SCAN {INDEXED[text]}"] == []


@pytest.mark.parametrize("text", LOOKED_UP)
async def test_row_is_looked_up_through_the_index_of_its_key(office: World, text: str) -> None:
    """A look-up costs one row, not one organization."""
    (step,) = await planned_steps(office, text)
    assert f"USING INDEX {LOOKED_UP[text]} " in step


async def planned_steps(office: World, text: str) -> list[str]:
    """Return what the planner says of each statement of a document's plan."""
    statements: list[str] = []
    here = office.runtime.store.here
    here.run(lambda connection: connection.set_trace_callback(statements.append), time_s=1)
    assert await Plans(build_schema(), office.runtime).answer(asked(text), office.caller().principal) is not None
    here.run(lambda connection: connection.set_trace_callback(None), time_s=1)

    def explain(connection: sqlite3.Connection) -> list[str]:
        found = [one for one in statements if one.startswith("SELECT")]
        return [row[3] for one in found for row in connection.execute("EXPLAIN QUERY PLAN " + one)]

    return here.run(explain, time_s=1)
