"""The planner reads lists and relations through an index, never a whole table; asked of SQLite itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial

import pytest

from schema import build_schema
from schema.plan import Plans
from tests.api.test_plan import asked
from tests.api.test_statements import counted
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

# Counts that are read from an index alone, and what leads to a part of a text.
COUNTED = {
    "{ assets { totalCount } }": "COVERING INDEX",
    '{ assets(where: {os: {eq: "Windows"}}) { totalCount } }': "COVERING INDEX ix_assets_live_os",
    '{ assets(where: {os: {eq: "Windows"}, lastSeen: {olderThan: "30d"}}) { totalCount } }': (
        "COVERING INDEX ix_assets_live_os_last_seen"
    ),
    '{ assets(where: {type: {eq: "Server"}}) { totalCount } }': "COVERING INDEX ix_assets_live_type",
    '{ assets(search: "source:scan not source:azuread") { totalCount } }': "COVERING INDEX ix_assets_live_source_mask",
    "{ users(where: {accountEnabled: {eq: false}}) { totalCount } }": "COVERING INDEX ix_users_live_account_enabled",
    '{ assets(where: {name: {contains: "abc"}}, orderBy: [{field: NAME}]) { nodes { id } } }': "SCAN grams",
    '{ assets(search: "fin%-laptop") { totalCount } }': "SCAN grams",
    '{ assets(search: "owner:smith") { nodes { id } } }': "SCAN grams",
    '{ assets(search: "10.1.2.3") { nodes { id } } }': "SCAN grams",
    '{ users(search: "smith", orderBy: [{field: DISPLAY_NAME}]) { nodes { id } } }': "SCAN grams",
    '{ assets(where: {manufacturer: {eq: "Contoso"}}, orderBy: [{field: NAME}]) { nodes { id } } }': "SCAN grams",
    '{ users(where: {department: {in: ["Sales", "Legal"]}}) { totalCount } }': "SCAN grams",
    '{ groups(where: {email: {endsWith: "@contoso.example"}}) { nodes { id } } }': "SCAN grams",
}


@pytest.mark.parametrize("text", COUNTED)
async def test_count_and_search_are_read_through_their_index(office: World, text: str) -> None:
    """Each has an index made for it."""
    steps = await steps_of(office, text)
    assert any(COUNTED[text] in step for step in steps), steps


async def test_search_compares_the_rows_an_index_leads_to(office: World) -> None:
    """What the index of texts leads to is read by key; an index that says nothing of the text is not chosen instead."""
    text = (
        '{ assets(where: {os: {eq: "Windows"}, name: {contains: "abc"}}, orderBy: [{field: NAME}]) { nodes { id } } }'
    )
    assert "SEARCH assets USING INTEGER PRIMARY KEY (rowid=?)" in await steps_of(office, text)


# What is grouped by → how the rows are read.
GROUPED = {
    "{field: OS}": "COVERING INDEX ix_assets_live_os",
    "{field: TYPE}": "COVERING INDEX ix_assets_live_type",
    "{field: OS}, {field: TYPE}": "INDEX ix_assets_live_id",
    "{field: MANUFACTURER}": "INDEX ix_assets_live_id",
    "{field: NAMES}": "INDEX ix_assets_live_id",
}


@pytest.mark.parametrize("keys", GROUPED)
async def test_groups_are_counted_through_their_index_or_row_by_row(office: World, keys: str) -> None:
    """An index that has all that is asked, or else the order in which the rows lie."""
    caller = office.caller()
    text = f"{{ assetsAggregate(groupBy: [{keys}]) {{ groups {{ count }} groupCount }} }}"
    with counted(office) as statements:
        assert await caller.data(text)
    assert len(statements) == 2
    for statement in statements:

        def explain(connection: sqlite3.Connection, _: object, statement: str = statement) -> list[str]:
            return [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, [1] * statement.count("?"))]

        steps = office.runtime.store.here.run(explain, time_s=10)
        assert any(GROUPED[keys] in step for step in steps), steps


# A condition whose rows an index counts before a page is walked in another order → that index.
COUNTED_FIRST = {
    'assets(where: {os: {eq: "AIX"}}, orderBy: [{field: NAME}])': "ix_assets_live_os",
    'assets(where: {os: {in: ["AIX", "HP-UX"]}, alive: {eq: true}}, orderBy: [{field: NAME}])': "ix_assets_live_os",
    'assets(where: {type: {eq: "Server"}}, orderBy: [{field: LAST_SEEN, direction: DESC}])': "ix_assets_live_type",
    'assets(where: {lastSeen: {newerThan: "1d"}}, orderBy: [{field: NAME}])': "ix_assets_live_last_seen",
    'assets(search: "source:scan not source:azuread", orderBy: [{field: NAME}])': "ix_assets_live_source_mask",
    "users(where: {accountEnabled: {eq: false}}, orderBy: [{field: DISPLAY_NAME}])": "ix_users_live_account_enabled",
}


@pytest.mark.parametrize("listed", COUNTED_FIRST)
async def test_condition_leads_to_a_page_when_few_rows_satisfy_it(office: World, listed: str) -> None:
    """The index of the condition is asked, which has the keys in it; the rows it leads to are read by key."""
    steps = await steps_of(office, f"{{ {listed} {{ nodes {{ id }} }} }}")
    noun = listed.partition("(")[0]
    assert any(f"SEARCH {noun} USING COVERING INDEX {COUNTED_FIRST[listed]}" in step for step in steps), steps
    assert f"SEARCH {noun} USING INTEGER PRIMARY KEY (rowid=?)" in steps


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
    assert f"SCAN {INDEXED[text]}" not in await steps_of(office, text)


@pytest.mark.parametrize("text", LOOKED_UP)
async def test_row_is_looked_up_through_the_index_of_its_key(office: World, text: str) -> None:
    """A look-up costs one row, not one organization."""
    (step,) = await steps_of(office, text)
    assert f"INDEX {LOOKED_UP[text]} (" in step


async def traced(office: World, text: str) -> list[str]:
    """Return the statements that a plan runs for a query, with their values.

    On a busy machine a plan is broken off and begins anew in a lane: those of where it ended are returned.
    """
    here: list[str] = []
    quick: list[str] = []
    slow: list[str] = []
    await _trace(office, here.append, quick.append, slow.append)
    assert await Plans(build_schema(), office.runtime).answer(asked(text), office.caller().principal) is not None
    await _trace(office, None, None, None)
    found = ([one for one in place if one.startswith(("SELECT", "WITH"))] for place in (slow, quick, here))
    return next(filter(None, found), [])


async def _trace(office: World, *notes: Callable[[str], None] | None) -> None:
    """Let each reader of plans note its statements: the one beside the requests, and those of the two lanes."""
    store = office.runtime.store
    here, quick, slow = (partial(_note, note) for note in notes)
    store.here.run(here, time_s=10)
    await store.quick.run(quick, time_s=10)
    await store.slow.run(slow, time_s=10)


def _note(note: Callable[[str], None] | None, connection: sqlite3.Connection, _: object) -> None:
    connection.set_trace_callback(note)


async def steps_of(office: World, text: str) -> list[str]:
    """Return what the planner says it does for a query."""
    statements = await traced(office, text)

    def explain(connection: sqlite3.Connection, _: object) -> list[str]:
        return [row[3] for one in statements for row in connection.execute("EXPLAIN QUERY PLAN " + one)]

    return office.runtime.store.here.run(explain, time_s=10)
