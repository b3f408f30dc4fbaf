"""Tasks that come due: one run for each time however many watch, whatever the machine's clock does meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from schema.types.schedule import schedule_shown
from sync.clock import timestamp
from sync.store.tables import run_log, runs, tasks
from sync.tasks.engine.ticker import TOO_LATE, WAS_ACTIVE, Ticker
from sync.tasks.run.queue import queue_run
from sync.tasks.run.state import RunStatus, Trigger
from sync.tasks.schedule import Schedule, ScheduleKind, Weekday, schedule_of
from sync.tasks.task import pause_task, set_schedule
from tests.patience import PATIENCE_S
from tests.share import share
from tests.sync.entra.clock import FakeClock
from tests.sync.tasks.test_task import Office, office

__all__ = ["office"]
DAILY = Schedule(ScheduleKind.DAILY, at="02:30", zone="Europe/Berlin")
DAY_S = 86_400.0
# From the beginning of winter: over the change to summer time, or over both.
DAYS = share(150, 366)
JUMPS_S = (3_600.0, DAY_S / 2, DAY_S, 5 * DAY_S, -3_600.0, -2 * DAY_S)


def ticker(office: Office, started: list[int] | None = None) -> Ticker:
    """Return another watcher of the same database."""
    heard = started if started is not None else []
    return Ticker(office.store, office.clock, heard.append, asyncio.Event())


async def stored(office: Office, table: Any = runs) -> list[Any]:
    """Return the rows of a table, by id."""
    async with office.store.read() as tx:
        return list((await tx.execute(select(table).order_by(table.c.id))).all())


async def end_runs(office: Office) -> None:
    """Let every run have succeeded."""
    async with office.store.write() as tx:
        await tx.execute(update(runs).values(status=RunStatus.SUCCEEDED))


@pytest.mark.slow
async def test_task_comes_due_once_a_day_over_both_changes_of_the_clock(office: Office) -> None:
    """Nights up to a year: each local day has one run, told of once, and the times are the schedule's."""
    await office.task(schedule=DAILY)
    started: list[int] = []
    watcher, end = ticker(office, started), office.clock.now() + timedelta(days=DAYS)
    while (due := await watcher.tick()) and due < end:
        office.clock.moved_s += (due - office.clock.now()).total_seconds()
        await watcher.tick()
        await end_runs(office)
    rows = await stored(office)
    assert len(rows) == DAYS and started == [row.id for row in rows]
    # Standard time, summer time, and the night whose half past two is skipped: it comes at the end of the hour.
    hours = Counter(row.due_at[11:16] for row in rows)
    assert hours == {"01:30": DAYS - hours["00:30"] - 1, "00:30": hours["00:30"], "01:00": 1}


async def test_times_that_were_missed_become_one_run(office: Office) -> None:
    """After a week without a server there is one run, and its log says for how many times it stands."""
    await office.task(schedule=DAILY)
    watcher = ticker(office)
    await watcher.tick()
    office.clock.moved_s += 7 * DAY_S
    following = await watcher.tick()
    (row,) = await stored(office)
    assert row.trigger == "SCHEDULE" and following and following > office.clock.now()
    (entry,) = await stored(office, run_log)
    assert entry.message.startswith("7 scheduled times were missed") and row.due_at in entry.message


@pytest.mark.parametrize(("late_s", "number"), [(60.0, 1), (4 * 3_600.0, 0)])
async def test_time_is_left_out_when_it_was_missed_by_more_than_the_grace(
    office: Office, late_s: float, number: int
) -> None:
    """What is not worth while any longer waits for its next time."""
    await office.task(schedule=Schedule(ScheduleKind.DAILY, at="02:30", grace_s=3_600))
    watcher = ticker(office)
    due = await watcher.tick()
    assert due
    office.clock.moved_s += (due - office.clock.now()).total_seconds() + late_s
    assert await watcher.tick() == due + timedelta(days=1)
    assert len(await stored(office)) == number


async def test_time_is_left_out_and_logged_while_a_run_is_active(office: Office) -> None:
    """A run that takes longer than its interval is not joined by another; its own log tells of it."""
    await office.task(schedule=DAILY)
    watcher = ticker(office)
    for _ in range(2):
        office.clock.moved_s += DAY_S
        await watcher.tick()
    (row,) = await stored(office)
    (entry,) = await stored(office, run_log)
    assert entry.run_id == row.id and "left out" in entry.message


@pytest.mark.parametrize(("late_s", "is_active", "why"), [(3_601, False, TOO_LATE), (0, True, WAS_ACTIVE)])
async def test_task_says_which_time_was_left_out_and_why(
    office: Office, late_s: float, is_active: bool, why: str
) -> None:
    """A task that was to run once has no later run that could tell; a new schedule takes the note away."""
    at = office.clock.now().replace(microsecond=0) + timedelta(hours=1)
    task_id = await office.task(schedule=Schedule(ScheduleKind.ONCE, moment=at, grace_s=3_600))
    if is_active:
        async with office.store.write() as tx:
            await queue_run(
                tx,
                office.clock,
                organization_id=(await stored(office, tasks))[0].organization_id,
                task_id=task_id,
                trigger=Trigger.MANUAL,
                triggered_by="somebody",
            )
    office.clock.moved_s += (at - office.clock.now()).total_seconds() + late_s
    assert await ticker(office).tick() is None
    (task,) = await stored(office, tasks)
    found, shown = schedule_of(task.schedule), schedule_shown(task.schedule)
    assert (found.left_out_at, found.left_out_because) == (at, why)
    assert (shown.left_out_at, shown.left_out_because) == (timestamp(at), why)
    async with office.store.write() as tx:
        await set_schedule(tx, office.clock, task_id, DAILY)
    (task,) = await stored(office, tasks)
    assert schedule_of(task.schedule).left_out_at is None and "left_out_at" not in task.schedule


