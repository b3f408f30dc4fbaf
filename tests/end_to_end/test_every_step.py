"""Promise S2: every HTTP request and every statement of a run may fail, once or from then on, and nothing is lost.

Each step of one run fails in turn. Afterwards no row is gone too early, the run does not claim what it has not, and one
clean run makes the inventory equal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event

from tests.end_to_end.case import Case
from tests.end_to_end.misbehaviour import UNANSWERED, Act, refuse
from tests.end_to_end.tiny import Place, Serve
from tests.share import share

STEPS_MAX = 400
STATUSES: dict[str, Act] = {f"{status}": refuse(status) for status in (429, 500, 503)}
FAULTS = UNANSWERED | STATUSES
NOWHERE = Place("", 0, "")


@pytest.fixture(scope="module")
async def case(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Case]:
    """Return an installation that has read a tenant whose group has members on three pages."""
    opened = Case("members", tmp_path_factory.mktemp("steps") / "data")
    await opened.prepare()
    yield opened
    await opened.close()


async def finish(case: Case, run_id: int) -> None:
    """Take up a run that could not even be ended, as the next start does, and run once more without faults."""
    if (await case.row(run_id)).status in ("QUEUED", "RUNNING"):
        case.runtime.engine.wake(run_id)
        await case.runtime.engine.idle()
    assert (await case.row(run_id)).status in ("SUCCEEDED", "PARTIAL", "FAILED")
    assert (await case.run()).status == "SUCCEEDED"
    assert case.problems() == []


@pytest.mark.slow(cases=(1, 6))
@pytest.mark.parametrize("lasts", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("name", FAULTS)
async def test_run_bears_the_failure_of_any_request(case: Case, name: str, lasts: bool) -> None:
    """A request that fails once costs a wait; one that fails for good ends its streams, which remove nothing."""
    for number in range(1, STEPS_MAX):
        await case.begin()

        def gate(seen: int, serve: Serve, number: int = number) -> httpx.Response:
            if seen == number or (lasts and seen > number):
                return FAULTS[name](case.tiny, NOWHERE, serve)
            return serve()

        case.gate = gate
        run = await case.run()
        if case.requests < number:
            assert number > 6
            return
        if lasts:
            assert run.status in ("PARTIAL", "FAILED") and run.errors
            # The membership that ended is seen by whoever has read all groups, and by nobody else.
            assert case.removed() == 0 or "groups" not in {error["resource"] for error in run.errors}
        else:
            assert (run.status, run.errors, case.problems()) == ("SUCCEEDED", [], [])
        case.gate = None
        await finish(case, run.id)
    raise AssertionError("the run does not end")


class Statements:
    """Counts the statements of an open database; the one of a number fails, or all from it on."""

    def __init__(self, number: int, lasts: bool, code: str) -> None:
        self.seen = 0
        self._number, self._lasts, self._code = number, lasts, code

    def __call__(self, *_: Any) -> None:
        """Fail or let pass one statement."""
        self.seen += 1
        if self.seen == self._number or (self._lasts and self.seen > self._number):
            error = sqlite3.OperationalError("simulated")
            error.sqlite_errorname = self._code
            raise error


@contextmanager
def failing(statements: Statements) -> Iterator[None]:
    """Have the statements of the product fail while the block lasts."""
    event.listen(Engine, "before_cursor_execute", statements)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", statements)


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize(
    ("lasts", "code"), [(False, "SQLITE_FULL"), (True, "SQLITE_IOERR")], ids=["once", "from then on"]
)
async def test_run_bears_the_failure_of_any_statement(case: Case, lasts: bool, code: str) -> None:
    """Whichever statement fails: no torn page, nothing removed too early, and what cannot be written is not claimed."""
    for number in range(1, STEPS_MAX, share(43, 5, 1)):
        await case.begin()
        run_id = await case.queue()
        statements = Statements(number, lasts, code)
        with failing(statements):
            case.runtime.engine.wake(run_id)
            await case.runtime.engine.idle()
        run = await case.row(run_id)
        if statements.seen < number:
            assert run.status == "SUCCEEDED" and number > 60
            return
        if run.status == "SUCCEEDED":
            assert case.problems() == []
        elif run.status != "QUEUED" and case.problems():
            assert case.removed() == 0
        await finish(case, run_id)
    raise AssertionError("the run does not end")
