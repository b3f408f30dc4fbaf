"""The relations between nouns: each selects pairs of (parent key, target key).

Edges are stored once and read both ways. A relation only leads to what is there: the target's own visibility is
applied by the reader, the far end of an edge may be unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Column, ColumnElement, Select, case, func, literal, select, union_all
from strawberry.utils.str_converters import to_camel_case

from sync.inventory.asset.source import AZUREAD, SCAN
from sync.inventory.directory.kind import Edge, Kind
from sync.inventory.directory.other import is_there
from sync.store.tables import (
    assets,
    credential_access,
    deliveries,
    devices,
    edges,
    matches,
    raw,
    run_log,
    runs,
    scan_records,
    sites,
    tasks,
    users,
)
from sync.store.tables.column import Json

# The columns of a scan record that describe the host.
_SCANNED = (
    "names", "addresses", "macs", "type", "os", "os_version", "manufacturer", "model", "serial", "alive",
    "detected_by", "services", "first_seen", "last_seen",
)  # fmt: skip
_UNIQUE = "unique_pairs"


def _unique(pairs: Select[Any]) -> Select[Any]:
    """Promise that no pair is selected twice, so that readers need not look for it."""
    return pairs.execution_options(**{_UNIQUE: True})


def are_unique(pairs: Select[Any]) -> bool:
    """Tell whether no pair is selected twice."""
    return bool(pairs.get_execution_options().get(_UNIQUE))


def along(kind: Edge) -> Select[Any]:
    """Select the pairs of an edge in its own direction, such as group → member."""
    return _unique(select(edges.c.from_id, edges.c.to_id).where(edges.c.kind == kind))


def against(kind: Edge) -> Select[Any]:
    """Select the pairs of an edge backwards, such as member → group."""
    return _unique(select(edges.c.to_id, edges.c.from_id).where(edges.c.kind == kind))


def there(kind: Edge, ends: Sequence[Kind]) -> Select[Any]:
    """Select the pairs of an edge in its own direction whose far end is there: of one of these kinds, or of none."""
    return along(kind).where(is_there(edges.c.to_id, ends))


def there_from_assets(kind: Edge, ends: Sequence[Kind]) -> Select[Any]:
    """Select (asset, object): what is there of what the asset's devices point at: of these kinds, or of none."""
    return from_assets(kind).where(is_there(edges.c.to_id, ends))


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
    return _unique(select(runs.c.task_id, runs.c.id))


def assets_of_site() -> Select[Any]:
    """Select (site, asset)."""
    return _unique(select(assets.c.site_id, assets.c.id))


def assets_of_organization() -> Select[Any]:
    """Select (organization, asset)."""
    return _unique(select(assets.c.organization_id, assets.c.id))


def tasks_of_site() -> Select[Any]:
    """Select (site, task)."""
    return _unique(select(tasks.c.site_id, tasks.c.id))


def sites_of_organization() -> Select[Any]:
    """Select (organization, site)."""
    return _unique(select(sites.c.organization_id, sites.c.id))


def entries_of_run() -> Select[Any]:
    """Select (run, log entry)."""
    return _unique(select(run_log.c.run_id, run_log.c.id))


def deliveries_of_webhook() -> Select[Any]:
    """Select (webhook, delivery)."""
    return _unique(select(deliveries.c.webhook_id, deliveries.c.id))


def devices_of_asset() -> Select[Any]:
    """Select (asset, device)."""
    return _unique(select(devices.c.asset_id, devices.c.id).where(devices.c.asset_id.is_not(None)))


def scans_of_asset() -> Select[Any]:
    """Select (asset, scan record)."""
    return _unique(select(scan_records.c.asset_id, scan_records.c.id))


def latest_run() -> Select[Any]:
    """Select (task, the run of it with the greatest id)."""
    return _unique(select(runs.c.task_id, func.max(runs.c.id).label("id")).group_by(runs.c.task_id))


# Rows that are gathered for a record: the column `parent` is its key.


def sharers_of_credential() -> Select[Any]:
    """Select which organizations may use each credential besides its own."""
    return _unique(select(credential_access.c.credential_id, credential_access.c.organization_id))


def latest_status() -> Select[Any]:
    """Select the status of each task's latest run."""
    latest = latest_run().subquery()
    return select(latest.c.task_id.label("parent"), runs.c.status).join_from(latest, runs, runs.c.id == latest.c.id)


def number_of_users() -> Select[Any]:
    """Select how many users each group has as direct members."""
    return (
        select(edges.c.from_id.label("parent"), func.count().label("number"))
        .join_from(edges, users, users.c.id == edges.c.to_id)
        .where(edges.c.kind == Edge.MEMBER, users.c.deleted_at.is_(None))
        .group_by(edges.c.from_id)
    )


def received() -> Select[Any]:
    """Select what Graph sent for an object."""
    return select(raw.c.object_id.label("parent"), raw.c.item)


def received_of_object() -> Select[Any]:
    """Select what Graph sent for an object, with its source."""
    return received().add_columns(literal(AZUREAD).label("source"))


def received_of_asset() -> Select[Any]:
    """Select what Graph sent for each device of an asset, then what each scan record of it says."""
    of_devices = (
        select(
            devices.c.asset_id.label("parent"),
            raw.c.item,
            literal(AZUREAD).label("source"),
            literal(0).label("part"),
            devices.c.id,
        )
        .join_from(devices, raw, raw.c.object_id == devices.c.id)
        .where(_live_device)
    )
    said = (part for name in _SCANNED for part in (to_camel_case(name), _as_json(scan_records.c[name])))
    of_scans = select(scan_records.c.asset_id, func.json_object(*said), literal(SCAN), literal(1), scan_records.c.id)
    found = union_all(of_devices, of_scans).subquery()
    return select(found.c.parent, found.c.item, found.c.source).order_by(found.c.part, found.c.id)


def _as_json(column: Column[Any]) -> ColumnElement[Any]:
    """Return a column as a part of a JSON object."""
    if column.type is Json:
        return func.json(column)
    if isinstance(column.type, Boolean):
        return func.json(case((column, "true"), else_="false"))
    return column


def matches_of_asset() -> Select[Any]:
    """Select why records belong to an asset: devices first, then what scans found."""
    of_devices = (
        select(
            matches.c.asset_id.label("parent"),
            matches.c.source,
            matches.c.key,
            matches.c.value,
            matches.c.matched_at,
            literal(0).label("part"),
            matches.c.id,
        )
        # A record that a person pinned keeps its match while it is not imported.
        .join_from(matches, devices, (devices.c.id == matches.c.object_id) & (devices.c.asset_id == matches.c.asset_id))
    )
    of_scans = select(
        scan_records.c.asset_id,
        literal(SCAN),
        scan_records.c.match_key,
        scan_records.c.match_value,
        scan_records.c.created_at,
        literal(1),
        scan_records.c.id,
    )
    found = union_all(of_devices, of_scans).subquery()
    shown = (found.c.parent, found.c.source, found.c.key, found.c.value, found.c.matched_at)
    return select(*shown).order_by(found.c.part, found.c.id)