@pytest.mark.parametrize("watchers", [2, 5])
async def test_each_time_has_one_run_however_many_tickers_watch(office: Office, watchers: int) -> None:
    """All tick at the same moment on one database: each time is queued once and told of once."""
    for number in range(3):
        await office.task(name=f"T{number}", schedule=DAILY)
    started: list[int] = []
    many = [ticker(office, started) for _ in range(watchers)]
    for _ in range(10):
        office.clock.moved_s += DAY_S
        await asyncio.gather(*(one.tick() for one in many))
        await end_runs(office)
    rows = await stored(office)
    assert len(rows) == 30 and len({(row.task_id, row.due_at) for row in rows}) == 30
    assert sorted(started) == [row.id for row in rows]


@pytest.mark.slow(cases=2)
@pytest.mark.parametrize("seed", range(5))
async def test_no_time_has_two_runs_when_the_clock_jumps(office: Office, seed: int) -> None:
    """The clock is set forward and back; no time runs twice, none before it is due, and the next one is never lost."""
    chance = random.Random(seed)  # noqa: S311 - the same jumps in every run
    await office.task(schedule=Schedule(ScheduleKind.HOURLY, every_h=6))
    watcher, clock = ticker(office), office.clock
    latest, first = clock.now(), clock.now() + timedelta(hours=6)
    for _ in range(60):
        clock.moved_s += chance.choice(JUMPS_S)
        latest = max(latest, clock.now())
        await watcher.replan()
        due = await watcher.tick()
        assert due and clock.now() < due <= max(first, clock.now() + timedelta(hours=6))
        await end_runs(office)
    dues = [row.due_at for row in await stored(office)]
    assert len(dues) == len(set(dues)) > 1 and max(dues) <= timestamp(latest)


UNREADABLE = {
    "none": None,
    "list": ["DAILY"],
    "empty": {},
    "kind": DAILY.stored() | {"kind": "YEARLY"},
    "zone": DAILY.stored() | {"zone": "Mars/Olympus"},
    "at": DAILY.stored() | {"at": "noon"},
    "cron": DAILY.stored() | {"kind": "CRON", "cron": "x"},
    "start": DAILY.stored() | {"kind": "HOURLY"},
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_others_run_when_the_schedule_of_one_task_cannot_be_read(
    office: Office, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named in the server's log and comes due no more; nothing else is affected."""
    bad, good = await office.task(name="Bad", schedule=DAILY), await office.task(name="Good", schedule=DAILY)
    async with office.store.write() as tx:
        await tx.execute(update(tasks).where(tasks.c.id == bad).values(schedule=UNREADABLE[name]))
    watcher = ticker(office)
    await watcher.replan()
    office.clock.moved_s += DAY_S
    following = await watcher.tick()
    assert [row.task_id for row in await stored(office)] == [good]
    assert f"task {bad} is no longer scheduled" in caplog.text
    left = {row.id: row.next_run_at for row in await stored(office, tasks)}
    assert left == {bad: None, good: following and timestamp(following)}


async def test_paused_task_comes_due_again_with_its_next_time(office: Office) -> None:
    """What passes while it is paused is not made up for."""
    key = await office.task(schedule=DAILY)
    watcher = ticker(office)

    async def set_paused(paused: bool) -> None:
        async with office.store.write() as tx:
            await pause_task(tx, office.clock, organization_id=office.home, task_id=key, paused=paused)

    await set_paused(True)
    office.clock.moved_s += 3 * DAY_S
    assert await watcher.tick() is None and await stored(office) == []
    await set_paused(False)
    due = await watcher.tick()
    assert due and due > office.clock.now() and await stored(office) == []


async def test_ticker_is_woken_by_a_schedule_and_asks_nothing_while_there_is_none(office: Office) -> None:
    """Without schedules it sleeps until it is told of one; the run is told of when its time has come."""
    heard: asyncio.Queue[int] = asyncio.Queue()
    stopping = asyncio.Event()
    watcher = Ticker(office.store, office.clock, heard.put_nowait, stopping)
    watching = asyncio.create_task(watcher.watch())
    await office.task(schedule=Schedule(ScheduleKind.WEEKLY, at="02:30", days=(Weekday.SUNDAY,)))
    watcher.wake()
    run_id = await asyncio.wait_for(heard.get(), PATIENCE_S)
    (row,) = await stored(office)
    assert row.id == run_id and datetime.fromisoformat(row.due_at).isoweekday() == 7
    stopping.set()
    await asyncio.wait_for(watching, PATIENCE_S)
    assert isinstance(office.clock, FakeClock) and max(office.clock.slept) <= 60
