"""Counts tasks and runs of the whole installation, for monitoring; does not tell organizations apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import case, func, literal, select, text

from sync.store import Store
from sync.store.tables import runs, tasks

# Sums {inventory: {outcome: number}} over all runs, in SQL.
_OBJECTS = text(
    "SELECT inventory.key, outcome.key, sum(outcome.value) FROM runs, json_each(runs.counts) AS inventory,"
    " json_each(inventory.value) AS outcome GROUP BY 1, 2 ORDER BY 1, 2"
)
REQUEST_NUMBERS = ("count", "retries", "throttledSeconds", "resourceUnits", "bytes")


@dataclass(frozen=True)
class TaskTotals:
    """Totals of the installation.

    Args:
        tasks: the number of active, paused and hidden tasks.
        runs: the number of runs in each status.
        objects: the number of objects that runs have handled, by inventory and outcome.
        requests: the sums of the runs' requests to Microsoft Graph, by `REQUEST_NUMBERS`.
    """

    tasks: Mapping[str, int]
    runs: Mapping[str, int]
    objects: Mapping[tuple[str, str], int]
    requests: Mapping[str, float]


async def tally(store: Store) -> TaskTotals:
    """Count in one snapshot."""
    state = case((tasks.c.hidden, "hidden"), (tasks.c.paused, "paused"), else_=literal("active"))
    asked = [func.coalesce(func.sum(runs.c.requests[name].as_float()), 0.0) for name in REQUEST_NUMBERS]
    async with store.read() as tx:
        by_state = (await tx.execute(select(state, func.count()).group_by(state))).all()
        by_status = (await tx.execute(select(runs.c.status, func.count()).group_by(runs.c.status))).all()
        objects = (await tx.execute(_OBJECTS)).all()
        numbers = (await tx.execute(select(*asked))).one()
    return TaskTotals(
        {"active": 0, "paused": 0, "hidden": 0} | {row[0]: row[1] for row in by_state},
        {row[0]: row[1] for row in by_status},
        {(row[0], row[1]): int(row[2]) for row in objects},
        dict(zip(REQUEST_NUMBERS, map(float, numbers), strict=True)),
    )
