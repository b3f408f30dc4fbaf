"""How nouns hang together: each relation selects pairs of (parent key, target key), in one place.

Edges are stored once and read both ways. A relation only leads to what is there: the target's own visibility is
applied by the reader, the far end of an edge may be unknown.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select

from sync.inventory.kind import Edge
from sync.store.tables import assets, devices, edges, run_log, runs, sites, tasks


def along(kind: Edge) -> Select[Any]:
    """Select the pairs of an edge in its own direction, such as group → member."""
    return select(edges.c.from_id, edges.c.to_id).where(edges.c.kind == kind)


def against(kind: Edge) -> Select[Any]:
    """Select the pairs of an edge backwards, such as member → group."""
    return select(edges.c.to_id, edges.c.from_id).where(edges.c.kind == kind)


_live_device = devices.c.deleted_at.is_(None) & devices.c.asset_id.is_not(None)


def to_assets(kind: Edge) -> Select[Any]:
    """Select (object, asset): the assets of the devices at the far end of an edge, such as group → member device."""
    return (
        select(edges.c.from_id, devices.c.asset_id)
        .join_from(edges, devices, devices.c.id == edges.c.to_id)
        .where(edges.c.kind == kind, _live_device)
    )


def from_assets(kind: Edge) -> Select[Any]:
    """Select (asset, object): what the asset's devices point at, such as device → owner."""
    return (
        select(devices.c.asset_id, edges.c.to_id)
        .join_from(edges, devices, devices.c.id == edges.c.from_id)
        .where(edges.c.kind == kind, _live_device)
    )


def into_assets(kind: Edge) -> Select[Any]:
    """Select (asset, object): what points at the asset's devices, such as member device → group."""
    return (
        select(devices.c.asset_id, edges.c.from_id)
        .join_from(edges, devices, devices.c.id == edges.c.to_id)
        .where(edges.c.kind == kind, _live_device)
    )


def assets_pointed_from(kind: Edge) -> Select[Any]:
    """Select (object, asset): the assets whose devices point at the object, such as owner → device."""
    return (
        select(edges.c.to_id, devices.c.asset_id)
        .join_from(edges, devices, devices.c.id == edges.c.from_id)
        .where(edges.c.kind == kind, _live_device)
    )


def runs_of_task() -> Select[Any]:
    """Select (task, run)."""
    return select(runs.c.task_id, runs.c.id)


def last_runs() -> Select[Any]:
    """Select (task, its latest run)."""
    return select(runs.c.task_id, func.max(runs.c.id)).group_by(runs.c.task_id)


def assets_of_site() -> Select[Any]:
    """Select (site, asset)."""
    return select(assets.c.site_id, assets.c.id)


def tasks_of_site() -> Select[Any]:
    """Select (site, task)."""
    return select(tasks.c.site_id, tasks.c.id)


def sites_of_organization() -> Select[Any]:
    """Select (organization, site)."""
    return select(sites.c.organization_id, sites.c.id)


def entries_of_run() -> Select[Any]:
    """Select (run, log entry)."""
    return select(run_log.c.run_id, run_log.c.id)
