"""Which asset a device is a record of: by what a person decided, its device id, its host name, its MAC address.

Pure: it is told what there is and decides. A key that several assets have decides nothing, and the next one is tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sync.inventory.asset import name_key
from sync.inventory.mac import macs_in
from sync.store import AnyRow

MANUAL, DEVICE_ID, HOST_NAME, MAC_ADDRESS, NEW = "manual", "deviceId", "name", "mac", "new"


@dataclass(frozen=True)
class Match:
    """Why a record belongs to an asset."""

    asset_id: int
    key: str
    value: str | None


class Candidates:
    """The assets of a site that devices may belong to.

    Args:
        only_known: only an asset that another source knows counts (`excludeUnknown`).
    """

    def __init__(self, *, only_known: bool) -> None:
        self._only_known = only_known
        self._known: set[int] = set()
        self._by_key: dict[tuple[str, str], dict[int, None]] = {}
        self._full_names: dict[int, set[str]] = {}
        # Device → the asset a person put it in.
        self._pins: dict[int, Match] = {}

    def offer(
        self, asset_id: int, *, is_known: bool, names: Iterable[str] = (), keys: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Tell of an asset: whether another source knows it, its host names, and (key, value) pairs it has."""
        if is_known:
            self._known.add(asset_id)
        self._full_names.setdefault(asset_id, set()).update(name.strip().casefold() for name in names)
        for key in keys:
            # The latest comes last: of several assets with a device id, it has the latest record.
            self._by_key.setdefault(key, {}).pop(asset_id, None)
            self._by_key[key][asset_id] = None

    def pin(self, device_id: int, match: Match) -> None:
        """Tell where a person put a device."""
        self._pins[device_id] = match

    def match(self, row: AnyRow) -> Match | None:
        """Return the asset that a device belongs to, None if none is it or several might be."""
        pinned = self._pins.get(row.id)
        if pinned is not None and self._counts(pinned.asset_id):
            return pinned
        if row.device_id and (owners := self._owners(DEVICE_ID, row.device_id)):
            return Match(owners[-1], DEVICE_ID, row.device_id)
        if short := name_key(row.display_name):
            namesakes = self._namesakes(short, row.display_name.strip().casefold())
            if len(namesakes) == 1:
                return Match(namesakes[0], HOST_NAME, short)
        for mac in macs_in(row.physical_ids):
            owners = self._owners(MAC_ADDRESS, mac)
            if len(owners) == 1:
                return Match(owners[0], MAC_ADDRESS, mac)
        return None

    def take(self, row: AnyRow, asset_id: int) -> None:
        """Tell that a device was put into an asset, so that others may follow it."""
        keys = [(MAC_ADDRESS, mac) for mac in macs_in(row.physical_ids)]
        if row.device_id:
            keys.append((DEVICE_ID, row.device_id))
        if short := name_key(row.display_name):
            keys.append((HOST_NAME, short))
        self.offer(asset_id, is_known=False, names=[row.display_name] if row.display_name else (), keys=keys)

    def _owners(self, key: str, value: str) -> list[int]:
        return [asset_id for asset_id in self._by_key.get((key, value), ()) if self._counts(asset_id)]

    def _counts(self, asset_id: int) -> bool:
        return not self._only_known or asset_id in self._known

    def _namesakes(self, short: str, name: str) -> list[int]:
        """List the assets with a host name; where domains are told they must agree, and a full name in common wins."""
        owners = self._owners(HOST_NAME, short)
        if "." not in name:
            return owners
        same = [asset_id for asset_id in owners if name in self._full_names[asset_id]]
        return same or [asset_id for asset_id in owners if not self._has_domain(asset_id, short)]

    def _has_domain(self, asset_id: int, short: str) -> bool:
        return any(name.startswith(f"{short}.") for name in self._full_names[asset_id])
