"""Derives the fields of assets anew behind the syncs, where older rules or older tables of facts have made them.

How far it has come is written with what it wrote: a process that is killed goes on from there. Until an asset's turn
comes it is answered with the fields it has.
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

# Assets of one transaction: some 30 ms of the writer's time.
BATCH_ROWS = 250
# The pause after each, so that whoever waits for the writer gets it.
PAUSE_S = 0.05
DONE = "done"
_log = logging.getLogger("rollcall.renewal")


class Renewal:
    """Works once, from the start of a process, until no asset is left or it is stopped."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._is_stopping = False
        self._work: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, beside everything else."""
        self._work = asyncio.create_task(self._run(), name="renewal")

    async def idle(self) -> None:
        """Wait until it has nothing to do."""
        if self._work:
            await asyncio.wait([self._work])

    async def stop(self) -> None:
        """Finish the assets in hand and return."""
        self._is_stopping = True
        await self.idle()

    async def _run(self) -> None:
        try:
            while not self._is_stopping and await self.step():
                await self._clock.sleep(PAUSE_S)
        except RollcallError as error:
            # A full disk, say: the next start goes on.
            _log.warning("assets keep the fields that older rules have made: %s", error.message)

    async def step(self, rows_max: int = BATCH_ROWS) -> bool:
        """Derive the next assets anew.

        Returns:
            Whether there may be more.

        Raises:
            StoreError: the database refused; what was derived before stays.
        """
        async with self._store.read() as tx:
            if await tx.run_sync(_place) is None:
                return False
        async with self._store.write() as tx:
            return await tx.run_sync(_step, timestamp(self._clock.now()), rows_max)


def note_fresh(tx: Connection) -> None:
    """Note, of a database without assets, that none has to be derived anew."""
    write_fact(tx, DERIVED_BY, f"{form()} {DONE}")


def _place(tx: Connection) -> int | None:
    """Return the last asset that has today's fields; None if all have."""
    made_by, _, place = (read_fact(tx, DERIVED_BY) or "").partition(" ")
    if made_by != form():
        return 0
    return None if place == DONE else int(place)


def _step(tx: Connection, now: str, rows_max: int) -> bool:
    place = _place(tx)
    if place is None:
        return False
    c = assets.c
    # A tombstone keeps what it had; its records are derived anew when it comes back.
    wanted = select(c.id, c.organization_id, c.site_id).where(c.id > place, c.deleted_at.is_(None))
    found = tx.execute(wanted.order_by(c.id).limit(rows_max)).all()
    places = sorted(found, key=lambda row: (row.organization_id, row.site_id))
    for (organization_id, site_id), rows in groupby(places, key=lambda row: (row.organization_id, row.site_id)):
        compute_assets(tx, now, AssetPlace(organization_id, site_id), [row.id for row in rows])
    is_cut = len(found) == rows_max
    write_fact(tx, DERIVED_BY, f"{form()} {found[-1].id if is_cut else DONE}")
    return is_cut
