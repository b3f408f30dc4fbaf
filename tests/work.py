"""Work as a number that is the same on every machine: how many calls a piece of the program makes."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Work:
    """What something took: calls of Python and C functions, and processor time for whoever reads the report."""

    calls: int
    cpu_ms: float


def work_of(do: Callable[[], Any]) -> Work:
    """Do it twice: once with a clock, once counting.

    A processor that is busy with others cannot change the count; a loop over calls that grows too fast always does.
    """
    begun = time.process_time()
    do()
    cpu_ms = (time.process_time() - begun) * 1_000
    calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        do()
    finally:
        sys.setprofile(before)
    return Work(calls, cpu_ms)


# What a runtime waits in, which a fixture of the module may have opened in the same loop; it is renewed at any time.
_WAITS = {"Event.wait", "SystemClock.sleep"}


def tasks_at_work() -> set[asyncio.Task[Any]]:
    """Return the tasks of this loop that do anything but wait for a runtime's next time."""
    return {task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__qualname__", "") not in _WAITS}
