"""Fills the trigram index after the syncs, a few rows at a time, so that no page of a sync waits long for the writer.

Its position is written with the index: after a kill it continues there. Searches find rows that are not indexed yet,
but more slowly.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, select

from sync.clock import Clock
from sync.errors import RollcallError
from sync.store import Store, gram
from sync.store.tables import organizations

# Rows of one transaction: about 30 ms of the writer's time.
BATCH_ROWS = 500
# The pause after each transaction leaves the processor to other work.
PAUSE_S = 0.02
_log = logging.getLogger("rollcall.index")


class Indexer:
    """Indexes rows when it is woken, until none is left or it is stopped."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._is_stopping = self._is_due = False
        self._work: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Start to index; call this after rows were written."""
        self._is_due = True
        if not self._is_stopping and (self._work is None or self._work.done()) and gram.is_available():
            self._work = asyncio.create_task(self._run(), name="indexer")

    async def idle(self) -> None:
        """Wait until it has nothing to do."""
        if self._work:
            await asyncio.wait([self._work])

    async def stop(self) -> None:
        """Finish the current rows and return."""
        self._is_stopping = True
        await self.idle()

    async def _run(self) -> None:
        try:
            while self._is_due and not self._is_stopping:
                self._is_due = False
                await self.catch_up()
        except RollcallError as error:
            # A full disk, for example: nothing is lost, and the next run wakes the indexer again.
            _log.warning("the search index is behind, and searches are slower: %s", error.message)

    async def catch_up(self) -> None:
        """Index all rows that are not indexed yet.

        Raises:
            StoreError: the database refused a write; the rows indexed before stay indexed.
        """
        async with self._store.read() as tx:
            known = (await tx.scalars(select(organizations.c.id).order_by(organizations.c.id))).all()
        for organization_id in known:
            for owner in gram.COLUMNS:
                while not self._is_stopping and await self.step(organization_id, owner):
                    await self._clock.sleep(PAUSE_S)

    async def step(self, organization_id: int, owner: Table, rows_max: int = BATCH_ROWS) -> bool:
        """Index the next rows of a table.

        Returns:
            Whether there may be more.
        """
        async with self._store.read() as tx:
            now = select(organizations.c.version).where(organizations.c.id == organization_id)
            version: int = (await tx.scalars(now)).one()
            # Read one row more than needed, to know whether more follow.
            found = await gram.unindexed(tx, organization_id, owner, rows_max + 1)
        if not found:
            return False
        rows, is_cut = found[:rows_max], len(found) > rows_max
        tokens = await asyncio.to_thread(_tokens, owner, rows)
        async with self._store.write() as tx:
            await gram.add(tx, tokens)
            # Later writes have a later version, so all rows before the next version are indexed.
            place = (rows[-1]["version"], rows[-1]["id"] + 1) if is_cut else (version + 1, 0)
            await gram.mark(tx, organization_id, owner, *place)
        return is_cut


def _tokens(owner: Table, rows: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    return {row["id"]: gram.tokens_of(owner, row) for row in rows}
