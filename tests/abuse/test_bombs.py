"""Hostile documents: answered or refused within a bound of CPU time, and never as an error of the server's own."""

from __future__ import annotations

import os
import time

import pytest

from schema.limits import Limits
from server.graphql.document import DocumentRejected
from tests.abuse.bombs import BOMBS
from tests.abuse.conftest import Front, execution_of

CPU_MS_MAX = 50
# A machine that others use at the same time counts waiting for shared caches as our time.
SLACK = 3 if os.environ.get("CI") else 2
TRIES = 3


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_costs_little_before_anything_runs(name: str) -> None:
    """Parsing, measuring, validating and admitting any document of the corpus stays within the bound."""
    execution_of(Limits()).documents.document("{ viewer { name } }")
    spent = []
    for _ in range(TRIES):
        documents = execution_of(Limits()).documents
        begun = time.process_time()
        try:
            documents.document(BOMBS[name])
        except DocumentRejected as rejected:
            assert rejected.errors
        spent.append((time.process_time() - begun) * 1_000)
    assert min(spent) <= CPU_MS_MAX * SLACK


@pytest.mark.parametrize("name", BOMBS)
async def test_bomb_is_answered_or_refused_with_a_code(front: Front, name: str) -> None:
    """Every document of the corpus ends in data or in an error that names what is wrong; none in INTERNAL."""
    answer = await front.ask(BOMBS[name])
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    assert codes <= {"LIMIT_EXCEEDED", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}
    assert codes or "data" in answer
