"""Which reader a plan runs on: learned from how long it took, so that no rule has to guess what a filter costs."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sync.errors import StoreSlow
from sync.store import Store
from sync.store.engine import STATEMENT_S

T = TypeVar("T")


class Where(enum.IntEnum):
    """Where a plan runs, from quick to slow."""

    # A page of rows that an index leads to is read in less time than a thread takes to wake up.
    HERE = 0
    QUICK = 1
    SLOW = 2


# How long a plan may run in a place before it is broken off and moves to the next.
TIME_S = {Where.HERE: 0.02, Where.QUICK: 0.2, Where.SLOW: STATEMENT_S}


@dataclass(slots=True)
class Pace:
    """How fast a plan has been."""

    where: Where = Where.HERE

    async def run(self, store: Store, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a plan's work where it holds up nobody.

        Raises:
            StoreSlow: it took longer than any read may.
        """
        while True:
            try:
                time_s = TIME_S[self.where]
                if self.where is Where.HERE:
                    return store.here.run(work, time_s=time_s)
                lane = store.quick if self.where is Where.QUICK else store.slow
                return await lane.run(work, time_s=time_s)
            except StoreSlow:
                if self.where is Where.SLOW:
                    raise
                self.where = Where(self.where + 1)
