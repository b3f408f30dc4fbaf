"""A deadline that is only set for what has to wait: it ends like any other."""

from __future__ import annotations

import asyncio
import gc

import pytest

from server.graphql.deadline import soon
from tests.server.conftest import OpenProbe
from tests.work import tasks_at_work

LONG_S = 60.0


async def later(value: int, steps: int) -> int:
    """Return a value after so many turns of the loop."""
    for _ in range(steps):
        await asyncio.sleep(0)
    return value


@pytest.mark.parametrize("steps", [0, 1, 3])
async def test_result_is_returned_whether_it_is_there_or_not(steps: int) -> None:
    """At once, or after waiting once or several times."""
    assert await soon(later(7, steps), LONG_S) == 7


@pytest.mark.parametrize("steps", [0, 2])
async def test_error_is_raised_whether_it_comes_at_once_or_not(steps: int) -> None:
    """What goes wrong comes out as it is."""

    async def wrong() -> int:
        await later(0, steps)
        raise KeyError("wrong")

    with pytest.raises(KeyError):
        await soon(wrong(), LONG_S)


async def test_what_takes_too_long_is_cancelled_and_cleans_up() -> None:
    """It may even wait while it does."""
    cleaned: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("after waiting")

    with pytest.raises(TimeoutError):
        await soon(endless(), 0.01)
    assert cleaned == ["after waiting"]


async def test_cancellation_reaches_what_waits() -> None:
    """Who is cancelled from outside passes it on, and may not swallow it for its caller."""
    seen: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    task = asyncio.ensure_future(soon(waits(), LONG_S))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


async def test_request_leaves_nothing_at_work_when_an_error_takes_its_fields_away(open_probe: OpenProbe) -> None:
    """An answer that came before its other fields end would let one caller have any number at work at once."""
    async with open_probe(request_timeout_s=0.05) as probe:
        before = tasks_at_work()
        response = await probe.post("{ slow brokenUtterly }")
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == "TIMEOUT"
        await asyncio.sleep(0)
        assert tasks_at_work() <= before


async def test_fields_that_are_ended_are_not_logged_as_errors_nobody_looked_at(
    open_probe: OpenProbe, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator who reads the log would look for what went wrong, and nothing did."""
    async with open_probe(request_timeout_s=0.05) as probe:
        await probe.post("{ slow brokenUtterly }")
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []
