"""What executes the runs of each kind of task: the one place to enter a new kind in."""

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
        run: executes a claimed run and returns the status it left it in; raises Interrupted when `stopping` was set
            and the run is to go on later, ClaimLost when another worker has it.
        lane: names, by a task's key, what two runs must not do at once; runs of one lane wait for each other.
    """

    run: Callable[[Workplace, Run], Awaitable[RunStatus]]
    lane: Callable[[AsyncConnection, int], Awaitable[Hashable]]


RUNNERS: dict[TaskKind, Runner] = {
    TaskKind.CONNECTOR: Runner(run_connector, directory_of_task),
    # Scans of a site wait for each other; one with a probe writes a directory, and waits for its connector too.
    TaskKind.SCAN: Runner(run_scan, directory_of_task),
}
