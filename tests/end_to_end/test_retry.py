"""Runs that are tried again by themselves, in whole runs: the outage passes, and the directory is read after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import func, select

from server.simulator import Simulator
from sync.store import AnyRow
from sync.store.tables import runs, tasks
from sync.tasks.run.queue import stop_run
from sync.tasks.run.retry import JITTER, WAITS_S
from sync.tasks.run.state import ACTIVE
from tests.end_to_end.fault import App, From, refuse
from tests.end_to_end.installation import Installation
from tests.end_to_end.truth import differences
from tests.patience import PATIENCE_S
from tests.sync.entra.clock import FakeClock

STREAMS = ("users", "groups", "devices")


class Outage:
    """Refuses every request to Graph until a moment."""

    def __init__(self, installation: Installation, minutes: float) -> None:
        self._clock = installation.clock
        self._until = self._clock.now() + timedelta(minutes=minutes)

    async def __call__(self, scope: Any, receive: Any, send: Any, app: App) -> None:
        """Refuse or pass one request on."""
        if self._clock.now() < self._until:
            await refuse(send, 503)
        else:
            await app(scope, receive, send)


@pytest.fixture
async def installation(data_dir: Path) -> AsyncIterator[Installation]:
    """Return an open installation that tries runs again."""
    installation = Installation(Simulator(users=6, devices=4, groups=3, seed=1), data_dir)
    installation.run_retries = 3
    async with installation.furnished():
        yield installation


async def settled(installation: Installation) -> list[AnyRow]:
    """Wait until nothing is active or planned, and return every run."""
    active = select(func.count()).where(runs.c.status.in_(ACTIVE))
    planned = select(func.count()).where(tasks.c.next_run_at.is_not(None))
    with anyio.fail_after(PATIENCE_S):
        while True:
            async with installation.runtime.store.read() as tx:
                if not await tx.scalar(active) and not await tx.scalar(planned):
                    return list((await tx.execute(select(runs).order_by(runs.c.id))).all())
            await anyio.sleep(0.01)


def waited_s(before: AnyRow, after: AnyRow) -> float:
    """Return how long after the end of one run another was queued."""
    return (datetime.fromisoformat(after.created_at) - datetime.fromisoformat(before.finished_at)).total_seconds()


@pytest.mark.parametrize("full", [False, True])
async def test_run_is_tried_again_by_itself_until_the_outage_is_over(installation: Installation, full: bool) -> None:
    """Each retry is a run of its own that names the one before, later each time; then everything is read."""
    installation.simulator.faults = Outage(installation, 30)
    await installation.trigger(full=full)
    rows = await settled(installation)
    number = len(rows) - 1
    assert 1 < number <= 3
    assert [row.status for row in rows] == ["FAILED"] * number + ["SUCCEEDED"]
    assert [row.trigger for row in rows] == ["MANUAL"] + ["RETRY"] * number
    assert [row.retry_of_id for row in rows] == [None] + [row.id for row in rows[:-1]]
    assert [row.retry_number for row in rows] == list(range(number + 1))
    assert {row.full for row in rows} == {full} and {row.due_at for row in rows} == {None}
    for wait_s, before, after in zip(WAITS_S, rows, rows[1:], strict=False):
        assert wait_s <= waited_s(before, after) <= wait_s * (1 + JITTER) + 1
        last = (await installation.log(before.id))[-1]
        assert "It is tried again by itself at" in last and f"retry {after.retry_number} of at most 3" in last
    assert await differences(installation) == []


@pytest.mark.parametrize("retries", [0, 1, 2])
async def test_run_is_tried_again_as_often_as_the_setting_says(installation: Installation, retries: int) -> None:
    """An outage without end leaves as many runs, and the last one's log says that nothing more is planned."""
    await installation.close()
    installation.run_retries = retries
    await installation.open()
    installation.simulator.faults = From(1, *STREAMS)
    await installation.trigger()
    rows = await settled(installation)
    assert [row.status for row in rows] == ["FAILED"] * (1 + retries)
    assert "runs again when somebody triggers it" in (await installation.log(rows[-1].id))[-1]


async def test_run_is_tried_again_when_one_stream_of_it_failed(installation: Installation) -> None:
    """PARTIAL counts as well: the retry reads what is missing."""
    outage = Outage(installation, 20)

    async def users_only(scope: Any, receive: Any, send: Any, app: App) -> None:
        await (outage(scope, receive, send, app) if "/users" in scope["path"] else app(scope, receive, send))

    installation.simulator.faults = users_only
    await installation.trigger()
    rows = await settled(installation)
    assert [row.status for row in rows][:: len(rows) - 1] == ["PARTIAL", "SUCCEEDED"]
    assert await differences(installation) == []


@pytest.mark.parametrize("status", [403, 400])
async def test_run_is_not_tried_again_when_a_person_has_to_act(installation: Installation, status: int) -> None:
    """A missing permission is still missing in a minute."""
    installation.simulator.faults = From(1, *STREAMS, status=status)
    await installation.trigger()
    (row,) = await settled(installation)
    assert row.status == "FAILED" and not any(error["retryable"] for error in row.errors)


async def test_retry_that_is_planned_survives_a_restart(installation: Installation) -> None:
    """It is stored with the task: the next process starts it, at its time."""
    await installation.close()
    await installation.open(run_tasks=False)
    installation.simulator.faults = From(1, *STREAMS)
    failed = await installation.run()
    installation.simulator.faults = None
    async with installation.runtime.store.read() as tx:
        due_at = await tx.scalar(select(tasks.c.next_run_at))
    await installation.close()
    await installation.open()
    rows = await settled(installation)
    assert [row.status for row in rows] == ["FAILED", "SUCCEEDED"]
    assert failed.finished_at < due_at <= rows[1].created_at


async def test_run_is_not_tried_again_when_a_person_stopped_it(installation: Installation) -> None:
    """Whether it waits or works, and however it ends then."""
    clock = installation.clock
    assert isinstance(clock, FakeClock)
    outage = Outage(installation, 10_000)
    stopped: list[int] = []

    async def stop(scope: Any, receive: Any, send: Any, app: App) -> None:
        if not stopped:
            stopped.append(1)
            async with installation.runtime.store.write() as tx:
                await stop_run(tx, clock, organization_id=installation.organization_id, run_id=1, stopped_by="me")
        await outage(scope, receive, send, app)

    installation.simulator.faults = stop
    await installation.trigger()
    (row,) = await settled(installation)
    assert stopped and row.status in ("FAILED", "STOPPED")
