"""What a caller's condition asks for becomes SQL outside the thread of the event loop, whoever reads it."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from graphql import get_named_type
from sqlalchemy.sql import cache_key, compiler

from schema import build_schema
from schema.filter import where
from schema.filter.inputs import CONDITIONS_MAX
from schema.search import TERMS_MAX, read_search
from server.graphql.execution import Execution
from sync.errors import BadSearch
from tests.abuse.conftest import Front

# Where a condition becomes an expression of SQLAlchemy, and where that becomes text.
FILES = {module.__file__ for module in (where, compiler, cache_key)}
# What the runtime's own statements may come to meanwhile; a condition below comes to several times as much.
CALLS_MAX = 5_000
TERMS = 40
_QUERIES = build_schema()._schema.query_type.fields  # type: ignore[union-attr]
SEARCHED = [name for name, field in _QUERIES.items() if "search" in field.args]
# Keywords that lead over a relation, the dearest first.
CROSSING = ("owner", "user", "group", "task", "site", "organization")


def selected(name: str) -> str:
    """Select what costs a statement of a root field with a condition."""
    is_aggregate = name.endswith("Aggregate")
    return "count groupCount groups { count }" if is_aggregate else "totalCount pageInfo { endCursor } nodes { id }"


def is_known(noun: str, word: str) -> bool:
    """Tell whether a noun has a keyword."""
    try:
        return bool(read_search(noun, f"{word}:a"))
    except BadSearch:
        return False


class Loop:
    """Counts the calls in such files that the thread of the event loop makes; `with` it."""

    calls = 0

    def __enter__(self) -> Loop:
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, _argument: Any) -> None:
        self.calls += event == "call" and frame.f_code.co_filename in FILES


async def calls_of(front: Front, execution: Execution, document: str, variables: dict[str, Any]) -> int:
    """Run a document and return how many calls the event loop's thread makes for its condition."""
    with Loop() as loop:
        answer = await front.run(execution, document, variables)
    assert {error["extensions"]["code"] for error in answer.get("errors", ())} <= {"TIMEOUT"}
    return loop.calls


@pytest.mark.slow(cases=4)
@pytest.mark.parametrize("name", SEARCHED)
async def test_search_becomes_sql_beside_the_event_loop(front: Front, name: str) -> None:
    """Each root field that takes a search, read by the executor."""
    noun = get_named_type(_QUERIES[name].args["where"].type).name.removesuffix("Where")
    word = next(word for word in CROSSING if is_known(noun, word))
    search = " ".join(f"{word}:a{n}" for n in range(TERMS))
    document = f"query($s: String) {{ {name}(search: $s) {{ {selected(name)} }} }}"
    assert await calls_of(front, front.execution, document, {"s": search}) <= CALLS_MAX


@pytest.mark.parametrize("name", ["users", "groups"])
async def test_long_search_of_a_plan_becomes_sql_beside_the_event_loop(front: Front, name: str) -> None:
    """A plan that has never run begins in the loop; not so one whose arguments took long to read."""
    search = " ".join(f"site:a{n}" for n in range(TERMS_MAX))
    document = f"query($s: String) {{ {name}(search: $s) {{ {selected(name)} }} }}"
    assert await calls_of(front, front.planned, document, {"s": search}) <= CALLS_MAX


@pytest.mark.parametrize("name", ["pauseTasks", "resumeTasks", "stopRuns"])
async def test_filter_of_many_rows_to_change_becomes_sql_beside_the_event_loop(front: Front, name: str) -> None:
    """A mutation that a filter chooses the rows of."""
    crossed = {"task" if name == "stopRuns" else "site": {"name": {"eq": "a"}}}
    conditions = {"and": [crossed] * (CONDITIONS_MAX // 4)}
    kind = name[0].upper() + name[1:]
    document = f"mutation($i: {kind}Input!) {{ {name}(input: $i) {{ errors {{ code }} }} }}"
    assert await calls_of(front, front.execution, document, {"i": {"where": conditions}}) <= CALLS_MAX
