"""Derives the fields of assets anew in the background after the rules or the tables of facts have changed.

Progress is written in the same transaction as the assets, so that a killed process continues there. Until an asset's
turn comes, its old fields are shown.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import groupby

from sqlalchemy import Connection, select

from sync.clock import Clock, timestamp
from sync.errors import RollcallError
from sync.inventory.asset.asset import AssetPlace, compute_assets
from sync.inventory.fingerprint.fields import form
from sync.store import Store
from sync.store.facts import DERIVED_BY, read_fact, write_fact
from sync.store.tables import assets

# Assets in one transaction, which takes the writer about 30 ms.
BATCH_ROWS = 250
# The pause after each transaction, in which others get the writer.
PAUSE_S = 0.05
DONE = "done"
_log = logging.getLogger("rollcall.renewal")


class Renewal:
    """Works from the start of a process until no asset is left or it is stopped."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._is_stopping = False
        self._work: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start in the background."""
        self._work = asyncio.create_task(self._run(), name="renewal")

    async def idle(self) -> None:
        """Wait until no work is left."""
        if self._work:
            await asyncio.wait([self._work])

    async def stop(self) -> None:
        """Stop after the current transaction."""
        self._is_stopping = True
        await self.idle()

    async def _run(self) -> None:
        try:
            while not self._is_stopping and await self.step():
                await self._clock.sleep(PAUSE_S)
        except RollcallError as error:
            # For example a full disk: the next start continues.
            _log.warning("assets keep the fields of older rules: %s", error.message)

    async def step(self, rows_max: int = BATCH_ROWS) -> bool:
        """Derive the next assets anew.

        Returns:
            Whether there may be more.

        Raises:
            StoreError: the database failed; earlier transactions stay.
        """
        async with self._store.read() as tx:
            if await tx.run_sync(_place) is None:
                return False
        async with self._store.write() as tx:
            return await tx.run_sync(_step, timestamp(self._clock.now()), rows_max)


def note_fresh(tx: Connection) -> None:
    """Mark a database without assets as up to date."""
    write_fact(tx, DERIVED_BY, f"{form()} {DONE}")


def _place(tx: Connection) -> int | None:
    """Return the key of the last asset that is up to date; None if all are."""
    made_by, _, place = (read_fact(tx, DERIVED_BY) or "").partition(" ")
    if made_by != form():
        return 0
    return None if place == DONE else int(place)


def _step(tx: Connection, now: str, rows_max: int) -> bool:
    place = _place(tx)
    if place is None:
        return False
    c = assets.c
    # Tombstones keep their fields; an asset that comes back is computed then.
    wanted = select(c.id, c.organization_id, c.site_id).where(c.id > place, c.deleted_at.is_(None))
    found = tx.execute(wanted.order_by(c.id).limit(rows_max)).all()
    places = sorted(found, key=lambda row: (row.organization_id, row.site_id))
    for (organization_id, site_id), rows in groupby(places, key=lambda row: (row.organization_id, row.site_id)):
        compute_assets(tx, now, AssetPlace(organization_id, site_id), [row.id for row in rows])
    is_cut = len(found) == rows_max
    write_fact(tx, DERIVED_BY, f"{form()} {found[-1].id if is_cut else DONE}")
    return is_cut
