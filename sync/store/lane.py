"""Readers beside SQLAlchemy's: connections that can never write, given whole jobs, each with a deadline.

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
from sync.errors import StoreCrowded, StoreSlow

T = TypeVar("T")
# Steps of SQLite's machine between two looks at the clock: about a millisecond.
STEPS = 20_000
# Jobs that may wait for one thread, or be worked on there: the last of more would wait longer than its caller does.
JOBS_MAX = 32


@dataclass(eq=False)
class Watch:
    """What the connection looks at while it works: is anybody still waiting, and how long may it take."""

    clock: Clock
    time_s: float
    deadline_s: float = 0.0
    is_abandoned: bool = False

    def start(self) -> None:
        """Begin to count."""
        self.deadline_s = self.clock.monotonic() + self.time_s

    def end(self) -> None:
        """Let the time be over."""
        self.deadline_s = 0.0

    def is_over(self) -> bool:
        """Tell whether the job must end."""
        return self.is_abandoned or self.clock.monotonic() > self.deadline_s

    def check(self) -> None:
        """End the job here if it must end; the connection looks only while it works itself.

        Raises:
            StoreSlow: it must.
        """
        if self.is_over():
            raise StoreSlow(time_s=self.time_s)


# A job is given the connection, and the watch that it looks at while it does not use the connection.
Job = Callable[[sqlite3.Connection, Watch], T]


class Reader:
    """A connection for jobs, used by one thread; opened at the first job.

    Args:
        connect: opens the connection.
        clock: measures deadlines.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], clock: Clock) -> None:
        self._connect, self._clock = connect, clock
        self._connection: sqlite3.Connection | None = None

    def run(self, work: Job[T], *, time_s: float) -> T:
        """Run a job that sees one snapshot, in the thread that asks: for what is over before a thread would start.

        Raises:
            StoreSlow: the job took longer than `time_s`.
        """
        return self.perform(work, Watch(self._clock, time_s))

    def perform(self, work: Job[T], watch: Watch) -> T:
        """Run a job under a watch."""
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        watch.start()
        connection.set_progress_handler(watch.is_over, STEPS)
        connection.execute("BEGIN")
        try:
            return work(connection, watch)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_INTERRUPT":
                raise
            raise StoreSlow(time_s=watch.time_s) from None
        finally:
            connection.set_progress_handler(None, 0)
            connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Lane:
    """A thread with a reader; its jobs run one after another.

    Args:
        reader: used by the lane's thread alone.
        clock: measures deadlines.
        name: of the thread.
    """

    def __init__(self, reader: Reader, clock: Clock, name: str) -> None:
        self._reader, self._clock = reader, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._is_closed = False
        self._jobs = 0

    async def run(self, work: Job[T], *, time_s: float) -> T:
        """Run a job that sees one snapshot and return what it returns.

        Cancelling gives the lane back: what the job is doing is broken off.

        Raises:
            StoreSlow: the job took longer than `time_s`, the wait for the lane aside.
            StoreCrowded: too many jobs wait already.
        """
        if self._jobs >= JOBS_MAX:
            raise StoreCrowded
        watch = Watch(self._clock, time_s)
        self._jobs += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._reader.perform, work, watch)
        finally:
            watch.is_abandoned = True
            self._jobs -= 1

    async def close(self) -> None:
        """Finish the jobs that wait, and close the connection; closing twice does nothing more."""
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._reader.close)
        self._thread.shutdown()
