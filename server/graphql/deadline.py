"""A deadline that is only set for what does not end at once: most requests do, and a deadline takes a tenth of one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

T = TypeVar("T")


async def soon(awaitable: Awaitable[T], timeout_s: float) -> T:
    """Wait for something, at most so long from when it first has to wait itself.

    Raises:
        TimeoutError: it took longer, and was cancelled.
    """
    step = awaitable.__await__()
    try:
        pending = next(step)
    except StopIteration as end:
        found: T = end.value
        return found
    async with asyncio.timeout(timeout_s):
        return await _Rest(step, pending)


class _Rest(Generator[Any, Any, T]):
    """What is left of something that has begun: what it waits for, then its own steps.

    Args:
        step: resumes it.
        pending: what it waits for.
    """

    def __init__(self, step: Generator[Any, Any, T], pending: Any) -> None:
        self._step, self._pending = step, [pending]

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def send(self, value: Any) -> Any:
        """Return what is waited for next."""
        return self._pending.pop() if self._pending else self._step.send(value)

    def throw(self, *error: Any) -> Any:
        """Pass on an error, a cancellation above all, which is its own to handle."""
        return self._step.throw(*error)
