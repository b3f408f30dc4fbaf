"""Removes what a complete full round did not see: the only way rows vanish without the directory naming them."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.entra.stream import Complete
from sync.inventory.apply import VANISHED, Applied
from sync.inventory.directory import Directory
from sync.inventory.kind import EDGE_COUNTS, Kind
from sync.organizations import next_version
from sync.store.tables import edges, objects


async def sweep(
    tx: AsyncConnection, clock: Clock, directory: Directory, kind: Kind, generation: int, complete: Complete
) -> Applied:
    """Turn the kind's rows and edges that carry an older generation into tombstones, or delete them.

    Args:
        complete: proof that the round reached its delta link; an enumeration that broke off has none.
    """
    del complete
    applied, table, now = Applied(), kind.table, timestamp(clock.now())
    unseen = select(objects.c.id).where(objects.c.directory_id == directory.id, objects.c.generation < generation)
    stale = table.c.deleted_at.is_(None) & (table.c.directory_id == directory.id) & table.c.id.in_(unseen)
    applied.touched = list(await tx.scalars(select(table.c.id).where(stale)))
    if applied.touched:
        version = await next_version(tx, directory.organization_id, kind.inventory)
        values = {"deleted_at": now, "deletion": VANISHED, "version": version, "updated_at": now}
        await tx.execute(update(table).where(stale).values(values))
        applied.counts["removed"] = len(applied.touched)
    for edge in kind.edges.values():
        from_here = select(objects.c.id).where(objects.c.directory_id == directory.id)
        old = (edges.c.kind == edge) & (edges.c.generation < generation) & edges.c.from_id.in_(from_here)
        number = await tx.scalar(select(func.count()).select_from(edges).where(old))
        if number:
            await tx.execute(delete(edges).where(old))
            applied.edge_counts.setdefault(EDGE_COUNTS[edge], Counter())["removed"] += number
    return applied
