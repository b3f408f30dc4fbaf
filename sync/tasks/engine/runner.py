"""The runner of each kind of task; enter a new kind here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from sync.tasks.connector.connector import directory_of_task, run_connector
from sync.tasks.engine.workplace import Workplace
from sync.tasks.run.run import Run
from sync.tasks.run.state import RunStatus, TaskKind
from sync.tasks.scan import run_scan


@dataclass(frozen=True)
class Runner:
    """How runs of one kind of task are executed.

    Args:
        run: executes a claimed run and returns its new status; raises Interrupted if `stopping` was set and the run
            continues later, ClaimLost if another worker has claimed it.
        lane: returns the lane of a task by its key; runs of one lane wait for each other.
    """

    run: Callable[[Workplace, Run], Awaitable[RunStatus]]
    lane: Callable[[AsyncConnection, int], Awaitable[Hashable]]


RUNNERS: dict[TaskKind, Runner] = {
    TaskKind.CONNECTOR: Runner(run_connector, directory_of_task),
    # Scans of a site wait for each other; a scan with a probe writes a directory, and waits for its connector too.
    TaskKind.SCAN: Runner(run_scan, directory_of_task),
}
