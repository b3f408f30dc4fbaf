"""Removes objects and edges that a complete full round did not see: the only removal that Graph does not report.

Edges of an object that may be restored stay: they are not shown meanwhile, and Graph does not report them again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, delete, exists, func, or_, select, update

from sync.clock import Clock, timestamp
from sync.entra.graph.stream import Complete
from sync.inventory.directory.directory import Directory
from sync.inventory.directory.edges import on_leave
from sync.inventory.directory.guard import ROWS_FREE, Removal, check_removals
from sync.inventory.directory.kind import EDGE_COUNTS, KINDS, VANISHED, Edge, Kind
from sync.inventory.directory.other import is_without_row
from sync.inventory.directory.page import Applied
from sync.organization.organizations import next_version
from sync.store.tables import edges, objects

_TO_SOMETHING_THERE = or_(
    *(exists().where(kind.table.c.id == edges.c.to_id, kind.table.c.deleted_at.is_(None)) for kind in KINDS),
    exists().where(objects.c.id == edges.c.to_id, is_without_row()),
)


def _nothing(_kind: str) -> int:
    return 0


def sweep(
    tx: Connection,
    clock: Clock,
    directory: Directory,
    kind: Kind,
    generation: int,
    complete: Complete,
    confirmed: Callable[[str], int] = _nothing,
) -> Applied:
    """Turn the kind's rows of an older generation into tombstones, and delete its edges of an older generation.

    Args:
        complete: proof that the round reached its delta link; an interrupted read has none.
        confirmed: kind → the number of rows or edges whose removal an administrator has confirmed.

    Raises:
        RemovalHeld: the removal needs a confirmation; the caller must roll back the transaction.
    """
    del complete
    applied, table, now = Applied(), kind.table, timestamp(clock.now())
    unseen = select(objects.c.id).where(objects.c.directory_id == directory.id, objects.c.generation < generation)
    stale = table.c.deleted_at.is_(None) & (table.c.directory_id == directory.id) & table.c.id.in_(unseen)
    applied.touched = list(tx.scalars(select(table.c.id).where(stale)))
    here = select(func.count()).where(table.c.directory_id == directory.id, table.c.deleted_at.is_(None))
    removals = [Removal(kind.plural, len(applied.touched), tx.scalar(here) or 0)]
    if applied.touched:
        version = next_version(tx, directory.organization_id, kind.inventory)
        values = {"deleted_at": now, "deletion": VANISHED, "version": version, "updated_at": now}
        tx.execute(update(table).where(stale).values(values))
        applied.counts["removed"] = len(applied.touched)
    unseen_now = (edges.c.generation < generation) & ~on_leave(edges.c.from_id) & ~on_leave(edges.c.to_id)
    old = {edge: _edges(directory, edge) & unseen_now for edge in kind.edges.values()}
    numbers = {edge: _count(tx, chosen) for edge, chosen in old.items()}
    # Count edges after the objects are removed: an edge of a removed object is no loss of its own.
    removals += [
        _emptied(tx, kind, directory, edge, generation) for edge, number in numbers.items() if number > ROWS_FREE
    ]
    check_removals(removals, confirmed)
    if any(numbers.values()) and not applied.touched:
        next_version(tx, directory.organization_id, kind.inventory)
    for edge, number in numbers.items():
        if number:
            tx.execute(delete(edges).where(old[edge]))
            applied.edge_counts.setdefault(EDGE_COUNTS[edge], Counter())["removed"] += number
    return applied


def _edges(directory: Directory, edge: Edge) -> ColumnElement[bool]:
    from_here = select(objects.c.id).where(objects.c.directory_id == directory.id)
    return (edges.c.kind == edge) & edges.c.from_id.in_(from_here)


def _count(tx: Connection, chosen: ColumnElement[bool]) -> int:
    return tx.scalar(select(func.count()).select_from(edges).where(chosen)) or 0


def _emptied(tx: Connection, kind: Kind, directory: Directory, edge: Edge, generation: int) -> Removal:
    """Count the edges between existing objects, of objects that would lose all of them, as after a lost permission.

    The loss of single edges is normal, and many are lost together with the objects that they lead to.
    """
    table, other = kind.table, edges.alias()
    left_without = (
        select(other.c.from_id)
        .where(other.c.kind == edge)
        .group_by(other.c.from_id)
        .having(func.max(other.c.generation) < generation)
    )
    from_something_there = exists().where(table.c.id == edges.c.from_id, table.c.deleted_at.is_(None))
    shown = _edges(directory, edge) & from_something_there & _TO_SOMETHING_THERE
    return Removal(EDGE_COUNTS[edge], _count(tx, shown & edges.c.from_id.in_(left_without)), _count(tx, shown))
