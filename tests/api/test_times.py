"""Times are compared exactly, however finely they are written; stored are milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from operator import eq, ge, gt, le, lt, ne

import pytest

from sync.store import tables
from tests.api.rows import TIMES
from tests.api.world import World

OPERATORS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "eq": eq, "ne": ne, "lt": lt, "lte": le, "gt": gt, "gte": ge,
}  # fmt: skip
SIGNS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
FINER = ("", "0", "0001", "5", "999999999")


def after(time: str) -> Fraction:
    """Return how long after 22:05 of 23 November a time of that minute is, other days being before or after it all."""
    day, _, clock = time.removesuffix("Z").partition("T")
    if day != "2026-11-23":
        return Fraction(-1_000 if day < "2026-11-23" else 1_000)
    return Fraction(clock.rpartition(":")[2])


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("digits", FINER)
async def test_time_is_compared_exactly_when_it_is_finer_than_the_stored_ones(
    world: World, operator: str, digits: str
) -> None:
    """In `where` and, for what has an order, in a search: the rows are those for which the comparison is true."""
    caller = world.caller(organization=world.beta)
    rows = await world.rows(tables.users, world.beta)
    asked = TIMES[2].removesuffix("Z") + digits + "z"
    holds = OPERATORS[operator]
    expected = [f"user_{row['id']}" for row in rows if holds(after(row["created_at"]), after(asked.upper()))]
    given = {"createdAt": {operator: asked}}
    data = await caller.data("query($w: UserWhere) { users(first: 1000, where: $w) { nodes { id } } }", w=given)
    assert [node["id"] for node in data["users"]["nodes"]] == expected
    if sign := SIGNS.get(operator):
        text = "query($s: String) { users(first: 1000, search: $s) { nodes { id } } }"
        data = await caller.data(text, s=f"created_at:{sign}{asked}")
        assert [node["id"] for node in data["users"]["nodes"]] == expected


async def test_capital_m_is_refused_as_a_unit(world: World) -> None:
    """It may mean months or minutes, in a search and in a filter: the hint has a form for either."""
    search = await world.caller().ask('{ users(search: "created_at:<1M") { totalCount } }')
    assert search.code == "BAD_SEARCH"
    where = await world.caller().ask(
        "query($w: UserWhere) { users(where: $w) { totalCount } }", w={"createdAt": {"newerThan": "1M"}}
    )
    for answer in (search, where):
        assert "1mo" in str(answer.problems) or "months or minutes" in str(answer.problems)
