"""Plans to try a run again by itself: for what, when, and what ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync import errors
from sync.clock import timestamp
from sync.errors import EntraError, RollcallError, ScannerFailed, Throttled
from sync.store.tables import run_log, runs, tasks
from sync.tasks.defaults import RUN_RETRIES, RUN_RETRIES_MAX
from sync.tasks.run.queue import queue_run, retry_run, stop_runs, trigger_task
from sync.tasks.run.retry import JITTER, LONGEST_S, WAITS_S, plan_retry
from sync.tasks.run.run import Run
from sync.tasks.run.state import RunStatus, TaskKind, Trigger
from sync.tasks.schedule import Schedule, ScheduleKind
from sync.tasks.task import delete_task, set_paused, update_task
from tests.sync.tasks.test_task import Office, office
from tests.sync.tasks.test_ticker import DAILY, stored, ticker

__all__ = ["office"]
# What only a person can mend, whatever the classes say of themselves.
A_PERSONS = {
    errors.SignInFailed,
    errors.AuthRejected,
    errors.PermissionDenied,
    errors.AppUnknown,
    errors.LicenseMissing,
    errors.Blocked,
    errors.RequestRefused,
    errors.UnknownProperty,
    errors.OffOrigin,
}


def kinds_of(error: type[EntraError]) -> set[type[EntraError]]:
    """Return a class of errors and every one below it."""
    found = {error}
    for one in error.__subclasses__():
        found |= kinds_of(one)
    return found


async def failed(office: Office, *kinds: type[RollcallError], **more: Any) -> int:
    """Queue a run of a new task, let it end with these errors, and return its key; see `ended`."""
    task = {name: more.pop(name) for name in ("schedule",) if name in more}
    return await ended(office, await office.trigger(await office.task(**task)), *kinds, **more)


async def ended(
    office: Office,
    run_id: int,
    *kinds: type[RollcallError],
    status: RunStatus = RunStatus.FAILED,
    retries: int = RUN_RETRIES,
    **facts: Any,
) -> int:
    """Let a queued run end with errors, as its worker does, and return its key."""
    run = await Run.claim(office.store, office.clock, run_id, retries)
    for kind in kinds:
        await run.fail(office.store, kind(**facts))
    await run.finish(office.store, status)
    return run_id


async def planned(office: Office) -> list[tuple[str, int]]:
    """Return the time and the run of each retry that is planned."""
    found = select(tasks.c.next_run_at, tasks.c.retry_of_id).where(tasks.c.retry_of_id.is_not(None))
    async with office.store.read() as tx:
        return [(due_at, run_id) for due_at, run_id in await tx.execute(found)]


async def last_line(office: Office, run_id: int) -> str:
    """Return the last message in a run's log."""
    found = select(run_log.c.message).where(run_log.c.run_id == run_id).order_by(run_log.c.id.desc()).limit(1)
    async with office.store.read() as tx:
        return str(await tx.scalar(found))


@pytest.mark.parametrize("kind", sorted(kinds_of(EntraError), key=str))
async def test_run_is_tried_again_for_causes_that_pass_by_themselves(office: Office, kind: type[EntraError]) -> None:
    """Outages, waits and damaged answers; never a wrong secret, a missing permission or what else a person mends."""
    await failed(office, kind)
    assert bool(await planned(office)) == (kind.retryable and kind not in A_PERSONS)
    assert kind.retryable != (kind in A_PERSONS or kind is EntraError)


@pytest.mark.parametrize(
    ("kind", "status", "is_planned"),
    [
        (TaskKind.CONNECTOR, RunStatus.FAILED, True),
        (TaskKind.CONNECTOR, RunStatus.PARTIAL, True),
        (TaskKind.CONNECTOR, RunStatus.SUCCEEDED, False),
        (TaskKind.CONNECTOR, RunStatus.STOPPED, False),
        (TaskKind.CONNECTOR, RunStatus.NEEDS_CONFIRMATION, False),
        (TaskKind.SCAN, RunStatus.FAILED, True),
        (TaskKind.SCAN, RunStatus.PARTIAL, False),
    ],
)
async def test_run_is_tried_again_when_its_end_was_bad(
    office: Office, kind: TaskKind, status: RunStatus, is_planned: bool
) -> None:
    """A scan that is PARTIAL has looked at the network, and is not repeated for the rest."""
    run_id = await office.trigger(await office.task())
    async with office.store.write() as tx:
        await tx.execute(update(tasks).values(kind=kind))
    await ended(office, run_id, errors.Unavailable, ScannerFailed, status=status)
    assert bool(await planned(office)) == is_planned


