"""docs/cookbook.md: each question is asked in every way the page shows, and answered as the page says."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.caller import Caller
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


def test_cookbook_answers_every_question_in_both_forms() -> None:
    """None of the seven is left out, none has an empty answer, and each is asked with filters and with a search."""
    found = list(recipes())
    assert len(found) == QUESTIONS
    for recipe in found:
        assert ["search:" in query for query in recipe.queries[:2]] == [False, True]
        assert "0" not in re.findall(r'"(?:totalCount|count)": (\d+)', json.dumps(recipe.answer)), recipe.question
