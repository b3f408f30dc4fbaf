"""A deadline that is only set for what does not end at once: most requests do, and a deadline takes a tenth of one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

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


@dataclass(frozen=True, slots=True)
class _Rest(Generic[T]):
    """What is left of something that has begun.

    Args:
        step: resumes it.
        pending: what it waits for.
    """

    step: Generator[Any, Any, T]
    pending: Any

    def __await__(self) -> Generator[Any, Any, T]:
        step, pending = self.step, self.pending
        while True:
            error: BaseException | None = None
            try:
                yield pending
            except BaseException as thrown:  # a cancellation above all, which is its own to handle
                error = thrown
            try:
                pending = next(step) if error is None else step.throw(error)
            except StopIteration as end:
                found: T = end.value
                return found