@pytest.mark.slow(cases=6)
@pytest.mark.parametrize("number", [*range(RUN_RETRIES), RUN_RETRIES_MAX - 1])
@pytest.mark.parametrize("asked_s", [None, 10.0, 2_000.0, 1e9])
async def test_retry_waits_longer_each_time_and_as_long_as_graph_asked(
    office: Office, number: int, asked_s: float | None
) -> None:
    """The waits of the table, a little later; a longer one that Graph asked for, up to an hour."""
    run_id = await office.trigger(await office.task())
    async with office.store.write() as tx:
        await tx.execute(update(runs).values(retry_number=number))
    now = office.clock.now()
    facts: dict[str, Any] = {} if asked_s is None else {"retry_after_s": asked_s}
    await ended(office, run_id, Throttled, retries=RUN_RETRIES_MAX, **facts)
    ((due_at, of),) = await planned(office)
    wait_s = max(WAITS_S[min(number, 3)], min(asked_s or 0, 3_600))
    late_s = (datetime.fromisoformat(due_at) - now).total_seconds() - wait_s
    assert of == run_id and 0 <= late_s <= wait_s * JITTER
    assert f"at {due_at}: retry {number + 1} of at most {RUN_RETRIES_MAX}" in await last_line(office, run_id)


async def test_schedule_is_the_retry_of_a_task_that_has_one(office: Office) -> None:
    """Nothing is planned beside it, and its next time stays; one whose times are over is tried again."""
    once = Schedule(ScheduleKind.ONCE, moment=office.clock.now() + timedelta(hours=1))
    await failed(office, errors.Unavailable, schedule=DAILY)
    (task,) = await stored(office, tasks)
    assert task.next_run_at and task.retry_of_id is None
    async with office.store.write() as tx:
        await update_task(tx, office.clock, organization_id=office.home, task_id=task.id, changes={"schedule": once})
    office.clock.moved_s += 3_600
    assert await ticker(office).tick() is None
    run = (await stored(office))[-1]
    await ended(office, run.id, errors.Unavailable)
    assert [of for _, of in await planned(office)] == [run.id]


@pytest.mark.parametrize("watchers", [1, 4])
async def test_retry_is_queued_once_however_many_watch(office: Office, watchers: int) -> None:
    """It comes due at its time, not sooner, as one run that names the one before; then nothing is planned."""
    first = await failed(office, errors.Unavailable)
    heard: list[int] = []
    many = [ticker(office, heard) for _ in range(watchers)]
    due = await many[0].tick()
    assert due and heard == []
    office.clock.moved_s += (due - office.clock.now()).total_seconds()
    await asyncio.gather(*(one.tick() for one in many))
    before, after = await stored(office)
    assert heard == [after.id] and before.id == first
    assert (after.trigger, after.triggered_by, after.status) == ("RETRY", "retry", "QUEUED")
    assert (after.retry_of_id, after.retry_number, after.due_at) == (first, 1, None)
    assert await planned(office) == []


async def test_retry_comes_soon_when_the_clock_was_set_back(office: Office) -> None:
    """A wait of a minute does not become one of days because the machine's clock was ahead."""
    office.clock.moved_s += 10 * 86_400
    await failed(office, errors.Unavailable)
    office.clock.moved_s -= 10 * 86_400
    watcher = ticker(office)
    await watcher.replan()
    due = await watcher.tick()
    assert due and (due - office.clock.now()).total_seconds() <= LONGEST_S


async def test_retry_that_is_planned_is_left_out_when_a_run_is_active(office: Office) -> None:
    """However that came about: never two runs of one task at once."""
    run_id = await failed(office, errors.Unavailable)
    async with office.store.write() as tx:
        row = (await tx.execute(select(runs))).mappings().one()
        await tx.execute(insert(runs).values({**row, "id": run_id + 1, "status": RunStatus.RUNNING}))
    office.clock.moved_s += LONGEST_S
    assert await ticker(office).tick() is None
    assert len(await stored(office)) == 2 and await planned(office) == []


