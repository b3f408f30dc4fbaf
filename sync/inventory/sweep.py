"""Removes what a complete full round did not see: the only way rows vanish without the directory naming them."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, delete, func, select, update

from sync.clock import Clock, timestamp
from sync.entra.stream import Complete
from sync.inventory.apply import VANISHED, Applied
from sync.inventory.directory import Directory
from sync.inventory.guard import check_removal
from sync.inventory.kind import EDGE_COUNTS, Kind
from sync.organizations import next_version
from sync.store.tables import edges, objects


def sweep(
    tx: Connection,
    clock: Clock,
    directory: Directory,
    kind: Kind,
    generation: int,
    complete: Complete,
    confirmed: int = 0,
) -> Applied:
    """Turn the kind's rows and edges that carry an older generation into tombstones, or delete them.

    Args:
        complete: proof that the round reached its delta link; an enumeration that broke off has none.
        confirmed: rows that an administrator has agreed to lose.

    Raises:
        RemovalHeld: it would remove unusually much; the caller's transaction must not commit.
    """
    del complete
    applied, table, now = Applied(), kind.table, timestamp(clock.now())
    unseen = select(objects.c.id).where(objects.c.directory_id == directory.id, objects.c.generation < generation)
    stale = table.c.deleted_at.is_(None) & (table.c.directory_id == directory.id) & table.c.id.in_(unseen)
    applied.touched = list(tx.scalars(select(table.c.id).where(stale)))
    here = select(func.count()).where(table.c.directory_id == directory.id, table.c.deleted_at.is_(None))
    check_removal(kind.plural, len(applied.touched), tx.scalar(here) or 0, confirmed)
    if applied.touched:
        version = next_version(tx, directory.organization_id, kind.inventory)
        values = {"deleted_at": now, "deletion": VANISHED, "version": version, "updated_at": now}
        tx.execute(update(table).where(stale).values(values))
        applied.counts["removed"] = len(applied.touched)
    for edge in kind.edges.values():
        from_here = select(objects.c.id).where(objects.c.directory_id == directory.id)
        old = (edges.c.kind == edge) & (edges.c.generation < generation) & edges.c.from_id.in_(from_here)
        number = tx.scalar(select(func.count()).select_from(edges).where(old))
        if number:
            tx.execute(delete(edges).where(old))
            applied.edge_counts.setdefault(EDGE_COUNTS[edge], Counter())["removed"] += number
    return applied
