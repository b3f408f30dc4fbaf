"""docs/cookbook.md: each question is asked in every way the page shows, and answered as the page says."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.caller import Caller
from tests.api.completing import accept, complete
from tests.api.tenant import demo_tenant
from tests.house.source import read

PAGE = "docs/cookbook.md"
QUESTIONS = 7
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Recipe:
    """One question of the page: the ways to ask it, and the answer."""

    question: str
    queries: tuple[str, ...]
    answer: Any


def recipes() -> Iterator[Recipe]:
    """Read the page."""
    for section in re.split(r"^## ", read(PAGE), flags=re.MULTILINE)[1:]:
        blocks: list[tuple[str, str]] = BLOCK.findall(section)
        (answer,) = (json.loads(body) for language, body in blocks if language == "json")
        queries = tuple(body for language, body in blocks if language == "graphql")
        yield Recipe(section.partition("\n")[0], queries, answer)


@pytest.fixture(scope="module")
async def caller(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    """Return an administrator of the demo's inventory."""
    async with demo_tenant(tmp_path_factory.mktemp("cookbook") / "data") as administrator:
        yield administrator


@pytest.mark.parametrize("recipe", list(recipes()), ids=lambda recipe: recipe.question)
async def test_cookbook_shows_what_the_demo_answers(caller: Caller, recipe: Recipe) -> None:
    """Typed and as a search, by plan and by executor: one request gives exactly what the page shows."""
    for query in recipe.queries:
        assert await caller.data(query) == recipe.answer


@dataclass(frozen=True)
class Walk:
    """How a person gets to a search by completion: the first letters that are typed, and the item that is taken."""

    inventory: str
    steps: tuple[tuple[str, str], ...]


def walk(inventory: str, *steps: str) -> Walk:
    """Write a walk down: each step as letters and label, with a slash between."""
    letters = (step.partition("/") for step in steps)
    return Walk(inventory, tuple((typed, label) for typed, _, label in letters))


WALKS = {
    "source:azuread scanned:f": walk("ASSETS", "sou/source", "azu/azuread", "sca/scanned", "fal/false"),
    "source:scan AND NOT source:azuread": walk(
        "ASSETS", "sou/source", "sca/scan", "not/NOT", "sou/source", "azu/azuread"
    ),
    "os:windows last_seen:>90days": walk("ASSETS", "os/os", "win/Windows", "las/last_seen", ">90/90days"),
    'name:="🚀 Launch IT 9"': walk("GROUPS", "nam/display_name", "lau/🚀 Launch IT 9"),
    "accountEnabled:f owned_assets.accountEnabled:t": walk(
        "USERS", "acc/account_enabled", "fal/false", "own/owned_asset.", "acc/owned_asset.accountEnabled", "tru/true"
    ),
    "accountEnabled:t": walk("ASSETS", "acc/accountEnabled", "tru/true"),
    "department:=Sales AND enabled:true": walk(
        "USERS", "dep/department", "sal/Sales", "ena/account_enabled", "tru/true"
    ),
    "updated_at:<1day": walk("ASSETS", "upd/updated_at", "<1d/1day"),
}
SEARCHED = re.compile(r'search: ("(?:[^"\\]|\\.)*")')
LETTERS_MAX = 3


async def walked(caller: Caller, way: Walk) -> str:
    """Start from an empty text, type first letters, and take what is offered; a blank goes before a term."""
    text = ""
    for typed, label in way.steps:
        assert len(typed) <= LETTERS_MAX
        text += " " if text and text[-1] not in ":. " and not typed.startswith(("<", ">")) else ""
        text += typed
        offered = await complete(caller, way.inventory, text, first=20)
        (item,) = [item for item in offered["items"] if item["label"] == label]
        text = accept(text, offered, item)
    return text


@pytest.mark.slow(cases=2)
@pytest.mark.parametrize("recipe", list(recipes()), ids=lambda recipe: recipe.question)
async def test_cookbook_is_reached_by_completion_from_an_empty_text(caller: Caller, recipe: Recipe) -> None:
    """Who knows no keyword and types three letters of each word comes to a search with the page's answer."""
    query = recipe.queries[1]
    for written in set(SEARCHED.findall(query)):
        reached = await walked(caller, WALKS[json.loads(written)])
        query = query.replace(f"search: {written}", f"search: {json.dumps(reached)}")
    assert await caller.data(query) == recipe.answer


async def test_completion_in_the_page_is_what_the_demo_offers(caller: Caller) -> None:
    """docs/search.md shows a request of `completeSearch` with its answer."""
    section = read("docs/search.md").partition("## Completion\n")[2]
    blocks = dict(BLOCK.findall(section))
    assert await caller.data(blocks["graphql"]) == json.loads(blocks["json"])


def test_cookbook_answers_every_question_in_both_forms() -> None:
    """None of the seven is left out, none has an empty answer, and each is asked with filters and with a search."""
    found = list(recipes())
    assert len(found) == QUESTIONS
    for recipe in found:
        assert ["search:" in query for query in recipe.queries[:2]] == [False, True]
        assert "0" not in re.findall(r'"(?:totalCount|count)": (\d+)', json.dumps(recipe.answer)), recipe.question
