"""A deadline that starts only when an awaitable first waits: setting one takes a tenth of a request's time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

T = TypeVar("T")


async def soon(awaitable: Awaitable[T], timeout_s: float) -> T:
    """Await something; the time counts from when it first suspends.

    Raises:
        TimeoutError: it took longer and was cancelled.
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
    """The rest of an awaitable that has begun.

    Args:
        step: resumes the awaitable.
        pending: the future that it has already yielded; passed on first.
    """

    def __init__(self, step: Generator[Any, Any, T], pending: Any) -> None:
        self._step, self._pending = step, [pending]

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def send(self, value: Any) -> Any:
        """Return the next future to wait for."""
        return self._pending.pop() if self._pending else self._step.send(value)

    def throw(self, *error: Any) -> Any:
        """Pass an error, such as a cancellation, to the awaitable."""
        return self._step.throw(*error)
