"""A page is read by the shorter path, an index of its order or one of a condition; both give the same page."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bench.inventory import Size, build
from schema.field.registry import NOUNS
from schema.field.rows import rows_of
from schema.filter.access_path import by_parts, by_range, select_keys, ways
from schema.filter.candidates import candidates
from schema.filter.expr import And, Compare, Expr, Not, Op, Or
from schema.filter.where import Viewpoint, clause
from sync.runtime import Config, Runtime
from sync.store.statement.function import register
from tests.api.rows import TIMES
from tests.api.test_indexes import traced
from tests.api.world import World

CONDITIONS: dict[str, tuple[str, Expr]] = {
    "equal": ("Asset", Compare("os", Op.EQ, "alpha")),
    "equal, nowhere": ("Asset", Compare("os", Op.EQ, "OS/2")),
    "one of some": ("Asset", Compare("type", Op.IN, ("alpha", "Zeta", "nope"))),
    "one of none": ("Asset", Compare("type", Op.IN, ())),
    "a range": ("Asset", Compare("last_seen", Op.GTE, TIMES[2])),
    "between": ("Asset", And((Compare("last_seen", Op.GT, TIMES[0]), Compare("last_seen", Op.LT, TIMES[4])))),
    "an age": ("Asset", Compare("last_seen", Op.OLDER_THAN, 86_400)),
    "missing": ("Asset", Compare("serial", Op.IS_NULL, True)),
    "there": ("Asset", Compare("serial", Op.IS_NULL, False)),
    "a source": ("Asset", Compare("sources", Op.HAS, "azuread")),
    "not a source": ("Asset", Not(Compare("sources", Op.HAS, "scan"))),
    "not a source at all": ("Asset", Not(Compare("sources", Op.HAS_ANY, ("nope",)))),
    "all sources": ("Asset", Compare("sources", Op.HAS_ALL, ("azuread", "scan"))),
    "any source": ("Asset", Compare("sources", Op.IS_EMPTY, False)),
    "two columns": ("Asset", And((Compare("os", Op.EQ, "alpha"), Compare("sources", Op.HAS, "azuread")))),
    "beside others": ("Asset", And((Compare("os", Op.NE, "alpha"), And((Compare("type", Op.EQ, "zeta"),))))),
    "beside parts": ("Asset", And((Compare("os", Op.EQ, "alphabet"), Compare("model", Op.CONTAINS, "alp")))),
    "equal, by grams": ("Asset", Compare("manufacturer", Op.EQ, "alpha")),
    "a flag": ("User", Compare("account_enabled", Op.EQ, False)),
    "a short text, by grams": ("User", And((Compare("department", Op.EQ, "9"), Compare("city", Op.EQ, "zeta")))),
}


@pytest.mark.slow(cases=25)
@pytest.mark.parametrize("most", [0, 1, 5, 10_000])
@pytest.mark.parametrize("name", CONDITIONS)
async def test_every_way_leads_to_the_same_rows(world: World, name: str, most: int) -> None:
    """Few rows or many, from whichever number on they are many: the rows are those of the filter alone."""
    noun, expr = NOUNS[CONDITIONS[name][0]], CONDITIONS[name][1]
    for organization in (world.home, world.beta):
        viewpoint = Viewpoint(world.caller(organization=organization).principal, world.runtime.clock.now())
        found = candidates(noun, expr, organization)
        paths = [by_range(rows, most) for rows in ways(noun, expr, viewpoint).ranges.values()]
        paths += [by_parts(found, most)] if found else []
        assert paths
        rows = rows_of(noun, viewpoint.principal).where(clause(noun, expr, viewpoint)).order_by(noun.key)
        plain = [row["id"] for row in await world.read(rows)]
        for size, expected in ((-1, plain), (2, plain[:2])):
            got = await world.read(select(select_keys(rows, noun.key, paths, size).subquery()))
            assert sorted(row["id"] for row in got) == expected


@pytest.mark.parametrize("expr", [
    Or((Compare("os", Op.EQ, "alpha"), Compare("alive", Op.EQ, True))),
    Not(Compare("os", Op.EQ, "alpha")),
    Compare("os", Op.NE, "alpha"),
    Compare("alive", Op.EQ, True),
], ids=["or", "not", "unequal", "unindexed"])  # fmt: skip
async def test_index_is_not_asked_what_it_cannot_tell(world: World, expr: Expr) -> None:
    """A condition that need not hold, or that an index does not have in one place, has no path."""
    viewpoint = Viewpoint(world.caller().principal, world.runtime.clock.now())
    assert ways(NOUNS["Asset"], expr, viewpoint).ranges == {}


@pytest.fixture(scope="module")
async def large(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Return an installation in which it shows how many rows a statement looks at."""
    data_dir: Path = tmp_path_factory.mktemp("large") / "data"
    await build(data_dir, Size(ASSETS, 100, 10))
    runtime = await Runtime.open(Config(data_dir), run_tasks=False)
    try:
        yield World(runtime, None, home=1)  # type: ignore[arg-type] # no directory is asked
    finally:
        await runtime.close()


ASSETS = 8_000
# Conditions that few or no rows satisfy, and some that thousands do: each with an order that has an index.
RARE = [
    'where: {os: {eq: "AIX"}}',
    'where: {os: {in: ["AIX", "HP-UX"]}}',
    'where: {os: {eq: "Windows"}, type: {eq: "Printer"}}',
    'where: {manufacturer: {eq: "Nobody"}}',
    'where: {lastSeen: {newerThan: "1h"}}',
    'search: "source:scan"',
    'search: "os:=aix"',
    'search: "zebra"',
]
COMMON = ['where: {os: {eq: "Windows"}}', 'where: {manufacturer: {eq: "Contoso"}}', 'search: "not source:scan"', ""]
ORDERS = ["NAME", "LAST_SEEN", "ID"]


@pytest.mark.slow(cases=12)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("narrowed", [*RARE, *COMMON])
async def test_page_costs_no_walk_through_the_inventory(large: World, narrowed: str, order: str) -> None:
    """The database takes less than one step of its machine for each asset, where looking at one takes ten or more."""
    text = f"{{ assets(first: 50, {narrowed} orderBy: [{{field: {order}}}]) {{ nodes {{ id }} }} }}"
    statements = await traced(large, text)
    assert sum(_steps(large, statement) for statement in statements) < STEPS_MAX


STEPS_MAX = 2 * ASSETS
_STEP = 50


def _steps(large: World, statement: str) -> int:
    """Return how many steps of SQLite's machine a statement takes, to the nearest fifty."""
    path: Any = large.runtime.config.data_dir / "rollcall.db"
    connection, taken = sqlite3.connect(path), 0

    def count() -> bool:
        nonlocal taken
        taken += _STEP
        return False

    register(connection)
    connection.set_progress_handler(count, _STEP)
    connection.execute(statement).fetchall()
    connection.close()
    return taken
