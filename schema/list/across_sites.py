"""Directory objects that several sites list in a row each: selects one row for each object, and the object's sites.

Rows of an organization are the same object if they come from the same tenant of the same cloud and have the same id.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, not_, or_, select

from schema.field.resolution import Pairs
from sync.store.tables import directories


def stands_for_all(table: Table) -> ColumnElement[bool]:
    """Return the condition "the row is the one of its object in the directory that was added first".

    A row in its tenant's first directory matches without a search for other rows, so a tenant with one site costs
    almost nothing.
    """
    first = select(func.min(directories.c.id)).group_by(
        directories.c.organization_id, directories.c.source, directories.c.cloud, func.lower(directories.c.tenant_id)
    )
    other = table.alias("elsewhere")
    earlier = _same_object(table, other).where(other.c.directory_id < table.c.directory_id)
    return or_(table.c.directory_id.in_(first), not_(earlier.correlate(table).exists()))


def sites_of_objects(table: Table) -> Pairs:
    """Return a function that returns the selection (row, site) of all sites that list the row's object."""
    one, other = table.alias("one"), table.alias("other")
    pairs = _same_object(one, other).with_only_columns(one.c.id, other.c.site_id).where(one.c.deleted_at.is_(None))
    # Build it once: an alias of many columns is slow to make, and the executor calls this for each parent.
    return lambda: pairs


def _same_object(one: Any, other: Any) -> Select[Any]:
    """Return the selection of all rows of the same object as a row."""
    mine, its = directories.alias(f"of_{one.name}"), directories.alias(f"of_{other.name}")
    return select(other.c.id).where(
        other.c.organization_id == one.c.organization_id,
        other.c.deleted_at.is_(None),
        other.c.external_id == one.c.external_id,
        mine.c.id == one.c.directory_id,
        its.c.id == other.c.directory_id,
        *(its.c[name] == mine.c[name] for name in ("source", "cloud")),
        func.lower(its.c.tenant_id) == func.lower(mine.c.tenant_id),
    )
