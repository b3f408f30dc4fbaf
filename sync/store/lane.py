"""Read connections without SQLAlchemy: each runs whole jobs, one after another, with a deadline.

Keep them few: the driver takes the interpreter's lock for every row, so that two reading threads are slower than one.
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
# Instructions of SQLite's virtual machine between two checks of the deadline: about a millisecond.
STEPS = 20_000
# Jobs that one thread may have, running or waiting: a further one would wait longer than its caller does.
JOBS_MAX = 32


@dataclass(eq=False)
class Watch:
    """The deadline of a job, and whether its caller still waits; the connection checks both while it works."""

    clock: Clock
    time_s: float
    deadline_s: float = 0.0
    is_abandoned: bool = False

    def start(self) -> None:
        """Start the time limit."""
        self.deadline_s = self.clock.monotonic() + self.time_s

    def end(self) -> None:
        """Let the deadline pass now."""
        self.deadline_s = 0.0

    def is_over(self) -> bool:
        """Tell whether the job must end."""
        return self.is_abandoned or self.clock.monotonic() > self.deadline_s

    def check(self) -> None:
        """End the job here if it must end; call this in Python code, where the connection does not check.

        Raises:
            StoreSlow: the deadline has passed, or the caller has given up.
        """
        if self.is_over():
            raise StoreSlow(time_s=self.time_s)


# A job gets the connection, and the watch to check while it does not use the connection.
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
        """Run a job on one snapshot in the calling thread: for jobs shorter than the start of a thread.

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
        """Run a job on one snapshot in the lane's thread and return its result.

        Cancelling breaks the job off and frees the lane.

        Raises:
            StoreSlow: the job took longer than `time_s`, not counting the wait for the lane.
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
        """Finish the waiting jobs, then close the connection; a second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._reader.close)
        self._thread.shutdown()
