"""A thread for long computations, so that they do not block the event loop.

It is a single thread, because each computing thread makes the loop wait longer for the interpreter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sync.errors import StoreCrowded

T = TypeVar("T")
# With more jobs, callers would give up before the last one.
JOBS_MAX = 256


class Worker:
    """Runs jobs one after another in a thread that starts with the first job."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._jobs = 0

    async def run(self, job: Callable[[], T]) -> T:
        """Return what the job returns, or raise what it raises.

        Raises:
            StoreCrowded: too many jobs wait already.
        """
        if self._jobs >= JOBS_MAX:
            raise StoreCrowded
        self._jobs += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, job)
        finally:
            self._jobs -= 1
