"""Links a directory's devices again after a change of the task's options or of the matching rules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection, select, update

from sync.clock import Clock
from sync.errors import Interrupted
from sync.inventory.asset.link import RULES, LinkOptions, link_devices
from sync.inventory.directory.directory import Directory, chunks
from sync.inventory.directory.kind import DEVICE
from sync.inventory.directory.page import Applied
from sync.store import Store
from sync.store.tables import devices, directories
from sync.tasks.run.log import Level
from sync.tasks.run.run import Counts, Run
from sync.tasks.run.total import added

ANEW = "devices: linked again by this version's rules; some assets are split, except those that a person merged."


async def relink_if_changed(
    store: Store, clock: Clock, run: Run, directory: Directory, options: LinkOptions, stopping: asyncio.Event
) -> None:
    """Link all devices again, in parts, if the options or rules differ from those of the last linking.

    Raises:
        Interrupted: the run is stopping; the next run starts again.
    """
    now = {
        "exclude_unknown": options.exclude_unknown,
        "include_inactive": options.include_inactive,
        "link_rules": RULES,
    }
    mine = directories.c.id == directory.id
    async with store.read() as tx:
        row = (await tx.execute(select(directories).where(mine))).mappings().one()
    before = {name: row[name] for name in now}
    if before == now:
        return
    if None not in before.values():
        is_new = before["link_rules"] != RULES
        if is_new:
            await store.transact(lambda tx: run.log(tx, Level.INFO, ANEW))

        def link(part: Sequence[int], tx: Connection) -> Counts:
            linked = link_devices(tx, clock, directory, options, part, anew=is_new)
            counts = added(run.counts, DEVICE, Applied(), None, linked)
            run.save(tx, counts=counts)
            return counts

        async with store.read() as tx:
            own = select(devices.c.id).where(devices.c.directory_id == directory.id).order_by(devices.c.id)
            keys = list(await tx.scalars(own))
        for part in chunks(keys):
            run.counts = await store.transact(partial(link, part))
            if stopping.is_set():
                raise Interrupted
    await store.transact(lambda tx: tx.execute(update(directories).where(mine).values(now)) and None)
