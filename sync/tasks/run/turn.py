"""Makes runs that work on the same site or directory take turns; a waiting run shows which run it waits for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from sqlalchemy import Connection, select, update

from sync.clock import Clock
from sync.events import RUN, note
from sync.store import Store
from sync.store.tables import runs, tasks
from sync.tasks.run.log import Level, write_log
from sync.tasks.run.state import RunStatus


class RunTurns:
    """Lets one run at a time into each lane.

    Args:
        store: has the runs.
        clock: gives the times of log rows.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._locks: dict[Hashable, asyncio.Lock] = {}
        # The run in each lane, and the number of runs that wait for the lane.
        self._inside: dict[Hashable, int] = {}
        self._waiting: Counter[Hashable] = Counter()

    @asynccontextmanager
    async def take(self, lane: Hashable, run_id: int) -> AsyncIterator[None]:
        """Wait until the lane is free, and keep it while the block runs."""
        lock = self._locks.setdefault(lane, asyncio.Lock())
        self._waiting[lane] += 1
        try:
            if lock.locked() and (other := self._inside.get(lane)) is not None:
                await self._store.transact(lambda tx: self._wait(tx, run_id, other))
            await lock.acquire()
        finally:
            self._waiting[lane] -= 1
        try:
            before, self._inside[lane] = self._inside.get(lane), run_id
            if before is not None and self._waiting[lane]:
                await self._store.transact(lambda tx: _follow(tx, before, run_id))
            yield
        finally:
            lock.release()

    def _wait(self, tx: Connection, run_id: int, other: int) -> None:
        """Note and log which run a queued run waits for."""
        waiting = update(runs).where(runs.c.id == run_id, runs.c.status == RunStatus.QUEUED)
        if tx.execute(waiting.values(waits_for_id=other)).rowcount:
            named = select(tasks.c.name).join_from(tasks, runs, runs.c.task_id == tasks.c.id).where(runs.c.id == other)
            text = f"Waits for run_{other} of the task {tx.scalar(named)!r}, which works on the same site or directory."
            write_log(tx, self._clock, run_id, Level.INFO, text, code="WAITING")


def _follow(tx: Connection, before: int, run_id: int) -> None:
    """Note for the runs that waited for the previous run that they wait for this one now."""
    waiting = (runs.c.waits_for_id == before, runs.c.status == RunStatus.QUEUED, runs.c.id != run_id)
    keys = list(tx.scalars(select(runs.c.id).where(*waiting)))
    tx.execute(update(runs).where(runs.c.id.in_(keys)).values(waits_for_id=run_id))
    for key in keys:
        note(tx, RUN, key)
