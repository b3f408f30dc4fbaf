"""Executes runs inside this process: a trigger wakes it, it never polls; it resumes the runs that a kill left behind.

A separate worker on PostgreSQL can implement the same protocol.
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
"""The limit of attempts to resume a run after database errors that are not temporary, `STORE_INTERVAL_S` apart."""
STORE_INTERVAL_S = 15.0
_log = logging.getLogger("rollcall.run")

# Executes a run until it ends or the event is set.
Execute = Callable[[int, asyncio.Event], Awaitable[None]]


class Engine(Protocol):
    """Executes queued runs."""

    async def start(self) -> None:
        """Resume the queued runs, and those that an earlier process left unfinished."""

    def wake(self, run_id: int) -> None:
        """Execute a queued run; call this after the commit."""

    def halt(self, run_id: int) -> None:
        """Stop a run that a person stopped, after its current page; call this after the commit."""

    async def stop(self) -> None:
        """Claim no further run, let each run finish its current page, and return."""


class EmbeddedEngine:
    """Executes runs as asyncio tasks of this process; runs of one directory wait for each other."""

    def __init__(self, store: Store, clock: Clock, execute: Execute, stopping: asyncio.Event) -> None:
        self._store = store
        self._clock = clock
        self._execute = execute
        self._stopping = stopping
        self._running: set[asyncio.Task[None]] = set()
        self._turns = RunTurns(store, clock)
        # Run → the event that stops it.
        self._halts: dict[int, asyncio.Event] = {}

    async def start(self) -> None:
        """Resume the queued runs, and those that an earlier process left unfinished."""
        async with self._store.read() as tx:
            for run_id in await tx.scalars(select(runs.c.id).where(runs.c.status.in_(ACTIVE)).order_by(runs.c.id)):
                self.wake(run_id)

    def wake(self, run_id: int) -> None:
        """Execute a queued run; call this after the commit."""
        if not self._stopping.is_set():
            task = asyncio.create_task(self._take(run_id), name=f"run {run_id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def halt(self, run_id: int) -> None:
        """Stop a run that a person stopped, after its current page; call this after the commit."""
        if (halt := self._halts.get(run_id)) is not None:
            halt.set()

    async def stop(self) -> None:
        """Claim no further run, let each run finish its current page, and return."""
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
        """Attend to a run; if the database fails, wait and resume the run."""
        halt = self._halts[run_id] = asyncio.Event()
        try:
            tries = 0
            while tries < STORE_TRIES:
                try:
                    return await self._attend(run_id, halt)
                except StoreError as error:
                    _log.warning("run %d waits for the database: %s", run_id, error.message)
                    # Temporary errors do not count: a disk may stay full over a weekend.
                    tries += not error.retryable
                await self._sleep(STORE_INTERVAL_S, self._stopping)
            _log.error("run %d stays as it is; it is resumed at the next start", run_id)
        finally:
            if self._halts.get(run_id) is halt:
                del self._halts[run_id]

    async def _attend(self, run_id: int, halt: asyncio.Event) -> None:
        """Execute a run when its time has come, and again each time after it was postponed."""
        wait_s = await self._wait_s(run_id)
        while True:
            if wait_s > 0:
                # Wait outside the lane, so that other runs can use it.
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
        """Return how long a run is still postponed; 0 if it is not."""
        mine = (runs.c.id == run_id, runs.c.status == RunStatus.QUEUED)
        async with self._store.read() as tx:
            not_before = await tx.scalar(select(runs.c.not_before).where(*mine))
        return (datetime.fromisoformat(not_before) - self._clock.now()).total_seconds() if not_before else 0

    async def _lane(self, run_id: int) -> Hashable:
        """Return the lane of a run: runs of one lane, such as those of one directory, must not run at once."""
        kinds = select(tasks.c.kind, tasks.c.id).join_from(runs, tasks, tasks.c.id == runs.c.task_id)
        async with self._store.read() as tx:
            row = (await tx.execute(kinds.where(runs.c.id == run_id))).first()
            return (row.kind, await RUNNERS[TaskKind(row.kind)].lane(tx, row.id)) if row else run_id
