"""Readers beside SQLAlchemy's: a thread with one connection that can never write, given whole jobs, each with a deadline.

Few and not many: the driver takes the interpreter's lock for every row, so two threads that read are slower than one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from sync.clock import Clock
from sync.errors import StoreSlow

T = TypeVar("T")
# Steps of SQLite's machine between two looks at the clock: about a millisecond.
STEPS = 20_000


@dataclass(eq=False)
class _Watch:
    """What the connection looks at while it works: is anybody still waiting, and how long may it take."""

    clock: Clock
    time_s: float
    deadline_s: float = 0.0
    is_abandoned: bool = False

    def start(self) -> None:
        self.deadline_s = self.clock.monotonic() + self.time_s

    def is_over(self) -> bool:
        return self.is_abandoned or self.clock.monotonic() > self.deadline_s


class Lane:
    """One reading thread; its jobs run one after another, each inside one read transaction.

    Args:
        connect: opens the connection; called in the thread, at the first job.
        clock: measures deadlines.
        name: of the thread.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], clock: Clock, name: str) -> None:
        self._connect, self._clock = connect, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T], *, time_s: float) -> T:
        """Run a job that sees one snapshot and return what it returns.

        Cancelling gives the lane back: what the job is doing is broken off.

        Raises:
            StoreSlow: the job took longer than `time_s`, the wait for the lane aside.
        """
        watch = _Watch(self._clock, time_s)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._perform, work, watch)
        finally:
            watch.is_abandoned = True

    async def close(self) -> None:
        """Finish the jobs that wait, and close the connection."""
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    def _perform(self, work: Callable[[sqlite3.Connection], T], watch: _Watch) -> T:
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        watch.start()
        connection.set_progress_handler(watch.is_over, STEPS)
        connection.execute("BEGIN")
        try:
            return work(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_INTERRUPT":
                raise
            raise StoreSlow(time_s=watch.time_s) from None
        finally:
            connection.set_progress_handler(None, 0)
            connection.execute("ROLLBACK")
