"""Searches of which every term crosses relations: answered or ended, within a bound of work."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from schema import build_schema
from schema.access import Role
from schema.field.registry import NOUNS
from schema.filter.where import Viewpoint
from schema.list.narrowing import narrowed
from schema.plan.statement import Statement, anyone
from schema.search import CHARS_MAX, TERMS_MAX
from tests.abuse.conftest import Front
from tests.work import work_of

# What one processor of 2024 does in half a second: eight million calls a second.
CALLS_MAX = 4_000_000
TEXTS = {
    "and": " ".join(f"owner:a{n}" for n in range(TERMS_MAX)),
    "or": " OR ".join(f"user:a{n}" for n in range(TERMS_MAX)),
    "not": " ".join(f"NOT group:a{n}" for n in range(TERMS_MAX)),
    "list": "user:" + ",".join(f"a{n}" for n in range(TERMS_MAX)),
    "counts": " ".join(f"group_count:>{n}" for n in range(TERMS_MAX)),
    "deep": " ".join(f"owner.manager.manager.group:a{n}" for n in range(CHARS_MAX // 36)),
    "mixed": " ".join(f"(user:a{n} OR NOT has:group)" for n in range(TERMS_MAX // 2)),
}


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("name", TEXTS)
def test_search_across_many_relations_is_compiled_with_little_work(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    """The longest search of relations alone becomes SQL within the bound, in proportion to its terms."""
    build_schema()
    viewpoint = Viewpoint(anyone(Role.ADMINISTRATOR), None)

    def compile_(text: str) -> None:
        rows, _, _ = narrowed(viewpoint, NOUNS["Asset"], {"search": text})
        Statement.of(rows)

    compile_("owner:a")
    work = work_of(partial(compile_, TEXTS[name]))
    record_property("cpu_ms", round(work.cpu_ms, 1))
    assert work.calls <= CALLS_MAX


@pytest.mark.slow(cases=0)
@pytest.mark.parametrize("name", TEXTS)
async def test_search_across_many_relations_is_answered_both_ways(front: Front, name: str) -> None:
    """By a plan and by the executor, a list of it and counts of it; the deadline is the only other end there is."""
    document = """query($s: String) {
      assets(search: $s, first: 5) { totalCount nodes { id } }
      assetsAggregate(search: $s) { count }
    }"""
    answer = await front.ask(document, {"s": TEXTS[name]})
    assert {error["extensions"]["code"] for error in answer.get("errors", ())} <= {"TIMEOUT"}
    assert "errors" in answer or answer["data"]["assets"]["totalCount"] == answer["data"]["assetsAggregate"]["count"]


async def test_searches_across_many_relations_cost_as_their_lists_do(front: Front) -> None:
    """The limit of cost holds for the rows that such a search may give, whatever it crosses."""
    lists = " ".join(
        f"a{n}: assets(search: $s, first: 1000) {{ nodes {{ owners {{ nodes {{ id }} }} }} }}" for n in range(2)
    )
    answer = await front.ask(f"query($s: String) {{ {lists} }}", {"s": TEXTS["and"]})
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["LIMIT_EXCEEDED"]
