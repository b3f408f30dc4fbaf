"""Merges and splits assets for a person: moves their records and pins them, so that no sync undoes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from sync.clock import Clock, timestamp
from sync.errors import BadInput, NotFound
from sync.inventory.asset.asset import AssetPlace, asset_fields, compute_assets, create_assets
from sync.inventory.asset.match import MANUAL
from sync.organization.organizations import next_version
from sync.store import AnyRow
from sync.store.statement.bulk import update_rows
from sync.store.statement.in_list import among
from sync.store.tables import assets, devices, kept_apart, matches, scan_records

MERGED_MAX = 100
RECORDS_MAX = 1_000
_NOTES = select(assets.c.id, assets.c.tags, assets.c.comment, assets.c.criticality).where(among(assets.c.id, "keys"))


def merge_assets(tx: Connection, clock: Clock, organization_id: int, into: int, others: Sequence[int]) -> None:
    """Merge assets: `into` gets the records, tags and notes of the others, which are removed.

    Raises:
        BadInput: too few or too many assets, one named twice, or assets of several sites.
        NotFound: the organization has no such asset.
    """
    if not 1 <= len(others) <= MERGED_MAX:
        raise BadInput(f"Name 1 to {MERGED_MAX} assets to merge.", path="assets")
    if len({into, *others}) <= len(others):
        raise BadInput("An asset is named twice.", path="assets")
    target = (_live(tx, organization_id, [into], "into"))[0]
    merged = _live(tx, organization_id, others, "assets")
    if {asset.site_id for asset in merged} != {target.site_id}:
        raise BadInput("Assets of different sites cannot be merged.", path="assets")
    now = timestamp(clock.now())
    _pin(tx, now, into, matches.c.asset_id == into)
    _move(tx, now, into, devices.c.asset_id.in_(others), scan_records.c.asset_id.in_(others), "merge")
    _part_with(tx, into, others)
    notes = _notes([target, *merged])
    if any(getattr(target, name) != value for name, value in notes.items()):
        written = {**notes, "version": next_version(tx, organization_id), "updated_at": now}
        tx.execute(update(assets).where(assets.c.id == into).values(written))
    compute_assets(tx, now, AssetPlace(organization_id, target.site_id), [into, *others])


def split_asset(
    tx: Connection,
    clock: Clock,
    organization_id: int,
    asset_id: int,
    device_ids: Sequence[int],
    scan_ids: Sequence[int],
) -> int:
    """Move some of an asset's records to a new asset and return its key.

    Raises:
        BadInput: no records, too many, or all records of the asset are named.
        NotFound: the organization has no such asset, or the asset no such record.
    """
    asset = (_live(tx, organization_id, [asset_id], "asset"))[0]
    chosen = {*device_ids}, {*scan_ids}
    if not 1 <= sum(map(len, chosen)) <= RECORDS_MAX:
        raise BadInput(f"Name 1 to {RECORDS_MAX:,} records.", path="records")
    present = [
        set(tx.scalars(select(table.c.id).where(table.c.asset_id == asset_id))) for table in (devices, scan_records)
    ]
    if any(wanted - there for wanted, there in zip(chosen, present, strict=True)):
        raise NotFound("The asset has no such record.", path="records")
    if [*chosen] == present:
        raise BadInput(
            "These are all records of the asset.", hint="Leave at least one record with the asset.", path="records"
        )
    now, place = timestamp(clock.now()), AssetPlace(organization_id, asset.site_id)
    (new,) = create_assets(tx, now, place, [asset_fields([])])
    _pin(tx, now, asset_id, matches.c.asset_id == asset_id)
    _move(tx, now, new, devices.c.id.in_(device_ids), scan_records.c.id.in_(scan_ids), "split")
    tx.execute(insert(kept_apart).values(asset_id=asset_id, other_id=new))
    compute_assets(tx, now, place, [asset_id, new])
    return new


def _live(tx: Connection, organization_id: int, keys: Sequence[int], path: str) -> Sequence[AnyRow]:
    """Read live assets of the organization, in the order of the keys."""
    mine = assets.c.id.in_(keys) & (assets.c.organization_id == organization_id) & assets.c.deleted_at.is_(None)
    columns = (assets.c.id, assets.c.site_id, assets.c.tags, assets.c.comment, assets.c.criticality)
    found = {row.id: row for row in tx.execute(select(*columns).where(mine))}
    if len(found) < len(keys):
        raise NotFound("There is no such asset.", path=path)
    return [found[key] for key in keys]


def _pin(tx: Connection, now: str, asset_id: int, chosen: Any, **why: Any) -> None:
    """Pin records to an asset, whatever their keys are."""
    tx.execute(update(matches).where(chosen).values(asset_id=asset_id, is_pinned=True, matched_at=now, **why))


def _move(tx: Connection, now: str, asset_id: int, chosen_devices: Any, chosen_scans: Any, what: str) -> None:
    """Move records to an asset, and note that a person did."""
    moved = list(tx.scalars(select(devices.c.id).where(chosen_devices)))
    _pin(tx, now, asset_id, matches.c.object_id.in_(moved), key=MANUAL, value=what)
    tx.execute(update(devices).where(devices.c.id.in_(moved)).values(asset_id=asset_id))
    why = {"match_key": MANUAL, "match_value": what, "updated_at": now}
    tx.execute(update(scan_records).where(chosen_scans).values(asset_id=asset_id, **why))


def _part_with(tx: Connection, into: int, others: Sequence[int]) -> None:
    """Keep the merged asset apart from all assets that its parts were kept apart from, except from its own parts."""
    one, other = kept_apart.c.asset_id, kept_apart.c.other_id
    touched = or_(one.in_([into, *others]), other.in_([into, *others]))
    rows = (tx.execute(select(one, other).where(touched))).all()
    moved = {tuple(sorted(into if key in others else key for key in row)) for row in rows}
    tx.execute(delete(kept_apart).where(touched))
    pairs = [{"asset_id": first, "other_id": second} for first, second in sorted(moved) if first != second]
    if pairs:
        tx.execute(insert(kept_apart), pairs)


def carry_notes(tx: Connection, now: str, organization_id: int, into: Mapping[int, int]) -> None:
    """Add the notes of assets to the assets that they have become part of.

    Args:
        into: the removed asset → the asset that it became part of.
    """
    rows = {row.id: row for row in tx.execute(_NOTES, {"keys": {*into, *into.values()}})}
    changed: dict[int, dict[str, Any]] = {}
    for target in sorted(set(into.values())):
        parts = [rows[target], *(rows[key] for key in sorted(into) if into[key] == target)]
        notes = _notes(parts)
        if any(getattr(parts[0], name) != value for name, value in notes.items()):
            changed[target] = notes
    if changed:
        stamps = {"version": next_version(tx, organization_id), "updated_at": now}
        update_rows(tx, assets, [{"id": key, **notes, **stamps} for key, notes in changed.items()])


def _notes(parts: Sequence[AnyRow]) -> dict[str, Any]:
    """Combine the notes of several assets; only the first criticality is kept."""
    comments: list[str] = []
    for part in parts:
        # Skip a comment that an earlier merge has added already.
        if part.comment and not any(part.comment in comment for comment in comments):
            comments.append(part.comment)
    return {
        "tags": list(dict.fromkeys(tag for part in parts for tag in part.tags)),
        "comment": "\n".join(comments) or None,
        "criticality": next((part.criticality for part in parts if part.criticality), None),
    }
