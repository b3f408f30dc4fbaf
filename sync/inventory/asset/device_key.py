"""The stored keys of devices, which identify them or tell them apart, and the devices that share keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, exists, literal, select

from sync.inventory.asset.identity import DeviceIdentity
from sync.inventory.asset.match import BEARERS_MAX
from sync.store.statement.bulk import delete_rows, insert_rows
from sync.store.statement.in_list import among, elements
from sync.store.tables import device_keys

_KEYS_OF = select(device_keys.c.device_id, device_keys.c.key).where(among(device_keys.c.device_id, "ids"))
_asked = elements("keys")
_another = (
    device_keys.c.site_id == bindparam("site"),
    device_keys.c.key == _asked.c.value,
    ~among(device_keys.c.device_id, "ids"),
)
# Test for one device too many without counting all: a million devices may share a name.
_ONE_TOO_MANY = (
    select(literal(1)).where(*_another).limit(1).offset(BEARERS_MAX).correlate(_asked).scalar_subquery().is_not(None)
)
_SHARED = select(_asked.c.value, _ONE_TOO_MANY).where(exists().where(*_another).correlate(_asked))
_BEARERS = (
    select(device_keys.c.device_id)
    .distinct()
    .where(device_keys.c.site_id == bindparam("site"), among(device_keys.c.key, "keys"))
)


def renew_keys(tx: Connection, site_id: int, keys: Sequence[int], wanted: Mapping[int, DeviceIdentity]) -> set[str]:
    """Update the stored keys of some devices.

    Args:
        keys: the devices.
        wanted: device → identity, for devices that have or may get an asset; the others lose their keys.

    Returns:
        Every key that one of them has or had.
    """
    stored = {(row.device_id, row.key) for row in tx.execute(_KEYS_OF, {"ids": keys})}
    told = {(record.id, key) for record in wanted.values() for key in record.keys}
    place = {"site_id": site_id}
    delete_rows(tx, device_keys, [{**place, "key": key, "device_id": one} for one, key in stored - told])
    insert_rows(tx, device_keys, [{**place, "key": key, "device_id": one} for one, key in sorted(told - stored)])
    return {key for _, key in stored | told}


def bearers(tx: Connection, site_id: int, keys: Iterable[str], but: Iterable[int]) -> tuple[set[int], set[str]]:
    """Find the other devices of a site that have one of the keys.

    Args:
        but: the devices whose keys have just changed; they do not count as others.

    Returns:
        The devices, and the keys that more than `BEARERS_MAX` others have: devices that share only such keys are left
        out.
    """
    values = {"site": site_id, "keys": sorted(keys), "ids": but}
    shared = dict(tuple(row) for row in tx.execute(_SHARED, values))
    common = {key for key, is_common in shared.items() if is_common}
    telling = shared.keys() - common
    found = set(tx.scalars(_BEARERS, {"site": site_id, "keys": sorted(telling)})) if telling else set()
    return found, common
