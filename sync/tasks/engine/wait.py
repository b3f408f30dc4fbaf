"""Waits for an answer without delaying a stop of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from sync.errors import Interrupted

T = TypeVar("T")


async def unless_stopping(stopping: asyncio.Event, answer: Awaitable[T]) -> T:
    """Wait for an answer, which may take minutes, until `stopping` is set.

    Raises:
        Interrupted: `stopping` is set; the answer was cancelled.
    """
    asked, stopped = asyncio.ensure_future(answer), asyncio.ensure_future(stopping.wait())
    try:
        # Check first: an answer that is ready at once would always win against the event.
        if not stopping.is_set():
            await asyncio.wait({asked, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                return asked.result()
        raise Interrupted
    finally:
        stopped.cancel()
        asked.cancel()
        await asyncio.wait({asked, stopped})
