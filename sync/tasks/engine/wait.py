"""Waiting for a directory without holding up a process that is about to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from sync.errors import Interrupted

T = TypeVar("T")


async def unless_stopping(stopping: asyncio.Event, answer: Awaitable[T]) -> T:
    """Wait for an answer, but not when the process is stopping: it, or a Retry-After, may take minutes.

    Raises:
        Interrupted: the process is stopping; the answer is no longer waited for.
    """
    asked, stopped = asyncio.ensure_future(answer), asyncio.ensure_future(stopping.wait())
    try:
        # Not begun at all once it is known: an answer that takes no time would come first every time.
        if not stopping.is_set():
            await asyncio.wait({asked, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                return asked.result()
        raise Interrupted
    finally:
        stopped.cancel()
        asked.cancel()
        await asyncio.wait({asked, stopped})
