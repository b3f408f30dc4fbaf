"""Links every device of a directory anew, as a first sync with these options would: for options that were changed."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, select, update

from sync.clock import Clock, timestamp
from sync.inventory.asset import Place, compute_assets
from sync.inventory.directory import Directory
from sync.inventory.link import LinkOptions, link_devices
from sync.store.tables import assets, devices


def relink_devices(tx: Connection, clock: Clock, directory: Directory, options: LinkOptions) -> Counter[str]:
    """Take all devices out of their assets and link them again, in the order in which they first came.

    In one transaction, so that nobody sees an inventory without them. An asset is the same as before if its first
    device was in it; what a person merged or split stays so.

    Returns:
        Assets created, removed and restored, and devices skippedUnknown and skippedInactive.
    """
    mine, place = devices.c.directory_id == directory.id, Place(directory.organization_id, directory.site_id)
    before = _live(tx, place)
    linked = tx.scalars(select(devices.c.asset_id).where(mine, devices.c.asset_id.is_not(None)).distinct())
    affected = list(linked)
    tx.execute(update(devices).where(mine).values(asset_id=None, skipped=None))
    compute_assets(tx, timestamp(clock.now()), place, affected)
    keys = list(tx.scalars(select(devices.c.id).where(mine).order_by(devices.c.id)))
    counts = link_devices(tx, clock, directory, options, keys)
    after = _live(tx, place)
    # What left and returned in here never was away.
    net = Counter({name: counts[name] for name in ("created", "skippedUnknown", "skippedInactive")})
    net.update(removed=len(before - after), restored=len(after - before) - counts["created"])
    return +net


def _live(tx: Connection, place: Place) -> set[int]:
    here = assets.c.organization_id == place.organization_id, assets.c.site_id == place.site_id
    return set(tx.scalars(select(assets.c.id).where(*here, assets.c.deleted_at.is_(None))))
