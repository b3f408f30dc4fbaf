"""Which reader a plan runs on: learned from how long it took, so that no rule has to guess what a filter costs."""

from __future__ import annotations

import enum
import sqlite3
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sync.clock import Clock
from sync.errors import StoreSlow
from sync.store import Store
from sync.store.engine import STATEMENT_S
from sync.store.lane import Job, Watch

T = TypeVar("T")


class Where(enum.IntEnum):
    """Where a plan runs, from quick to slow."""

    # A page of rows that an index leads to is read in less time than a thread takes to wake up.
    HERE = 0
    QUICK = 1
    SLOW = 2


# How long a plan may run in a place before it is broken off and moves to the next. Here it holds up every other
# request, for 50 ms at most: it is broken off a little later than it should.
TIME_S = {Where.HERE: 0.045, Where.QUICK: 0.5, Where.SLOW: STATEMENT_S}
# A plan that ends sooner than this in a lane moves back: the machine, or another argument, had been slow.
BACK_S = 0.025
# After a plan has held up the others, so long no other is tried beside them that was not quick there before.
WARY_S = 1.0


@dataclass(slots=True)
class Caution:
    """What all plans of a process learn of one that was slow beside the requests."""

    clock: Clock
    until_s: float = 0.0

    def first(self) -> Where:
        """Return where a plan starts of which nothing is known."""
        return Where.QUICK if self.clock.monotonic() < self.until_s else Where.HERE

    def learn(self) -> None:
        """Be wary from now on."""
        self.until_s = self.clock.monotonic() + WARY_S


@dataclass(slots=True)
class LaneChoice:
    """How fast a plan has been.

    Args:
        caution: shared by all plans of a process.
        where: it runs next.
    """

    caution: Caution
    where: Where

    async def run(self, store: Store, work: Job[T]) -> T:
        """Run a plan's work where it holds up nobody.

        Raises:
            StoreSlow: it took longer than any read may.
            StoreCrowded: too many others wait where it would run.
        """
        while True:
            where = self.where
            try:
                if where is Where.HERE:
                    return store.here.run(work, time_s=TIME_S[where])
                lane = store.quick if where is Where.QUICK else store.slow
                answer, took_s = await lane.run(partial(self._timed, work), time_s=TIME_S[where])
            except StoreSlow:
                if where is Where.SLOW:
                    raise
                if where is Where.HERE:
                    self.caution.learn()
                self.where = max(self.where, Where(where + 1))
            else:
                if took_s < BACK_S:
                    self.where = self.caution.first()
                return answer

    def _timed(self, work: Job[T], connection: sqlite3.Connection, watch: Watch) -> tuple[T, float]:
        clock = self.caution.clock
        started = clock.monotonic()
        answer = work(connection, watch)
        return answer, clock.monotonic() - started
