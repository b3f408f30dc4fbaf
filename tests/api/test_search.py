"""Search texts: any of them returns what its meaning in plain Python returns."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.api.links import Links
from tests.api.lists import LISTS, caller_for, id_of
from tests.api.searched import Holds, Terms
from tests.api.world import World
from tests.share import share

TEXTS = share(6, 25, 100)
# Organizations whose texts are all in the index, in part, and not at all.
PLACES = ["home", "beta", "gamma"]
INVENTORIES = ["User", "Group", "Asset", "Task", "TaskRun", "Site", "Credential"]


def composed(terms: Terms, depth: int) -> tuple[str, Holds]:
    """Return a text of several terms and what it means; `and` binds tighter than `or`."""
    chance, shape = terms.chance, terms.chance.randrange(6)
    if depth == 0 or shape == 0:
        return terms.term()
    if shape == 1:
        text, holds = composed(terms, depth - 1)
        return f"{chance.choice(['NOT', 'not'])} ({text})", lambda row: not holds(row)
    left, right = composed(terms, depth - 1), composed(terms, depth - 1)
    if shape in (2, 3):
        sign = chance.choice([" AND ", " ", "\n and\t", ")("])
        return f"({left[0]}){sign}({right[0]})".replace(
            ")" + ")(" + "(", ")("
        ), lambda row: left[1](row) and right[1](row)
    if shape == 4:
        return f"(({left[0]}) OR {right[0]})", lambda row: left[1](row) or right[1](row)
    first, second, third = terms.term(), terms.term(), terms.term()
    text = f"{first[0]} or {second[0]} {third[0]}"
    return text, lambda row: first[1](row) or (second[1](row) and third[1](row))


@pytest.fixture(scope="module")
async def links(world: World) -> dict[str, Links]:
    """Return the organizations' rows as plain Python sees them."""
    return {place: await Links.read(world, getattr(world, place)) for place in PLACES}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("noun", INVENTORIES)
async def test_search_returns_what_the_predicate_returns_for_any_text(
    world: World, links: dict[str, Links], noun: str, place: str
) -> None:
    """Every kind of value, operator and join, over synced rows and over awkward ones."""
    rows: dict[int, Any] = dict(links[place].rows[noun])
    if not rows:
        pytest.fail("no rows to search")
    caller = caller_for(world, noun, getattr(world, place))
    text = f"query($s: String) {{ {LISTS[noun]}(first: 1000, search: $s) {{ totalCount nodes {{ id }} }} }}"
    for number in range(TEXTS):
        terms = Terms(noun, links[place], random.Random(f"{noun} {place} {number}"))  # noqa: S311 - repeatable
        search, holds = composed(terms, number % 4)
        got = (await caller.data(text, s=search))[LISTS[noun]]
        expected = [id_of(noun, row) for row in rows.values() if holds(row)]
        assert [node["id"] for node in got["nodes"]] == expected, search
        assert got["totalCount"] == len(expected)
