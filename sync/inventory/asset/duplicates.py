"""Finds assets of one site that may be the same machine, because they share an identifying value; merges nothing."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, true, tuple_, union_all

from sync.inventory.asset.asset import DEVICE_FIELDS, MAC, NAME
from sync.inventory.asset.identity import HARDWARE, DeviceIdentity, same_hardware, why_names_differ
from sync.inventory.asset.source import BITS, SCAN
from sync.store.statement.in_list import among
from sync.store.tables import asset_keys, assets, device_keys, devices, kept_apart, sites

_RECORDS = select(*DEVICE_FIELDS, devices.c.device_id, devices.c.trust_type).where(among(devices.c.asset_id, "keys"))


class DuplicateKey(enum.StrEnum):
    """The kinds of values that assets can share."""

    ADDRESS = "ADDRESS"
    DEVICE_ID = "DEVICE_ID"
    HARDWARE_ID = "HARDWARE_ID"
    MAC = "MAC"
    NAME = "NAME"
    SERIAL = "SERIAL"


Place = tuple[int, str, str]


def duplicates(organization_id: int, site_id: int | None, after: Place | None) -> Select[Any]:
    """Select each (site, key, value) that several live assets share, with `assets`, a JSON array of their ids.

    A group is left out if a person has split all its assets from each other. Ordered by (site, key, value).

    Args:
        organization_id: the organization of the assets.
        site_id: select only this site; None: all sites.
        after: select only rows after this (site, key, value).
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
    """Select the values that live assets can share: site_id, key, value, asset_id; each once."""
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
    return union_all(*by_key, by_serial, by_device, _by_address(mine), _by_hardware(mine, here))


def _by_address(mine: Sequence[ColumnElement[bool]]) -> Any:
    """Select the addresses of scanned assets: two assets at one address are one machine, or used it in turn."""
    address = func.json_each(assets.c.addresses).table_valued("value", name="address")
    is_scanned = assets.c.source_mask.op("&")(BITS[SCAN]) != 0
    return (
        select(assets.c.site_id, literal(str(DuplicateKey.ADDRESS)).label("key"), address.c.value, assets.c.id)
        .join_from(assets, address, true())
        .where(*mine, is_scanned)
    )


def _by_hardware(mine: Sequence[ColumnElement[bool]], here: Sequence[ColumnElement[bool]]) -> Any:
    """Select the hardware ids that several devices share: copies of an image, or one machine that was kept apart."""
    kinds = or_(*(device_keys.c.key.between(f"{kind}:", f"{kind};") for kind in HARDWARE))
    # Group along the primary key: most ids belong to one device and are skipped cheaply.
    shared = (
        select(device_keys.c.site_id, device_keys.c.key)
        .join_from(sites, device_keys, device_keys.c.site_id == sites.c.id)
        .where(*here, kinds)
        .group_by(device_keys.c.site_id, device_keys.c.key)
        .having(func.count() > 1)
        .subquery("shared")
    )
    its = and_(device_keys.c.site_id == shared.c.site_id, device_keys.c.key == shared.c.key)
    return (
        select(assets.c.site_id, literal(str(DuplicateKey.HARDWARE_ID)).label("key"), shared.c.key, assets.c.id)
        .join_from(shared, device_keys, its)
        .join(devices, devices.c.id == device_keys.c.device_id)
        .join(assets, assets.c.id == devices.c.asset_id)
        .where(*mine)
        .distinct()
    )


def records_of(asset_ids: Iterable[int]) -> tuple[Select[Any], dict[str, Any]]:
    """Return the statement that selects the device records of assets for `why_apart`, and its parameters."""
    return _RECORDS, {"keys": [*asset_ids]}


def why_apart(key: DuplicateKey, asset_ids: Sequence[int], records: Mapping[int, Sequence[DeviceIdentity]]) -> str:
    """Return why assets that share a value were not merged.

    Args:
        key: the kind of the shared value.
        asset_ids: all assets that share it.
        records: asset → its identities in the directory (`identity`); assets without any may be missing.
    """
    if key is DuplicateKey.ADDRESS:
        return "Two machines may have had the same address, one after the other."
    if len(asset_ids) > 2:
        return f"{len(asset_ids)} assets share it, so it identifies none of them."
    one, other = (records.get(asset_id, ()) for asset_id in asset_ids)
    pairs = list(product(one, other))
    if any(same_hardware(*pair) is False for pair in pairs):
        return "Their hardware ids differ."
    if key is not DuplicateKey.NAME:
        return "Stronger evidence, or a person's decision, keeps them apart."
    if not pairs:
        return "Only scans know one of them, or the name fits several machines: that is too little to merge them."
    reasons = (why for pair in pairs if (why := why_names_differ(*pair)))
    return next(reasons, "A person has merged or split one of them, or a record that is not shown has the name too.")
