"""Hostile documents: answered or refused within a bound of work, and never as an error of the server's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schema.limit.limits import Limits
from server.graphql.document import DocumentRejected
from tests.abuse.bombs import BOMBS
from tests.abuse.conftest import Front, execution_of
from tests.work import work_of

# What one processor of 2024 does in the 50 ms that a document may take before it runs: eight million calls a second.
CALLS_MAX = 400_000


@pytest.mark.slow(cases=10)
@pytest.mark.parametrize("name", BOMBS)
def test_bomb_costs_little_before_anything_runs(name: str, record_property: Callable[[str, object], None]) -> None:
    """Parsing, measuring, validating and admitting any document of the corpus stays within the bound."""
    execution_of(Limits()).documents.read("{ viewer { name } }")

    def prepare() -> None:
        try:
            execution_of(Limits()).documents.read(BOMBS[name])
        except DocumentRejected as rejected:
            assert rejected.errors

    work = work_of(prepare)
    record_property("cpu_ms", round(work.cpu_ms, 1))
    assert work.calls <= CALLS_MAX


@pytest.mark.slow(cases=25)
@pytest.mark.parametrize("name", BOMBS)
async def test_bomb_is_answered_or_refused_with_a_code(front: Front, name: str) -> None:
    """Every document of the corpus ends in data or in an error that names what is wrong; none in INTERNAL."""
    answer = await front.ask(BOMBS[name])
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    assert codes <= {"LIMIT_EXCEEDED", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}
    assert codes or "data" in answer
