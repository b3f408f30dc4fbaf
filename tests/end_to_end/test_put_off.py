"""Rule 8 of the sync in whole runs: a wait over 300 seconds puts the run off, claim given up, cursors kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.simulator import Simulator
from sync.clock import timestamp
from sync.errors import Conflict
from sync.store.tables import cursors
from sync.tasks.run.run import ATTEMPTS_MAX
from tests.end_to_end.fault import App, stream_of
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences
from tests.sync.entra.clock import FakeClock


class StandingClock(FakeClock):
    """A clock on which nobody who sleeps long wakes up by himself."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Sleep; for more than 300 seconds only until cancelled."""
        if seconds > 300:
            self.waiting.set()
            await asyncio.Event().wait()
        await super().sleep(seconds)


class Throttle:
    """Answers the second page of a stream with 429, so many times."""

    def __init__(self, stream: str, retry_after: str, times: int = 1) -> None:
        self.left, self._stream, self._retry_after = times, stream, retry_after
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any, app: App) -> None:
        """Throttle or pass one request on."""
        self.asked += 1
        if self.left and stream_of(scope) == self._stream and b"skiptoken" in scope["query_string"]:
            self.left -= 1
            headers = [(b"content-type", b"application/json"), (b"retry-after", self._retry_after.encode())]
            await send({"type": "http.response.start", "status": 429, "headers": headers})
            await send({"type": "http.response.body", "body": b"{}"})
        else:
            await app(scope, receive, send)


async def links(installation: Installation) -> dict[str, bool]:
    """Return which streams have a cursor, and whether their round is complete."""
    async with installation.runtime.store.read() as tx:
        rows = await tx.execute(select(cursors.c.stream, cursors.c.complete))
        return {stream: complete for stream, complete in rows}


async def test_run_waits_in_the_queue_and_survives_a_restart(simulator: Simulator, data_dir: Path) -> None:
    """It is QUEUED, free to claim, with its time and its cursors; the next process takes it up then, not sooner."""
    clock = StandingClock()
    installation = Installation(simulator, data_dir, clock)
    await installation.open()
    try:
        await installation.furnish()
        simulator.faults = Throttle("users", "400")
        run_id = await installation.trigger()
        await clock.waiting.wait()
        row = await installation.row(run_id)
        assert (row.status, row.phase, row.owner, row.errors) == ("QUEUED", None, None, [])
        at = clock.now()
        assert timestamp(at + timedelta(seconds=400)) < row.not_before <= timestamp(at + timedelta(seconds=402))
        assert (await links(installation))["users"] is False
        assert any(row.not_before in line for line in await installation.log(run_id))
        await installation.close()
        clock.waiting.clear()
        await installation.open()
        await clock.waiting.wait()
        assert (await installation.row(run_id)).status == "QUEUED"
        await installation.close()
        clock.moved_s += 402
        asked: list[str | None] = []

        async def note(scope: Any, receive: Any, send: Any, app: App) -> None:
            if stream_of(scope) == "users":
                asked.append(scope["query_string"].decode().partition("=")[0])
            await app(scope, receive, send)

        simulator.faults = note
        await installation.open()
        await installation.runtime.engine.idle()
        row = await installation.row(run_id)
        assert (row.status, row.attempt, row.not_before) == ("SUCCEEDED", 2, None)
        assert asked == ["$skiptoken", "$deltatoken"]  # where it stood, and what came since
        assert await differences(installation) == []
    finally:
        await installation.close()


async def test_run_that_is_put_off_is_in_nobodys_way(simulator: Simulator, data_dir: Path) -> None:
    """Another task's run of the same directory does not wait behind it; who triggers this one is told the time."""
    clock = StandingClock()
    installation = Installation(simulator, data_dir, clock)
    await installation.open()
    try:
        await installation.furnish()
        other = await installation.add_task("Second")
        simulator.faults = throttle = Throttle("users", "400")
        await installation.trigger()
        await clock.waiting.wait()
        clock.waiting.clear()
        asked = throttle.asked
        waiting = (await installation.row(1)).not_before
        with pytest.raises(Conflict, match=f"waits until {waiting}, because Microsoft Graph asked"):
            await installation.trigger()
        second = await installation.trigger(other)
        await clock.waiting.wait()
        row = await installation.row(second)
        assert (row.status, row.attempt) == ("QUEUED", 1) and row.not_before
        assert throttle.asked == asked
    finally:
        await installation.close()


async def test_run_goes_on_by_itself_and_shows_what_it_asked_in_all_attempts(installation: Installation) -> None:
    """Three long waits are three further attempts; requests add up over them, for the run and for each stream."""
    simulator = installation.simulator
    simulator.faults = Throttle("groups", "301", times=3)
    run = await installation.run()
    assert (run.status, run.attempt, run.errors) == ("SUCCEEDED", 4, [])
    assert isinstance(installation.clock, FakeClock) and installation.clock.moved_s >= 903
    assert run.requests["count"] == simulator.requests.total
    streams = run.requests["streams"]
    assert sum(numbers["count"] for numbers in streams.values()) == run.requests["count"]
    assert streams["groups"]["count"] > streams["users"]["count"]
    assert await differences(installation) == []


@pytest.mark.slow(cases=0)
async def test_run_is_not_put_off_for_ever(installation: Installation) -> None:
    """A directory that never stops asking for long waits ends the run with what it has: PARTIAL, THROTTLED."""
    installation.simulator.faults = Throttle("groups", "3600", times=10_000)
    run = await installation.run()
    assert (run.status, run.attempt) == ("PARTIAL", ATTEMPTS_MAX)
    assert ("THROTTLED", "groups", True) in [(e["code"], e["resource"], e["retryable"]) for e in run.errors]


@pytest.mark.slow(cases=1)
@pytest.mark.parametrize("retry_after", ["7", "299"])
async def test_short_wait_holds_the_run_and_is_counted(installation: Installation, retry_after: str) -> None:
    """Up to 300 seconds are waited inside the run, and the seconds are shown."""
    installation.simulator.faults = Throttle("users", retry_after)
    run = await installation.run()
    assert (run.status, run.attempt) == ("SUCCEEDED", 1)
    assert run.requests["throttledSeconds"] >= float(retry_after)
    assert run.requests["streams"]["users"]["retries"] == 1
    assert await differences(installation) == []
