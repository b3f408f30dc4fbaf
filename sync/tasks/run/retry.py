"""Automatic retries of failed runs: which runs, how often and when; planned when the run ends.

A planned retry is stored as the task's next time, so that it survives a restart. A task with a scheduled next time gets
no retry: its schedule starts the next run.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.entra.graph.limiter import PAUSE_S_MAX
from sync.store.tables import runs, tasks
from sync.tasks.run.log import Level, write_log
from sync.tasks.run.state import RunStatus, TaskKind

WAITS_S = (60.0, 300.0, 900.0, 3_600.0)
"""The wait before each retry; the last value holds for all further retries.

Inside a run each request is already retried for up to a quarter of an hour. These waits outlast a restart of the
network devices on the way to Microsoft, and most incidents of its services.
"""
JITTER = 0.1
LONGEST_S = WAITS_S[-1] * (1 + JITTER)
NOTHING_PLANNED: dict[str, None] = {"next_run_at": None, "retry_of_id": None}
_MENDABLE = {
    TaskKind.CONNECTOR: (RunStatus.FAILED, RunStatus.PARTIAL),
    # A PARTIAL scan has scanned the network; a retry would scan all of it again.
    TaskKind.SCAN: (RunStatus.FAILED,),
}


def plan_retry(tx: Connection, clock: Clock, run_id: int, *, retries: int, asked_s: float = 0.0) -> str:
    """Plan the retry of a failed run, if one may help, and return a sentence for the log that tells what follows.

    Args:
        retries: the limit of automatic retries in a row; 0: none.
        asked_s: the wait that Microsoft Graph asked for; at most an hour of it counts.
    """
    columns = (tasks.c.kind, tasks.c.paused, tasks.c.next_run_at)
    found = select(runs, *columns).join_from(runs, tasks, tasks.c.id == runs.c.task_id).where(runs.c.id == run_id)
    run = tx.execute(found).one()
    if run.next_run_at is not None:
        return f"The schedule starts the task again at {run.next_run_at}."
    is_over = run.paused or run.stop_asked_at is not None or run.retry_number >= retries
    if is_over or run.status not in _MENDABLE[TaskKind(run.kind)] or not _may_help(run.errors):
        return "No further run is planned: the task runs again when somebody triggers it or retries this run."
    wait_s = max(WAITS_S[min(run.retry_number, len(WAITS_S) - 1)], min(asked_s, PAUSE_S_MAX))
    due_at = timestamp(clock.now() + timedelta(seconds=wait_s * (1 + JITTER * clock.chance())))
    tx.execute(update(tasks).where(tasks.c.id == run.task_id).values(next_run_at=due_at, retry_of_id=run_id))
    return f"It is tried again by itself at {due_at}: retry {run.retry_number + 1} of at most {retries}."


def _may_help(errors: Iterable[dict[str, Any]]) -> bool:
    """Tell whether a retry may help with one of the errors."""
    return any(error["retryable"] for error in errors)


async def drop_retry(tx: AsyncConnection, clock: Clock, task_id: int, why: str) -> None:
    """Cancel the planned retry of a task's run, if there is one, and note it in that run's log."""
    planned = select(tasks.c.retry_of_id).where(tasks.c.id == task_id)
    if (run_id := await tx.scalar(planned)) is None:
        return
    await tx.execute(update(tasks).where(tasks.c.id == task_id).values(NOTHING_PLANNED))
    await tx.run_sync(write_log, clock, run_id, Level.INFO, f"The run is not tried again by itself: {why}.")
