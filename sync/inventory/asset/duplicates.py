"""Finds assets of one site that may be the same machine: they share what tells machines apart; merges nothing."""

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
    """What assets can share."""

    ADDRESS = "ADDRESS"
    DEVICE_ID = "DEVICE_ID"
    HARDWARE_ID = "HARDWARE_ID"
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
    return union_all(*by_key, by_serial, by_device, _by_address(mine), _by_hardware(mine, here))


def _by_address(mine: Sequence[ColumnElement[bool]]) -> Any:
    """Select the addresses that scans have found assets at: one machine that was known by less, or two in turn."""
    address = func.json_each(assets.c.addresses).table_valued("value", name="address")
    is_scanned = assets.c.source_mask.op("&")(BITS[SCAN]) != 0
    return (
        select(assets.c.site_id, literal(str(DuplicateKey.ADDRESS)).label("key"), address.c.value, assets.c.id)
        .join_from(assets, address, true())
        .where(*mine, is_scanned)
    )


def _by_hardware(mine: Sequence[ColumnElement[bool]], here: Sequence[ColumnElement[bool]]) -> Any:
    """Select the hardware ids that several devices have: of an image, or of one machine beside better evidence."""
    kinds = or_(*(device_keys.c.key.between(f"{kind}:", f"{kind};") for kind in HARDWARE))
    # Along the primary key, so that the many that only one device has are passed over at once.
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
    """Select what the directory says of assets, for `why_apart`, with the values of its parameters."""
    return _RECORDS, {"keys": [*asset_ids]}


def why_apart(key: DuplicateKey, asset_ids: Sequence[int], records: Mapping[int, Sequence[DeviceIdentity]]) -> str:
    """Tell why assets that share something were not made one.

    Args:
        key: what they share.
        asset_ids: all that share it.
        records: asset → what the directory says of it (`identity`), of those it knows.
    """
    if key is DuplicateKey.ADDRESS:
        return "An address is given to another machine when the first no longer asks for it."
    if len(asset_ids) > 2:
        return f"{len(asset_ids)} assets have it, so it tells none of them from the others."
    one, other = (records.get(asset_id, ()) for asset_id in asset_ids)
    pairs = list(product(one, other))
    if any(same_hardware(*pair) is False for pair in pairs):
        return "Their hardware ids differ."
    if key is not DuplicateKey.NAME:
        return "Better evidence, or a person, says that they are two machines."
    if not pairs:
        return "Of what only scans have seen, or what several could be, nobody knows whether it is the same machine."
    reasons = (why for pair in pairs if (why := why_names_differ(*pair)))
    return next(reasons, "A person has merged or split one of them, or a record that is not shown bears it too.")
