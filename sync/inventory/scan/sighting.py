"""Remembers the addresses of each name in a report, so that its parts tell the same hosts apart."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from sync.inventory.asset.asset import AssetPlace
from sync.inventory.asset.host_name import name_keys
from sync.store.tables import scan_records

Addresses = frozenset[str]


class Sightings:
    """The addresses of the hosts of one report or scan, by name; a long one is written in several transactions."""

    def __init__(self) -> None:
        self._at: dict[str, list[Addresses]] = {}

    @classmethod
    def since(cls, tx: Connection, site: AssetPlace, began_at: str) -> Sightings:
        """Read what scans of a site have found since a time; an interrupted scan continues with it."""
        shown = select(scan_records.c.names, scan_records.c.addresses)
        mine = scan_records.c.site_id == site.site_id, scan_records.c.last_seen >= began_at
        found = cls()
        for row in tx.execute(shown.where(*mine)):
            found.add(name_keys(row.names), row.addresses)
        return found

    def add(self, names: Iterable[str], addresses: Iterable[str]) -> None:
        """Add a host with its names in compared form; a host without an address is ignored."""
        found = frozenset(addresses)
        for name in names if found else ():
            self._at.setdefault(name, []).append(found)

    def apart(self, name: str, addresses: Addresses) -> bool:
        """Return whether another host has the name: it was found at none of these addresses."""
        return any(not addresses & others for others in self._at.get(name, ()))

    def took(self, name: str, addresses: Addresses, stored: Addresses) -> bool:
        """Return whether another host of the name was found at an address of a record: the record is that host's."""
        return any(not addresses & others and stored & others for others in self._at.get(name, ()))
