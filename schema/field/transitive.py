"""Relations through nested groups, and up the line of managers: walked by the database, in one statement.

Each selects pairs of (parent key, target key) like those of schema/field/relations.py, but only of the parents that it
is asked for: their keys are the parameter `keys` of the statement. A group that is deleted leads nowhere, and a
cycle ends where it began: a group is never among its own members.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, Select, func, literal, select

from schema.field.rows import asked_keys
from sync.inventory.directory.kind import Edge
from sync.store.tables import devices, edges, groups, users

# A line of managers longer than this is a mistake in the directory, or a circle.
LINE_MAX = 50

_live_device = devices.c.deleted_at.is_(None) & devices.c.asset_id.is_not(None)


def _asked() -> Any:
    """Return the keys of the parents, one a row."""
    return asked_keys("asked").c.value


def _down(start: Select[Any]) -> CTE:
    """Walk from groups to the groups nested in them, the starting ones included."""
    walked = start.cte("nested", recursive=True)
    inner = (
        select(walked.c.root, edges.c.to_id)
        .join_from(walked, edges, (edges.c.from_id == walked.c.key) & (edges.c.kind == Edge.MEMBER))
        .join(groups, (groups.c.id == edges.c.to_id) & groups.c.deleted_at.is_(None))
    )
    # UNION, not UNION ALL: what was reached before is not walked again.
    return walked.union(inner)


def _up(start: Select[Any]) -> CTE:
    """Walk from objects to the groups that hold them, the starting objects included."""
    walked = start.cte("holding", recursive=True)
    outer = (
        select(walked.c.root, edges.c.from_id)
        .join_from(walked, edges, (edges.c.to_id == walked.c.key) & (edges.c.kind == Edge.MEMBER))
        .join(groups, (groups.c.id == edges.c.from_id) & groups.c.deleted_at.is_(None))
    )
    return walked.union(outer)


def _themselves() -> Select[Any]:
    asked = _asked()
    return select(asked.label("root"), asked.label("key"))


def members_of_groups() -> Select[Any]:
    """Select (group, member object): members of the group and of all groups nested in it."""
    walked = _down(_themselves())
    return (
        select(walked.c.root, edges.c.to_id)
        .join_from(walked, edges, (edges.c.from_id == walked.c.key) & (edges.c.kind == Edge.MEMBER))
        .where(edges.c.to_id != walked.c.root)
    )


def assets_of_groups() -> Select[Any]:
    """Select (group, asset): the assets of member devices of the group and of all groups nested in it."""
    walked = _down(_themselves())
    return (
        select(walked.c.root, devices.c.asset_id)
        .join_from(walked, edges, (edges.c.from_id == walked.c.key) & (edges.c.kind == Edge.MEMBER))
        .join(devices, devices.c.id == edges.c.to_id)
        .where(_live_device)
    )


def groups_of_objects() -> Select[Any]:
    """Select (user or group, group): the groups that hold it, directly or through others."""
    walked = _up(_themselves())
    return select(walked.c.root, walked.c.key).where(walked.c.key != walked.c.root)


def groups_of_assets() -> Select[Any]:
    """Select (asset, group): the groups that hold one of the asset's devices, directly or through others."""
    asked = _asked()
    start = select(asked.label("root"), devices.c.id.label("key")).where(devices.c.asset_id == asked, _live_device)
    walked = _up(start)
    return select(walked.c.root, walked.c.key)


def managers_of_users() -> Select[Any]:
    """Select (user, manager, level): the line of managers, the nearest at level 1; it ends before a circle closes."""
    asked = _asked()
    walked = select(asked.label("root"), asked.label("key"), literal(0).label("level")).cte("line", recursive=True)
    above = (
        select(walked.c.root, edges.c.to_id, walked.c.level + 1)
        .join_from(walked, edges, (edges.c.from_id == walked.c.key) & (edges.c.kind == Edge.MANAGER))
        .join(users, (users.c.id == edges.c.to_id) & users.c.deleted_at.is_(None))
        .where(walked.c.level < LINE_MAX)
    )
    walked = walked.union_all(above)
    line = select(walked.c.root, walked.c.key, func.min(walked.c.level)).where(walked.c.key != walked.c.root)
    return line.group_by(walked.c.root, walked.c.key)
