"""Queues runs of scheduled tasks: sleeps until the next task is due, and wakes on changes; never polls the database.

Several tickers may use one database. One transaction moves a task to its next time and queues the run of the previous
one; the other tickers then find that the time has changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.errors import BadInput, Interrupted, StoreError
from sync.store import AnyRow, Store
from sync.store.tables import runs, tasks
from sync.tasks.run.log import Level, write_log
from sync.tasks.run.queue import active_run, queue_run, retry_by_itself
from sync.tasks.run.retry import LONGEST_S, NOTHING_PLANNED
from sync.tasks.run.state import Trigger
from sync.tasks.schedule import MISSED_MAX, Schedule, is_in_time, missed, next_time, schedule_of
from sync.wait import first_of

LOOK_S = 60.0
"""While a task is scheduled, the interval of checks whether the machine's clock was set."""
JUMP_S = 5.0
RETRY_S = 15.0
"""The wait after an error of the database."""
TOO_LATE = "The server was not running at that time, and graceSeconds did not allow a run so much later."
WAS_ACTIVE = "Another run of the task was active at that time."
_log = logging.getLogger("rollcall.schedule")


class Ticker:
    """Queues a run for each time that a task is due.

    Args:
        started: called with the key of each queued run, after the commit.
    """

    def __init__(self, store: Store, clock: Clock, started: Callable[[int], None], stopping: asyncio.Event) -> None:
        self._store, self._clock, self._started, self._stopping = store, clock, started, stopping
        self._news = asyncio.Event()
        self._seen: tuple[datetime, float] | None = None

    def wake(self) -> None:
        """Reread the schedules; call this after the commit that changed one."""
        self._news.set()

    async def watch(self) -> None:
        """Queue due runs until the process stops; several missed times of a task become one run."""
        with suppress(Interrupted):
            while not self._stopping.is_set():
                try:
                    await self._watch()
                except StoreError as error:
                    _log.warning("schedules wait for the database: %s", error.message)
                    await first_of(self._clock.sleep(RETRY_S), self._stopping.wait())

    async def _watch(self) -> None:
        await self.replan()
        while True:
            self._news.clear()
            await self._sleep(await self.tick())
            if self._has_gone_back():
                await self.replan()

    async def tick(self) -> datetime | None:
        """Queue a run of each due task, and return when the next task is due."""
        earliest = select(tasks.c.id, tasks.c.next_run_at).where(tasks.c.next_run_at.is_not(None))
        earliest = earliest.order_by(tasks.c.next_run_at).limit(1)
        while not self._stopping.is_set():
            async with self._store.read() as tx:
                row = (await tx.execute(earliest)).first()
            if row is None:
                return None
            due = datetime.fromisoformat(row.next_run_at)
            if due > self._clock.now():
                return due
            async with self._store.write() as tx:
                run_id = await self._come_due(tx, row.id, row.next_run_at)
            if run_id is not None:
                self._started(run_id)
        raise Interrupted

    async def replan(self) -> None:
        """Compute the next times again, and keep those that are earlier: the clock may have been ahead before."""
        now = self._clock.now()
        async with self._store.write() as tx:
            later = await tx.execute(select(tasks).where(tasks.c.next_run_at > timestamp(now)))
            for task in later.all():
                with suppress(BadInput):  # It is logged when the task is due.
                    due = _next(task, now)
                    if due is not None and timestamp(due) < task.next_run_at:
                        values = {"next_run_at": timestamp(due)}
                        await tx.execute(update(tasks).where(tasks.c.id == task.id).values(values))

    async def _come_due(self, tx: AsyncConnection, task_id: int, due_at: str) -> int | None:
        """Move a task to its next time and queue the run of the time before, unless another ticker has."""
        mine = tasks.c.id == task_id, tasks.c.next_run_at == due_at
        task = (await tx.execute(select(tasks).where(*mine))).first()
        if task is None:
            return None
        try:
            following = None if task.retry_of_id else next_time(schedule_of(task.schedule), task.id, self._clock.now())
        except BadInput as error:
            # The schedule was valid when it was stored; an update of the machine may have removed its zone.
            _log.error("task %d is no longer scheduled: %s", task.id, error.message)
            await tx.execute(update(tasks).where(*mine).values(next_run_at=None))
            return None
        values = NOTHING_PLANNED | {"next_run_at": following and timestamp(following)}
        if (await tx.execute(update(tasks).where(*mine).values(values))).rowcount != 1:
            return None
        if task.retry_of_id:
            return await retry_by_itself(tx, self._clock, task.retry_of_id)
        return await self._queue(tx, task, due_at)

    async def _queue(self, tx: AsyncConnection, task: AnyRow, due_at: str) -> int | None:
        """Queue the run of a time, unless it has had one, is too late, or another run is active."""
        schedule, due, now = schedule_of(task.schedule), datetime.fromisoformat(due_at), self._clock.now()
        # After the clock was set back, the same time is due again.
        if await tx.scalar(select(func.count()).where(runs.c.task_id == task.id, runs.c.due_at == due_at)):
            return None
        if not is_in_time(schedule, task.id, due, now):
            _log.warning("task %d was due at %s; that is too long ago, so it is left out", task.id, due_at)
            await _leave_out(tx, task.id, schedule, due, TOO_LATE)
            return None
        if (active := await active_run(tx, task.id)) is not None:
            text = f"The task was due at {due_at}; that time is left out, because this run was active."
            await tx.run_sync(write_log, self._clock, active, Level.WARNING, text)
            await _leave_out(tx, task.id, schedule, due, WAS_ACTIVE)
            return None
        run_id = await queue_run(
            tx,
            self._clock,
            organization_id=task.organization_id,
            task_id=task.id,
            trigger=Trigger.SCHEDULE,
            triggered_by="schedule",
            due_at=due_at,
        )
        if (number := missed(schedule, task.id, due, now)) > 1:
            counted = f"{number}{' or more' if number == MISSED_MAX else ''}"
            text = f"{counted} scheduled times were missed, the first at {due_at}; this run replaces all of them."
            await tx.run_sync(write_log, self._clock, run_id, Level.WARNING, text)
        return run_id

    async def _sleep(self, due: datetime | None) -> None:
        """Wait until the machine's clock reaches the time, a schedule changes, or the clock was set back."""
        self._seen = (self._clock.now(), self._clock.monotonic()) if due else None
        while not (self._news.is_set() or self._stopping.is_set() or self._has_gone_back()):
            told = self._news.wait(), self._stopping.wait()
            if due is None:
                await first_of(*told)
                continue
            # Sleep in parts: this notices within a minute that the clock was set forward or the machine slept.
            left_s = min((due - self._clock.now()).total_seconds(), LOOK_S)
            await first_of(self._clock.sleep(max(left_s, 0.0)), *told)
            if due <= self._clock.now():
                return

    def _has_gone_back(self) -> bool:
        """Tell whether the machine's clock was set back since the sleep began."""
        if self._seen is None:
            return False
        then, passed_s = self._seen[0], self._clock.monotonic() - self._seen[1]
        return self._clock.now() < then + timedelta(seconds=passed_s - JUMP_S)


def _next(task: AnyRow, now: datetime) -> datetime | None:
    """Return the next time of a task's schedule, or the latest possible time of its planned retry."""
    if task.retry_of_id:
        return now + timedelta(seconds=LONGEST_S)
    return next_time(schedule_of(task.schedule), task.id, now)


async def _leave_out(tx: AsyncConnection, task_id: int, schedule: Schedule, due: datetime, why: str) -> None:
    """Note on the task that a time had no run; nothing else would show it for a task that runs once."""
    noted = replace(schedule, left_out_at=due, left_out_because=why).stored()
    await tx.execute(update(tasks).where(tasks.c.id == task_id).values(schedule=noted))
