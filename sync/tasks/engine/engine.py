"""Executes runs inside this process: woken by a trigger, never polling; takes up what a kill left behind.

The protocol is what a separate worker over PostgreSQL will keep as well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from sqlalchemy import select

from sync.clock import Clock
from sync.errors import Interrupted, StoreError
from sync.store import Store
from sync.store.tables import runs, tasks
from sync.tasks.engine.runner import RUNNERS
from sync.tasks.engine.wait import unless_stopping
from sync.tasks.run.state import ACTIVE, RunStatus, TaskKind
from sync.tasks.run.turn import RunTurns

STORE_TRIES = 40
"""How often a run is taken up again because the database fails for good, `STORE_INTERVAL_S` apart."""
STORE_INTERVAL_S = 15.0
_log = logging.getLogger("rollcall.run")

# Executes a run until it ends or the event is set.
Execute = Callable[[int, asyncio.Event], Awaitable[None]]


class Engine(Protocol):
    """What executes queued runs."""

    async def start(self) -> None:
        """Take up the runs that are queued, or that an earlier process left unfinished."""

    def wake(self, run_id: int) -> None:
        """Tell of a run that was queued by a transaction that has committed."""

    def halt(self, run_id: int) -> None:
        """Tell of a run that a person stopped, by a transaction that has committed: it finishes the page in hand."""

    async def stop(self) -> None:
        """Claim nothing new, let each run finish the page in hand, and return."""


class EmbeddedEngine:
    """Runs as asyncio tasks of this process; runs of one directory wait for each other, others for their time."""

    def __init__(self, store: Store, clock: Clock, execute: Execute, stopping: asyncio.Event) -> None:
        self._store = store
        self._clock = clock
        self._execute = execute
        self._stopping = stopping
        self._running: set[asyncio.Task[None]] = set()
        self._turns = RunTurns(store, clock)
        # One event a run: set, it stops that run.
        self._halts: dict[int, asyncio.Event] = {}

    async def start(self) -> None:
        """Take up the runs that are queued, or that an earlier process left unfinished."""
        async with self._store.read() as tx:
            for run_id in await tx.scalars(select(runs.c.id).where(runs.c.status.in_(ACTIVE)).order_by(runs.c.id)):
                self.wake(run_id)

    def wake(self, run_id: int) -> None:
        """Tell of a run that was queued by a transaction that has committed."""
        if not self._stopping.is_set():
            task = asyncio.create_task(self._take(run_id), name=f"run {run_id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def halt(self, run_id: int) -> None:
        """Tell of a run that a person stopped, by a transaction that has committed: it finishes the page in hand."""
        if (halt := self._halts.get(run_id)) is not None:
            halt.set()

    async def stop(self) -> None:
        """Claim nothing new, let each run finish the page in hand, and return."""
        self._stopping.set()
        for halt in self._halts.values():
            halt.set()
        if self._running:
            await asyncio.wait(self._running)

    async def idle(self) -> None:
        """Wait until no run is left."""
        while self._running:
            await asyncio.wait(self._running)

    async def _take(self, run_id: int) -> None:
        """Attend to a run; when the database fails, wait for it and take the run up again where it is then."""
        halt = self._halts[run_id] = asyncio.Event()
        try:
            tries = 0
            while tries < STORE_TRIES:
                try:
                    return await self._attend(run_id, halt)
                except StoreError as error:
                    _log.warning("run %d waits for the database: %s", run_id, error.message)
                    # A full disk may stay so over a weekend.
                    tries += not error.retryable
                await self._sleep(STORE_INTERVAL_S, self._stopping)
            _log.error("run %d stays as it is; it is taken up at the next start", run_id)
        finally:
            if self._halts.get(run_id) is halt:
                del self._halts[run_id]

    async def _attend(self, run_id: int, halt: asyncio.Event) -> None:
        """Execute a run when its time has come, and again as often as it is put off."""
        wait_s = await self._wait_s(run_id)
        while True:
            if wait_s > 0:
                # Outside the lane: a run that waits for its time is in nobody's way.
                await self._sleep(wait_s, halt)
            async with self._turns.take(await self._lane(run_id), run_id):
                if self._stopping.is_set():
                    return
                await self._execute(run_id, halt)
            wait_s = await self._wait_s(run_id)
            if wait_s <= 0:
                return

    async def _sleep(self, seconds: float, stopping: asyncio.Event) -> None:
        with suppress(Interrupted):
            await unless_stopping(stopping, self._clock.sleep(seconds))

    async def _wait_s(self, run_id: int) -> float:
        """Return how long a run is put off; 0 when it is not."""
        mine = (runs.c.id == run_id, runs.c.status == RunStatus.QUEUED)
        async with self._store.read() as tx:
            not_before = await tx.scalar(select(runs.c.not_before).where(*mine))
        return (datetime.fromisoformat(not_before) - self._clock.now()).total_seconds() if not_before else 0

    async def _lane(self, run_id: int) -> Hashable:
        """Name what two runs must not do at once, such as write the same directory."""
        kinds = select(tasks.c.kind, tasks.c.id).join_from(runs, tasks, tasks.c.id == runs.c.task_id)
        async with self._store.read() as tx:
            row = (await tx.execute(kinds.where(runs.c.id == run_id))).first()
            return (row.kind, await RUNNERS[TaskKind(row.kind)].lane(tx, row.id)) if row else run_id
