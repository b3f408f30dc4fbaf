"""Counts tasks and runs of the whole installation, for who watches over it; tells of no organization apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import case, func, literal, select, text

from sync.store import Store
from sync.store.tables import runs, tasks

# {inventory: {outcome: number}} of every run, added up where it is stored.
_OBJECTS = text(
    "SELECT inventory.key, outcome.key, sum(outcome.value) FROM runs, json_each(runs.counts) AS inventory,"
    " json_each(inventory.value) AS outcome GROUP BY 1, 2 ORDER BY 1, 2"
)
REQUEST_NUMBERS = ("count", "retries", "throttledSeconds", "resourceUnits", "bytes")


@dataclass(frozen=True)
class TaskTotals:
    """What the tables hold.

    Args:
        tasks: how many are active, paused and hidden.
        runs: how many there are in each status.
        objects: what runs have done with objects, by inventory and outcome.
        requests: what runs have asked of Microsoft Graph.
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
