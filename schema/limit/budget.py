"""Limits of answers: the size of each, and the memory of all that are being built or sent.

Both are enforced while an answer is built. A small answer reserves no memory.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass

from sync.errors import AnswerTooLarge, StoreCrowded

MIB = 1024 * 1024
# Memory that an answer may use without a reservation, and the step of a reservation.
FREE_BYTES, STEP_BYTES = 64 * 1024, MIB
# JSON that is parsed into Python objects takes about this many times the memory of its text.
LOADED_FACTOR = 4
# Longest time that a request may wait for memory, and most requests that may wait.
WAIT_S, WAITING_MAX = 2.0, 64
HINT = "Request fewer rows with `first`, select fewer fields, or nest fewer lists."


class NoMemory(Exception):
    """The answer needs more memory than the budget has now.

    Args:
        needed_bytes: the memory that the answer needs so far.
    """

    def __init__(self, needed_bytes: int) -> None:
        super().__init__()
        self.needed_bytes = needed_bytes


@dataclass(frozen=True)
class AnswerLimits:
    """Limits of one answer: its bytes, the rows of its lists without a size, and the described parts of the schema."""

    bytes_max: int = 32 * MIB
    rows_max: int = 20_000
    introspection_max: int = 50_000


class Budget:
    """The memory of all answers that are being built or sent. Any thread may take it; the event loop may wait for it.

    Args:
        limits: the limits of each answer.
        bytes_max: most bytes of all answers together.
        wait_s: longest time that a request may wait.
    """

    def __init__(self, limits: AnswerLimits | None = None, bytes_max: int = 128 * MIB, wait_s: float = WAIT_S) -> None:
        self.limits, self.bytes_max, self._wait_s = limits or AnswerLimits(), bytes_max, wait_s
        self._free = bytes_max
        self._lock = threading.Lock()
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def taken_bytes(self) -> int:
        """The memory that is taken."""
        return self.bytes_max - self._free

    def take(self, number: int) -> bool:
        """Take memory if there is enough; return whether there was."""
        with self._lock:
            if number > self._free:
                return False
            self._free -= number
            return True

    def give(self, number: int) -> None:
        """Give memory back, and wake the first waiting request."""
        if not number:
            return
        with self._lock:
            self._free += number
            waiting = next((one for one in self._waiting if not one.done()), None)
        if waiting is not None:
            waiting.get_loop().call_soon_threadsafe(_wake, waiting)

    async def reserve(self, number: int) -> None:
        """Take memory in the order of arrival; wait up to `wait_s` if there is not enough.

        Raises:
            StoreCrowded: there was not enough in time, or too many requests wait.
        """
        number = min(number, self.bytes_max)
        if not self._waiting and self.take(number):
            return
        if len(self._waiting) >= WAITING_MAX:
            raise StoreCrowded
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._wait_s):
                while self._waiting[0] is not turn or not self.take(number):
                    await turn
                    self._waiting[self._waiting.index(turn)] = turn = asyncio.get_running_loop().create_future()
        except TimeoutError:
            raise StoreCrowded from None
        finally:
            self._waiting.remove(turn)
            # The free memory may be enough for the next request.
            if self._waiting:
                _wake(self._waiting[0])


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


@dataclass(eq=False)
class Tally:
    """Counts the bytes, the memory and the rows of one answer.

    Args:
        budget: has the limits and the memory.
        reserved_bytes: memory taken from the budget so far.
    """

    budget: Budget
    reserved_bytes: int = 0
    # Bytes in memory, bytes that the answer will have at least, and rows of lists without a size.
    held_bytes: int = 0
    written_bytes: int = 0
    rows: int = 0

    def restart(self) -> None:
        """Reset the counts; the reserved memory stays reserved."""
        self.held_bytes = self.written_bytes = self.rows = 0

    def hold(self, number: int) -> None:
        """Count used memory; a negative number is released memory.

        Raises:
            NoMemory: the budget does not have enough now.
            AnswerTooLarge: the whole budget is not enough.
        """
        self.held_bytes += number
        if self.held_bytes > FREE_BYTES and self.held_bytes > self.reserved_bytes:
            self._reserve()

    def _reserve(self) -> None:
        limit = self.budget.bytes_max
        if self.held_bytes > limit:
            text = f"The answer needs more than {limit} bytes of memory while it is built."
            raise AnswerTooLarge(text, hint=HINT, which="answersBytes", limit=limit, actual=self.held_bytes)
        needed = min(-(-self.held_bytes // STEP_BYTES) * STEP_BYTES, limit)
        if not self.budget.take(needed - self.reserved_bytes):
            raise NoMemory(needed)
        self.reserved_bytes = needed

    def reach(self, number: int) -> None:
        """Note that the answer has at least this many bytes.

        Raises:
            AnswerTooLarge: the answer is over the limit.
        """
        self.written_bytes = max(self.written_bytes, number)
        limit = self.budget.limits.bytes_max
        if number > limit:
            text = f"The answer is larger than {limit} bytes."
            raise AnswerTooLarge(text, hint=HINT, which="answerBytes", limit=limit, actual=number)

    def count(self, rows: int) -> None:
        """Count rows of a list without a size argument.

        Raises:
            AnswerTooLarge: the rows are over the limit.
        """
        self.rows += rows
        limit = self.budget.limits.rows_max
        if self.rows > limit:
            hint = "Request fewer parents of lists without a size, such as `azureAd` or `managerChain`."
            text = f"The lists of the operation hold more than {limit} rows."
            raise AnswerTooLarge(text, hint=hint, which="cost", limit=limit, actual=self.rows)

    @property
    def rows_left(self) -> int:
        """The number of rows until the limit."""
        return self.budget.limits.rows_max - self.rows

    def finish(self, body_bytes: int) -> None:
        """Release all memory but that of the finished body.

        Raises:
            AnswerTooLarge: the body is too large.
        """
        self.reach(body_bytes)
        kept = 0 if body_bytes <= FREE_BYTES else min(body_bytes, self.reserved_bytes)
        self.budget.give(self.reserved_bytes - kept)
        self.reserved_bytes = kept

    def close(self) -> None:
        """Give all memory back; a second call does nothing."""
        self.budget.give(self.reserved_bytes)
        self.reserved_bytes = 0

    def __del__(self) -> None:
        # Release the memory of an answer that was never sent because its caller left.
        self.close()
