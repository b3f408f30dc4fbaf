"""Finds assets of one site that may be the same machine: they share what tells machines apart; merges nothing."""

from __future__ import annotations

import enum
from typing import Any

from sqlalchemy import Select, and_, func, literal, select, tuple_, union_all

from sync.inventory.asset import MAC, NAME
from sync.store.tables import asset_keys, assets, devices, kept_apart, sites


class DuplicateKey(enum.StrEnum):
    """What assets can share."""

    DEVICE_ID = "DEVICE_ID"
    MAC = "MAC"
    NAME = "NAME"
    SERIAL = "SERIAL"


Place = tuple[int, str, str]


def duplicates(organization_id: int, site_id: int | None, after: Place | None) -> Select[Any]:
    """Select site, key and value that several live assets share, and these (`assets`, a JSON array of their ids).

    Assets that a person split, each from each other, are no duplicates. Ordered by (site, key, value).

    Args:
        organization_id: whose assets.
        site_id: only of this site; of all if None.
        after: the (site, key, value) that the rows lie behind.
    """
    pool = _shared(organization_id, site_id).cte("pool")
    same = (pool.c.site_id, pool.c.key, pool.c.value)
    number = func.count(pool.c.asset_id)
    one, other = pool.alias("one"), pool.alias("other")
    mates = and_(*(one.c[column.key] == other.c[column.key] for column in same))
    apart = (
        select(one.c.site_id, one.c.key, one.c.value, func.count().label("pairs"))
        .join_from(kept_apart, one, one.c.asset_id == kept_apart.c.asset_id)
        .join(other, and_(other.c.asset_id == kept_apart.c.other_id, mates))
        .group_by(one.c.site_id, one.c.key, one.c.value)
        .subquery("apart")
    )
    known = func.coalesce(func.max(apart.c.pairs), 0)
    statement = (
        select(*same, func.json_group_array(pool.c.asset_id).label("assets"))
        .outerjoin_from(pool, apart, and_(*(apart.c[column.key] == column for column in same)))
        .group_by(*same)
        .having(number > 1, number * (number - 1) / 2 > known)
        .order_by(*same)
    )
    return statement if after is None else statement.where(tuple_(*same) > tuple_(*map(literal, after)))


def _shared(organization_id: int, site_id: int | None) -> Any:
    """Select what each live asset can share with others: site_id, key, value, asset_id; each once."""
    mine = [assets.c.organization_id == organization_id, assets.c.deleted_at.is_(None)]
    here = [sites.c.organization_id == organization_id]
    if site_id is not None:
        mine.append(assets.c.site_id == site_id)
        here.append(sites.c.id == site_id)
    by_key = [
        select(
            asset_keys.c.site_id,
            literal(str(key)).label("key"),
            asset_keys.c.value,
            asset_keys.c.asset_id,
        )
        .join_from(sites, asset_keys, asset_keys.c.site_id == sites.c.id)
        .where(*here, asset_keys.c.kind == kind)
        for key, kind in ((DuplicateKey.NAME, NAME), (DuplicateKey.MAC, MAC))
    ]
    by_serial = select(
        assets.c.site_id, literal(str(DuplicateKey.SERIAL)).label("key"), assets.c.serial, assets.c.id
    ).where(*mine, assets.c.serial != "")
    by_device = (
        select(assets.c.site_id, literal(str(DuplicateKey.DEVICE_ID)).label("key"), devices.c.device_id, assets.c.id)
        .join_from(assets, devices, devices.c.asset_id == assets.c.id)
        .where(*mine, devices.c.device_id != "")
        .distinct()
    )
    return union_all(*by_key, by_serial, by_device)