Act = Callable[[AsyncConnection, Office, int, int], Awaitable[object]]
ENDS: dict[str, tuple[Act, str]] = {
    "trigger": (
        lambda tx, office, task, _run: trigger_task(
            tx, office.clock, organization_id=office.home, task_id=task, triggered_by="me"
        ),
        "a newer run of the task takes its place",
    ),
    "retry": (
        lambda tx, office, _task, run: retry_run(
            tx, office.clock, organization_id=office.home, run_id=run, triggered_by="me"
        ),
        "a newer run of the task takes its place",
    ),
    "pause": (lambda tx, office, task, _run: set_paused(tx, office.clock, [task], True), "the task was paused"),
    "change": (
        lambda tx, office, task, _run: update_task(
            tx, office.clock, organization_id=office.home, task_id=task, changes={"include_inactive": True}
        ),
        "the task was changed",
    ),
    "schedule": (
        lambda tx, office, task, _run: update_task(
            tx, office.clock, organization_id=office.home, task_id=task, changes={"schedule": DAILY}
        ),
        "the task was changed",
    ),
}


@pytest.mark.parametrize("name", ENDS)
async def test_run_is_not_tried_again_when_a_person_acts_on_its_task(office: Office, name: str) -> None:
    """The plan is dropped with what they do, and the log of the run that it was for says so."""
    run_id = await failed(office, errors.Unavailable)
    act, why = ENDS[name]
    (task,) = await stored(office, tasks)
    async with office.store.write() as tx:
        await act(tx, office, task.id, run_id)
    assert await planned(office) == []
    assert await last_line(office, run_id) == f"The run is not tried again by itself: {why}."
    office.clock.moved_s += LONGEST_S
    await ticker(office).tick()
    assert [row.retry_number for row in await stored(office)] in ([0], [0, 0])


async def test_nothing_comes_due_when_the_task_of_a_planned_retry_is_deleted(office: Office) -> None:
    """The plan goes with the task."""
    await failed(office, errors.Unavailable)
    (task,) = await stored(office, tasks)
    async with office.store.write() as tx:
        await delete_task(tx, organization_id=office.home, task_id=task.id)
    assert await ticker(office).tick() is None and await stored(office) == []


async def test_run_of_a_paused_task_is_not_tried_again(office: Office) -> None:
    """A person who triggers it meanwhile gets that one run."""
    key = await office.task()
    async with office.store.write() as tx:
        await set_paused(tx, office.clock, [key], True)
    await ended(office, await office.trigger(key), errors.Unavailable)
    assert await planned(office) == []


async def test_retry_that_a_person_stops_ends_the_chain(office: Office) -> None:
    """Stopped while it waits, or asked to stop and failed before it could."""
    await failed(office, errors.Unavailable)
    office.clock.moved_s += LONGEST_S
    await ticker(office).tick()
    again = (await stored(office))[-1]
    async with office.store.write() as tx:
        await stop_runs(tx, office.clock, [again.id], "me")
        task_id, now = again.task_id, timestamp(office.clock.now())
        other = await queue_run(
            tx,
            office.clock,
            organization_id=office.home,
            task_id=task_id,
            trigger=Trigger.MANUAL,
            triggered_by="me",
            stop_asked_at=now,
        )
    assert (await stored(office))[-2].status == "STOPPED" and await planned(office) == []
    await ended(office, other, errors.Unavailable)
    assert await planned(office) == []


@pytest.mark.parametrize("limit", [0, 1])
async def test_last_retry_says_that_nothing_more_is_planned(office: Office, limit: int) -> None:
    """A chain ends with what the operator has set."""
    run_id = await failed(office, errors.Unavailable, retries=0)
    async with office.store.write() as tx:
        await tx.execute(update(runs).values(retry_number=limit))
        told = await tx.run_sync(lambda tx: plan_retry(tx, office.clock, run_id, retries=limit))
    assert "runs again when somebody triggers it" in told and await planned(office) == []
