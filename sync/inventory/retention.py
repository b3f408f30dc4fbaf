"""Retention: how long an organization keeps rows that no source reports any more; settings, preview and removal.

Rows are removed in small transactions, so that syncs and queries continue meanwhile; only sync/nightly.py starts it.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, exists, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.errors import BadInput, NotFound
from sync.inventory.asset.asset import AssetPlace, compute_assets
from sync.inventory.directory.directory import CHUNK_ROWS, chunks, hide
from sync.inventory.directory.other import pointless, remove_pointless
from sync.organization.idempotency import forget
from sync.store import Store
from sync.store.tables import (
    assets,
    audit_events,
    device_keys,
    devices,
    groups,
    matches,
    organizations,
    raw,
    runs,
    scan_records,
    users,
)

DAYS_MAX = 3_650
# A client that reads changes once a month must not miss a removal.
TOMBSTONES_DAYS_MIN = 30
STALE = "STALE"
_SYNCED = (users, groups, devices)
_Remover = Callable[[Connection, Clock, int, Table, Sequence[int]], None]


@dataclass(frozen=True)
class Retention:
    """Days to keep each kind of data; None: for ever. Tombstones cannot be kept for ever."""

    stale_assets: int | None = None
    offline_assets: int | None = None
    source_attributes: int | None = None
    runs: int | None = None
    tombstones: int = 90


class RetentionSubject(enum.StrEnum):
    """The kinds of data that can be removed; the value is the field of `Retention`."""

    STALE_ASSETS = "stale_assets"
    OFFLINE_ASSETS = "offline_assets"
    SOURCE_ATTRIBUTES = "source_attributes"
    RUNS = "runs"
    TOMBSTONES = "tombstones"


def retention_of(stored: dict[str, Any] | None) -> Retention:
    """Read the stored settings."""
    return Retention(**(stored or {}))


async def load_retention(tx: AsyncConnection, organization_id: int) -> Retention:
    """Return an organization's settings.

    Raises:
        NotFound: there is no such organization.
    """
    mine = organizations.c.id == organization_id
    row = (await tx.execute(select(organizations.c.retention).where(mine))).first()
    if row is None:
        raise NotFound("There is no such organization.")
    return retention_of(row.retention)


async def save_retention(tx: AsyncConnection, clock: Clock, organization_id: int, retention: Retention) -> None:
    """Write an organization's settings; they take effect in the next night.

    Raises:
        BadInput: a number of days is out of range.
    """
    check_retention(retention)
    values = {"retention": asdict(retention), "updated_at": timestamp(clock.now())}
    await tx.execute(update(organizations).where(organizations.c.id == organization_id).values(values))


def check_retention(retention: Retention) -> None:
    """Refuse invalid settings.

    Raises:
        BadInput: a number of days is out of range; `path` is the setting's name.
    """
    if vars(retention)[RetentionSubject.TOMBSTONES] is None:
        raise BadInput("Tombstones cannot be kept for ever: name a number of days.", path=RetentionSubject.TOMBSTONES)
    for field in fields(retention):
        days = getattr(retention, field.name)
        least = TOMBSTONES_DAYS_MIN if field.name == RetentionSubject.TOMBSTONES else 1
        if days is not None and not least <= days <= DAYS_MAX:
            raise BadInput(f"The value must be {least} to {DAYS_MAX:,} days, not {days}.", path=field.name)


def cutoff(clock: Clock, days: int) -> str:
    """Return the time before which data is too old."""
    return timestamp(clock.now() - timedelta(days=days))


def counting(clock: Clock, organization_id: int, retention: Retention) -> Select[Any]:
    """Select one row: how many rows of each `RetentionSubject` would be removed now, labelled with its value.

    An asset that is both stale and offline counts under both.
    """
    columns = []
    for subject in RetentionSubject:
        days = getattr(retention, subject)
        found = _expired(subject, organization_id, cutoff(clock, days)) if days is not None else []
        counts = [select(func.count()).select_from(keys.subquery()).scalar_subquery() for _, keys in found]
        columns.append(sum(counts, literal(0)).label(subject.value))
    return select(*columns)


async def apply_retention(
    store: Store, clock: Clock, organization_id: int, is_stopping: Callable[[], bool] = lambda: False
) -> Counter[RetentionSubject]:
    """Remove an organization's expired data, in transactions of at most CHUNK_ROWS rows.

    Args:
        is_stopping: checked between transactions; the rest is then removed the next night.

    Returns:
        The removed rows, counted as by `counting`, but each asset once.
    """
    async with store.read() as tx:
        retention = await load_retention(tx, organization_id)
    removed: Counter[RetentionSubject] = Counter()
    for subject in RetentionSubject:
        days = getattr(retention, subject)
        for table, statement in _expired(subject, organization_id, cutoff(clock, days)) if days is not None else ():
            is_more = True
            while is_more and not is_stopping():
                remove = partial(_remove, _REMOVERS[subject], clock, organization_id, table, statement)
                number = await store.transact(remove)
                removed[subject] += number
                is_more = number == CHUNK_ROWS
    await _remove_pointless(store, organization_id, is_stopping)
    if removed.total():
        await store.transact(partial(_note, clock, organization_id, removed))
    return removed


async def _remove_pointless(store: Store, organization_id: int, is_stopping: Callable[[], bool]) -> None:
    """Delete objects without a row and without edges, such as contacts that left their last group."""
    async with store.read() as tx:
        keys: list[int] = list(await tx.scalars(pointless(organization_id)))
    for some in chunks(keys):
        if not is_stopping():
            await store.transact(partial(remove_pointless, keys=some))


def _expired(subject: RetentionSubject, organization_id: int, before: str) -> list[tuple[Table, Select[Any]]]:
    """Select the keys of expired rows, with their table."""
    live = (assets.c.organization_id == organization_id) & assets.c.deleted_at.is_(None)
    stale = live & (func.coalesce(assets.c.last_seen, assets.c.created_at) < before)
    match subject:
        case RetentionSubject.STALE_ASSETS:
            return [_keys(assets, stale)]
        case RetentionSubject.OFFLINE_ASSETS:
            return [_keys(assets, stale & assets.c.alive.is_(False))]
        case RetentionSubject.SOURCE_ATTRIBUTES:
            mine = scan_records.c.organization_id == organization_id
            return [_keys(scan_records, mine & (scan_records.c.last_seen < before))]
        case RetentionSubject.RUNS:
            mine = runs.c.organization_id == organization_id
            # Keep the latest run of each task: the task shows its status.
            latest = select(func.max(runs.c.id)).where(mine).group_by(runs.c.task_id)
            return [_keys(runs, mine & (runs.c.finished_at < before) & runs.c.id.not_in(latest))]
        case RetentionSubject.TOMBSTONES:
            return [_tombstones(table, organization_id, before) for table in (*_SYNCED, assets)]


def _keys(table: Table, where: ColumnElement[bool]) -> tuple[Table, Select[Any]]:
    return table, select(table.c.id).where(where).order_by(table.c.id)


def _tombstones(table: Table, organization_id: int, before: str) -> tuple[Table, Select[Any]]:
    where = (table.c.organization_id == organization_id) & (table.c.deleted_at < before)
    if table is assets:
        # Keep tombstones with a pinned record: if it returns, it must belong to its asset again.
        where &= ~exists().where(matches.c.asset_id == assets.c.id, matches.c.is_pinned)
    return table, select(table.c.id).where(where).order_by(table.c.version, table.c.id)


def _remove(
    remove: _Remover, clock: Clock, organization_id: int, table: Table, statement: Select[Any], tx: Connection
) -> int:
    keys = list(tx.scalars(statement.limit(CHUNK_ROWS)))
    if keys:
        remove(tx, clock, organization_id, table, keys)
    return len(keys)


def _remove_assets(tx: Connection, clock: Clock, organization_id: int, table: Table, keys: Sequence[int]) -> None:
    """Remove the records of assets, and so the assets; a device that is seen again restores its asset."""
    sites = _sites_of(tx, keys)
    # Without keys, a removed device cannot match another record.
    mine = select(devices.c.id).where(devices.c.asset_id.in_(keys))
    tx.execute(delete(device_keys).where(device_keys.c.device_id.in_(mine)))
    tx.execute(update(devices).where(devices.c.asset_id.in_(keys)).values(asset_id=None, skipped=STALE))
    tx.execute(delete(scan_records).where(scan_records.c.asset_id.in_(keys)))
    _compute(tx, clock, organization_id, sites)


def _remove_records(tx: Connection, clock: Clock, organization_id: int, table: Table, keys: Sequence[int]) -> None:
    owners = tx.scalars(select(scan_records.c.asset_id).where(scan_records.c.id.in_(keys)).distinct())
    sites = _sites_of(tx, list(owners))
    tx.execute(delete(scan_records).where(scan_records.c.id.in_(keys)))
    _compute(tx, clock, organization_id, sites)


def _sites_of(tx: Connection, keys: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for key, site_id in tx.execute(select(assets.c.id, assets.c.site_id).where(assets.c.id.in_(keys))):
        found.setdefault(site_id, []).append(key)
    return found


def _compute(tx: Connection, clock: Clock, organization_id: int, sites: dict[int, list[int]]) -> None:
    for site_id, keys in sites.items():
        compute_assets(tx, timestamp(clock.now()), AssetPlace(organization_id, site_id), keys)


def _remove_runs(tx: Connection, clock: Clock, organization_id: int, table: Table, keys: Sequence[int]) -> None:
    """Delete runs with their logs and the idempotency keys that refer to them."""
    forget(tx, organization_id, "TaskRun", keys)
    tx.execute(delete(runs).where(runs.c.id.in_(keys)))


def _remove_tombstones(tx: Connection, clock: Clock, organization_id: int, table: Table, keys: Sequence[int]) -> None:
    """Delete tombstones; older cursors of `changes` are refused from now on. The object's key and edges stay."""
    version = tx.scalar(select(func.max(table.c.version)).where(table.c.id.in_(keys)))
    mine = (organizations.c.id == organization_id) & (organizations.c.purged_version < version)
    tx.execute(update(organizations).where(mine).values(purged_version=version))
    if table is not assets:
        tx.execute(delete(raw).where(raw.c.object_id.in_(keys)))
        # Hide the objects: without a row they would count as never read, and be shown.
        hide(tx, keys)
    tx.execute(delete(table).where(table.c.id.in_(keys)))


_REMOVERS = {
    RetentionSubject.STALE_ASSETS: _remove_assets,
    RetentionSubject.OFFLINE_ASSETS: _remove_assets,
    RetentionSubject.SOURCE_ATTRIBUTES: _remove_records,
    RetentionSubject.RUNS: _remove_runs,
    RetentionSubject.TOMBSTONES: _remove_tombstones,
}


def _note(clock: Clock, organization_id: int, removed: Counter[RetentionSubject], tx: Connection) -> None:
    values = {
        "organization_id": organization_id,
        "at": timestamp(clock.now()),
        "actor": "rollcall",
        "action": "applyRetention",
        "target": ", ".join(f"{subject.name} {number}" for subject, number in removed.items() if number),
        "outcome": "OK",
    }
    tx.execute(insert(audit_events).values(values))
