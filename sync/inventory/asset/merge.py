"""Merges and splits assets as a person says: their records are moved and pinned, so that no sync undoes it."""

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
    """Make several assets one: `into` gets their records, tags and notes; the others are removed.

    Raises:
        BadInput: there is nothing to merge, too much, an asset twice, or assets of several sites.
        NotFound: the organization has no such asset.
    """
    if not 1 <= len(others) <= MERGED_MAX:
        raise BadInput(f"Name 1 to {MERGED_MAX} assets to merge.", path="assets")
    if len({into, *others}) <= len(others):
        raise BadInput("An asset is named twice.", path="assets")
    target = (_live(tx, organization_id, [into], "into"))[0]
    merged = _live(tx, organization_id, others, "assets")
    if {asset.site_id for asset in merged} != {target.site_id}:
        raise BadInput("Assets of different sites are different machines.", path="assets")
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
    """Make a new asset of some of an asset's records and return its key.

    Raises:
        BadInput: no record is named, too many, or all of them.
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
        raise BadInput("These are all records of the asset.", hint="Leave it at least one.", path="records")
    now, place = timestamp(clock.now()), AssetPlace(organization_id, asset.site_id)
    (new,) = create_assets(tx, now, place, [asset_fields([])])
    _pin(tx, now, asset_id, matches.c.asset_id == asset_id)
    _move(tx, now, new, devices.c.id.in_(device_ids), scan_records.c.id.in_(scan_ids), "split")
    tx.execute(insert(kept_apart).values(asset_id=asset_id, other_id=new))
    compute_assets(tx, now, place, [asset_id, new])
    return new


def _live(tx: Connection, organization_id: int, keys: Sequence[int], path: str) -> Sequence[AnyRow]:
    """Read assets of the organization in the order they are named."""
    mine = assets.c.id.in_(keys) & (assets.c.organization_id == organization_id) & assets.c.deleted_at.is_(None)
    columns = (assets.c.id, assets.c.site_id, assets.c.tags, assets.c.comment, assets.c.criticality)
    found = {row.id: row for row in tx.execute(select(*columns).where(mine))}
    if len(found) < len(keys):
        raise NotFound("There is no such asset.", path=path)
    return [found[key] for key in keys]


def _pin(tx: Connection, now: str, asset_id: int, chosen: Any, **why: Any) -> None:
    """Keep records with an asset, whatever they say of themselves."""
    tx.execute(update(matches).where(chosen).values(asset_id=asset_id, is_pinned=True, matched_at=now, **why))


def _move(tx: Connection, now: str, asset_id: int, chosen_devices: Any, chosen_scans: Any, what: str) -> None:
    """Give records to an asset, and say that a person did."""
    moved = list(tx.scalars(select(devices.c.id).where(chosen_devices)))
    _pin(tx, now, asset_id, matches.c.object_id.in_(moved), key=MANUAL, value=what)
    tx.execute(update(devices).where(devices.c.id.in_(moved)).values(asset_id=asset_id))
    why = {"match_key": MANUAL, "match_value": what, "updated_at": now}
    tx.execute(update(scan_records).where(chosen_scans).values(asset_id=asset_id, **why))


def _part_with(tx: Connection, into: int, others: Sequence[int]) -> None:
    """Let the merged asset be kept apart from what its parts were kept apart from, itself aside."""
    one, other = kept_apart.c.asset_id, kept_apart.c.other_id
    touched = or_(one.in_([into, *others]), other.in_([into, *others]))
    rows = (tx.execute(select(one, other).where(touched))).all()
    moved = {tuple(sorted(into if key in others else key for key in row)) for row in rows}
    tx.execute(delete(kept_apart).where(touched))
    pairs = [{"asset_id": first, "other_id": second} for first, second in sorted(moved) if first != second]
    if pairs:
        tx.execute(insert(kept_apart), pairs)


def carry_notes(tx: Connection, now: str, organization_id: int, into: Mapping[int, int]) -> None:
    """Write what people wrote on assets also on those that they have become part of.

    Args:
        into: the asset that goes → the one it is part of.
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
    """Put together what people wrote on several assets; nothing of it is lost but a second criticality."""
    comments: list[str] = []
    for part in parts:
        # Do not add again what an earlier merge carried over.
        if part.comment and not any(part.comment in comment for comment in comments):
            comments.append(part.comment)
    return {
        "tags": list(dict.fromkeys(tag for part in parts for tag in part.tags)),
        "comment": "\n".join(comments) or None,
        "criticality": next((part.criticality for part in parts if part.criticality), None),
    }
