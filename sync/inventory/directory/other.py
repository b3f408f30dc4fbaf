"""Objects that are ends of edges and in no inventory: conditions that select them, and their removal.

Service principals and contacts are never read, the app may be unable to read some users, and a task's options may
leave out devices. Such an object exists as long as an edge leads to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, delete, exists, func, not_, or_, select, true

from sync.inventory.directory.directory import FORGOTTEN
from sync.inventory.directory.kind import KINDS, Edge, Kind
from sync.store.tables import devices, directories, edges, matches, objects

# Aliases, so that these conditions do not correlate with a statement that reads the same tables.
_ROWS = {kind.name: kind.table.alias(f"{kind.name}_row") for kind in KINDS}
_LEFT_OUT = devices.alias("left_out")
_ENDS = edges.alias("naming")


def has_no_row() -> ColumnElement[bool]:
    """Tell whether an object has no row of any kind, not even a tombstone."""
    return and_(*(~exists().where(row.c.id == objects.c.id) for row in _ROWS.values()))


def is_without_row() -> ColumnElement[bool]:
    """Tell whether an object exists although it has no row.

    An object of a kind that the directory lists does not count: it was deleted before it was read, or is not read yet.
    """
    is_listed = or_(
        *(
            and_(objects.c.kind == kind.name, exists().where(_ROWS[kind.name].c.directory_id == objects.c.directory_id))
            for kind in KINDS
        )
    )
    return and_(objects.c.generation > FORGOTTEN, has_no_row(), func.coalesce(not_(is_listed), true()))


def is_left_out() -> ColumnElement[bool]:
    """Tell whether an object is a device without an asset."""
    mine = _LEFT_OUT.c.id == objects.c.id
    return exists().where(mine, _LEFT_OUT.c.deleted_at.is_(None), _LEFT_OUT.c.asset_id.is_(None))


def is_other() -> ColumnElement[bool]:
    """Tell whether an object exists and is neither a user, a group nor a device of an asset."""
    return or_(is_without_row(), is_left_out())


def is_there(end: Column[int], kinds: Sequence[Kind]) -> ColumnElement[bool]:
    """Tell whether the object at the end of an edge exists: as one of these kinds, or without a row."""
    live = [exists().where(row.c.id == end, row.c.deleted_at.is_(None)) for row in (_ROWS[kind.name] for kind in kinds)]
    return or_(*live, exists().where(objects.c.id == end, is_other()))


def is_named() -> ColumnElement[bool]:
    """Tell whether an edge leads to the object."""
    return exists().where(_ENDS.c.kind.in_(list(Edge)), _ENDS.c.to_id == objects.c.id)


def _is_pointless() -> ColumnElement[bool]:
    """Tell whether nothing refers to an object any more: it has no row, no edge and no match with an asset."""
    starts = exists().where(_ENDS.c.kind.in_(list(Edge)), _ENDS.c.from_id == objects.c.id)
    return and_(has_no_row(), ~is_named(), ~starts, ~exists().where(matches.c.object_id == objects.c.id))


def pointless(organization_id: int) -> Select[tuple[int]]:
    """Select the keys of an organization's objects that nothing refers to any more."""
    mine = select(directories.c.id).where(directories.c.organization_id == organization_id)
    return select(objects.c.id).where(objects.c.directory_id.in_(mine), _is_pointless())


def remove_pointless(tx: Connection, keys: Sequence[int]) -> int:
    """Delete the objects that nothing refers to, checked again, and return their number."""
    return tx.execute(delete(objects).where(objects.c.id.in_(keys), _is_pointless())).rowcount
