"""Promises G1 to G14 and S3: every fault of Graph, for each kind, on the first, middle and last page of a full round.

No case hangs, none succeeds in silence - a run that says SUCCEEDED is equal to the tenant - and a round that was not
read to its end removes nothing. Time is virtual.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sync.store import AnyRow
from tests.end_to_end.case import Case
from tests.end_to_end.misbehaviour import LATER, PUT_OFF, RECOVERS, RESTARTS, Row, rows
from tests.end_to_end.tiny import ORIGIN, TARGETS

ROWS = rows()
POSITIONS = {"first": 1, "middle": 2, "last": 3}
REQUESTS_MAX = 50
"""No fault makes a run ask more often: six rounds of three pages, thirty tries of a throttled one."""


@pytest.fixture(scope="module")
async def cases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Case]]:
    """Return an installation for each kind, each with a tenant that it has read."""
    found: dict[str, Case] = {target: Case(target, tmp_path_factory.mktemp(target) / "data") for target in TARGETS}
    try:
        for case in found.values():
            await case.prepare()
        yield found
    finally:
        for case in found.values():
            await case.close()


def test_table_is_large_enough() -> None:
    """The promise: at least 60 faults, at least 700 cases, each named once."""
    assert len({row.name for row in ROWS}) == len(ROWS) >= 60
    assert len(ROWS) * len(TARGETS) * len(POSITIONS) >= 700


@pytest.mark.slow(cases=(6, 240))
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_run_makes_of_a_fault_what_it_should(
    cases: dict[str, Case], row: Row, target: str, position: str
) -> None:
    """The run ends as the row says, claims no more than it has, removes nothing too early, and mends itself after."""
    case = cases[target]
    await case.begin()
    case.tiny.fault = row.fault(case.tiny, row.page(POSITIONS[position]))
    began_s = case.clock.moved_s
    run = await case.run()
    assert all(place.url.startswith(f"{ORIGIN}/v1.0/") for place in case.tiny.asked)
    if row.outcome in (RECOVERS, RESTARTS, PUT_OFF, LATER):
        assert (run.status, run.errors) == ("SUCCEEDED", [])
        assert case.clock.moved_s - began_s >= row.wait_s
        await _check_success(case, row, run, position)
    else:
        await _check_failure(case, row, run)


async def _check_success(case: Case, row: Row, run: AnyRow, position: str) -> None:
    log = case.lines(run.id)
    # The tenant forgot its delta links before every case, so one restart belongs to each.
    restarts = sum("Everything is read again" in line for line in log)
    # A run that is put off before the first new page was written finds the old link once more.
    assert restarts == 1 + (position != "first" and row.outcome is RESTARTS) + (
        position == "first" and row.outcome is PUT_OFF
    )
    assert run.attempt == 1 + (row.outcome is PUT_OFF)
    assert any("not before" in line for line in log) == (row.outcome is PUT_OFF)
    if row.outcome is LATER:
        case.tiny.forget()
        assert (await case.run()).status == "SUCCEEDED"
    assert case.problems() == []


async def _check_failure(case: Case, row: Row, run: AnyRow) -> None:
    stream = case.tiny.stream
    assert run.status == "PARTIAL"
    errors: list[dict[str, Any]] = run.errors
    assert [(error["code"], error["resource"]) for error in errors] == [(row.outcome, stream)]
    assert errors[0]["hint"]
    if row.outcome == "PERMISSION_DENIED":
        assert f"{stream[:-1].title()}.Read.All" in errors[0]["message"] + errors[0]["hint"]
    assert case.removed() == 0
    assert len(case.tiny.asked) <= REQUESTS_MAX
    case.tiny.fault = None
    assert (await case.run()).status == "SUCCEEDED"
    assert case.problems() == []
